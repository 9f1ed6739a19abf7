"""What is read off the syntax tree of a Python file: its docstrings, and what it imports."""

import ast

HOLDERS = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
# Imports and docstrings are statements or stand in them; expressions, most of a tree, need no visit.
BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")


def statements(node, inside="now"):
    """Yields (statement, "now" or "later"): later is what runs only when a function is called."""
    for block in BLOCKS:
        if block == "body" and isinstance(node, ast.If) and is_type_checking(node.test):
            continue  # never runs
        children = getattr(node, block, None)
        for child in children if isinstance(children, list) else ():
            yield child, inside
            yield from statements(child, "later" if isinstance(child, FUNCTIONS) else inside)


def is_type_checking(test):
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING")


def absolute(node, package):
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    base = parts[: len(parts) - node.level + 1]
    return ".".join([*base, node.module] if node.module else base)


def imports_of(found_statements, path):
    """Takes what statements() yields. Returns {"now": [names], "later": [names]}, absolute. `from a import b` names both a and a.b, since b may be a module."""
    module = path[: -len(".py")].replace("/", ".")
    package = module.rpartition(".")[0]  # of a package itself, too: its module's name ends with .__init__
    found = {"now": set(), "later": set()}
    for node, when in found_statements:
        if isinstance(node, ast.Import):
            found[when].update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = absolute(node, package)
            found[when].add(base)
            found[when].update(f"{base}.{alias.name}" for alias in node.names if alias.name != "*")
    return {when: sorted(names) for when, names in found.items()}


def empty_docstrings(tree, found_statements):
    """Takes what statements() yields of the tree, too. Makes every docstring an empty one, so that code which reads or adds to its own still finds a string."""
    for node in (tree, *(statement for statement, _ in found_statements)):
        if not isinstance(node, HOLDERS) or not node.body:
            continue
        first = node.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            first.value.value = ""
