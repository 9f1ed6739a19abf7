"""On AWS a state of codebuild:startBuild.sync starts a build, waits for its end and answers {"Build": …} in PascalCase;
a build that does not succeed fails the state with States.TaskFailed and the build as cause; stopping the execution,
or the state's time limit, stops the build (docs.aws.amazon.com/step-functions: connect-codebuild, connect-to-resource).
MiniStack refuses the integration.
"""

import contextvars
import json
import time

from adapter.faults import due_in_build

ARN = "arn:aws:states:::codebuild:startBuild"
POLL_SECONDS = 0.1

# The execution and the moment until which its current state may run; handlers are not given them.
_task = contextvars.ContextVar("plimsoll_task", default=None)


def pascal(value, key=None):
    """An API answer as Step Functions shows it: keys in PascalCase, times in milliseconds."""
    if isinstance(value, list):
        return [pascal(item) for item in value]
    if isinstance(value, dict):
        return {name[:1].upper() + name[1:]: pascal(item, name) for name, item in value.items()}
    return value * 1000 if key in ("startTime", "endTime") and isinstance(value, int) else value


def start_build(resource, arguments):
    from ministack.services import codebuild, stepfunctions

    fault = due_in_build(arguments.get("ProjectName", ""), "codebuild:StartBuild")
    if fault:
        raise stepfunctions._ExecutionError(f"CodeBuild.{fault['error']}", fault.get("message", "injected"))
    status, _headers, body = codebuild._start_build(stepfunctions._pascal_to_camel(arguments))
    answer = json.loads(body)
    if status >= 400:
        raise stepfunctions._ExecutionError(f"CodeBuild.{answer.get('__type', 'CodeBuildException')}", answer.get("message", ""))
    if not resource.endswith(".sync"):
        return pascal(answer)
    build = wait_for(answer["build"]["id"])
    result = {"Build": pascal(build)}
    if build["buildStatus"] != "SUCCEEDED":
        raise stepfunctions._ExecutionError("States.TaskFailed", json.dumps(result))
    return result


def wait_for(build_id):
    from ministack.services import codebuild, stepfunctions

    execution, deadline = _task.get() or (None, None)
    while codebuild._builds[build_id]["buildStatus"] == "IN_PROGRESS":
        if execution is not None and execution["status"] != "RUNNING":
            codebuild._stop_build({"id": build_id})
            break
        if deadline is not None and time.monotonic() > deadline:
            codebuild._stop_build({"id": build_id})
            # MiniStack has a clock of its own for the state; whichever is first, this is what the state ends with.
            raise stepfunctions._ExecutionError("States.Timeout", f"the time of {build_id} is over")
        time.sleep(POLL_SECONDS)
    return codebuild._builds[build_id]


def install():
    from ministack.services import stepfunctions

    execute = stepfunctions._execute_task

    def execute_known(state, raw_input, execution, ctx):
        limit = state.get("TimeoutSeconds")
        token = _task.set((execution, time.monotonic() + limit if isinstance(limit, (int, float)) else None))
        try:
            return execute(state, raw_input, execution, ctx)
        finally:
            _task.reset(token)

    stepfunctions._execute_task = execute_known
    stepfunctions._SERVICE_DISPATCH[ARN] = start_build
