"""On AWS a condition may compare what Fn::Split, Fn::Join, Fn::Sub and Fn::FindInMap make of parameters (in use by templates of
AWS itself, such as ParallelCluster's: aws-cloudformation/cfn-lint#876). MiniStack compares the function's own source instead.
"""

import inspect

from adapter.patching import replace_once


def install():
    from ministack.services.cloudformation import engine

    source = replace_once(
        inspect.getsource(engine._evaluate_conditions),
        "        return val\n\n    for name",
        '        return _resolve_refs(val, {}, params, {}, template.get("Mappings") or {}, "", "")\n\n    for name',
    )
    patched = {}
    exec(compile(source, engine.__file__, "exec"), engine.__dict__, patched)
    # Its callers have imported the function: it is changed where it is.
    engine._evaluate_conditions.__code__ = patched["_evaluate_conditions"].__code__
