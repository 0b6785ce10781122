"""How long writes stood still: by the time between a request's first attempt and its answer."""
import threading
import time


class Pauses:
    def __init__(self):
        self.lock = threading.Lock()
        self.answered = []  # (first attempt, answer, writer)

    def note(self, writer, began):
        with self.lock:
            self.answered.append((began, time.monotonic(), writer))

    def forget(self):
        with self.lock:
            self.answered = []

    def longest(self, since):
        """Of a write that was under way since then."""
        with self.lock:
            return max((end - began for began, end, _ in self.answered if end >= since), default=0.0)

    def have_all(self, writers, since):
        """Whether each has had a write answered that began since then."""
        with self.lock:
            return {writer for began, _, writer in self.answered if began >= since} >= set(writers)
