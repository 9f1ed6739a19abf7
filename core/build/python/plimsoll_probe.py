"""Answers, inside a real Lambda function, which of the given modules import and how long each takes.

Deployed beside the function's own code and called under a name of its own, never by the function itself.
"""

import importlib
import time


def handler(event, context):
    results = []
    for module in event["modules"]:
        begin = time.perf_counter()
        error, kind = None, None
        try:
            importlib.import_module(module)
        except BaseException as raised:
            error, kind = f"{type(raised).__name__}: {raised}", "import" if isinstance(raised, ImportError) else "other"
        results.append({"module": module, "ms": round((time.perf_counter() - begin) * 1000, 1), "error": error, "kind": kind})
    return {"results": results}
