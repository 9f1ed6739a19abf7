"""On AWS the history of an execution holds every state that is entered and left, those inside Map and Parallel included
(docs.aws.amazon.com/step-functions: API_GetExecutionHistory). MiniStack records the states of the top level only.
"""

import contextvars
import json
import threading

# The execution whose Map or Parallel this thread works in; undefined at the top level, whose states MiniStack records.
_inside = contextvars.ContextVar("plimsoll_inside", default=None)
_lock = threading.Lock()


def recorded(stepfunctions, kind, execute):
    def execute_and_record(state, raw_input, *rest):
        execution, context = _inside.get(), rest[-1]
        if execution is None:
            return execute(state, raw_input, *rest)
        name = context["State"]["Name"]
        entered = {"name": name, "input": json.dumps(raw_input)}
        stepfunctions._add_event(execution, f"{kind}StateEntered", {"stateEnteredEventDetails": entered})
        output, following = execute(state, raw_input, *rest)
        left = {"name": name, "output": json.dumps(output)}
        stepfunctions._add_event(execution, f"{kind}StateExited", {"stateExitedEventDetails": left})
        return output, following

    return execute_and_record


def install():
    from ministack.services import stepfunctions

    add_event, run_sub_machine = stepfunctions._add_event, stepfunctions._run_sub_machine

    def add_event_alone(execution, event_type, details=None):
        # Branches run side by side, and an event's id is its place in the list.
        with _lock:
            return add_event(execution, event_type, details)

    def run_inside(states, start_at, input_data, execution, context):
        token = _inside.set(execution)
        try:
            return run_sub_machine(states, start_at, input_data, execution, context)
        finally:
            _inside.reset(token)

    stepfunctions._add_event = add_event_alone
    stepfunctions._run_sub_machine = run_inside
    for kind in ("Pass", "Task", "Choice", "Wait", "Parallel", "Map"):
        name = f"_execute_{kind.lower()}"
        setattr(stepfunctions, name, recorded(stepfunctions, kind, getattr(stepfunctions, name)))
