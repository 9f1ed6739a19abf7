"""Says what happened when code asks for a module that Plimsoll has removed, since no workload had used it; or, where the
project wants it, fetches what was removed into /tmp and goes on.

Every package loads this at the end of its own first import. The finder is the last one, asked only after all others have
found nothing, and it reads its lists at the first such question: the normal path pays for one append.
"""

import sys


class RemovedModuleFinder:
    """Knows the names in plimsoll_removed/ARTIFACT.json beside the packages: {"modules": [names], "fetch": {"key", "sha256"}}."""

    removed = None
    fetching = False

    def names(self):
        if self.removed is None:
            import json
            import os

            type(self).removed = {}
            for root in sys.path:
                folder = os.path.join(root, "plimsoll_removed")
                for file in os.listdir(folder) if os.path.isdir(folder) else ():
                    with open(os.path.join(folder, file), encoding="utf-8") as text:
                        content = json.load(text)
                    known = (file.rpartition(".")[0], root, content.get("fetch"))
                    self.removed.update(dict.fromkeys(content["modules"], known))
        return self.removed

    def find_spec(self, name, path=None, target=None):
        known = self.names().get(name)
        if known is None:
            return None
        artifact, root, fetch = known
        emit(name, artifact)
        problem = None
        if fetch and not self.fetching:  # what fetches may miss something itself
            type(self).fetching = True
            try:
                spec = spec_in(fetched(artifact, root, fetch), root, name)
                if spec:
                    return spec
            except Exception as error:
                problem = error
            finally:
                type(self).fetching = False
        why = f" It could not be fetched: {type(problem).__name__}: {problem}." if problem else ""
        raise ModuleNotFoundError(
            f"{name} was removed from {artifact} by plimsoll, since no workload had used it.{why} To keep it, add a smoke event "
            f"that uses it, or to plimsoll.yaml optimise: {{ keep: [{name}] }}, and run: plimsoll deploy",
            name=name,
        ) from problem


def spec_in(folder, root, name):
    """The module among what was fetched. A package there may have parts that were never removed."""
    import os
    from importlib.machinery import PathFinder

    inside = name.split(".")[:-1]
    spec = PathFinder.find_spec(name, [os.path.join(folder, *inside)])
    if spec and spec.submodule_search_locations is not None:
        spec.submodule_search_locations.append(os.path.join(root, *name.split(".")))
    return spec


def fetched(artifact, root, fetch):
    """Folder with what was removed from the artifact, fetched once a sandbox; its hash is the one that the layer names."""
    import hashlib
    import io
    import os
    import shutil
    import tempfile
    import zipfile

    folder = os.path.join(tempfile.gettempdir(), f"plimsoll-removed-{fetch['sha256'][:16]}")
    if os.path.isdir(folder):
        return folder
    import boto3

    answer = boto3.client("s3").get_object(Bucket=os.environ["PLIMSOLL_ARTIFACT_BUCKET"], Key=fetch["key"])
    content = answer["Body"].read()
    if hashlib.sha256(content).hexdigest() != fetch["sha256"]:
        raise ImportError(f"{fetch['key']} is not what was removed from {artifact}: its hash is another one")
    unfinished = tempfile.mkdtemp(prefix="plimsoll-removed-")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            archive.extractall(unfinished)
        link_libraries(root, unfinished)
        os.rename(unfinished, folder)
    except OSError:
        if not os.path.isdir(folder):  # else another thread was faster
            raise
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def link_libraries(root, folder):
    """Extension modules look for the libraries of their wheel beside their package: p.libs."""
    import os

    for libraries in [name for name in os.listdir(root) if name.endswith(".libs")]:
        os.makedirs(os.path.join(folder, libraries), exist_ok=True)
        for name in os.listdir(os.path.join(root, libraries)):
            if not os.path.exists(os.path.join(folder, libraries, name)):
                os.symlink(os.path.join(root, libraries, name), os.path.join(folder, libraries, name))


def emit(name, artifact):
    """One line in the embedded metric format, of which CloudWatch makes a metric."""
    import json
    import time

    directive = {"Namespace": "Plimsoll", "Dimensions": [["Artifact"]], "Metrics": [{"Name": "RemovedModules", "Unit": "Count"}]}
    metadata = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    print(json.dumps({"_aws": metadata, "Artifact": artifact, "Module": name, "RemovedModules": 1}), flush=True)


if not any(type(finder).__name__ == RemovedModuleFinder.__name__ for finder in sys.meta_path):
    sys.meta_path.append(RemovedModuleFinder())
