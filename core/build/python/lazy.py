"""Defers imports: what is imported when a module is loaded, but used in its functions only, is imported by the first of them
that runs. Lines stay where they are.

A deferred import becomes a function of the module, which the functions that use its names call first. Whoever asks the module
for such a name from outside gets it by the module's own __getattr__ (PEP 562); so does whoever asks a package for a module in
it that is not loaded any more until it is used.
"""

import ast
import re
import symtable

PREFIX = "_plimsoll_import_"
# Code that looks at a namespace as a whole would miss names that are not there yet.
SEES_NAMESPACE = re.compile(rb"\b(globals|locals|vars|exec|eval|dir)\s*\(")


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


class Plan:
    """What of a module can be deferred."""

    def __init__(self, source, tree, path):
        self.statements = {}
        self.within = {}
        self.functions = []
        # A module that answers for its attributes itself stays as it is.
        counts = bindings(tree, {})
        self.is_open = "__getattr__" not in counts
        if SEES_NAMESPACE.search(source) or not self.is_open:
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
        packages = {}
        for statement in tree.body:
            if not isinstance(statement, (ast.Import, ast.ImportFrom)) or getattr(statement, "module", "") == "__future__":
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


def at(where, *nodes):
    """Gives new nodes, and all below them that have none, the place of another one."""
    for node in nodes:
        for child in ast.walk(node):
            if not hasattr(child, "lineno"):
                ast.copy_location(child, where)
    return list(nodes)


def loader_of(statement):
    """A function that runs the import, and is replaced by one that does nothing."""
    name = f"{PREFIX}{statement.lineno}"
    done = ast.Assign([ast.Name(name, ast.Store())], ast.Name("tuple", ast.Load()))
    body = [ast.Global([*bound_names(statement), name]), statement, done]
    return name, ast.FunctionDef(name, ast.arguments([], [], None, [], [], None, []), body, [], None)


def defer(source, tree, path, lines, submodules):
    """Defers the import statements on these lines, as far as they can be. Returns the lines of those that are."""
    if not submodules and not any(isinstance(node, (ast.Import, ast.ImportFrom)) and node.lineno in lines for node in tree.body):
        return []
    plan = Plan(source, tree, path)
    loaders = {}
    deferred = [line for line in lines if line in plan.statements]
    for line in deferred:
        statement = plan.statements[line]
        name, function = loader_of(statement)
        tree.body[tree.body.index(statement)] = at(statement, function)[0]
        loaders.update(dict.fromkeys(bound_names(statement), name))
    for node, used in plan.functions:
        calls = [ast.Expr(ast.Call(ast.Name(name, ast.Load()), [], [])) for name in sorted({loaders[name] for name in used if name in loaders})]
        start = 1 if ast.get_docstring(node, clean=False) is not None else 0
        node.body[start:start] = at(node.body[0], *calls)
    if plan.is_open and (loaders or submodules):
        # Before all else that can run: in a circle of imports others ask for names while this module is being loaded.
        start = next((index for index, node in enumerate(tree.body) if not is_head(node)), len(tree.body))
        where = tree.body[min(start, len(tree.body) - 1)] if tree.body else ast.Pass(lineno=1, col_offset=0, end_lineno=1, end_col_offset=0)
        tree.body[start:start] = at(where, *getattr_of(loaders, submodules))
    return deferred


def is_head(node):
    """Whether nothing may come before it: a docstring, or an import from the future."""
    return (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) or (isinstance(node, ast.ImportFrom) and node.module == "__future__")


def getattr_of(loaders, submodules):
    """def __getattr__(name): loads what the name belongs to."""
    code = f"""
def __getattr__(name):
    if name in {loaders!r}:
        globals()[{loaders!r}[name]]()
        return globals()[name]
    if name in {sorted(submodules)!r}:
        import importlib
        return importlib.import_module(f"{{__name__}}.{{name}}")
    raise AttributeError(f"module {{__name__!r}} has no attribute {{name!r}}")
"""
    return ast.parse(code).body
