"""What an exception says of code that was run in a build. Imported by all that run a project's code; the name is not one
that a project would give to a module of its own.
"""

import inspect
import importlib
import os
import traceback


class HandlerError(Exception):
    """There is no handler that Lambda could call."""


def kind_of(raised):
    """Why code failed.

    `import`: something is missing. `certain`: it fails in the same way wherever it runs, so in Lambda, too. `other`: what is
    only here, or only in Lambda, may be the reason.
    """
    if isinstance(raised, ImportError):
        return "import"
    if isinstance(raised, (SyntaxError, SystemExit, RecursionError, HandlerError)):
        return "certain"
    # What older Pythons say of NUL in a source.
    if isinstance(raised, ValueError) and "null bytes" in str(raised):
        return "certain"
    return "other"


def place_of(raised, paths):
    """`file, line N` of the innermost line of code below the given folders; empty where there is none."""
    found = ""
    for frame in traceback.extract_tb(raised.__traceback__):
        for path in paths:
            if frame.filename.startswith(os.path.join(path, "")):
                found = f"{os.path.relpath(frame.filename, path)}, line {frame.lineno}"
    return found


def words_of(raised, paths):
    """The exception in words: its class, its message and, where that does not say it, its place."""
    text = f"{type(raised).__name__}: {raised}"
    place = "" if isinstance(raised, (ImportError, SyntaxError)) else place_of(raised, paths)
    return f"{text} ({place})" if place else text


def find_handler(name):
    """The function that Lambda calls for a Handler such as `src/app.handler`. Raises what Lambda would fail with."""
    module, dot, function = name.rpartition(".")
    if not dot:
        raise HandlerError(f'"{name}" names no module; write MODULE.FUNCTION')
    imported = importlib.import_module(module.replace("/", "."))
    if not hasattr(imported, function):
        raise HandlerError(f'module {imported.__name__} has no "{function}"')
    handler = getattr(imported, function)
    if not callable(handler):
        raise HandlerError(f"{name} is a {type(handler).__name__}, which cannot be called")
    if inspect.iscoroutinefunction(handler):
        raise HandlerError(f"{name} is async; Lambda does not wait for it, and cannot send what it returns")
    return handler
