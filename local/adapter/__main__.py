"""Starts MiniStack with its holes filled: `python -m adapter`, in local/. One module a hole; each says what AWS does.

Configured by the environment alone: GATEWAY_PORT, BIND_HOST, AUTH and the rest of MiniStack's own variables, and
PLIMSOLL_PARENT_PID: the process without which this one must not live on.
"""

import os
import threading
import time

from adapter import codebuild_builds, codebuild_sync, lambda_errors, lambda_interpreters, log_metrics


def end_with_parent(parent):
    """A crashed parent cannot stop us, so watch for it and stop the builds and ourselves."""
    while os.getppid() == parent:
        time.sleep(0.5)
    codebuild_builds.kill_all()
    os._exit(1)


def main():
    for hole in (codebuild_builds, codebuild_sync, lambda_errors, lambda_interpreters, log_metrics):
        hole.install()
    parent = os.environ.pop("PLIMSOLL_PARENT_PID", None)
    if parent:
        threading.Thread(target=end_with_parent, args=(int(parent),), daemon=True).start()
    from ministack import app

    try:
        app.main()
    finally:
        codebuild_builds.kill_all()


main()
