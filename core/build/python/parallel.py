"""Runs a function over many items in forks, one a processor."""

import json
import os


def results_of(function, items):
    """Returns [function(item), ...] in no particular order; the results travel as JSON."""
    items = list(items)
    workers = max(1, min(os.cpu_count() or 1, len(items) // 16))
    if workers == 1:
        return [function(item) for item in items]
    readers = []
    for worker in range(workers):
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.close(reader)
            with os.fdopen(writer, "w") as pipe:
                json.dump([function(item) for item in items[worker::workers]], pipe)
            os._exit(0)
        os.close(writer)
        readers.append(reader)
    results = []
    for reader in readers:
        with os.fdopen(reader) as pipe:
            results += json.load(pipe)
        os.wait()
    return results
