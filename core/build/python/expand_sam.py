"""Expands the SAM transform of a template the way CloudFormation does, with the same library.

Reads {"libraries": folder with aws-sam-translator, "region": name, "parameters": {name: value}, "template": {...}} from standard
input. Writes {"template": {...}}, or {"error": text} where the template is not one that SAM takes.
"""

import json
import os
import sys


def expand(job):
    sys.path.insert(0, job["libraries"])
    # It asks boto3 for the partition, and boto3 the environment for the region.
    os.environ["AWS_DEFAULT_REGION"] = job["region"]
    from samtranslator.internal.managed_policies import get_bundled_managed_policy_map
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.translator.arn_generator import ArnGenerator
    from samtranslator.translator.transform import transform

    class BundledPolicies:
        def load(self):
            return get_bundled_managed_policy_map(ArnGenerator.get_partition_name()) or {}

    try:
        return {"template": transform(job["template"], job["parameters"], BundledPolicies())}
    except InvalidDocumentException as error:
        return {"error": "; ".join(cause.message for cause in error.causes) or error.message}


def main():
    job = json.load(sys.stdin)
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the library logs as it likes
    json.dump(expand(job), answer)
    answer.flush()


main()
