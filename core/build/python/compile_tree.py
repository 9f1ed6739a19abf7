"""Compiles the Python files of a tree to unchecked-hash bytecode, the same bytes for the same source every time.

Reads {"root": folder, "files": [relative paths], "sourceless": [relative paths], "prefix": folder at run time} from
standard input and answers {"compiled": n, "skipped": {path: reason}}. Files keep their source; sourceless ones are
replaced by their bytecode, which still names file and line in a traceback.

marshal writes a reference mark where an object has more than one owner, and interned strings are shared with all that
the process has seen before; so the bytes depend on history. Each file is compiled in a fork of the same untouched
parent, which makes its bytecode a function of its source and its path alone.
"""

import importlib._bootstrap_external as external
import importlib.util
import json
import os
import sys

WORKERS = os.cpu_count() or 1


def compile_one(root, prefix, path, sourceless):
    """Returns None, or why this file is left without bytecode (a template, or code for another Python)."""
    source_path = os.path.join(root, path)
    with open(source_path, "rb") as file:
        source = file.read()
    try:
        code = compile(source, os.path.join(prefix, path), "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        return str(error)
    data = external._code_to_hash_pyc(code, importlib.util.source_hash(source), False)
    target = source_path + "c" if sourceless else importlib.util.cache_from_source(source_path)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "wb") as file:
        file.write(data)
    if sourceless:
        os.remove(source_path)
    return None


def start(root, prefix, path, sourceless):
    """Forks; the child reports its reason, if any, through a pipe and by its exit code."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        return pid, (path, reader)
    try:
        reason = compile_one(root, prefix, path, sourceless)
    except BaseException as error:  # the child must never return into the parent's loop
        reason = f"{type(error).__name__}: {error}"
    os.write(writer, (reason or "").encode()[:4000])
    os._exit(1 if reason else 0)


def main():
    job = json.load(sys.stdin)
    files = [(path, False) for path in job["files"]] + [(path, True) for path in job["sourceless"]]
    waiting, running, skipped = files[::-1], {}, {}
    while waiting or running:
        while waiting and len(running) < WORKERS:
            pid, child = start(job["root"], job["prefix"], *waiting.pop())
            running[pid] = child
        pid, status = os.wait()
        path, reader = running.pop(pid)
        with os.fdopen(reader, "rb") as pipe:
            reason = pipe.read().decode()
        if status:
            skipped[path] = reason or f"compiler ended with status {status}"
    json.dump({"compiled": len(files) - len(skipped), "skipped": skipped}, sys.stdout)


main()
