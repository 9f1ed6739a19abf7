"""On AWS a Python function runs on the interpreter of its Runtime, with the standard library, its code and its layers.
MiniStack runs every function on its own interpreter, whatever Runtime says, with all packages that MiniStack itself
has installed: a function that lacks boto3 or dateutil would work here and fail on AWS.

PLIMSOLL_UV names the uv that finds interpreters. Lambda's own boto3 is deliberately not there: layers bring theirs.
"""

import functools
import os
import subprocess

# Runs before the worker's own first line. -S would be shorter, but the worker is started without arguments.
ISOLATE = """
import sys as _sys
_sys.path[:] = [_p for _p in _sys.path if "site-packages" not in _p and "dist-packages" not in _p]
_sys.dont_write_bytecode = True
"""


@functools.lru_cache(maxsize=None)
def interpreter(version):
    """Absolute path of a Python of this minor version. Raises RuntimeError where the machine has none."""
    uv = os.environ.get("PLIMSOLL_UV", "uv")
    found = subprocess.run(
        [uv, "python", "find", "--no-project", "--no-python-downloads", "--system", version], capture_output=True, text=True, check=False
    )
    if found.returncode != 0:
        raise RuntimeError(f"Runtime python{version}: this machine has no Python {version}; install it to run such functions here")
    return found.stdout.strip()


def install():
    from ministack.core import lambda_runtime

    detect = lambda_runtime._detect_runtime_binary

    def detect_interpreter(runtime):
        binary, script = detect(runtime)
        if not runtime.startswith("python"):
            return binary, script
        return interpreter(runtime.removeprefix("python")), ISOLATE + script

    lambda_runtime._detect_runtime_binary = detect_interpreter
