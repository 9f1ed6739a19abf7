"""What modules with deferred imports need at run time: nobody who looks at such a module can tell that an import is still to be made.

A deferred import is made by the first function that uses its names, and by whoever looks at its module from outside: for a name, for
all of them (dir, vars, `from m import *`), or to delete one. A package answers in the same way for modules in it that would have
been loaded by now. No lock is held while something is imported: the interpreter's own locks do that, and know circles.
"""

import sys
from _thread import RLock, get_ident
from importlib import import_module
from types import ModuleType

WAITING = "_plimsoll_waiting"
ANSWERS = "_plimsoll_answers"
PREFIX = "_plimsoll_"

namespace_of = ModuleType.__dict__["__dict__"].__get__
binding = RLock()


def is_loaded(name):
    """Whether a module is there, and done."""
    module = sys.modules.get(name)
    return module is not None and not getattr(getattr(module, "__spec__", None), "_initializing", False)


class Import:
    """An import statement that is still to be made. Called, it makes it; once made, it does nothing."""

    __slots__ = ("namespace", "key", "names", "run", "threads")

    def __init__(self, namespace, key, names, run):
        self.namespace, self.key, self.names, self.run, self.threads = namespace, key, names, run, set()

    def __call__(self):
        thread = get_ident()
        if thread in self.threads:  # a circle: as for any import that is under way, its names are not there yet
            return
        self.threads.add(thread)
        try:
            values = self.run()
        finally:
            self.threads.discard(thread)
        with binding:
            if self.namespace.get(self.key) is not self:
                return  # another thread was faster, and what it bound may be gone again
            for name in self.names:
                self.namespace.setdefault(name, values[name])
            self.namespace[self.key] = tuple
            for name in self.names:
                self.namespace[WAITING].pop(name, None)


class Lazy(ModuleType):
    """A module that makes its deferred imports when it is asked for what they bind."""

    __slots__ = ()

    @property
    def __dict__(self):
        namespace = namespace_of(self)
        for waiting in list(namespace.get(WAITING, {}).values()):
            waiting()
        if is_loaded(namespace["__name__"]):
            for name in [name for name, is_seen in list(namespace.get(ANSWERS, {}).items()) if is_seen]:
                settle(namespace, name)
        return namespace

    def __dir__(self):
        namespace = namespace_of(self)
        if "__dir__" in namespace:
            return [name for name in namespace["__dir__"]() if not name.startswith(PREFIX)]
        names = {name for name in namespace if not name.startswith(PREFIX)}
        return [*names.union(namespace.get(WAITING, ()), (name for name, is_seen in namespace.get(ANSWERS, {}).items() if is_seen))]

    def __setattr__(self, name, value):
        namespace = namespace_of(self)
        # Else a later import of the module would bind it over what is set now.
        if name in namespace.get(ANSWERS, ()) and value is not sys.modules.get(f"{namespace['__name__']}.{name}"):
            settle(namespace, name)
        ModuleType.__setattr__(self, name, value)

    def __delattr__(self, name):
        namespace = namespace_of(self)
        settle(namespace, name)
        namespace.get(ANSWERS, {}).pop(name, None)
        ModuleType.__delattr__(self, name)

    def __reduce_ex__(self, protocol):  # cloudpickle knows modules by their exact class
        return import_module, (self.__name__,)


class LazyModule(Lazy):
    """The usual case."""

    __slots__ = ()

    def __getattr__(self, name):
        namespace = namespace_of(self)
        if settle(namespace, name):
            return namespace[name]
        return ModuleType.__getattribute__(self, name)  # raises what it always raises


class AnsweringFirst(Lazy):
    """A package with a __getattr__ of its own, which must not be asked for modules that would have been there."""

    __slots__ = ()

    def __getattribute__(self, name):
        namespace = namespace_of(self)
        if name not in namespace and namespace.get(ANSWERS, {}).get(name) and settle(namespace, name):
            return namespace[name]
        try:
            return ModuleType.__getattribute__(self, name)
        except AttributeError:
            if settle(namespace, name):
                return namespace[name]
            raise


def settle(namespace, name):
    """Makes the import that binds a name, if one is waiting. Returns whether the name is bound now."""
    waiting = namespace.get(WAITING, {}).get(name)
    if waiting is not None:
        waiting()
    elif name not in namespace and name in namespace.get(ANSWERS, ()):
        full = f"{namespace['__name__']}.{name}"
        if full in sys.modules and not is_loaded(full):
            return False  # it is being loaded: the interpreter binds it when that is done
        module = import_module(full)
        with binding:
            if name in namespace[ANSWERS]:
                namespace.setdefault(name, module)
    return name in namespace


def become(module, namespace, has_getattr):
    """Makes a module one of ours. Returns whether that can be: some have put an object of their own in their place."""
    if type(module) is ModuleType and namespace_of(module) is namespace:
        module.__class__ = AnsweringFirst if has_getattr else LazyModule
    return isinstance(module, Lazy) and namespace_of(module) is namespace


def answer(namespace, names, is_seen):
    """Lets a package answer for modules in it."""
    answers = namespace.setdefault(ANSWERS, {})
    for name in names:
        answers[name] = is_seen or answers.get(name, False)


def package(namespace, seen, others, has_getattr):
    """Begins a package: the names of modules in it that it loads itself but for deferred imports, and of those that others load."""
    if become(sys.modules.get(namespace["__name__"]), namespace, has_getattr):
        answer(namespace, seen, True)
        answer(namespace, others, False)


def outside(packages):
    """Lets packages that are not ours to change answer for what the deferred imports of a module would have loaded in them."""
    for name, modules in packages.items():
        module = import_module(name)
        namespace = namespace_of(module)
        if "__path__" not in namespace:
            continue  # no package: what it has under its own name came with it
        if become(module, namespace, "__getattr__" in namespace):
            answer(namespace, modules, True)
        else:
            for one in modules:
                import_module(f"{name}.{one}")


def later(namespace, key, run, names, target, level, wanted):
    """Defers an import, unless all of it is there already: then it costs nothing, and binds what is bound now.

    `names` are those that it binds, `wanted` those that it takes from its target, None for a plain import.
    """
    module = sys.modules.get(namespace["__name__"])
    is_again = any(name in namespace for name in names)  # the module is being loaded anew
    if is_again or is_there(namespace, target, level, wanted) or not become(module, namespace, False):
        namespace.update(run())
        return tuple
    one = Import(namespace, key, names, run)
    waiting = namespace.setdefault(WAITING, {})
    for name in names:
        waiting[name] = one
    return one


def is_there(namespace, target, level, wanted):
    """Whether all that a statement imports is loaded, and bound where it takes names from."""
    if level:
        base = (namespace.get("__package__") or "").rsplit(".", level - 1)[0] if level > 1 else namespace.get("__package__")
        target = f"{base}.{target}" if target else base
    if not is_loaded(target):
        return False
    module = sys.modules[target]
    return wanted is None or (isinstance(module, ModuleType) and all(name in namespace_of(module) for name in wanted))
