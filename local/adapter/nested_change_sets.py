"""On AWS a change set with IncludeNestedStacks brings one of its own for each nested stack that it adds or changes; its id stands
with the change, and deleting the first deletes them all (CloudFormation user guide, "Change sets for nested stacks").
MiniStack takes the option and says nothing of what is nested. Carrying a set out changes nested stacks in both.
"""

from adapter.patching import replace_once

STACK = "AWS::CloudFormation::Stack"


def install():
    from ministack.core.responses import new_uuid
    from ministack.services.cloudformation import _change_sets, _stacks, changesets, handlers
    from ministack.services.cloudformation.engine import _parse_template, _resolve_parameters
    from ministack.services.cloudformation.helpers import _resolve_template
    from ministack.services.cloudformation.provisioners import _nested_stack_lookup_name
    from ministack.services.cloudformation.stacks import _diff_resources

    create, describe, delete = (
        changesets._create_change_set,
        changesets._describe_change_set,
        changesets._delete_change_set,
    )

    def resolved(template, params, stack):
        return changesets._resolve_props_for_diff(template, params, stack["StackName"], stack["StackId"])

    def given(properties, before):
        """What only the deployment knows stays what it was: nobody can compare it yet."""
        for key, value in (properties.get("Parameters") or {}).items():
            known = str(value) if not isinstance(value, dict) else (before.get(key) or {}).get("Value", "")
            yield {"Key": key, "Value": known}

    def nested_set(parent, change, properties):
        stack = _stacks.get(_nested_stack_lookup_name(change.get("PhysicalResourceId", ""))) or {
            "StackName": f"{parent['StackName']}-{change['LogicalResourceId']}",
            "StackId": "",
        }
        before = stack.get("_resolved_params", {})
        body, problem = _resolve_template({"TemplateURL": [properties.get("TemplateURL", "")]})
        if problem or not body:
            raise ValueError(f"no template at {properties.get('TemplateURL')}")
        template = _parse_template(body)
        params = _resolve_parameters(template, list(given(properties, before)))
        changed = {
            key
            for key, value in params.items()
            if (before.get(key) or {}).get("Value") != value.get("Value")
        }
        changes = _diff_resources(
            resolved(stack.get("_template", {}), before, stack),
            resolved(template, params, stack),
            stack.get("_resources"),
            template,
            changed,
            (),
        )
        name = f"{parent['ChangeSetName']}-{change['LogicalResourceId']}"
        change_set = {
            **parent,
            "ChangeSetId": replace_once(parent["ChangeSetId"], parent["ChangeSetName"], name) + new_uuid()[:8],
            "ChangeSetName": name,
            "StackName": stack["StackName"],
            "StackId": stack["StackId"],
            "Changes": changes,
            "Parameters": [],
            "_template": template,
            "_resolved_params": params,
        }
        add_nested(change_set, stack)
        _change_sets[change_set["ChangeSetId"]] = change_set
        return change_set["ChangeSetId"]

    def add_nested(change_set, stack):
        properties = resolved(change_set["_template"], change_set["_resolved_params"], stack)["Resources"]
        for entry in change_set["Changes"]:
            change = entry["ResourceChange"]
            if change["ResourceType"] == STACK and change["Action"] in ("Add", "Modify"):
                of = properties[change["LogicalResourceId"]].get("Properties", {})
                change["ChangeSetId"] = nested_set(change_set, change, of)

    def find(params):
        return changesets._find_change_set(
            changesets._p(params, "ChangeSetName"), changesets._p(params, "StackName")
        )[1]

    def create_with_nested(params):
        answer = create(params)
        if answer[0] == 200 and changesets._p(params, "IncludeNestedStacks").lower() == "true":
            change_set = find(params)
            add_nested(change_set, _stacks[change_set["StackName"]])
        return answer

    def describe_with_nested(params):
        status, headers, body = describe(params)
        text = body.decode() if isinstance(body, bytes) else body
        for entry in (find(params) or {"Changes": []})["Changes"] if status == 200 else []:
            change = entry["ResourceChange"]
            if "ChangeSetId" in change:
                begin = f"<LogicalResourceId>{change['LogicalResourceId']}</LogicalResourceId>"
                text = replace_once(text, begin, f"{begin}<ChangeSetId>{change['ChangeSetId']}</ChangeSetId>")
        return status, headers, text.encode() if isinstance(body, bytes) else text

    def drop_nested(change_set):
        for entry in change_set["Changes"]:
            nested = _change_sets.pop(entry["ResourceChange"].get("ChangeSetId"), None)
            if nested:
                drop_nested(nested)

    def delete_with_nested(params):
        change_set = find(params)
        if change_set:
            drop_nested(change_set)
        return delete(params)

    actions = {
        "CreateChangeSet": create_with_nested,
        "DescribeChangeSet": describe_with_nested,
        "DeleteChangeSet": delete_with_nested,
    }
    for action, own in actions.items():
        if action not in handlers._ACTION_HANDLERS:
            raise RuntimeError(f"MiniStack has changed: no handler of {action}")
        handlers._ACTION_HANDLERS[action] = own
