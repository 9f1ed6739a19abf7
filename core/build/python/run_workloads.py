"""Runs what a function is known to do, in a clean interpreter that sees given folders only, and says how each went.

Run with -I -S. Reads from standard input:
{"paths": [folders], "modules": [names], "handler": "module.function" or null, "events": [{"name", "event"}], "fetch": bool,
"test": {"run": [module, arguments...], "root": folder} or null, "trace": bool}; with fetch, what the finder needs to fetch removed modules is used, too, as far as it is there.
Writes one JSON line {"name", "ms", "ok", "kind", "error", "answer"} an import or event, preceded by {"name", "started": true}, so
that a crash names its culprit; kinds as plimsoll_failures.kind_of has them; last, {"done": true} and, with trace, {"opened",
"modules", "called", "imported", "edges"}: every file
that was opened below the folders and every library that was mapped, each module's file, the files of all code that ran in an
event, and each import that loaded something: {"file", "line", "function", "ms", "modules": [names]}, what it pulled in included; and what each module
imports while it is loaded: {"module", "line", "to": [names], "new": [names]}.
"""

import builtins
import importlib
import importlib.util
import json
import os
import runpy
import sys
import time
import types

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from plimsoll_failures import find_handler, kind_of, words_of

del sys.path[0]


class Context:
    """What handlers read of Lambda's context object."""

    function_name = "workload"
    function_version = "$LATEST"
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:workload"
    memory_limit_in_mb = "1769"
    aws_request_id = "00000000-0000-0000-0000-000000000000"
    log_group_name = "/aws/lambda/workload"
    log_stream_name = "workload"
    identity = None
    client_context = None

    def get_remaining_time_in_millis(self):
        return 30_000


def note_edge(edges, frame, name, globals, fromlist, level, new):
    """Notes an import that a module makes while it is loaded, in its own body or in what that calls."""
    body = frame
    while body is not None and body.f_code.co_name != "<module>":
        body = body.f_back
    importer = body and body.f_globals.get("__name__")
    if importer in (None, "__main__"):
        return
    package = (globals or {}).get("__package__") or ""
    parts = package.rsplit(".", level - 1)[0] if level > 1 else package if level else ""
    target = ".".join(part for part in (parts, name) if part)
    to, loaded = edges.setdefault((importer, frame.f_lineno if body is frame else 0), (set(), set()))
    to.update([target], (one for one in (f"{target}.{part}" for part in fromlist or ()) if one in sys.modules))
    loaded.update(new)


def profile_imports(found, edges):
    """Notes each import statement that loads modules: where it stands, how long it takes, and what is new afterwards."""
    original = builtins.__import__

    def importing(name, globals=None, locals=None, fromlist=(), level=0):
        before = len(sys.modules)
        begin = time.perf_counter()
        result = original(name, globals, locals, fromlist, level)
        frame = sys._getframe(1)
        new = list(sys.modules)[before:] if len(sys.modules) > before else []
        note_edge(edges, frame, name, globals, fromlist, level, new)
        if new:
            ms = round((time.perf_counter() - begin) * 1000, 2)
            found.append({"file": frame.f_code.co_filename, "line": frame.f_lineno, "function": frame.f_code.co_name, "ms": ms, "modules": new})
        return result

    builtins.__import__ = importing


def run_tests(run, root):
    """Like `python -m` in the project's folder."""
    os.chdir(root)
    sys.path.insert(0, root)
    sys.argv = run
    try:
        runpy.run_module(run[0], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code not in (None, 0):
            raise RuntimeError(f"python -m {' '.join(run)} ended with {end.code}") from None


def main():
    job = json.load(sys.stdin)
    report = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.path[:0] = job["paths"]
    opened = set()
    if job["trace"]:
        sys.addaudithook(lambda event, args: opened.add(args[0]) if event == "open" and isinstance(args[0], str) else None)

    imported, edges, called = [], {}, set()
    if job["trace"]:
        profile_imports(imported, edges)

    def say(**line):
        report.write(json.dumps(line, default=str) + "\n")
        report.flush()

    def attempt(name, action):
        say(name=name, started=True)
        begin = time.perf_counter()
        try:
            outcome = {"ok": True, "answer": action()}
        except BaseException as raised:
            # What is missing may be a file that was removed.
            kind = "import" if isinstance(raised, FileNotFoundError) else kind_of(raised)
            outcome = {"ok": False, "kind": kind, "error": words_of(raised, job["paths"])}
        say(name=name, ms=round((time.perf_counter() - begin) * 1000, 1), **outcome)

    if job["fetch"] and importlib.util.find_spec("boto3"):
        attempt("fetch", lambda: importlib.import_module("boto3").client("s3") and None)
    for module in job["modules"]:
        attempt(f"import {module}", lambda name=module: importlib.import_module(name) and None)
    if job["handler"]:
        attempt(f"handler {job['handler']}", lambda: find_handler(job["handler"]) and None)
    if job["trace"]:
        sys.setprofile(lambda frame, event, argument: called.add(frame.f_code.co_filename) if event == "call" else None)
    if job["handler"]:
        for event in job["events"]:
            attempt(f"event {event['name']}", lambda one=event: find_handler(job["handler"])(one["event"], Context()))
    if job["test"]:
        attempt("tests", lambda: run_tests(job["test"]["run"], job["test"]["root"]))
    sys.setprofile(None)
    if job["trace"]:
        with open("/proc/self/maps", encoding="utf-8") as maps:
            mapped = {line.split(None, 5)[5].strip() for line in maps if len(line.split(None, 5)) == 6}
        roots = tuple(os.path.join(path, "") for path in job["paths"])
        real = {os.path.join(os.path.realpath(path), ""): os.path.join(path, "") for path in job["paths"]}
        for path in mapped:
            for actual, given in real.items():
                if path.startswith(actual):
                    opened.add(given + path[len(actual):])
        modules = {
            name: module.__file__
            for name, module in list(sys.modules.items())
            if isinstance(module, types.ModuleType) and isinstance(getattr(module, "__file__", None), str) and module.__file__.startswith(roots)
        }
        say(opened=sorted(path for path in opened if path.startswith(roots)), modules=modules, called=sorted(called), imported=imported, edges=[
            {"module": module, "line": line, "to": sorted(to), "new": sorted(new)} for (module, line), (to, new) in sorted(edges.items())
        ])
    say(done=True)
    report.flush()
    os._exit(0)


main()
