#!/usr/bin/env python3
"""Every query of the Grafana dashboard finds something in what a running server says of itself. PORT: other ports."""
import json
import os
import re
import sys
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts/lib"))
from cluster import WORLDS, Cluster  # noqa: E402

PROMETHEUS_ADDS = {"job", "instance"}
MATCHES = {"=": str.__eq__, "!=": str.__ne__, "=~": lambda value, pattern: re.fullmatch(pattern, value) is not None,
           "!~": lambda value, pattern: re.fullmatch(pattern, value) is None}


def series(text):
    """What the server says: (name, labels) of each line."""
    for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? \S+$", text, re.M):
        yield name, dict(re.findall(r'(\w+)="([^"]*)"', labels))


def complaints(target, known):
    """What is wrong with one query of a panel."""
    expression = target["expr"]
    selectors = re.findall(r"(\w+)\{([^}]*)\}", expression)
    bare = set(re.findall(r"\b(?:myelin|process)_\w+", expression)) - {name for name, _ in selectors}
    if bare or not selectors:
        yield "a metric without a selector of the job"
    labels = set(PROMETHEUS_ADDS)
    for name, conditions in selectors:
        if name == "up":
            continue
        wanted = [each for each in re.findall(r'(\w+)(=~|!~|!=|=)"([^"]*)"', conditions) if each[0] not in PROMETHEUS_ADDS]
        found = [have for its_name, have in known if its_name == name and all(MATCHES[op](have.get(key, ""), value) for key, op, value in wanted)]
        if not found:
            yield f"no series is {name} {wanted}"
        for have in found:
            labels |= set(have)
    used = {word for group in re.findall(r"by \(([^)]*)\)", expression) for word in re.findall(r"\w+", group)}
    used |= set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
    if used - labels:
        yield f"no label is {', '.join(sorted(used - labels))}"


def main():
    dashboard = json.loads((ROOT / "deploy/grafana/myelin.json").read_text())
    targets = [(panel["title"], target) for panel in dashboard["panels"] for target in panel.get("targets", ())]
    with Cluster(**WORLDS["nats"], ports=int(os.environ.get("PORT", "18290"))) as cluster:
        cluster.start()
        with urllib.request.urlopen(cluster.url + "/_myelin/metrics", timeout=5) as answer:
            known = list(series(answer.read().decode()))
    wrong = [f"{title}: {target['expr']}: {why}" for title, target in targets for why in complaints(target, known)]
    print(f"dashboard: {len(targets)} queries, {len(wrong)} wrong", *wrong, sep="\n  ")
    return 1 if wrong or len(targets) < 20 else 0


sys.exit(main())
