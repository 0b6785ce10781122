"""A client's connection: one request after the other, and no more known about an unanswered one than a client knows."""
import http.client
import json


class Gone(Exception):
    """No answer that says anything: the request may or may not have happened."""


class Refused(Exception):
    """An answer that makes no sense here."""


class Connection:
    """One keep-alive connection."""

    def __init__(self, port, token=None, on_silence=None, address="127.0.0.1"):
        self.port, self.token, self.on_silence, self.address, self.http = port, token, on_silence, address, None

    def answer(self, method, path, body=None, timeout=20):
        """(status, body) of whatever was answered; Gone when nothing whole came."""
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = "Bearer " + self.token
        try:
            if self.http is None:
                self.http = http.client.HTTPConnection(self.address, self.port, timeout=timeout)
            self.http.request(method, path, None if body is None else json.dumps(body), headers)
            answer = self.http.getresponse()
            text = answer.read()
            if answer.will_close:
                self.close()
            return answer.status, json.loads(text)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            if isinstance(error, TimeoutError) and self.on_silence:
                self.on_silence(f"{method} {path.split('?')[0]}: no answer in {timeout} s")
            raise Gone(str(error)) from error

    def call(self, method, path, body=None, timeout=20):
        """As answer(); a server error is as good as no answer."""
        status, result = self.answer(method, path, body, timeout)
        if status >= 500:
            raise Gone(f"{status} {result}")
        return status, result

    def close(self):
        if self.http is not None:
            self.http.close()
            self.http = None
