"""Imports modules from given folders only and reports each as one JSON line: {"module", "ms", "error", "kind"}; kinds as
plimsoll_failures.kind_of has them.

Run with -I -S, so that nothing of the interpreter's own site-packages can stand in for a missing distribution.
Reads {"paths": [folders], "modules": [names]} from standard input. A line {"module", "started": true} comes before
each import, so that a crash of the interpreter names its module.
"""

import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from plimsoll_failures import kind_of, words_of

del sys.path[0]


def main():
    job = json.load(sys.stdin)
    # What modules print must not mix with the report.
    report = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.path[:0] = job["paths"]

    def say(**line):
        report.write(json.dumps(line) + "\n")
        report.flush()

    for module in job["modules"]:
        say(module=module, started=True)
        begin = time.perf_counter()
        error, kind = None, None
        try:
            __import__(module)
        except BaseException as raised:
            error, kind = words_of(raised, job["paths"]), kind_of(raised)
        say(module=module, ms=round((time.perf_counter() - begin) * 1000, 1), error=error, kind=kind)
    report.flush()
    os._exit(0)


main()
