"""On AWS nothing ends an execution or a change of a stack because a laptop is closed. Here all of it ends with the process:
executions are aborted, builds stopped, and changes of stacks waited for, so that what is saved fits together. A release
that was cut off so is found by its lock, and rolled back, as one that was stopped on AWS.
"""

import time

SETTLE_SECONDS = 30
POLL_SECONDS = 0.2


def abort_executions():
    """As StopExecution does, but without its event: nothing more may start now."""
    from ministack.services import stepfunctions

    for execution in list(stepfunctions._executions.all_values()):
        if execution["status"] == "RUNNING":
            execution.update(status="ABORTED", stopDate=stepfunctions.now_iso(), cause="the embedded AWS was ended")


def stop_builds():
    from ministack.services import codebuild
    from adapter import codebuild_builds

    for build in list(codebuild._builds.all_values()):
        codebuild_builds.end(build, "STOPPED")


def is_changing():
    from ministack.services import cloudformation

    statuses = [stack.get("StackStatus", "") for stack in list(cloudformation._stacks.all_values())]
    return any(status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS" for status in statuses)


def settle():
    """Ends what runs. Returns whether all is at rest within SETTLE_SECONDS: looked at twice, since a handler may be at work."""
    end = time.monotonic() + SETTLE_SECONDS
    quiet = 0
    while time.monotonic() < end:
        abort_executions()
        stop_builds()
        quiet = 0 if is_changing() else quiet + 1
        if quiet == 2:
            return True
        time.sleep(POLL_SECONDS)
    return False
