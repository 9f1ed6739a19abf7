"""On AWS calls at once do not disturb each other. MiniStack walks some of its tables while other threads add to them, and Python
ends such a walk with a RuntimeError: a function does not start then, a call ends as 500. These walks only look, so they
are begun again.
"""

import functools
import importlib

WALKS = (
    # Each start of a function looks for expired sessions and adds its own.
    ("ministack.services.sts", "_evict_expired_sessions"),
    # Sums up the streams of a group, to which each start of a function adds one.
    ("ministack.services.cloudwatch_logs", "_describe_log_groups"),
)


def again(walk):
    @functools.wraps(walk)
    def until_undisturbed(*args):
        while True:
            try:
                return walk(*args)
            except RuntimeError as error:
                if "changed size during iteration" not in str(error):
                    raise

    return until_undisturbed


def install():
    for name, walk in WALKS:
        module = importlib.import_module(name)
        setattr(module, walk, again(getattr(module, walk)))
