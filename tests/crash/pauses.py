"""How long writes stood still: by the time between a request's first attempt and its answer. And how long repeating a request
that failed took to cure it."""
import threading
import time


class Pauses:
    def __init__(self):
        self.lock = threading.Lock()
        self.answered = []  # (first attempt, answer, writer)
        self.failing = {}   # worker -> since when none of its attempts was answered
        self.cures = []     # seconds

    def note(self, writer, began):
        with self.lock:
            self.answered.append((began, time.monotonic(), writer))

    def forget(self):
        with self.lock:
            self.answered, self.cures = [], []

    def fails(self, worker):
        with self.lock:
            self.failing.setdefault(worker, time.monotonic())

    def works(self, worker):
        with self.lock:
            if worker in self.failing:
                self.cures.append(time.monotonic() - self.failing.pop(worker))

    def longest_cure(self):
        """From the first failure of a request to its answer; of one that fails still, until now."""
        with self.lock:
            return max([*self.cures, *(time.monotonic() - since for since in self.failing.values())], default=0.0)

    def longest(self, since):
        """Of a write that was under way since then."""
        with self.lock:
            return max((end - began for began, end, _ in self.answered if end >= since), default=0.0)

    def have_all(self, writers, since):
        """Whether each has had a write answered that began since then."""
        with self.lock:
            return {writer for began, _, writer in self.answered if began >= since} >= set(writers)
