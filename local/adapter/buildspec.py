"""The part of a buildspec that runs commands: phases in order, `finally`, `on-failure`, variables that live on from one
phase to the next (docs.aws.amazon.com/codebuild: build-spec-ref, view-build-details-phases).
"""

import os
import pathlib
import shlex

PHASES = ("install", "pre_build", "build", "post_build")


class Unsupported(Exception):
    """The buildspec asks for something that is not run here."""


def parse(document):
    """Checks a buildspec and returns it. Raises Unsupported naming the key."""
    if str(document.get("version")) != "0.2":
        raise Unsupported(f"version {document.get('version')}: only 0.2 is run here")
    # A cache may be empty at any time: here each build begins with what the host has.
    for key in set(document) - {"version", "env", "phases", "cache"}:
        raise Unsupported(f"{key} is not run here")
    for key in set(document.get("env") or {}) - {"variables", "exported-variables", "shell"}:
        raise Unsupported(f"env.{key} is not run here")
    for name, phase in (document.get("phases") or {}).items():
        if name not in PHASES:
            raise Unsupported(f"phases.{name}: there are {', '.join(PHASES)}")
        for key in set(phase) - {"commands", "finally", "on-failure", "runtime-versions"}:
            raise Unsupported(f"phases.{name}.{key} is not run here")
    return document


def script_of(commands, state, exported, variables):
    """A shell script that runs commands one by one, ends at the first that fails, and leaves its variables behind."""
    lines = [f"export {name}=\"${{{name}-{shlex.quote(str(value))}}}\"" for name, value in variables.items()]
    lines += [
        f"[ ! -f {state} ] || . {state}",
        "plimsoll_end() {",
        f"  export -p > {state}; echo \"cd $(pwd)\" >> {state}; : > {state}.exported",
        *[f"  printf '%s\\0' \"${{{name}-}}\" >> {state}.exported" for name in exported],
        "  exit $1",
        "}",
    ]
    for command in commands:
        lines += [f"printf '%s\\n' {shlex.quote('[Container] Running command ' + command.strip())}", command, f"code=$?; [ $code -eq 0 ] || {{ printf '%s' {shlex.quote(command.strip())} > {state}.failed; plimsoll_end $code; }}"]
    return "\n".join([*lines, "plimsoll_end 0", ""])


def failed_command(work):
    """The command that ended the phase that ran last."""
    path = pathlib.Path(work, "state.sh.failed")
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def run_phases(spec, work, folder, run):
    """Runs all phases; run(NAME, script path) runs one and says whether it succeeded.

    As on AWS: a failed install or pre_build ends the build; after a failed build post_build still runs; `finally` always
    does; on-failure decides otherwise. Returns (succeeded, exported variables).
    """
    env = spec.get("env") or {}
    exported = env.get("exported-variables") or []
    state = os.path.join(work, "state.sh")
    succeeded = True
    for name in PHASES:
        phase = (spec.get("phases") or {}).get(name)
        if not phase:
            continue
        ok = True
        for part, commands in enumerate((phase.get("commands") or [], phase.get("finally") or [])):
            if not commands:
                continue
            script = os.path.join(work, f"{name}-{part}.sh")
            with open(script, "w", encoding="utf-8") as file:
                file.write(script_of(commands, shlex.quote(state), exported, env.get("variables") or {}))
            ok = run(name.upper(), script) and ok
        succeeded = succeeded and ok
        abort = phase.get("on-failure", "CONTINUE" if name == "build" else "ABORT") == "ABORT"
        if not ok and abort:
            break
    return succeeded, read_exported(f"{state}.exported", exported)


def read_exported(path, names):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        values = file.read().split("\0")
    return [{"name": name, "value": value} for name, value in zip(names, values)]
