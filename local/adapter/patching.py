"""Changes MiniStack's modules, and says so at once when the version in use is not the one that was patched."""


def replace_once(text, old, new):
    """Returns text with old replaced; raises where old is not there exactly `once`."""
    if text.count(old) != 1:
        raise RuntimeError(f"MiniStack has changed: expected once, found {text.count(old)} times: {old!r}")
    return text.replace(old, new)
