"""On AWS a role that CloudFormation makes has the PermissionsBoundary that its template names, and its sessions may do no more
than that (CloudFormation template reference: AWS::IAM::Role). MiniStack keeps to boundaries, but its CloudFormation drops them.
"""


def install():
    from ministack.services import iam
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS["AWS::IAM::Role"]

    def bounded(answer, properties):
        iam._roles[answer[0]]["PermissionsBoundary"] = properties.get("PermissionsBoundary")
        return answer

    create, update = handlers["create"], handlers["update"]

    def create_bounded(logical_id, properties, stack_name, *more, **named):
        return bounded(create(logical_id, properties, stack_name, *more, **named), properties)

    def update_bounded(physical_id, old_properties, new_properties, *more, **named):
        return bounded(update(physical_id, old_properties, new_properties, *more, **named), new_properties)

    handlers["create"], handlers["update"] = create_bounded, update_bounded
