"""The homeserver of a journey, in one of the four worlds: world.py WORLD PORT.

Prints "ready URL". Then lines on its input: "token" prints a registration token; "kill" kills every process with -9, one after the
other, each started again and ready before the next, and prints how long each took; "say TEXT" goes to the logs; "end"
stops all, prints "ended" and what was wrong, and removes the data if nothing was. At the end of its input it keeps the data.
"""
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/lib"))
from cluster import WORLDS, Cluster, Trouble  # noqa: E402


def kill_in_turn(cluster):
    took = []
    for process in cluster.processes:
        process.kill()
        took.append(f"{process.name} {process.start() * 1000:.0f} ms")
    return ", ".join(took)


def say(cluster, text):
    for process in cluster.processes:
        with open(process.log, "a", encoding="utf-8") as log:
            log.write(f"---- journey: {text}\n")


def complaints(cluster):
    """What no log may say, and who ended by itself."""
    for each in cluster.programs():
        if not each.alive():
            yield f"{each.name} ended"
        if "violation" in each.log.read_text(errors="replace").lower():
            yield f"{each.log} tells of a violation of NATS permissions"


def obey(cluster):
    """Whether it ended well."""
    print("ready", cluster.url, flush=True)
    for line in sys.stdin:
        order, _, text = line.strip().partition(" ")
        if order == "token":
            print("token", cluster.serving()[0].new_token(), flush=True)
        elif order == "kill":
            print("kill", kill_in_turn(cluster), flush=True)
        elif order == "say":
            say(cluster, text)
        else:
            wrong = list(complaints(cluster))
            if cluster.proxy:
                cluster.proxy.stop()  # waits for long polls that their clients have left
            began = time.monotonic()
            cluster.stop()
            if time.monotonic() - began > 10:
                wrong.append("stopping took more than 10 s")
            print("ended", "; ".join(wrong), flush=True)
            return not wrong
    return False


def main(world, port):
    folder = Path(tempfile.mkdtemp(prefix=f"myelin-journey-{world}-"))
    print("logs", folder, flush=True)
    settings = {"registration": "token", "rate_limits": False}
    try:
        with Cluster(**WORLDS[world], folder=folder, ports=int(port), settings=settings) as cluster:
            cluster.start()
            ok = obey(cluster)
    except Trouble as trouble:
        sys.exit(f"world: {trouble}")
    if ok:
        shutil.rmtree(folder)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended then too
main(*sys.argv[1:])
