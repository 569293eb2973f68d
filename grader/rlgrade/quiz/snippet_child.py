"""Runs trusted snippets, each in a fork of its own; a script that `snippets.py` starts.

Standard input has a list of jobs as JSON, standard output gets a list of results. numpy and torch
are imported once, before the forks, where a job wants them.
"""

import contextlib
import io
import json
import os
import select
import signal
import sys
import traceback
from typing import Any


def main() -> None:
    """Answer the jobs on standard input."""
    jobs = json.load(sys.stdin)
    for module in ("numpy", "torch"):
        if any(module in job["imports"] for job in jobs):
            __import__(module)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    results = [run(job) for job in jobs]
    json.dump(results, sys.stdout)


def run(job: dict[str, Any]) -> dict[str, str]:
    """What one job printed, and where it failed, if it did."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with os.fdopen(writing, "w", encoding="utf-8") as out:
            json.dump(execute(job), out)
        os._exit(0)
    os.close(writing)
    data = collect(reading, child, job["seconds"])
    os.close(reading)
    os.waitpid(child, 0)
    if data is None:
        return failed("time", f"it did not end within {job['seconds']} seconds")
    result: dict[str, str] = json.loads(data or "{}")
    return result or failed("died", "the process died")


def collect(reading: int, child: int, seconds: float) -> bytes | None:
    """What the child writes; None after killing it because it took too long."""
    import time

    end, data = time.monotonic() + seconds, b""
    while True:
        ready, _, _ = select.select([reading], [], [], max(0.0, end - time.monotonic()))
        if not ready:
            os.kill(child, signal.SIGKILL)
            return None
        piece = os.read(reading, 65536)
        if not piece:
            return data
        data += piece


def execute(job: dict[str, Any]) -> dict[str, str]:
    """The result of running the code, and then the test, in one namespace."""
    printed = io.StringIO()
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for stage in ("code", "test"):
        try:
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
                exec(compile(job[stage], f"<{stage}>", "exec"), namespace)
        except BaseException as error:
            said = traceback.format_exception_only(error)[-1].strip()
            return failed(stage, said) | {
                "output": printed.getvalue(),
                "kind": type(error).__name__,
            }
    return {"output": printed.getvalue(), "stage": "", "error": "", "kind": ""}


def failed(stage: str, error: str) -> dict[str, str]:
    """The result of a run that did not end well."""
    return {"output": "", "stage": stage, "error": error, "kind": ""}


if __name__ == "__main__":
    main()
