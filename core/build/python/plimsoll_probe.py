"""Answers, inside a real Lambda function, how long its handler's module takes to import and how much memory it has then, and
which of the other given modules import.

Deployed beside the function's own code and called under a name of its own, never by the function itself.
"""

import importlib
import time


def own_bytes():
    """Bytes that this process has for itself, without the files that it maps; None where the system does not say."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            lines = dict(line.split(":", 1) for line in status if ":" in line)
    except OSError:
        return None
    return sum(int(lines.get(name, "0 kB").split()[0]) * 1024 for name in ("RssAnon", "RssShmem"))


def load(module):
    begin = time.perf_counter()
    error, kind = None, None
    try:
        importlib.import_module(module)
    except BaseException as raised:
        error, kind = f"{type(raised).__name__}: {raised}", "import" if isinstance(raised, ImportError) else "other"
    return {"module": module, "ms": round((time.perf_counter() - begin) * 1000, 1), "error": error, "kind": kind}


def handler(event, context):
    first = load(event["handler"])
    memory = own_bytes()
    others = [load(module) for module in event["modules"] if module != event["handler"]]
    return {"results": [first, *others], "bytes": memory}
