"""Defers imports: what is imported when a module is loaded, but used in its functions only, is imported by the first of them
that runs. Lines stay where they are.

A deferred import becomes an object of the module, which the functions that use its names call first; plimsoll_lazy, which ships
beside the packages, makes it for all others who ask. What could tell the difference all the same is not deferred.
"""

import ast
import os
import re
import symtable

PREFIX = "_plimsoll_import_"
RUNTIME = "_plimsoll_lazy"
# Code that looks at a namespace as a whole, or is compiled by others from its bytecode, would miss names that are not there yet.
SEES_NAMESPACE = re.compile(
    rb"\b(globals|locals|vars|exec|eval|dir|_getframe|currentframe|import_module)\s*\("
    rb"|\bsys\s*\.\s*modules\b|__(dict|globals|code)__|\b(numba|triton|taichi)\b"
)
IDENTIFIER = re.compile(r"[^\W\d]\w*")


def sees_namespace(source):
    return SEES_NAMESPACE.search(source) is not None


def bound_names(statement):
    """Names that an import statement binds."""
    return [alias.asname or alias.name.split(".")[0] for alias in statement.names]


def is_plain(statement):
    """`import a` or `import a.b`: both bind a."""
    return isinstance(statement, ast.Import) and len(statement.names) == 1 and statement.names[0].asname is None


def bindings(node, found):
    """Counts what binds each name of the module's own scope."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found[child.name] = found.get(child.name, 0) + 1
        elif isinstance(child, (ast.Import, ast.ImportFrom)):
            for name in bound_names(child):
                found[name] = found.get(name, 0) + 1
        elif isinstance(child, ast.Name) and not isinstance(child.ctx, ast.Load):
            found[child.id] = found.get(child.id, 0) + 1
        elif isinstance(child, ast.ExceptHandler) and child.name:
            found[child.name] = found.get(child.name, 0) + 1
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            bindings(child, found)
    return found


def uses(table):
    """Names that a scope, or any within it, takes from the module's own scope; and those that it rebinds there."""
    used, rebound = set(), set()
    for symbol in table.get_symbols():
        if table.get_type() == "module" or not symbol.is_global():
            continue
        if symbol.is_referenced():
            used.add(symbol.get_name())
        if symbol.is_assigned() or symbol.is_imported():
            rebound.add(symbol.get_name())
    for child in table.get_children():
        deeper = uses(child)
        used |= deeper[0]
        rebound |= deeper[1]
    return used, rebound


def outermost_functions(tree):
    """Functions of the module and methods of its classes, whatever block they stand in."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node
        elif not isinstance(node, ast.Lambda):
            yield from outermost_functions(node)


def function_tables(table):
    """The tables of the same functions, and of lambdas and comprehensions, by (name, line)."""
    for child in table.get_children():
        if child.get_type() == "function":
            yield child
        else:
            yield from function_tables(child)


def annotated(tree):
    """Names in annotations, in strings, too: whoever evaluates one looks it up in the module's namespace itself."""
    for node in ast.walk(tree):
        for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            for part in ast.walk(annotation) if isinstance(annotation, ast.AST) else ():
                if isinstance(part, ast.Name):
                    yield part.id
                elif isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield from IDENTIFIER.findall(part.value)


def is_inside(statement, path):
    """Whether it imports from the package that this file begins: then the import binds a module there, too, in an order that counts."""
    folder, file = os.path.split(path)
    if file != "__init__.py":
        return False
    if isinstance(statement, ast.ImportFrom) and statement.level > 0:
        return statement.level == 1
    targets = [statement.module] if isinstance(statement, ast.ImportFrom) else [alias.name for alias in statement.names]
    parents = folder.split("/")
    return any(parents[-count:] == parts[:count] for parts in [target.split(".") for target in targets] for count in range(1, len(parts) + 1))


class Plan:
    """What of a module can be deferred."""

    def __init__(self, source, tree, path):
        self.statements = {}
        self.within = {}
        self.functions = []
        # A module that answers for its attributes itself stays as it is.
        counts = bindings(tree, {})
        if sees_namespace(source) or "__getattr__" in counts:
            return
        top = symtable.symtable(source, path, "exec")
        nodes = {(node.name, node.lineno): node for node in outermost_functions(tree)}
        elsewhere, rebound, used = set(), set(), set()
        for table in function_tables(top):
            names, again = uses(table)
            rebound |= again
            node = nodes.get((table.get_name(), table.get_lineno()))
            if node is None:
                elsewhere |= names  # a lambda or a comprehension of the module itself: it may run at once
            else:
                used |= names
                self.functions.append((node, names))
        elsewhere |= self.names_at_load(top)
        elsewhere.update(annotated(tree))
        packages = {}
        for statement in tree.body:
            if not isinstance(statement, (ast.Import, ast.ImportFrom)) or getattr(statement, "module", "") == "__future__":
                continue
            if is_inside(statement, path):
                continue
            names = bound_names(statement)
            inside = packages.setdefault(names[0], []) if is_plain(statement) else []
            if all(name != "*" and name in used and name not in elsewhere and name not in rebound and counts[name] == 1 for name in names):
                self.statements[statement.lineno] = statement
            elif inside and names[0] in used and names[0] not in rebound and "." in statement.names[0].name:
                self.within[statement.lineno] = statement
            inside.append(statement)
        # `import a.b` after `import a`: the name is bound already, whatever else the module does with it.
        for line, statement in self.within.items():
            name = bound_names(statement)[0]
            if counts[name] == len(packages[name]):
                self.statements[line] = statement

    def names_at_load(self, table):
        """Names that the module or the bodies of its classes read when it is loaded."""
        names = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced()}
        for child in table.get_children():
            if child.get_type() != "function":
                names |= self.names_at_load(child)
        return names


def at(where, source):
    """New statements from their source, all at the place of another one."""
    body = ast.parse(source).body
    for statement in body:
        for node in ast.walk(statement):
            if hasattr(node, "lineno"):
                ast.copy_location(node, where)
    return body


def loader_of(statement, binds):
    """Two statements in place of the import: a function that makes it and returns what it binds, and its deferral."""
    name = f"{PREFIX}{statement.lineno}"
    values = ", ".join(f"{one!r}: {one}" for one in bound_names(statement))
    if isinstance(statement, ast.ImportFrom):
        target, level, wanted = statement.module, statement.level, tuple(alias.name for alias in statement.names)
    else:
        target, level, wanted = statement.names[0].name, 0, None
    call = f"{RUNTIME}.later(globals(), {name!r}, {name}, {binds!r}, {target!r}, {level}, {wanted!r})"
    instead = at(statement, f"def {name}():\n    return {{{values}}}\n{name} = {call}")
    instead[0].body.insert(0, statement)
    return name, instead


def defer(source, tree, path, lines, seen, hidden, outside):
    """Defers the import statements on these lines, as far as they can be. Returns the lines of those that are.

    `seen` and `hidden` are modules that the package answers for, those that it loads itself first; `outside` those that others have to.
    """
    is_wanted = any(isinstance(node, (ast.Import, ast.ImportFrom)) and node.lineno in lines for node in tree.body)
    if not seen and not hidden and not is_wanted:
        return []
    plan = Plan(source, tree, path)
    loaders = {}
    deferred = [line for line in lines if line in plan.statements]
    for line in deferred:
        statement = plan.statements[line]
        binds = () if line in plan.within else tuple(bound_names(statement))
        name, instead = loader_of(statement, binds)
        index = tree.body.index(statement)
        tree.body[index : index + 1] = instead
        for one in bound_names(statement):
            loaders.setdefault(one, []).append(name)
    for node, used in plan.functions:
        names = sorted({name for one in used for name in loaders.get(one, ())})
        start = 1 if ast.get_docstring(node, clean=False) is not None else 0
        node.body[start:start] = at(node.body[0], "\n".join(f"{name}()" for name in names))
    if loaders or seen or hidden:
        # Before all else that can run: in a circle of imports others ask for names while this module is being loaded.
        start = next((index for index, node in enumerate(tree.body) if not is_head(node)), len(tree.body))
        where = tree.body[min(start, len(tree.body) - 1)] if tree.body else ast.Pass(lineno=1, col_offset=0, end_lineno=1, end_col_offset=0)
        has_getattr = "__getattr__" in bindings(tree, {})
        tree.body[start:start] = at(where, head(loaders, seen, hidden, outside if deferred else {}, has_getattr))
    return deferred


def is_head(node):
    """Whether nothing may come before it: a docstring, or an import from the future."""
    return (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) or (isinstance(node, ast.ImportFrom) and node.module == "__future__")


def head(loaders, seen, hidden, outside, has_getattr):
    """What begins the module. A function may run before the imports that it uses are reached: then their names are not there yet."""
    lines = [f"import plimsoll_lazy as {RUNTIME}"]
    lines += [f"{name} = ().__class__" for name in sorted({name for names in loaders.values() for name in names})]
    if seen or hidden:
        lines.append(f"{RUNTIME}.package(globals(), {sorted(seen)!r}, {sorted(hidden)!r}, {has_getattr!r})")
    if outside:
        lines.append(f"{RUNTIME}.outside({outside!r})")
    return "\n".join(lines)
