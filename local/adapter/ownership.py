"""One embedded AWS at a time uses a folder of state.

A lock of the operating system, which ends with the process however that ends, stands beside the folder. While state on disk is
not whole there is a file `running` in the folder; what a killed process has left does not fit together, and is dropped.
Exits with BUSY, and the number of the command that holds the folder on standard error, where another one uses it.
"""

import fcntl
import os
import pathlib
import shutil
import sys
import tempfile
import time

# EX_TEMPFAIL of sysexits.h.
BUSY = 75
# How long one that ends may take to save its state.
ENDING_SECONDS = 30
POLL_SECONDS = 0.1


def is_alive(text):
    """Whether the command that a lock file names still runs. One that ends, or is gone, will give the lock up soon."""
    try:
        os.kill(int(text), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        pass
    return True


class Owned:
    def __init__(self, lock, folder):
        self.lock = lock
        self.running = folder / "running"
        self.temporary = None

    def write(self, text):
        self.lock.seek(0)
        self.lock.truncate()
        self.lock.write(text)
        self.lock.flush()

    def ending(self):
        self.write("ending")

    def saved(self):
        self.running.unlink(missing_ok=True)


def take():
    """Takes the folder of PLIMSOLL_STATE, drops what a killed process has left there, and lets all output go to its log."""
    folder = pathlib.Path(os.environ["PLIMSOLL_STATE"])
    waits = os.environ.get("PLIMSOLL_WAIT") == "1"
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = open(f"{folder}.lock", "a+", encoding="utf-8")
    begin = time.monotonic()
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip()
            if not waits and (is_alive(holder) or time.monotonic() - begin > ENDING_SECONDS):
                print(holder, file=sys.stderr)
                sys.exit(BUSY)
            time.sleep(POLL_SECONDS)
    owned = Owned(lock, folder)
    owned.write(str(os.getppid()))
    if owned.running.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    owned.running.touch()
    # What it and all that it starts put aside goes with it: its guard deletes it. Not in the folder, which may be in a checkout:
    # Node would read the code of functions as the checkout's package.json says.
    owned.temporary = os.environ["TMPDIR"] = tempfile.mkdtemp(prefix="plimsoll-aws-")
    tempfile.tempdir = None
    log = os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    return owned
