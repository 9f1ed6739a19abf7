"""AWS reports a function's failure under the error's own name, which is what a state machine's Retry and Catch match:
errorType is the exception's class in Python and error.name in Node; a module that cannot be imported is
Runtime.ImportModuleError (docs.aws.amazon.com/lambda: python-exceptions, nodejs-exceptions).
MiniStack reports Runtime.HandlerError for all of them, and RuntimeError for those of the init phase.
"""

import re
import threading

from adapter.patching import replace_once

_last = threading.local()

INIT_FAILURE = re.compile(r"Worker init failed: (Runtime\.\w+|\w+): (.*)", re.DOTALL)


def patch_python(script):
    script = replace_once(
        script,
        '_real_stdout.write(json.dumps({"status": "error", "error": str(e)}) + "\\n")',
        "_ms_type = 'Runtime.ImportModuleError' if isinstance(e, ImportError) else type(e).__name__\n"
        "        _ms_text = f\"Unable to import module '{module_name}': {e}\" if isinstance(e, ImportError) else str(e)\n"
        '        _real_stdout.write(json.dumps({"status": "error", "error": f"{_ms_type}: {_ms_text}"}) + "\\n")',
    )
    return replace_once(
        script,
        '"trace": traceback.format_exc()})',
        '"trace": traceback.format_exc(), "errorType": type(e).__name__})',
    )


def patch_node(script):
    return replace_once(
        script,
        'error: String(err.message || err), trace: err.stack || ""',
        'error: String(err.message || err), trace: err.stack || "", errorType: err.name || "Error"',
    )


def install():
    from ministack.core import lambda_runtime
    from ministack.services import lambda_svc

    lambda_runtime._PYTHON_WORKER_SCRIPT = patch_python(lambda_runtime._PYTHON_WORKER_SCRIPT)
    lambda_runtime._NODEJS_WORKER_SCRIPT = patch_node(lambda_runtime._NODEJS_WORKER_SCRIPT)
    invoke, execute = lambda_runtime.Worker.invoke, lambda_svc._execute_function_warm

    def invoke_and_remember(self, *args, **kwargs):
        try:
            result = invoke(self, *args, **kwargs)
        except RuntimeError as error:
            match = INIT_FAILURE.fullmatch(str(error))
            if not match:
                raise
            # A failed init leaves no process that could be used again.
            lambda_runtime._signal(self._proc)
            self._proc = None
            result = {"status": "error", "errorType": match[1], "error": match[2], "log": f"[ERROR] {match[1]}: {match[2]}"}
        _last.result = result
        return result

    def execute_and_name(func, event, request_id):
        _last.result = None
        answer = execute(func, event, request_id)
        failed = _last.result or {}
        if answer.get("error") and failed.get("errorType"):
            trace = str(failed.get("trace", "")).splitlines()
            answer["body"] = {"errorType": failed["errorType"], "errorMessage": failed.get("error", ""), "trace": trace}
        return answer

    lambda_runtime.Worker.invoke = invoke_and_remember
    lambda_svc._execute_function_warm = execute_and_name
