"""On AWS reading a layer asks for lambda:ListLayerVersions or lambda:GetLayerVersion, removing a version for
lambda:DeleteLayerVersion; reading one alias for lambda:GetAlias, changing it for lambda:UpdateAlias, removing it for
lambda:DeleteAlias (Service Authorization Reference, "Actions defined by AWS Lambda").
MiniStack asks for lambda:ListLayers or lambda:ListAliases whatever is done, and for nothing where a layer version is removed.
"""

ALIAS_ACTIONS = {"GET": "GetAlias", "PUT": "UpdateAlias", "DELETE": "DeleteAlias"}


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
