"""On AWS a Succeed state of a JSONata state machine answers with its Output (Amazon States Language, "Succeed State").
MiniStack answers with the state's input.
"""


def install():
    from ministack.services import stepfunctions

    apply_output_path = stepfunctions._apply_output_path

    def apply_output(state, data, context=None):
        jsonata = state.get("Type") == "Succeed" and stepfunctions._state_query_language(state, context) == "JSONata"
        if jsonata and "Output" in state:
            return stepfunctions._apply_jsonata_output(state, data, context, default=data)
        return apply_output_path(state, data, context)

    stepfunctions._apply_output_path = apply_output
