"""The same grading as tasks of a Ray cluster: Ray schedules, retries and knows the nodes.

A node needs rlgrade in the same version and nothing else: the course travels with the tasks. Each
of Ray's processes keeps a judge with a warm server from task to task. A task whose node or process
dies is run again by Ray; a result is stored under its key by the one process that reads them, so
nothing counts twice.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import io
import logging
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rlgrade import __version__
from rlgrade.classroom.judging import Done, Job, Judge, Rules
from rlgrade.classroom.pool import cores
from rlgrade.classroom.run import Engine
from rlgrade.courses import Course
from rlgrade.outcome import UsageError
from rlgrade.spawning import SAFE_PATH, safe_path

RETRIES = 5  # of a task whose process or node died
IN_FLIGHT = 4  # tasks for each core, so that no node waits for us
# Ray puts the folder in which it is started first on the path of every task, and there submissions
# may lie. In this one is nothing of theirs.
START = os.sep
NOT_NEEDED = ("right", "walkthrough.md", "hints.md", "__pycache__")


def ray_cluster(address: str, *, cpus: float, gpus: float) -> Engine:
    """Grade on the cluster at `address`; `local` is one on this machine, made for the run.

    Args:
        address: as `ray.init` takes it: `auto`, `ray://host:10001`, `host:6379`.
        cpus: cores that each task asks for.
        gpus: GPUs that each task asks for.
    """
    return lambda rules, jobs: grade_on_ray(rules, jobs, address, cpus=cpus, gpus=gpus)


def grade_on_ray(
    rules: Rules, jobs: Sequence[Job], address: str, *, cpus: float, gpus: float
) -> Iterator[Done]:
    """Grade every job; results in the order in which they are ready.

    Raises:
        UsageError: Ray is missing or not reached, or a node is not fit: another version of rlgrade,
            or walls that are too low.
    """
    ray = _connected(address)
    try:
        packed = packed_course(Course(Path(rules.course)))
        digest = hashlib.sha256(packed).hexdigest()
        course = ray.put(packed)
        task = ray.remote(_grade_there).options(
            num_cpus=cpus, num_gpus=gpus, max_retries=RETRIES, scheduling_strategy="SPREAD"
        )
        waiting = list(reversed(jobs))
        running: dict[Any, Job] = {}
        most = IN_FLIGHT * max(1, int(ray.cluster_resources().get("CPU", 1) / cpus))
        while waiting or running:
            while waiting and len(running) < most:
                job = waiting.pop()
                running[task.remote(course, digest, rules, __version__, job)] = job
            ready, _ = ray.wait(list(running), num_returns=1)
            for reference in ready:
                yield _result(ray, reference, running.pop(reference))
    finally:
        ray.shutdown()


def _connected(address: str) -> Any:
    try:
        import ray
    except ImportError:
        raise UsageError("a cluster needs more: pip install 'rlgrade[cluster]'") from None
    own = {"address": "local", "num_cpus": cores(), "include_dashboard": False}
    where: dict[str, Any] = own if address == "local" else {"address": address}
    where |= {"runtime_env": {"env_vars": {SAFE_PATH: "1"}}}
    try:
        with safe_path(), contextlib.chdir(START):
            ray.init(**where, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise UsageError(f"no Ray cluster at {address}: {error}") from None
    return ray


def _result(ray: Any, reference: Any, job: Job) -> Done:
    """What a task gave; a task that Ray could not bring to an end is a fault of ours."""
    try:
        done: Done = ray.get(reference)
        return done
    except UsageError as error:
        raise UsageError(str(getattr(error, "cause", error))) from None
    except ray.exceptions.RayError as error:
        first = str(error).strip().splitlines()[:1]
        return Done(job.key, None, f"Ray: {type(error).__name__}: {' '.join(first)}", 0.0)


def packed_course(course: Course) -> bytes:
    """What grading reads of a course, as the same zip each time."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in ("exercises", "solutions"):
            for path in sorted((course.root / part).rglob("*")):
                place = path.relative_to(course.root)
                if path.is_file() and not set(NOT_NEEDED).intersection(place.parts):
                    info = zipfile.ZipInfo(place.as_posix(), (2026, 1, 1, 0, 0, 0))
                    info.compress_type = zipfile.ZIP_DEFLATED
                    archive.writestr(info, path.read_bytes())
    return out.getvalue()


def _grade_there(packed: bytes, digest: str, rules: Rules, version: str, job: Job) -> Done:
    """What a node does: take the judge of this process, or make one, and grade."""
    if version != __version__:
        raise UsageError(f"a node has rlgrade {__version__}, and here is {version}")
    # What Python can import, a worker can read.
    sys.path[:] = [entry for entry in sys.path if entry not in ("", START)]
    return _judge(digest, rules, _Packed(packed)).grade(job)


class _Packed:
    """The bytes of a course; all are alike to the cache, which knows them by their digest."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Packed)

    def __hash__(self) -> int:
        return 0


@functools.lru_cache(maxsize=1)
def _judge(digest: str, rules: Rules, packed: _Packed) -> Judge:
    """The judge of this process, ready, with walls that are high enough."""
    root = Path(tempfile.mkdtemp(prefix="rlgrade-course-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    with zipfile.ZipFile(io.BytesIO(packed.data)) as archive:
        archive.extractall(root)
    judge = Judge(replace(rules, course=str(root)), also_hidden=[Path(rules.course)])
    atexit.register(judge.close)
    rules.demand(judge.level())
    return judge
