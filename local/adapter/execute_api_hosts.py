"""On AWS https://API.execute-api.REGION.amazonaws.com resolves to API Gateway from everywhere, Lambda functions included.
MiniStack answers the same requests at /_aws/execute-api/API/STAGE/… of its own port (embedded-aws: "Works").

Functions on Node get a module that leads such requests there; nothing else of theirs changes.
"""

import os
import pathlib

HOOK = pathlib.Path(__file__).with_name("execute_api_hosts.mjs")


def install():
    # Workers inherit MiniStack's environment.
    os.environ["NODE_OPTIONS"] = f"--import={HOOK.as_uri()}"
