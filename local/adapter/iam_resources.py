"""On AWS a permission can name the one function, alarm, dashboard, log group or build project that a request is about,
wherever in the request its name stands (Service Authorization Reference, "Resource types" of AWS Lambda, Amazon CloudWatch
and AWS CodeBuild, whose builds belong to their project).
MiniStack looks for it in the path and in form fields only; where it finds none it checks against "*", which a role
with least privilege does not have. And on AWS a request about one version of a function, as its Qualifier says, is about
that version's ARN (Lambda developer guide, "Resources and conditions for Lambda actions"), one about a log stream is about
the stream's; MiniStack leaves both out.
"""

import json


def name_of(value):
    return value[0] if isinstance(value, list) and value else value


def body_of(body):
    """The request's members, or an empty map where it is no JSON."""
    try:
        members = json.loads(body)
    except ValueError:
        return {}
    return members if isinstance(members, dict) else {}


def resource_of(service, members, region, account):
    """The ARN of what a request of one of these services is about, or None."""
    if service == "lambda" and members.get("FunctionName"):
        return f"arn:aws:lambda:{region}:{account}:function:{members['FunctionName']}"
    if service == "monitoring":
        alarm = name_of(members.get("AlarmName") or members.get("AlarmNames"))
        if alarm:
            return f"arn:aws:cloudwatch:{region}:{account}:alarm:{alarm}"
        dashboard = name_of(members.get("DashboardName") or members.get("DashboardNames"))
        if dashboard:
            return f"arn:aws:cloudwatch::{account}:dashboard/{dashboard}"
    if service == "logs" and "logGroupName" not in members:
        # DescribeLogGroups is checked against all log groups.
        return f"arn:aws:logs:{region}:{account}:log-group:*"
    if service == "codebuild":
        build = name_of(members.get("id") or members.get("ids"))
        if build:
            return f"arn:aws:codebuild:{region}:{account}:project/{build.split(':')[0]}"
    return None


def install():
    from ministack.core import iam_actions

    extract = iam_actions.extract_resource_arn

    def extract_also_from_body(service, method, path, headers, body, query_params, region, account_id):
        found = extract(service, method, path, headers, body, query_params, region, account_id)
        qualifier = name_of((query_params or {}).get("Qualifier"))
        if service == "lambda" and qualifier and found.split(":")[5:6] == ["function"] and len(found.split(":")) == 7:
            return f"{found}:{qualifier}"
        stream = body_of(body).get("logStreamName") if service == "logs" else None
        if stream and found.split(":")[5:6] == ["log-group"] and len(found.split(":")) == 7:
            return f"{found}:log-stream:{stream}"
        if found != "*" or service not in ("lambda", "monitoring", "logs", "codebuild"):
            return found
        return resource_of(service, body_of(body), region, account_id) or found

    iam_actions.extract_resource_arn = extract_also_from_body
