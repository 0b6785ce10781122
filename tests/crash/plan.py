"""What befalls the server in a cycle. Everything follows from the seed and the cycle's number."""
import random
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
NTH = (1, 1, 2, 5, 20, 60)
STREAMS = ("nothing", "nothing", "nothing", "delete", "truncate", "save", "older", "consumer")


@dataclass
class Point:
    name: str
    nth: tuple = NTH
    patience: float = 1.5
    fail: str = ""
    needs: str = ""           # older_schema, parked, restored, gap


def read_points(path=HERE / "points.txt"):
    points = []
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        options = dict(word.split("=", 1) for word in words[1:])
        points.append(Point(words[0], tuple(int(n) for n in options.get("nth", "").split(",") if n) or NTH,
                            float(options.get("patience", 1.5)), options.get("fail", ""), options.get("with", "")))
    return points


@dataclass
class Cycle:
    rng: random.Random
    point: Point | None       # die there
    nth: int
    early: float | None       # or so many seconds after the start, ready or not
    life: float               # or so long after it is ready
    streams: str              # what becomes of the JetStream directory before
    database: str             # of the database: nothing, backup, restore
    disk: str                 # the file layer's order: "", full, sync-error, write-error
    nats_dies: bool           # an external NATS is killed and comes back
    witness_too: bool         # a restore puts the whole machine back, and the administrator says so


class Plan:
    """`each_first`: the first cycles end at every point once, as early as it can be asked for, and again at those that did not
    fire; then all goes by chance."""

    def __init__(self, seed, points, only=None, power=False, each_first=False):
        self.seed, self.power, self.each_first = seed, power, each_first
        self.points = [p for p in points if p.name == only] if only else points
        self.only = only
        self.deck, self.again = [], []

    def ask_again(self, point):
        """It did not fire."""
        if self.each_first:
            self.again.append(point)

    def cycle(self, number):
        rng = random.Random(f"{self.seed} {number}")
        fate = rng.random()
        is_first = self.each_first and (number < len(self.points) or bool(self.again))
        point = early = None
        if self.only or is_first or fate < 0.6:
            if not self.deck and not self.again:  # dealt like cards, so that every point comes up as often
                self.deck = self.points.copy()
                random.Random(f"{self.seed} deck {number}").shuffle(self.deck)
            point = self.deck.pop() if self.deck else self.again.pop()
        elif fate < 0.7:
            early = rng.uniform(0, 0.25)
        disk = rng.choice(("", "", "", "", "full", "sync-error", "write-error")) if self.power and not point and early is None else ""
        nth = (min(point.nth) if is_first else rng.choice(point.nth)) if point else 0
        return Cycle(rng, point, nth, early, rng.uniform(0.05, 0.8), rng.choice(STREAMS),
                     rng.choice(("nothing",) * 16 + ("backup",) * 2 + ("restore",)), disk, rng.random() < 0.15, rng.random() < 0.4)
