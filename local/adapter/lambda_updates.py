"""On AWS an update of a function leaves the invocations alone that run already: they end in the environment in which they
began (Lambda developer guide, "Lambda execution environment lifecycle"). MiniStack kills them, and whoever waits gets a 502.
"""

import contextvars
import threading
import time

# No invocation runs longer.
LONGEST_SECONDS = 900
updating = contextvars.ContextVar("updating", default=False)


def install():
    from ministack.core import lambda_runtime
    from ministack.services import lambda_svc

    kill = lambda_runtime.kill_workers

    def kill_later(worker):
        end = time.monotonic() + LONGEST_SECONDS
        while worker.in_use and time.monotonic() < end:
            time.sleep(0.05)
        kill([worker])

    def kill_workers(workers):
        busy = [worker for worker in workers if worker is not None and worker.in_use] if updating.get() else []
        for worker in busy:
            threading.Thread(target=kill_later, args=(worker,), daemon=True).start()
        kill([worker for worker in workers if worker not in busy])

    def gently(update):
        def update_gently(*args, **named):
            token = updating.set(True)
            try:
                return update(*args, **named)
            finally:
                updating.reset(token)

        return update_gently

    lambda_runtime.kill_workers = kill_workers
    lambda_svc._update_code = gently(lambda_svc._update_code)
    lambda_svc._update_config = gently(lambda_svc._update_config)
