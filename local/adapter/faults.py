"""Lets tests see what happens when AWS itself refuses: throttles, errors of a service, credentials that have expired, builds
that end otherwise than by their commands.

PLIMSOLL_FAULTS names a file that need not be there: a JSON list of {"principal": part of the caller's ARN, "action": "service:Action"
or "*", "error": code, "status": HTTP status, "times": n, "message": what AWS says}. The first n calls of each such caller and action are answered with
the error, before anything is done. Two more are asked for by name only, of a CodeBuild project: codebuild:StartBuild, as Step
Functions starts it, and codebuild:Build, whose error is the status with which the build ends. What was answered so is added to
the file's name with .log at its end, a line each.
"""

import json
import os
import pathlib
import types

FILE = pathlib.Path(os.environ.get("PLIMSOLL_FAULTS", os.devnull))


class Injected(str):
    """The place of a caller's ARN in an answer that is injected; it says what to answer."""

    fault = None


class Faults:
    def __init__(self):
        self.text, self.rules, self.done = "", [], {}

    def due(self, principal, action, any_action="*"):
        """The fault that this call is answered with, or None."""
        text = FILE.read_text(encoding="utf-8") if FILE.is_file() else ""
        if text != self.text:
            self.text, self.rules, self.done = text, json.loads(text or "[]"), {}
        for index, rule in enumerate(self.rules):
            if rule["action"] not in (any_action, action) or rule["principal"] not in principal:
                continue
            caller = principal.split("/")[1] if "/" in principal else principal
            key = (index, caller, action)
            if self.done.get(key, 0) < rule["times"]:
                self.done[key] = self.done.get(key, 0) + 1
                with open(f"{FILE}.log", "a", encoding="utf-8") as log:
                    log.write(f"{caller} {action} {rule['error']}\n")
                return rule
        return None


FAULTS = Faults()


def due_in_build(project, action):
    """The fault with which a build of this project does not begin, or ends, or None."""
    return FAULTS.due(f"codebuild/{project}", action, any_action=None)


def install():
    from ministack.core import iam_actions, iam_evaluator
    from ministack.core.responses import get_account_id

    enforce, refuse = iam_evaluator.enforce, iam_actions.access_denied_response

    def enforce_unless_due(access_key_id, iam_action, *more, **named):
        if FILE.is_file():
            credential = iam_evaluator.resolve_credential(access_key_id or "", get_account_id())
            fault = FAULTS.due(getattr(credential, "principal_arn", ""), iam_action)
            if fault:
                principal = Injected("injected")
                principal.fault = fault
                return types.SimpleNamespace(principal_arn=principal, decision="", resource_policy_arn="")
        return enforce(access_key_id, iam_action, *more, **named)

    def refuse_or_answer(service, action, principal_arn, request_id, **named):
        if not isinstance(principal_arn, Injected):
            return refuse(service, action, principal_arn, request_id, **named)
        fault = principal_arn.fault
        answer = refuse(
            service,
            action,
            principal_arn,
            request_id,
            error_code=fault["error"],
            message=f"{fault['error']}, injected into {action}",
            headers=named.get("headers"),
        )
        return (fault["status"], *answer[1:])

    iam_evaluator.enforce = enforce_unless_due
    iam_actions.access_denied_response = refuse_or_answer
