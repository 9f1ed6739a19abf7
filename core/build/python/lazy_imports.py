"""Finds, in Python files, the modules that are imported inside functions, and those imported when the module is loaded.

Reads {"files": {module name: path}} and answers {module name: {"now": [names], "later": [names]}}. `from a import b` names
both a and a.b, since b may be a module. Names are absolute; what is under `if TYPE_CHECKING:` never runs and is left out.
"""

import ast
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from parallel import results_of


def is_type_checking(test):
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING")


def absolute(node, package):
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    base = parts[: len(parts) - node.level + 1]
    return ".".join([*base, node.module] if node.module else base)


def visit(node, package, inside, found):
    if isinstance(node, ast.Import):
        found[inside].update(alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = absolute(node, package)
        found[inside].add(base)
        found[inside].update(f"{base}.{alias.name}" for alias in node.names if alias.name != "*")
    if isinstance(node, ast.If) and is_type_checking(node.test):
        children = node.orelse
    else:
        children = ast.iter_child_nodes(node)
    deeper = "later" if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) else inside
    for child in children:
        visit(child, package, deeper, found)


def imports_of(item):
    name, path = item
    found = {"now": set(), "later": set()}
    try:
        with open(path, "rb") as file:
            tree = ast.parse(file.read())
    except (SyntaxError, ValueError):
        return name, {"now": [], "later": []}
    package = name if path.endswith("__init__.py") else name.rpartition(".")[0]
    visit(tree, package, "now", found)
    return name, {key: sorted(names) for key, names in found.items()}


def main():
    json.dump(dict(results_of(imports_of, json.load(sys.stdin)["files"].items())), sys.stdout)


main()
