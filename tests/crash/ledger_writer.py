#!/usr/bin/env python3
"""ledger_writer.py FILE: the ledger's own process. Lines come on standard input; each is in the file and synced before the
number of lines so far goes out. Whatever becomes of the auditor, the file holds what was acknowledged."""
import os
import sys


def main():
    file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    lines, rest = 0, b""
    while chunk := os.read(0, 1 << 20):
        whole, end, rest = (rest + chunk).rpartition(b"\n")
        if not end:
            continue
        os.write(file, whole + end)
        os.fsync(file)
        lines += whole.count(b"\n") + 1
        os.write(1, b"%d\n" % lines)


if __name__ == "__main__":
    main()
