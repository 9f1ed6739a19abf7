"""On AWS a Python function runs on the interpreter of its Runtime, with the standard library, its code and its layers.
MiniStack runs every function on its own interpreter, whatever Runtime says, with all packages that MiniStack itself
has installed: a function that lacks boto3 or dateutil would work here and fail on AWS.

What a runtime of Lambda brings of its own (boto3 and what that needs: core/build/python/runtime-packages.json) stands last on
the path, as there.

PLIMSOLL_UV names the uv that finds interpreters and installs these packages, PLIMSOLL_PYTHONS the PATH on which it looks for them,
PLIMSOLL_STATE the folder that keeps the packages.
"""

import functools
import hashlib
import json
import os
import pathlib
import subprocess
import tempfile
import threading

# Runs before the worker's own first line. -S would be shorter, but the worker is started without arguments.
ISOLATE = """
import sys as _sys
_sys.path[:] = [_p for _p in _sys.path if "site-packages" not in _p and "dist-packages" not in _p]
_sys.dont_write_bytecode = True
"""

PACKAGES = pathlib.Path(__file__).parents[2] / "core" / "build" / "python" / "runtime-packages.json"


_one_at_a_time = threading.Lock()


def packages(runtime):
    """Folder with the packages that a runtime brings, installed once: functions start side by side. See installed_packages."""
    with _one_at_a_time:
        return installed_packages(runtime)


@functools.lru_cache(maxsize=None)
def installed_packages(runtime):
    """Folder with the packages that a runtime brings; None where nothing is known of it. Raises RuntimeError with uv's words."""
    known = json.loads(PACKAGES.read_text(encoding="utf-8"))["runtimes"].get(runtime)
    if known is None:
        return None
    lines = [" ".join([f"{one['name']}=={one['version']}", *(f"--hash={one_hash}" for one_hash in one["hashes"])]) for one in known["packages"]]
    version = hashlib.sha256(json.dumps(lines).encode()).hexdigest()[:12]
    home = pathlib.Path(os.environ["PLIMSOLL_STATE"]) / "runtimes" / f"{runtime}-{version}"
    if home.is_dir():
        return str(home)
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent) as unfinished:
        tree = os.path.join(unfinished, "packages")
        command = [os.environ.get("PLIMSOLL_UV", "uv"), "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:"]
        target = ["--python-version", runtime.removeprefix("python"), "--target", tree, "-r", "-"]
        done = subprocess.run([*command, *target], input="\n".join(lines), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"Runtime {runtime}: its own packages cannot be installed: {done.stderr.strip()}")
        try:
            os.rename(tree, home)
        except OSError:
            # Another function of the runtime may have started meanwhile.
            if not home.is_dir():
                raise
    return str(home)


def isolated(runtime):
    """What a worker runs first so that it sees what Lambda's does."""
    folder = packages(runtime)
    return ISOLATE if folder is None else f"{ISOLATE}_sys.path.append({folder!r})\n"


@functools.lru_cache(maxsize=None)
def interpreter(version):
    """Absolute path of a Python of this minor version. Raises RuntimeError where the machine has none."""
    uv = os.environ.get("PLIMSOLL_UV", "uv")
    command = [uv, "python", "find", "--no-project", "--no-python-downloads", version]
    environment = {**os.environ, "PATH": os.environ.get("PLIMSOLL_PYTHONS", os.environ["PATH"])}
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if found.returncode != 0:
        raise RuntimeError(f"Runtime python{version}: this machine has no Python {version}; install it to run such functions here")
    return found.stdout.strip()


# Where MiniStack's worker has put the function's folder, and then its layers before it.
COMPLETE = "    # After sys.path is complete"
ORDERED = """
    sys.path.remove(code_dir)
    sys.path.insert(0, code_dir)
    for _entry in filter(None, os.environ.get("PYTHONPATH", "").split(":")):
        _entry = os.path.normpath(_entry)
        if _entry == "/var/task" or _entry.startswith("/var/task/"):
            _entry = code_dir + _entry[len("/var/task"):]
        sys.path.append(os.path.join(code_dir, _entry))
"""


def in_order(script):
    """The worker's script with Lambda's order: the function's own folder, its layers, what PYTHONPATH names."""
    if script.count(COMPLETE) != 1:
        raise RuntimeError("MiniStack's Python worker is not the one that this adapter knows")
    return script.replace(COMPLETE, ORDERED + COMPLETE)


def install():
    from ministack.core import lambda_runtime

    detect = lambda_runtime._detect_runtime_binary

    def detect_interpreter(runtime):
        binary, script = detect(runtime)
        if not runtime.startswith("python"):
            return binary, script
        return interpreter(runtime.removeprefix("python")), isolated(runtime) + in_order(script)

    lambda_runtime._detect_runtime_binary = detect_interpreter
