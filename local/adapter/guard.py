"""Nothing that the embedded AWS has started outlives it, however it ends, kill -9 included: `python -m adapter.guard GROUP FOLDER`.

A process of its own, in a session of its own, that reads from a pipe whose other end only the embedded AWS holds. The lines
"+GROUP" and "-GROUP" say which process groups builds have begun and ended; the end of the pipe is the end of the embedded AWS:
then those groups are killed, and the embedded AWS's own, in which its functions run, and its folder for temporary files is
deleted.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading

_lock = threading.Lock()
_orders = None


def start(temporary):
    """Starts the guard of this process and its folder. Called once, before anything else is started."""
    global _orders
    process = subprocess.Popen(
        [sys.executable, "-S", "-E", "-m", "adapter.guard", str(os.getpgid(0)), temporary], cwd=pathlib.Path(__file__).parent.parent,
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True, bufsize=1, start_new_session=True,
    )
    _orders = process.stdin


def tell(order):
    with _lock:
        _orders.write(f"{order}\n")


def kill(group):
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass


def watch(own, temporary, orders):
    groups = {own}
    for order in orders:
        group = int(order)
        groups.add(group) if group > 0 else groups.discard(-group)
    for group in groups:
        kill(group)
    shutil.rmtree(temporary, ignore_errors=True)


if __name__ == "__main__":
    # Ctrl-C in a terminal, or a polite end of the whole session, is for those it watches.
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    watch(int(sys.argv[1]), sys.argv[2], sys.stdin)
