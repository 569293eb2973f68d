"""One judge of a class: a warm server and the known mistakes, kept for all submissions."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rlgrade.classroom.gradebook import Key
from rlgrade.courses import Course, Exercise
from rlgrade.outcome import GraderError, Outcome, UsageError

if TYPE_CHECKING:
    from rlgrade.judge.bank import Bank
    from rlgrade.judge.server import Server

LEVEL_SECONDS = 60.0
UNHASHED = ("hints.md", "walkthrough.md")  # they change nothing that is graded
MOST_BANKS = 8
EXPLAINING = 2.0  # times as long as for the verdicts


@dataclass(frozen=True)
class Job:
    """One submission to be graded, under the key of its result."""

    key: Key
    data: bytes


@dataclass(frozen=True)
class Done:
    """What came of a job: a report, or why the grader failed."""

    key: Key
    report: dict[str, Any] | None
    broken: str
    seconds: float


@dataclass(frozen=True)
class Rules:
    """What holds for every submission of a run."""

    course: str  # the folder of the course
    seconds: float = 30.0  # what one submission may take
    explained: int = 3  # how many failures get a smallest case and a diagnosis
    highest: str = "L3"  # the sandbox level to stop at
    lowest: str = "L2"  # the one below which nothing is graded

    def demand(self, level: str) -> None:
        """Be content with a sandbox level.

        Raises:
            UsageError: it is below the lowest.
        """
        if level < self.lowest:
            raise UsageError(
                f"this machine reaches sandbox level {level}, and a class is graded at "
                f"{self.lowest} or above: a submission could read hidden files here; see "
                f"`rlgrade doctor`, or say --allow-level {level}"
            )

    @property
    def patience(self) -> float:
        """Seconds without the end of any check after which the judge itself must have failed."""
        return (1 + EXPLAINING) * self.seconds + 120.0


class Judge:
    """Grades one submission after the other. Use as a context manager."""

    def __init__(self, rules: Rules, also_hidden: Sequence[Path] = ()) -> None:
        self.rules = rules
        self.also_hidden = also_hidden
        self.course = Course(Path(rules.course))
        self._server: Server | None = None
        self._banks: dict[str, Bank] = {}

    def level(self) -> str:
        """How strong the walls around a worker are here.

        Raises:
            GraderError: no worker can be started.
        """
        from rlgrade.judge.link import Link
        from rlgrade.judge.worker import WorkerGone

        try:
            link = Link(self._warm_server(), "empty.py", "", LEVEL_SECONDS).load()
        except WorkerGone as gone:
            raise GraderError(f"a worker that should only start {gone.reason}") from None
        link.close()
        return link.level

    def grade(self, job: Job, on_life: Callable[[], None] = lambda: None) -> Done:
        """Grade one submission; a fault of the grader is reported, never raised.

        `on_life` is called as each check ends, and at each point of a learning curve.
        """
        start = time.monotonic()
        try:
            report = self._report(job, on_life)
            broken = _faults(report)
        except Exception as error:
            self.close()  # the next one gets a fresh server
            report, broken = None, f"{type(error).__name__}: {error}"
        return Done(job.key, report, broken, round(time.monotonic() - start, 3))

    def _report(self, job: Job, on_life: Callable[[], None]) -> dict[str, Any]:
        from rlgrade.judge.grading import Settings, grade
        from rlgrade.report import as_plain

        exercise = self.course.find(job.key.exercise)
        bank = self._bank(exercise)
        seconds = self.rules.seconds
        report = grade(
            exercise,
            job.data,
            bank.server,
            job.key.seed,
            settings=Settings(
                run_seconds=seconds,
                explain_seconds=EXPLAINING * seconds,
                explained=self.rules.explained,
            ),
            bank=bank,
            on_result=lambda result: on_life(),
            on_point=lambda check, verdict: on_life(),
        )
        return as_plain(report)

    def _bank(self, exercise: Exercise) -> Bank:
        from rlgrade.judge.bank import Bank

        bank = self._banks.pop(exercise.id, None)
        if bank is None:
            bank = Bank(exercise, self._warm_server())
            if len(self._banks) >= MOST_BANKS:
                self._banks.pop(next(iter(self._banks))).close()
        self._banks[exercise.id] = bank  # the last used stands last
        return bank

    def _warm_server(self) -> Server:
        from rlgrade.judge.server import Server

        if self._server is None:
            hidden = [self.course.root, *self.also_hidden]
            self._server = Server(hidden=hidden, highest=self.rules.highest)
        return self._server

    def close(self) -> None:
        """End the server and all its workers."""
        for bank in self._banks.values():
            bank.close()
        self._banks.clear()
        if self._server is not None:
            self._server.close()
            self._server = None

    def __enter__(self) -> Judge:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def course_version(exercise: Exercise) -> str:
    """A hash of all that can change a result: checks, solution, mistakes, points."""
    digest = hashlib.sha256()
    for path in sorted(exercise.hidden.rglob("*")):
        place = path.relative_to(exercise.hidden)
        unused = place.parts[0] == "right" or place.name in UNHASHED or "__pycache__" in place.parts
        if path.is_file() and not unused:
            data = path.read_bytes()
            digest.update(f"{place.as_posix()}\n{len(data)}\n".encode() + data)
    return digest.hexdigest()


def _faults(report: dict[str, Any]) -> str:
    """What the grader got wrong in a report; nothing, mostly."""
    broken = [c for c in report["checks"] if c["outcome"] == Outcome.BROKEN.value]
    return "; ".join(f"{check['check']}: {check['message']}" for check in broken)
