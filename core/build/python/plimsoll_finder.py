"""Says what happened when code asks for a module that Plimsoll has removed, since no workload had used it.

Every trimmed package loads this at the end of its own first import. The finder is the last one, asked only after all
others have found nothing, and it reads its lists at the first such question: the normal path pays for one append.
"""

import sys


class RemovedModuleFinder:
    """Finds nothing, and says why, for the names in plimsoll_removed/ARTIFACT.json beside the packages."""

    removed = None

    def names(self):
        if self.removed is None:
            import json
            import os

            type(self).removed = {}
            for root in sys.path:
                folder = os.path.join(root, "plimsoll_removed")
                for file in os.listdir(folder) if os.path.isdir(folder) else ():
                    with open(os.path.join(folder, file), encoding="utf-8") as text:
                        self.removed.update(dict.fromkeys(json.load(text), file.rpartition(".")[0]))
        return self.removed

    def find_spec(self, name, path=None, target=None):
        artifact = self.names().get(name)
        if artifact is None:
            return None
        emit(name, artifact)
        raise ModuleNotFoundError(
            f"{name} was removed from {artifact} by plimsoll, since no workload had used it. To keep it, add a smoke event "
            f"that uses it, or to plimsoll.yaml optimise: {{ keep: [{name}] }}, and run: plimsoll deploy",
            name=name,
        )


def emit(name, artifact):
    """One line in the embedded metric format, of which CloudWatch makes a metric."""
    import json
    import time

    directive = {"Namespace": "Plimsoll", "Dimensions": [["Artifact"]], "Metrics": [{"Name": "RemovedModules", "Unit": "Count"}]}
    metadata = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    print(json.dumps({"_aws": metadata, "Artifact": artifact, "Module": name, "RemovedModules": 1}), flush=True)


if not any(type(finder).__name__ == RemovedModuleFinder.__name__ for finder in sys.meta_path):
    sys.meta_path.append(RemovedModuleFinder())
