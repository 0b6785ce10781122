"""HAProxy as deploy/haproxy configures it, with the addresses of this machine."""
import re
import signal

from .places import ROOT, is_open, program
from .process import Process

SHIPPED = ROOT / "deploy/haproxy/haproxy.cfg"


def configuration(port, backends):
    """The shipped one with other addresses; `backends`: name -> processes."""
    text = re.sub(r"(?m)^  bind .*$", f"  bind 127.0.0.1:{port}", SHIPPED.read_text())
    for name, processes in backends.items():
        servers = "".join(f"  server {process.name} 127.0.0.1:{process.port}\n" for process in processes)
        text = re.sub(rf"(?m)(^backend {name}\n(?:  (?!server ).*\n)*)(?:  server .*\n)+", lambda match, of=servers: match[1] + of, text)
    return text


class Proxy(Process):
    stop_signal = signal.SIGUSR1  # lets what runs end

    def __init__(self, folder, port, backends):
        super().__init__("haproxy", folder)
        self.port, self.backends = port, backends
        self.ports = (port,)
        self.url = f"http://localhost:{port}"
        self.file = self.folder / "haproxy.cfg"

    def command(self):
        return [program("haproxy"), "-db", "-q", "-f", self.file]

    def launch(self, **more_environment):
        self.file.write_text(configuration(self.port, self.backends))
        super().launch(**more_environment)

    def ready(self):
        return is_open(self.port)
