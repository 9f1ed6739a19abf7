"""On AWS a resource of a nested stack that an update leaves as it is keeps its attributes, so that what Fn::GetAtt reads of it is
there as before. MiniStack remembers them in a stack of its own alone; a nested one is left with none.
"""

import inspect

from adapter.patching import replace_once


def install():
    from ministack.services.cloudformation import provisioners

    source = replace_once(
        inspect.getsource(provisioners._cfn_nested_stack_deploy),
        "old_tagged, new_tagged, child_name, child_logical_id,\n",
        'old_tagged, new_tagged, child_name, child_logical_id, prev.get("Attributes", {}),\n',
    )
    exec(compile(source, provisioners.__file__, "exec"), provisioners.__dict__)
