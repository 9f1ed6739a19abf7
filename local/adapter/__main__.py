"""Starts MiniStack with its holes filled: `python -m adapter`, in local/. One module a hole; each says what AWS does.

Configured by the environment alone: GATEWAY_PORT, BIND_HOST, AUTH and the rest of MiniStack's own variables, and
PLIMSOLL_STATE, the folder of its state. Whoever started this holds its standard input: the line "stop", or the end of the
input, which is what a killed parent looks like, makes it save its state and end.
"""

import importlib
import os
import signal
import sys
import threading

from adapter import guard, interrupted, ownership

HOLES = (
    "alias_weights",
    "codebuild_builds",
    "codebuild_sync",
    "concurrent_walks",
    "condition_values",
    "execute_api_hosts",
    "execution_history",
    "execution_limits",
    "faults",
    "iam_resources",
    "lambda_memory",
    "lambda_errors",
    "lambda_interpreters",
    "lambda_actions",
    "lambda_updates",
    "log_metrics",
    "nested_attributes",
    "nested_change_sets",
    "nested_stack_events",
    "placeholder_types",
    "role_boundaries",
    "s3_event_versions",
    "s3_version_ranges",
    "secure_transport",
    "succeed_output",
)


def save():
    """Writes the state. MiniStack itself does so only after the last open connection is closed, which may take minutes."""
    from ministack import app
    from ministack.core.persistence import save_all

    save_all(app._build_persistence_save_dict())


def obey(orders, owned):
    try:
        for order in orders:
            if order.strip() == "stop":
                break
        owned.ending()
        # What is still changing when the time is over cannot be saved whole: the next start drops it.
        if interrupted.settle():
            save()
            owned.saved()
    finally:
        # With its functions, which are of this process group; the guard sees to the rest.
        os.killpg(os.getpgid(0), signal.SIGKILL)


def main():
    owned = ownership.take()
    guard.start(owned.temporary)
    for hole in HOLES:
        importlib.import_module(f"adapter.{hole}").install()
    threading.Thread(target=obey, args=(os.fdopen(os.dup(0)), owned), daemon=True).start()
    # Nothing that MiniStack starts may read the orders.
    with open(os.devnull, encoding="utf-8") as nothing:
        os.dup2(nothing.fileno(), 0)
    from ministack import app

    app.main()
    sys.exit("MiniStack has ended by itself")


main()
