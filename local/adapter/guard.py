"""Nothing that the embedded AWS has started outlives it, however it ends, kill -9 included: `python -m adapter.guard GROUP FOLDER`.

A process of its own, in a session of its own, that reads from a pipe whose other end only the embedded AWS holds. The lines
"+GROUP" and "-GROUP" say which process groups builds have begun and ended; the end of the pipe is the end of the embedded AWS:
then those groups are killed, and the embedded AWS's own, in which its functions run, then what has left these groups, which bears the
mark of the embedded AWS in its environment; and its folder for temporary files is deleted.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import uuid

# Also of what a command starts by itself: core/left-behind.mjs.
MARK = "PLIMSOLL_COMMAND"
# What starts others faster than they are found is given up after so many rounds.
MAX_ROUNDS = 20

_lock = threading.Lock()
_orders = None


def start(temporary):
    """Starts the guard of this process and its folder. Called once, before anything else is started."""
    global _orders
    mark = str(uuid.uuid4())
    process = subprocess.Popen(
        [sys.executable, "-S", "-E", "-m", "adapter.guard", str(os.getpgid(0)), temporary, mark], cwd=pathlib.Path(__file__).parent.parent,
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True, bufsize=1, start_new_session=True,
    )
    _orders = process.stdin
    os.environ[MARK] = mark


def tell(order):
    with _lock:
        _orders.write(f"{order}\n")


def kill(group):
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass


def marked(mark):
    """Ids of the processes whose environment holds the mark, or one that begins with it and a slash. None but on Linux."""
    entries = f"\0{MARK}={mark}\0".encode(), f"\0{MARK}={mark}/".encode()
    for path in pathlib.Path("/proc").glob("[0-9]*/environ"):
        try:
            environment = b"\0" + path.read_bytes()
        except OSError:
            continue
        if any(entry in environment for entry in entries):
            yield int(path.parent.name)


def kill_marked(mark):
    for _ in range(MAX_ROUNDS):
        found = list(marked(mark))
        if not found:
            return
        for process in found:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass


def watch(own, temporary, mark, orders):
    groups = {own}
    for order in orders:
        group = int(order)
        groups.add(group) if group > 0 else groups.discard(-group)
    for group in groups:
        kill(group)
    kill_marked(mark)
    shutil.rmtree(temporary, ignore_errors=True)


if __name__ == "__main__":
    # Ctrl-C in a terminal, or a polite end of the whole session, is for those it watches.
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    watch(int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.stdin)
