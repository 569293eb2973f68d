"""Keeps a learner's progress in the workspace, and says once where it cannot."""

from __future__ import annotations

import contextlib
import hashlib
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from rlgrade.courses import Exercise
from rlgrade.learner.progress import HintShown, Progress, Result, note_activity
from rlgrade.outcome import ExitCode, Outcome
from rlgrade.report import Report, to_json
from rlgrade.store import NotKept, Store, write_whole
from rlgrade.stubs import MarkerError, stub_of

FILE = "progress.json"
REPORTS = "reports"


def local_now() -> datetime:
    """The time of day here, to the second."""
    return datetime.now().astimezone().replace(microsecond=0)


def report_file(state: Path, exercise: Exercise) -> Path:
    """Where the last report of an exercise is kept."""
    return state / REPORTS / f"{exercise.id}.json"


def to_stderr(text: str) -> None:
    """A line for the learner that is no part of what was asked for."""
    print(f"rlgrade: {text}", file=sys.stderr)


class Keeper:
    """The progress of one workspace. Everything works where it cannot be written."""

    def __init__(
        self,
        state: Path | None,
        now: Callable[[], datetime] = local_now,
        say: Callable[[str], None] = to_stderr,
    ) -> None:
        """`state` is the workspace's own folder; without one nothing is kept."""
        self.now = now
        self.say = say
        self._state = state
        self._store = None if state is None else Store(state / FILE, Progress, say)
        self._forgetful = False  # it was said that nothing is kept

    @property
    def keeps(self) -> bool:
        """Whether, as far as is known, what is recorded is still there next time."""
        return self._store is not None and not self._forgetful

    def read(self) -> Progress:
        """What is known of the learner."""
        try:
            return Progress() if self._store is None else self._store.read()
        except NotKept as error:
            self._tell(error)
            return Progress()

    @contextlib.contextmanager
    def change(self) -> Iterator[Progress]:
        """The progress, to be changed in the block; where it cannot be kept, that is said once."""
        if self._store is None:
            yield Progress()
            return
        entered = False
        try:
            with self._store.change() as progress:
                entered = True
                yield progress
        except NotKept as error:
            self._tell(error)
            if not entered:
                yield self.read()

    def begin(self, exercise: Exercise) -> None:
        """Make an exercise the current one."""
        with self.change() as progress:
            note_activity(progress, exercise, self.now())

    def record_check(self, exercise: Exercise, report: Report, *, blind: bool = False) -> None:
        """Count an attempt, unless nothing ran, nothing was written, or the grader was at fault.

        The report is kept, too; `blind` leaves out of it all that a hidden case can be read from.
        """
        with self.change() as progress:
            now = self.now()
            note_activity(progress, exercise, now)
            if report.problem or report.exit_code is ExitCode.BROKEN or _is_stub(exercise, report):
                return
            work, result = progress.of(exercise), _result(report, now)
            work.attempts += work.last is None or work.last.file != result.file
            work.best = max(work.best, report.points)
            work.last = result
            if report.passed and work.passed is None:
                work.passed = now
            self._keep_report(exercise, to_json(report, blind=blind))

    def record_hint(self, exercise: Exercise, level: int) -> None:
        """Remember that a hint was shown."""
        with self.change() as progress:
            now = self.now()
            note_activity(progress, exercise, now)
            work = progress.of(exercise)
            if level not in [hint.level for hint in work.hints]:
                work.hints.append(HintShown(level, now))

    def record_solution(self, exercise: Exercise) -> None:
        """Remember that the solution was shown, and that it was given up where not passed."""
        with self.change() as progress:
            now = self.now()
            note_activity(progress, exercise, now)
            work = progress.of(exercise)
            work.solution_seen = work.solution_seen or now
            if work.passed is None:
                work.gave_up = work.gave_up or now

    def _keep_report(self, exercise: Exercise, text: str) -> None:
        """Put a report in the place of the last one; where that fails, only `report` misses it."""
        if self._state is not None:
            path = report_file(self._state, exercise)
            with contextlib.suppress(OSError):
                path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(path, f"{text}\n".encode(errors="replace"))

    def _tell(self, error: NotKept) -> None:
        if not self._forgetful:
            self.say(f"progress is not kept: {error}")
        self._forgetful = True


def _is_stub(exercise: Exercise, report: Report) -> bool:
    try:
        return hashlib.sha256(stub_of(exercise)).hexdigest() == report.submission_sha256
    except (OSError, MarkerError):
        return False


def _result(report: Report, now: datetime) -> Result:
    broken = [
        check.promise
        for check in report.checks
        if check.outcome not in (Outcome.PASS, Outcome.SKIPPED, Outcome.BROKEN)
    ]
    return Result(
        at=now,
        seed=report.seed,
        points=report.points,
        max_points=report.max_points,
        seconds=report.seconds,
        version=report.exercise_version,
        file=report.submission_sha256[:16],
        broken=broken[0] if broken else "",
    )
