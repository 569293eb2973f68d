"""Many judges on one machine: a process each, because a judge computes as much as its worker does.

A judge gets one job at a time over its own pipe. One that dies gives its job to another, once; one
that does not answer is killed. If this process dies, in whatever way, its judges see their pipe
close, and end with their workers.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

from rlgrade.classroom.judging import Done, Job, Judge, Rules
from rlgrade.outcome import GraderError
from rlgrade.spawning import safe_path

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

START_SECONDS = 180.0
GOODBYE_SECONDS = 3.0
TRIES = 2
ALIVE = "alive"


@dataclass
class _Seat:
    """A judge's process, our end of its pipe, and what it is busy with."""

    process: SpawnProcess
    pipe: Connection
    deadline: float
    job: Job | None = None
    ready: bool = False


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def grade_on_cores(rules: Rules, jobs: Iterable[Job], processes: int) -> Iterator[Done]:
    """Grade every job, on so many processes; results in the order in which they are ready.

    Closing the generator ends the processes.

    Raises:
        GraderError: judges die before they are ready.
        UsageError: the sandbox level here is too low.
    """
    pool = _Pool(rules, deque(jobs))
    try:
        pool.open(processes)
        yield from pool.results()
    finally:
        pool.close()


class _Pool:
    def __init__(self, rules: Rules, waiting: deque[Job]) -> None:
        self.rules = rules
        self.waiting = waiting
        self.seats: list[_Seat] = []
        self.tries: dict[Job, int] = {}

    def open(self, processes: int) -> None:
        for _ in range(min(processes, len(self.waiting))):
            self.seats.append(self._start())

    def _start(self) -> _Seat:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_judge_jobs, args=(theirs, self.rules), daemon=True)
        with safe_path():
            process.start()
        theirs.close()
        return _Seat(process, ours, time.monotonic() + START_SECONDS)

    def results(self) -> Iterator[Done]:
        while self.waiting or any(seat.job for seat in self.seats):
            soonest = min(seat.deadline for seat in self.seats)
            ready = wait([seat.pipe for seat in self.seats], max(0.0, soonest - time.monotonic()))
            for seat in [seat for seat in self.seats if seat.pipe in ready]:
                yield from self._hear(seat)
            for seat in [seat for seat in self.seats if time.monotonic() >= seat.deadline]:
                yield from self._lose(seat, "did not answer", again=False)

    def _hear(self, seat: _Seat) -> Iterator[Done]:
        try:
            message = seat.pipe.recv()
        except (EOFError, OSError):
            seat.process.join(5.0)
            yield from self._lose(seat, f"ended (exit code {seat.process.exitcode})", again=True)
            return
        if message == ALIVE:
            seat.deadline = time.monotonic() + self.rules.patience
            return
        if isinstance(message, GraderError):
            raise message
        if not isinstance(message, Done):
            self.rules.demand(message)
        seat.ready, seat.job = True, None
        self._feed(seat)  # it works while we store
        if isinstance(message, Done):
            yield message

    def _feed(self, seat: _Seat) -> None:
        seat.deadline = float("inf")
        if self.waiting:
            seat.job = self.waiting.popleft()
            seat.deadline = time.monotonic() + self.rules.patience
            with contextlib.suppress(OSError):  # its end shows when we read
                seat.pipe.send(seat.job)

    def _lose(self, seat: _Seat, reason: str, *, again: bool) -> Iterator[Done]:
        """Put another process in the place of one that is gone or stuck."""
        _kill(seat)
        self.seats.remove(seat)
        if not seat.ready:
            raise GraderError(f"a judge {reason} before it was ready")
        job = seat.job
        if job is not None:
            self.tries[job] = self.tries.get(job, 0) + 1
            if again and self.tries[job] < TRIES:
                self.waiting.appendleft(job)
            else:
                yield Done(job.key, None, f"the judge's process {reason}", self.rules.patience)
        if self.waiting or not self.seats:
            self.seats.append(self._start())

    def close(self) -> None:
        for seat in self.seats:
            seat.pipe.close()  # all of them tidy up at once
        for seat in self.seats:
            _kill(seat)


def _kill(seat: _Seat) -> None:
    """End a judge; its server sees that it is gone, and ends the workers."""
    seat.pipe.close()
    if seat.job is None and seat.ready:
        seat.process.join(GOODBYE_SECONDS)  # it ends by itself, and tidies up
    seat.process.kill()
    seat.process.join()


def _judge_jobs(pipe: Connection, rules: Rules) -> None:
    """What a judge's process does: grade until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that reads the results decides
    with Judge(rules) as judge, contextlib.suppress(EOFError, BrokenPipeError, ConnectionError):
        try:
            pipe.send(judge.level())  # it is ready
        except GraderError as error:
            pipe.send(error)
            return
        while True:
            job: Any = pipe.recv()
            pipe.send(judge.grade(job, lambda: pipe.send(ALIVE)))
