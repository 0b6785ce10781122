#!/usr/bin/env python3
"""Breaks one rule of the spine after the other in the sources, builds the simulator, and counts the seeds that notice.

mutants.py [SEEDS] [NAME…]: a table as in docs/reliability.md. Run it in a clean clone: the sources are changed while it
runs, and put back. By hand; not part of `make test`.
"""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUS, ROOMS, SYNC, DB = "src/infra/bus/", "src/components/rooms/", "src/components/sync/", "src/infra/db/"
MUTANTS = {  # name: (rule, what is broken, [(file, from, to)…])
    "fork-guard": ("A1", "a write does not name the version it is built on", [
        (ROOMS + "owner/store.cc", "AND version_no = $4", "AND $4 <> 0")]),
    "fence": ("A2", "a lane does not check the epoch", [
        (DB + "group_commit.cc", "held[fence] = session_->changed(ticket) == 1;", "held[fence] = true;")]),
    "cursor": ("A4", "a cursor is not compared before it moves", [
        (BUS + "consumer.cc", "AND seq = $5 AND EXISTS", "AND $5 >= 0 AND EXISTS")]),
    "cursor-again": ("A4", "who finds its cursor moved does not read it again", [
        (BUS + "consumer.cc", "    reload_ = true;\n    if (active_)", "    if (active_)")]),
    "gap": ("A4", "a consumer takes what comes, without what is missing", [
        (BUS + "consumer.cc", "it != waiting.end() && it->first == to + 1 &&", "it != waiting.end() &&"),
        (BUS + "consumer.cc", "++to;", "to = it->first;"),
        (BUS + "consumer.cc", "(waiting.empty() || waiting.begin()->first != partition.cursor + 1)", "waiting.empty()")]),
    "behind": ("A6", "a process that is behind a token does not wait", [
        (SYNC + "sync.cc", "if (feed_.position() >= position) co_return Result<void>{};",
         "if (feed_.position() >= position || position > 0) co_return Result<void>{};")]),
    "behind-token": ("A6", "the same, and its answers say up to where it is itself", [
        (SYNC + "sync.cc", "if (feed_.position() >= position) co_return Result<void>{};",
         "if (feed_.position() >= position || position > 0) co_return Result<void>{};"),
        (SYNC + "sync.cc", "std::max(poll.checked, feed_.position())", "feed_.position()"),
        (SYNC + "v3/answer.cc", "since.position = std::max(since.position, position);", "since.position = position;")]),
    "park": ("A11", "trouble of the database parks a message", [
        (BUS + "consumer.cc", "return code == Code::kBadJson ||", "return code == Code::kUnavailable || code == Code::kBadJson ||")]),
    "unknown": ("A12", "a COMMIT of unknown result counts as done", [
        (DB + "group_commit.cc", "outcome.result == CommitResult::kUnknown", "outcome.result == CommitResult::kUnknown && rows_.size() > 999")]),
    "generation": ("A13", "messages of a former generation are applied", [
        (BUS + "consumer.cc", "if (!wire || wire->generation != generation_) {", "if (!wire) {")]),
    "jump": ("A14", "positions come again after the database went back", [
        (DB + "position.cc", "SET pos = ({clock $1} + ahead) * $2 WHERE", "SET pos = pos WHERE")]),
    "ahead": ("A14", "who takes over may have a clock that is behind", [
        (DB + "position.cc", "ELSE ahead + $2 END", "ELSE ahead + 0 * $2 END")]),
    "gate": ("A16", "answers leave though COMMIT has failed", [
        (DB + "group_commit.cc", "== CommitResult::kFailed) return End::kBroken;", "== CommitResult::kFailed) return End::kCommitted;")]),
    "command-id": ("B2", "the id of a command is not stored with its event", [
        (ROOMS + "owner/store.cc", "if (write.command.empty()) return {};", "if (write.command.size() < 99) return {};")]),
    "transaction-id": ("B11", "a transaction id may be stored twice", [
        (ROOMS + "owner/store.cc", 'if (added == 0) return fail(Code::kStale, "the transaction', 'if (added < 0) return fail(Code::kStale, "the transaction')]),
    "poll": ("B9", "what other processes did is known by hints only", [
        (SYNC + "sync.cc", "      feed_.jump(seen);\n", "")]),
    "head-poll": ("B12", "what a stream lost is not looked for", [
        (BUS + "topic_bus.cc", "consumer->head_is(p, it->second[p]);", "(void)p;")]),
    "follower-jump": ("0008", "a follower is not told of a number that was jumped over", [
        (BUS + "follower.cc", "if (message.seq > last + 1) missed();", "")]),
    "follower-heads": ("0008", "a follower is not told what the heads show", [
        (BUS + "follower.cc", "  if (tell) missed();", "")]),
    "trim": ("–", "rows go when one consumer has applied them", [
        (BUS + "heads.cc", "min(c.seq)", "max(c.seq)"),
        (BUS + "heads.cc", "(SELECT min(seq) FROM cursor", "(SELECT max(seq) FROM cursor")]),
    "typing-again": ("B10", "what processes disagree about is told at once by each", [
        (SYNC + "sync.cc", "clock_.steady() >= poll.patience", "poll.patience <= poll.deadline")]),
    "typing-late": ("B10", "… or not before the poll ends", [
        (SYNC + "sync.cc", "is_doubtful ? poll.patience : poll.deadline", "is_doubtful ? poll.deadline : poll.deadline")]),
    "status-again": ("B10", "a status is told again by each process", [
        (SYNC + "typing.h", "return token.typing >> kShownBits;", "return is_ours(token) ? token.typing >> kShownBits : 0;")]),
    "behind-gap": ("B9", "who is loaded does not count what is known of positions to come", [
        (SYNC + "feed.cc", "return ahead_.empty() ? position_ : std::max(position_, ahead_.rbegin()->second);", "return position_;")]),
    "stale": ("B9", "who has gone stale while a poll was loading is asked nevertheless", [
        (SYNC + "sync.cc", "while (!poll.subscriber || poll.subscriber->stale) {", "if (!poll.subscriber || poll.subscriber->stale) {"),
        (SYNC + "feed.cc", "if (subscriber.stale || since", "if (since")]),
    "epoch": ("A2", "a takeover does not raise the epoch", [
        ("src/infra/lease/round.cc", "SET epoch = epoch + 1 WHERE", "SET epoch = epoch WHERE")]),
}


def survey(name, seeds):
    rule, what, changes = MUTANTS[name]
    kept = {file: (ROOT / file).read_text() for file, _, _ in changes}
    try:
        for file, old, new in changes:
            text = (ROOT / file).read_text()
            if old not in text:
                return f"| {rule} | {what} | | {file} has changed: the mutant must be written anew | |"
            (ROOT / file).write_text(text.replace(old, new, 1))
        built = subprocess.run(["scripts/build", "release", "myelin_simulator"], cwd=ROOT, text=True, capture_output=True)
        if built.returncode:
            return f"| {rule} | {what} | | does not build: {built.stdout[-300:]} | |"
        out = subprocess.run(["build/release/myelin_simulator", "--survey", "1", str(seeds)], cwd=ROOT, text=True,
                             capture_output=True).stdout
    finally:
        for file, text in kept.items():
            (ROOT / file).write_text(text)
    found = re.search(r"(\d+) of \d+ seeds fail; the first is (\d+): (.*)", out)
    if not found:
        return f"| {rule} | {what} | – | 0 | |"
    return f"| {rule} | {what} | {found[2]} | {found[1]} | {found[3]} |"


def main():
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    print(f"| rule | what is broken | first seed | of {seeds} | what the first says |\n|---|---|--:|--:|---|", flush=True)
    for name in sys.argv[2:] or MUTANTS:
        print(survey(name, seeds), flush=True)


if __name__ == "__main__":
    main()
