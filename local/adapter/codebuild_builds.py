"""On AWS a build fetches its source from S3 and runs the phases of its buildspec with the project's environment, the
overrides of StartBuild, and the service role's credentials; every line goes to the build's log stream; a phase that fails
says in its contexts which command did, and how; StopBuild and the time limit end it (docs.aws.amazon.com/codebuild: build-spec-ref, build-env-ref-env-vars, API_StartBuild).
MiniStack needs Docker for that, ignores the overrides, and without Docker calls every build SUCCEEDED.

Here builds run on the host. Only source from S3 and builds without CodeBuild's own artifacts are supported: a build
that asks for more ends as FAULT and says so in its log.
"""

import atexit
import contextvars
import copy
import functools
import hashlib
import io
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
import zipfile

import yaml

from adapter import buildspec, guard
from adapter.faults import due_in_build

# What a host needs to reach package registries; a build image brings its own.
HOST_VARIABLES = re.compile(r"^(HOME|PATH|TMPDIR|LANG|LC_ALL|PLIMSOLL_UV|PLIMSOLL_COMMAND|(SSL|CURL|PIP|UV|NODE_EXTRA|REQUESTS)_\w+|(https?|no|all)_proxy)$", re.I)

_processes = {}
_lock = threading.Lock()
# (bucket, key, ETag) of each source that is unpacked, and where.
_sources = {}
_sources_lock = threading.Lock()


class Fault(Exception):
    """The build cannot be carried out here, through no fault of its commands."""


def merged(project, request):
    """The project as this build sees it, with the overrides of StartBuild."""
    build = copy.deepcopy(project)
    environment = build.setdefault("environment", {})
    variables = {entry["name"]: entry for entry in environment.get("environmentVariables") or []}
    variables.update({entry["name"]: entry for entry in request.get("environmentVariablesOverride") or []})
    environment["environmentVariables"] = list(variables.values())
    source = build.setdefault("source", {})
    for override, key in (("sourceLocationOverride", "location"), ("sourceTypeOverride", "type"), ("buildspecOverride", "buildspec")):
        if request.get(override):
            source[key] = request[override]
    build["timeoutInMinutes"] = request.get("timeoutInMinutesOverride") or build.get("timeoutInMinutes") or 60
    return build


def start_build(data):
    from ministack.core.responses import error_response_json, json_response
    from ministack.services import codebuild

    project = codebuild._projects.get(data.get("projectName", ""))
    if project is None:
        return error_response_json("ResourceNotFoundException", f"Project cannot be found: {data.get('projectName')}", 400)
    project = merged(project, data)
    build = codebuild._make_build_record(project, codebuild._build_id(project["name"]), data.get("sourceVersion"))
    del build["endTime"]
    build.update(buildStatus="IN_PROGRESS", currentPhase="SUBMITTED", phases=build["phases"][:1], serviceRole=project["serviceRole"])
    codebuild._builds[build["id"]] = build
    # The stores belong to the caller's account and region, which a thread does not inherit.
    thread = threading.Thread(target=contextvars.copy_context().run, args=(run_build, build, project), daemon=True)
    thread.start()
    return json_response({"build": copy.deepcopy(build)})


def stop_build(data):
    from ministack.core.responses import error_response_json, json_response
    from ministack.services import codebuild

    build = codebuild._builds.get(data.get("id", ""))
    if build is None:
        return error_response_json("ResourceNotFoundException", f"Build cannot be found: {data.get('id')}", 400)
    end(build, "STOPPED")
    return json_response({"build": copy.deepcopy(build)})


def end(build, status):
    """The first end counts. The commands of a build that is stopped or out of time are killed."""
    from ministack.services import codebuild

    with _lock:
        if build["buildStatus"] != "IN_PROGRESS":
            return
        codebuild._finish_build(build, status)
        process = _processes.pop(build["id"], None)
    if process and process.poll() is None:
        guard.kill(process.pid)


def role_credentials(role_arn, build_id):
    """A session of the service role, so that IAM decides what the build may do."""
    from ministack import app
    from ministack.core.responses import get_account_id
    from ministack.services import sts

    if not app.AUTH:
        return {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    name = role_arn.rsplit("/", 1)[-1]
    digest = hashlib.sha256(f"{role_arn}:{build_id}".encode()).hexdigest()
    key = f"ASIA{digest[:16].upper()}"
    session = {
        "Arn": f"arn:aws:sts::{get_account_id()}:assumed-role/{name}/AWSCodeBuild-{build_id.rsplit(':', 1)[-1]}",
        "UserId": f"{name}:AWSCodeBuild",
        "SecretAccessKey": digest[16:56],
        "SessionToken": digest,
    }
    sts.register_session(key, session)
    return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": digest[16:56], "AWS_SESSION_TOKEN": digest}


def environment_of(build, project, folder):
    from ministack.core.responses import get_account_id, get_region

    region = get_region()
    own = {
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}",
        "AWS_ACCOUNT_ID": get_account_id(),
        "CODEBUILD_BUILD_ID": build["id"],
        "CODEBUILD_BUILD_ARN": build["arn"],
        "CODEBUILD_BUILD_NUMBER": str(build["buildNumber"]),
        "CODEBUILD_SRC_DIR": folder,
        "CODEBUILD_INITIATOR": build["initiator"],
        "CODEBUILD_START_TIME": str(build["startTime"] * 1000),
        "CI": "true",
    }
    variables = {}
    for entry in project["environment"].get("environmentVariables") or []:
        if entry.get("type", "PLAINTEXT") != "PLAINTEXT":
            raise Fault(f"environment variable {entry['name']} has type {entry['type']}, which is not supported here")
        variables[entry["name"]] = entry.get("value", "")
    host = {name: value for name, value in os.environ.items() if HOST_VARIABLES.match(name)}
    return {**host, **own, **variables, **role_credentials(project["serviceRole"], build["id"])}


def fetch_source(source, environment, folder):
    """Unpacks the S3 object BUCKET/KEY with the role's own rights."""
    if source.get("type") == "NO_SOURCE":
        return
    if source.get("type") != "S3":
        raise Fault(f"source type {source.get('type')} is not supported here, only S3")
    import boto3

    session = boto3.Session(
        environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"], environment.get("AWS_SESSION_TOKEN"), environment["AWS_REGION"]
    )
    bucket, _, key = source["location"].partition("/")
    client = session.client("s3", endpoint_url=environment["AWS_ENDPOINT_URL"])
    # HeadObject takes the right to read the object, too, so that what is unpacked already is for those alone who have it.
    etag = client.head_object(Bucket=bucket, Key=key)["ETag"]
    with _sources_lock:
        unpacked = _sources.get((bucket, key, etag))
        if unpacked is None:
            unpacked = os.path.join(_sources_folder(), str(len(_sources)))
            data = client.get_object(Bucket=bucket, Key=key)["Body"].read()
            zipfile.ZipFile(io.BytesIO(data)).extractall(unpacked)
            _sources[bucket, key, etag] = unpacked
    shutil.copytree(unpacked, folder, dirs_exist_ok=True)


@functools.cache
def _sources_folder():
    """Where sources lie unpacked while this process runs: builds are many, and their source is the same."""
    folder = tempfile.mkdtemp(prefix="plimsoll-codebuild-sources-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def run_build(build, project):
    from ministack.services import codebuild

    work = tempfile.mkdtemp(prefix="plimsoll-codebuild-")
    log = codebuild._log_sink(build)
    timer = threading.Timer(project["timeoutInMinutes"] * 60, end, (build, "TIMED_OUT"))
    timer.daemon = True
    timer.start()
    try:
        fault = due_in_build(project["name"], "codebuild:Build")
        if fault:
            end(build, fault["error"])
            return
        folder = os.path.join(work, "src")
        os.mkdir(folder)
        environment = environment_of(build, project, folder)
        phase(build, "DOWNLOAD_SOURCE", lambda: fetch_source(project["source"], environment, folder))
        spec = buildspec.parse(yaml.safe_load(project["source"].get("buildspec") or "") or {})
        if (project.get("artifacts") or {}).get("type", "NO_ARTIFACTS") != "NO_ARTIFACTS":
            raise Fault("artifacts of CodeBuild's own are not supported here")

        def run(name, script):
            return phase(build, name, lambda: run_script(build, script, folder, environment, log))

        ok, exported = buildspec.run_phases(spec, work, folder, run)
        build["exportedEnvironmentVariables"] = exported
        end(build, "SUCCEEDED" if ok else "FAILED")
    except Exception as error:  # whatever breaks here is the service's fault, not the build's
        log(f"[Container] {type(error).__name__}: {error}")
        end(build, "FAULT")
    finally:
        timer.cancel()
        shutil.rmtree(work, ignore_errors=True)


def phase(build, name, action):
    """Records a phase as it begins and as it ends. A falsy answer other than None fails it."""
    begin = int(time.time())
    record = {"phaseType": name, "startTime": begin}
    build["phases"].append(record)
    build["currentPhase"] = name
    status = "FAILED"
    try:
        answer = action()
        status = "FAILED" if answer is not None and not answer else "SUCCEEDED"
        return answer
    finally:
        record.update(phaseStatus=status, endTime=int(time.time()), durationInSeconds=int(time.time()) - begin)


def run_script(build, script, folder, environment, log):
    """Runs one phase in a process group of its own, so that stopping it stops all that it started."""
    with _lock:
        if build["buildStatus"] != "IN_PROGRESS":
            return False
        process = subprocess.Popen(
            ["/bin/sh", script], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
        )
        _processes[build["id"]] = process
        guard.tell(f"+{process.pid}")
    for line in process.stdout:
        log(line.rstrip("\n"))
    code = process.wait()
    with _lock:
        _processes.pop(build["id"], None)
        guard.tell(f"-{process.pid}")
    if code != 0:
        command = buildspec.failed_command(os.path.dirname(script))
        message = f"Error while executing command: {command}. Reason: exit status {code}"
        build["phases"][-1]["contexts"] = [{"statusCode": "COMMAND_EXECUTION_ERROR", "message": message}]
    return code == 0


def install():
    from ministack.services import codebuild

    codebuild._start_build = start_build
    codebuild._stop_build = stop_build
