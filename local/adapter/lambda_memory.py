"""On AWS a function that needs more than its MemorySize is killed by the kernel, and whoever called it reads Runtime.ExitError,
"Runtime exited with error: signal: killed" (Lambda developer guide, "Configure Lambda function memory"; its log says the same).
MiniStack lets it have all there is. Here it is looked at while it runs and once it has answered, on systems that have /proc:
what it has, or had at the most, without the files that it maps, which the kernel may take back.
"""

import os
import threading

LOOK_SECONDS = 0.02


def peak_of(pid):
    """Bytes that a process has had for itself at the most, or 0 where it is gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
            lines = dict(line.split(":", 1) for line in status if ":" in line)
    except OSError:
        return 0
    most, of_files = (int(lines.get(name, "0 kB").split()[0]) * 1024 for name in ("VmHWM", "RssFile"))
    return most - of_files


class Watch:
    """Kills a worker's process once it has more than the function may have."""

    def __init__(self, worker, limit):
        self.worker = worker
        self.limit = limit
        self.killed = False
        self.ended = threading.Event()

    def look(self):
        process = self.worker._proc
        if process is not None and process.poll() is None and peak_of(process.pid) > self.limit:
            self.killed = True
            process.kill()

    def run(self):
        while not (self.killed or self.ended.wait(LOOK_SECONDS)):
            self.look()

    def __enter__(self):
        threading.Thread(target=self.run, daemon=True).start()
        return self

    def __exit__(self, *_error):
        self.ended.set()
        # What was there for a moment only was too much all the same.
        self.look()


def install():
    from ministack.core import lambda_runtime

    if not os.path.exists("/proc/self/status"):
        return
    invoke = lambda_runtime.Worker.invoke

    def invoke_within(self, event, request_id, *more, **named):
        with Watch(self, self.config.get("MemorySize", 128) * 1024 * 1024) as watch:
            try:
                result = invoke(self, event, request_id, *more, **named)
            except RuntimeError:
                # It was killed while it began.
                if not watch.killed:
                    raise
                self._proc = None
                result = {"status": "error", "cold_start": True}
        if not watch.killed:
            return result
        text = f"RequestId: {request_id} Error: Runtime exited with error: signal: killed"
        log = f"{result.get('log') or ''}\n{text}\nRuntime.ExitError".strip()
        # It may have answered before it was killed.
        return {**result, "status": "error", "errorType": "Runtime.ExitError", "error": text, "log": log}

    lambda_runtime.Worker.invoke = invoke_within
