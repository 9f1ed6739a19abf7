"""Compiles Python files to unchecked-hash bytecode, the same bytes for the same source every time, and says what they import.

Reads {"root": folder, "out": folder, "prefix": folder at run time, "hook": source line, "imports": bool, "deferredOnly": bool,
"files": [{"path", "to", "docstrings": bool, "hook": bool, "source"?, "lazy"?}]} from standard input; paths are relative to root,
`to` to out. The hook is put at the end of the files that ask for it; files without `docstrings` lose theirs; `source` is where
the file lies if not below root. `lazy` is {"lines": [of imports to defer], "seen", "hidden", "outside": what packages answer for,
as lazy.py says}; with `deferredOnly`, a file of which nothing can be deferred is left out. Answers {path: {"bytes": n, "now": [names],
"later": [names], "deferred": [lines], "looks": whether a file with `lazy` looks at its namespace as a whole}}, or
{path: {"skipped": reason}} for what does not compile: a template, or code for another Python. What cannot be read or written
ends it with `[Errno N] reason: 'path'`: nothing ships without bytecode since a disk was full.

marshal writes a reference mark where an object has more than one owner, and interned strings are shared with all that
the process still holds. So a worker keeps nothing of a file but bytes: then its bytecode follows from its source and its
path alone, whatever was compiled before it and wherever.
"""

import ast
import gc
import importlib._bootstrap_external as external
import importlib.util
import json
import os
import sys
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lazy import defer, sees_namespace
from syntax import empty_docstrings, imports_of, statements

NOTHING_DEFERRED = "nothing of it can be deferred"
WORKERS = os.cpu_count() or 1


def source_path(job, file):
    return file.get("source") or os.path.join(job["root"], file["path"])


def compile_one(job, file):
    with open(source_path(job, file), "rb") as opened:
        original = opened.read()
    source = original + job["hook"].encode() if file["hook"] else original
    name = os.path.join(job["prefix"], file["path"])
    imports, deferred = {"now": [], "later": []}, []
    try:
        try:
            tree = ast.parse(source)
            if file.get("lazy"):
                deferred = defer(source, tree, name, **file["lazy"])
                if job["deferredOnly"] and not deferred and not file["lazy"]["seen"] and not file["lazy"]["hidden"]:
                    return {"skipped": NOTHING_DEFERRED}
            found = list(statements(tree)) if job["imports"] or not file["docstrings"] else []
            if job["imports"]:
                imports = imports_of(found, file["path"])
            if not file["docstrings"]:
                empty_docstrings(tree, found)
            code = compile(tree, name, "exec", dont_inherit=True)
        except RecursionError:  # a deep expression, which the compiler itself takes without the tree's detour
            deferred = []
            code = compile(source, name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        return {"skipped": str(error)}
    except Exception as error:  # a parser at its end: RecursionError, MemoryError, OverflowError
        return {"skipped": f"{type(error).__name__}: {error}"}
    data = external._code_to_hash_pyc(code, importlib.util.source_hash(original), False)
    target = os.path.join(job["out"], file["to"])
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.lexists(target):  # replaced, not written to: it may be a link to a cache that all projects share
        os.unlink(target)
    with open(target, "wb") as opened:
        opened.write(data)
    looks = bool(file.get("lazy")) and sees_namespace(source)
    return {"bytes": len(data), "deferred": deferred, "looks": looks, **imports}


def answer(job, file):
    """Returns one member of the JSON object that is the answer, as bytes."""
    try:
        result = compile_one(job, file)
    except OSError as error:  # writing, or closing what was written, does not name the file
        sys.exit(f"[Errno {error.errno}] {os.strerror(error.errno)}: '{os.path.join(job['out'], file['to'])}'")
    return f"{json.dumps(file['path'])}: {json.dumps(result)}".encode()


def start(job, files):
    """Forks a worker. Returns its process id and the end of a pipe with its answers."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        return pid, reader
    status = 1
    try:
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(b", ".join([answer(job, file) for file in files]))
        status = 0
    except SystemExit as end:
        os.write(2, f"{end.code}\n".encode())
    except BaseException:
        traceback.print_exc()
    finally:  # a worker must never return into the parent's code
        os._exit(status)


def main():
    job = json.load(sys.stdin)
    gc.disable()  # syntax trees are large, short-lived and without cycles
    # The largest first, so that all workers end at about the same time.
    files = sorted(job["files"], key=lambda file: -os.path.getsize(source_path(job, file)))
    count = min(WORKERS, len(files))
    workers = [start(job, files[index::count]) for index in range(count)]
    answers = []
    for pid, reader in workers:
        with os.fdopen(reader, "rb") as pipe:
            answers.append(pipe.read())
        status = os.waitpid(pid, 0)[1]
        if status:
            sys.exit(f"a worker ended with status {status}")
    sys.stdout.buffer.write(b"{" + b", ".join(answers) + b"}")


main()
