"""Says what a program finds in modules, each imported alone in a process of its own: run on two trees, the answers must be equal.

Reads {"paths": [folders], "modules": [names], "programs": [sources]} from standard input. Answers {name: {"dir", "vars", "star", "gets":
{name: description}}} for the modules, and {program: what it ends with} for the programs.
"""

import json
import os
import sys


def describe(value):
    kind = type(value)
    if isinstance(value, type(sys)):
        return f"module {value.__name__}"
    if isinstance(value, (type(None), bool, int, str, bytes)):
        text = repr(value)
        return "a path" if any(path in text for path in sys.path[:5]) else text[:200]
    place = ".".join(str(getattr(value, one, "")) for one in ("__module__", "__qualname__"))
    if isinstance(value, (set, frozenset, dict, list, tuple)):
        place = str(len(value))
    return f"{kind.__module__}.{kind.__qualname__} {place}"


def get(value, name):
    try:
        return describe(getattr(value, name))
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def public(names):
    return sorted(name for name in names if not name.startswith("_"))


def look_at(name):
    module = __import__(name, fromlist=["x"])
    found = {"dir": sorted(name for name in dir(module) if not name.startswith("_plimsoll"))}
    found["gets"] = {one: get(module, one) for one in public(found["dir"])}
    found["vars"] = public(vars(module))
    space = {}
    exec(f"from {name} import *", space)
    found["star"] = public(space)
    return found


def run(source):
    space = {}
    exec(source, space)
    return describe(space.get("result"))


def apart(action, argument):
    """Does it in a child, whatever becomes of that."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        try:
            result = action(argument)
        except BaseException as error:
            result = f"{type(error).__name__}: {error}"
        with os.fdopen(writer, "w") as pipe:
            json.dump(result, pipe)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    status = os.waitpid(pid, 0)[1]
    return json.loads(text) if text else f"ended with {status}"


def main():
    job = json.load(sys.stdin)
    sys.path[:0] = job["paths"]
    report = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    json.dump({**{name: apart(look_at, name) for name in job["modules"]}, **{source: apart(run, source) for source in job["programs"]}}, report)


main()
