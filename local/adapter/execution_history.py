"""On AWS the history of an execution holds every state that is entered and left, those inside Map and Parallel included; each
attempt of a task with its parameters; each iteration of a Map; and of each event the one before it, in its own branch
(docs.aws.amazon.com/step-functions: API_GetExecutionHistory, API_HistoryEvent). MiniStack records the states of the top level,
and of a task only that it was scheduled and how it ended. What is missing counts against the 25,000 events that an execution
may have.
"""

import contextvars
import json
import threading

# The execution whose Map or Parallel this thread works in; undefined at the top level, whose states MiniStack records.
_inside = contextvars.ContextVar("plimsoll_inside", default=None)
# What the task that this thread is about to schedule is given.
_arguments = contextvars.ContextVar("plimsoll_arguments", default=None)
# The event before, in this branch; the first is ExecutionStarted.
_previous = contextvars.ContextVar("plimsoll_previous", default=1)
_lock = threading.Lock()


def compact(value):
    """JSON as AWS writes and counts it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def recorded(stepfunctions, kind, execute):
    def execute_and_record(state, raw_input, *rest):
        execution, context = _inside.get(), rest[-1]
        if execution is None:
            return execute(state, raw_input, *rest)
        name = context["State"]["Name"]
        entered = {"name": name, "input": compact(raw_input)}
        stepfunctions._add_event(execution, f"{kind}StateEntered", {"stateEnteredEventDetails": entered})
        output, following = execute(state, raw_input, *rest)
        left = {"name": name, "output": compact(output)}
        stepfunctions._add_event(execution, f"{kind}StateExited", {"stateExitedEventDetails": left})
        return output, following

    return execute_and_record


def followed(add_event):
    """What AWS records of a task between its being scheduled and its end."""

    def add_all(execution, event_type, details=None):
        if event_type != "TaskScheduled":
            return add_event(execution, event_type, details)
        scheduled = details["taskScheduledEventDetails"]
        # arn:aws:states:::sns:publish is resource publish of type sns.
        resource_type, resource = scheduled["resource"].split(":")[-2:]
        scheduled["resourceType"], scheduled["resource"] = resource_type, resource
        scheduled["parameters"] = compact(_arguments.get())
        event = add_event(execution, event_type, details)
        about = {"resource": resource, "resourceType": resource_type}
        add_event(execution, "TaskStarted", {"taskStartedEventDetails": about})
        if ".sync" in resource:
            add_event(execution, "TaskSubmitted", {"taskSubmittedEventDetails": about})
        return event

    return add_all


def install():
    from ministack.services import stepfunctions

    add_event, run_sub_machine = stepfunctions._add_event, stepfunctions._run_sub_machine
    evaluate_arguments, run_map_items = stepfunctions._apply_jsonata_arguments, stepfunctions._run_map_items

    def add_event_alone(execution, event_type, details=None):
        # Branches run side by side, and an event's id is its place in the list.
        with _lock:
            event = add_event(execution, event_type, {"previousEventId": _previous.get(), **(details or {})})
        _previous.set(event["id"])
        return event

    def run_inside(states, start_at, input_data, execution, context):
        token = _inside.set(execution)
        iteration = {"name": context["State"]["Name"], "index": context["Map"]["Item"]["Index"]} if "Map" in context else None
        note = stepfunctions._add_event
        try:
            if iteration:
                note(execution, "MapIterationStarted", {"mapIterationStartedEventDetails": iteration})
            output = run_sub_machine(states, start_at, input_data, execution, context)
            if iteration:
                note(execution, "MapIterationSucceeded", {"mapIterationSucceededEventDetails": iteration})
            return output
        except stepfunctions._ExecutionError:
            if iteration:
                note(execution, "MapIterationFailed", {"mapIterationFailedEventDetails": iteration})
            raise
        finally:
            _inside.reset(token)

    def run_map(state, raw_input, execution, context):
        stepfunctions._add_event(execution, "MapStateStarted")
        output = run_map_items(state, raw_input, execution, context)
        stepfunctions._add_event(execution, "MapStateSucceeded")
        return output

    def arguments_noted(state, raw_input, context=None):
        arguments = evaluate_arguments(state, raw_input, context)
        _arguments.set(arguments)
        return arguments

    stepfunctions._add_event = followed(add_event_alone)
    stepfunctions._run_sub_machine = run_inside
    stepfunctions._run_map_items = run_map
    stepfunctions._apply_jsonata_arguments = arguments_noted
    for kind in ("Pass", "Task", "Choice", "Wait", "Parallel", "Map"):
        name = f"_execute_{kind.lower()}"
        setattr(stepfunctions, name, recorded(stepfunctions, kind, getattr(stepfunctions, name)))
