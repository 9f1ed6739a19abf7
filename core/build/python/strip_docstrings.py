"""Writes copies of Python files without their docstrings; every other line stays where it was, so tracebacks do not change.

Reads {"root": folder, "files": [relative paths], "out": folder} and answers {path: bytes less}; a file without docstrings
is left out. A docstring becomes an empty one, so that code which reads or adds to it still finds a string; its further lines become empty.
"""

import ast
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from parallel import results_of

HOLDERS = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def docstrings(tree):
    for node in ast.walk(tree):
        if not isinstance(node, HOLDERS) or not node.body:
            continue
        first = node.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            yield first


def stripped(source):
    """Returns the source without docstrings, or None where it is no Python or has none."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return None
    if source.startswith(b"\xef\xbb\xbf") or b"\x0c" in source or b"\r" in source:
        return None  # positions would be off
    lines = source.split(b"\n")
    found = sorted(docstrings(tree), key=lambda node: -node.lineno)
    for node in found:
        first, last = node.lineno - 1, node.end_lineno - 1
        head, tail = lines[first][: node.col_offset], lines[last][node.end_col_offset :]
        lines[first : last + 1] = [head + b'""' + (tail if first == last else b""), *([b""] * (last - first))]
        if first != last and tail.strip():
            return None  # something follows on the docstring's last line
    return b"\n".join(lines) if found else None


def main():
    job = json.load(sys.stdin)

    def strip(path):
        with open(os.path.join(job["root"], path), "rb") as file:
            source = file.read()
        result = stripped(source)
        if result is None or len(result) >= len(source):
            return path, 0
        target = os.path.join(job["out"], path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as file:
            file.write(result)
        return path, len(source) - len(result)

    json.dump({path: saved for path, saved in results_of(strip, job["files"]) if saved}, sys.stdout)


main()
