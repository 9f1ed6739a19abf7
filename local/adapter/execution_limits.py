"""On AWS the input and output of a state, the arguments and the result of a task, and each variable may have 262,144 bytes of
UTF-8, an execution's variables 10 MiB together; more ends the execution with States.DataLimitExceeded. The event after the
25,000th ends it with States.Runtime. States.ALL catches neither, and nothing retries them. An inline Map runs 40 iterations
at once at most. (docs.aws.amazon.com/step-functions: service-quotas, concepts-error-handling, workflow-variables,
concepts-asl-use-map-state-inline.) MiniStack has no such limits.
"""

from adapter.execution_history import compact

MAX_DATA = 262_144
MAX_VARIABLES = 10 * 1024 * 1024
MAX_EVENTS = 25_000
MAX_ITERATIONS = 40

# No catch by States.ALL and no retry stops these.
TERMINAL = ("States.DataLimitExceeded", "States.Runtime")


def bytes_of(value):
    return len(compact(value).encode("utf-8", "surrogatepass"))


def install():
    from ministack.services import stepfunctions

    error_class = stepfunctions._ExecutionError
    matches, add_event = stepfunctions._error_matches, stepfunctions._add_event
    start, invoke = stepfunctions._start_execution, stepfunctions._invoke_resource
    arguments_of, output_of = stepfunctions._apply_jsonata_arguments, stepfunctions._apply_jsonata_output
    assign, run_map = stepfunctions._apply_state_assign, stepfunctions._run_map_items

    def within(what, value):
        size = bytes_of(value)
        if size > MAX_DATA:
            raise error_class(
                "States.DataLimitExceeded",
                f"{what} has {size} bytes, which exceeds the maximum number of bytes service limit of {MAX_DATA}.",
            )
        return value

    def error_matches(error_equals, error):
        return error in error_equals if error in TERMINAL else matches(error_equals, error)

    def add_event_within(execution, event_type, details=None):
        # The end of an execution is told in any case.
        if len(execution["events"]) >= MAX_EVENTS and not event_type.startswith("Execution"):
            raise error_class("States.Runtime", f"The execution reached the maximum number of history events ({MAX_EVENTS}).")
        return add_event(execution, event_type, details)

    def start_within(data):
        size = len(data.get("input", "{}").encode("utf-8", "surrogatepass"))
        if size > MAX_DATA:
            return stepfunctions.error_response_json(
                "ValidationException",
                "1 validation error detected: Value at 'input' failed to satisfy constraint: "
                f"Member must have length less than or equal to {MAX_DATA}",
                400,
            )
        return start(data)

    def invoke_within(resource, input_data):
        return within(f"The result of the task '{resource}'", invoke(resource, input_data))

    def arguments_within(state, raw_input, context=None):
        return within("What the task is given", arguments_of(state, raw_input, context))

    def output_within(state, raw_input, context=None, **rest):
        return within("The output of the state", output_of(state, raw_input, context, **rest))

    def assign_within(state, raw_input, context, **rest):
        assign(state, raw_input, context, **rest)
        for name in state.get("Assign") or ():
            within(f"The variable {name}", context["variables"][name])
        total = sum(map(bytes_of, context["variables"].values())) if state.get("Assign") else 0
        if total > MAX_VARIABLES:
            raise error_class("States.DataLimitExceeded", f"The variables have {total} bytes, at most {MAX_VARIABLES} are allowed.")

    def run_map_within(state, *rest):
        concurrency = state.get("MaxConcurrency", 0)
        if isinstance(concurrency, int) and not 0 < concurrency <= MAX_ITERATIONS:
            state = {**state, "MaxConcurrency": MAX_ITERATIONS}
        return run_map(state, *rest)

    stepfunctions._error_matches = error_matches
    stepfunctions._add_event = add_event_within
    stepfunctions._start_execution = start_within
    stepfunctions._invoke_resource = invoke_within
    stepfunctions._apply_jsonata_arguments = arguments_within
    stepfunctions._apply_jsonata_output = output_within
    stepfunctions._apply_state_assign = assign_within
    stepfunctions._run_map_items = run_map_within
