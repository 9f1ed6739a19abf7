"""On AWS an alias with AdditionalVersionWeights leads that share of its invocations to the other version, whoever
invokes it (docs.aws.amazon.com/lambda: configuring-alias-routing). MiniStack keeps the weights and ignores them.
"""

import random


def drawn_version(func, qualifier):
    """The additional version that this invocation goes to, or None where it goes to the alias's main version."""
    alias = (func or {}).get("aliases", {}).get(qualifier or "", {})
    weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    draw = random.random()
    for version, weight in weights.items():
        if draw < float(weight):
            return version if version in func["versions"] else None
        draw -= float(weight)
    return None


def install():
    from ministack.services import lambda_svc

    invoke, record_for_ref = lambda_svc._invoke, lambda_svc._get_func_record_for_ref

    async def invoke_drawn(name, event, headers, path_qualifier=None, query_params=None):
        by_query = lambda_svc._qp_first(query_params or {}, "Qualifier")
        version = drawn_version(lambda_svc._functions.get(name), path_qualifier or by_query)
        return await invoke(name, event, headers, version or path_qualifier, query_params)

    def record_drawn(function_ref):
        record, config, name = record_for_ref(function_ref)
        func = lambda_svc._functions.get(name)
        qualifier = function_ref.rsplit(":", 1)[-1] if isinstance(function_ref, str) else None
        version = drawn_version(func, qualifier)
        if version is None:
            return record, config, name
        return func["versions"][version], func["versions"][version]["config"], name

    lambda_svc._invoke = invoke_drawn
    lambda_svc._get_func_record_for_ref = record_drawn
