"""On AWS a function that needs more than its MemorySize is killed by the kernel, and whoever called it reads Runtime.ExitError,
"Runtime exited with error: signal: killed" (Lambda developer guide, "Configure Lambda function memory"; its log says the same).
MiniStack lets it have all there is. Here it is looked at while it runs, on systems that have /proc: what it has for itself,
without the files that it maps, which the kernel may take back.
"""

import os
import threading

LOOK_SECONDS = 0.02


def bytes_of(pid):
    """Bytes that a process has for itself, or 0 where it is gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
            lines = dict(line.split(":", 1) for line in status if ":" in line)
    except OSError:
        return 0
    return sum(int(lines.get(name, "0 kB").split()[0]) * 1024 for name in ("RssAnon", "RssShmem"))


class Watch:
    """Kills a worker's process once it has more than the function may have."""

    def __init__(self, worker, limit):
        self.worker = worker
        self.limit = limit
        self.killed = False
        self.ended = threading.Event()

    def run(self):
        while not self.ended.wait(LOOK_SECONDS):
            process = self.worker._proc
            if process is not None and process.poll() is None and bytes_of(process.pid) > self.limit:
                self.killed = True
                process.kill()
                return

    def __enter__(self):
        threading.Thread(target=self.run, daemon=True).start()
        return self

    def __exit__(self, *_error):
        self.ended.set()


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
        if not watch.killed or result.get("status") == "ok":
            return result
        text = f"RequestId: {request_id} Error: Runtime exited with error: signal: killed"
        log = f"{result.get('log') or ''}\n{text}\nRuntime.ExitError".strip()
        return {**result, "errorType": "Runtime.ExitError", "error": text, "log": log}

    lambda_runtime.Worker.invoke = invoke_within
