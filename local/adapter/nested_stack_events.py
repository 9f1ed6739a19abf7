"""On AWS every event of a nested stack's resource says which stack that is, by its PhysicalResourceId, so that one finds the
events that say why it failed. MiniStack leaves it out of those of a failure.
"""

STACK = "AWS::CloudFormation::Stack"


def install():
    from ministack.services.cloudformation import _stacks, stacks

    add = stacks._add_event

    def add_event(
        stack_id, stack_name, logical_id, resource_type, status, reason="", physical_id="", *more, **named
    ):
        if resource_type == STACK and not physical_id:
            nested = [
                stack["StackId"]
                for name, stack in _stacks.items()
                if stack.get("_parent_stack_name") == stack_name
                and name.startswith(f"{stack_name}-{logical_id}-")
            ]
            physical_id = nested[-1] if nested else ""
        return add(
            stack_id, stack_name, logical_id, resource_type, status, reason, physical_id, *more, **named
        )

    stacks._add_event = add_event
