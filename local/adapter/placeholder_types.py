"""On AWS a template may hold resources that watch, bill or deploy beside its functions, such as the resource group and the
Application Insights that `sam init` offers. MiniStack knows none of these types and refuses the whole template. Those of
local/placeholder-types.json get a name here and nothing else, and `plimsoll deploy --local` says which.
"""

import json
import pathlib

TYPES = pathlib.Path(__file__).parents[1] / "placeholder-types.json"


def _create(logical_id, _properties, stack_name):
    return f"{stack_name}-{logical_id}", {}


def _update(physical_id, _before, _after, _stack_name):
    return physical_id, {}


def _delete(_physical_id, _properties):
    pass


def install():
    from ministack.services.cloudformation import provisioners

    for name in json.loads(TYPES.read_text(encoding="utf-8")):
        provisioners._RESOURCE_HANDLERS.setdefault(name, {"create": _create, "update": _update, "delete": _delete})
