"""On AWS reading a layer asks for lambda:ListLayerVersions or lambda:GetLayerVersion, removing a version for
lambda:DeleteLayerVersion; reading one alias for lambda:GetAlias, changing it for lambda:UpdateAlias, removing it for
lambda:DeleteAlias (Service Authorization Reference, "Actions defined by AWS Lambda"). GetLayerVersionByArn asks for
lambda:GetLayerVersion on that ARN, whichever account's it is (Lambda API reference).
MiniStack asks for lambda:ListLayers or lambda:ListAliases whatever is done, and for nothing where a layer version is removed.
"""

ALIAS_ACTIONS = {"GET": "GetAlias", "PUT": "UpdateAlias", "DELETE": "DeleteAlias"}


def layer_asked_for(service, path, query_params):
    """The ARN in GET /2018-10-31/layers?find=LayerVersion&Arn=…, or None."""
    one = {name: value[0] if isinstance(value, list) and value else value for name, value in (query_params or {}).items()}
    is_layer = service == "lambda" and path.rstrip("/").endswith("/layers") and one.get("find") == "LayerVersion"
    return one.get("Arn") if is_layer else None


def install():
    from ministack.core import iam_actions

    known = iam_actions._lambda_action

    def lambda_action(method, path):
        parts = [part for part in path.split("/") if part]
        versions = parts[3:] if parts[1:2] == ["layers"] and len(parts) > 3 else []
        if method == "GET" and versions == ["versions"]:
            return "ListLayerVersions"
        if method in ("GET", "DELETE") and len(versions) == 2:
            return "GetLayerVersion" if method == "GET" else "DeleteLayerVersion"
        if parts[1:2] == ["functions"] and parts[3:4] == ["aliases"] and len(parts) == 5:
            return ALIAS_ACTIONS.get(method)
        return known(method, path)

    iam_actions._lambda_action = lambda_action

    known_action = iam_actions.extract_iam_action

    def extract_iam_action(service, method, path, headers, body, query_params):
        if layer_asked_for(service, path, query_params):
            return "lambda:GetLayerVersion"
        return known_action(service, method, path, headers, body, query_params)

    iam_actions.extract_iam_action = extract_iam_action

    known_resource = iam_actions.extract_resource_arn

    def extract_resource_arn(service, method, path, headers, body, query_params, region, account_id):
        return layer_asked_for(service, path, query_params) or known_resource(
            service, method, path, headers, body, query_params, region, account_id
        )

    iam_actions.extract_resource_arn = extract_resource_arn
