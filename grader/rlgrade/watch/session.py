"""What stays warm between two checks: the server, and the known mistakes of each exercise."""

from __future__ import annotations

import importlib
import secrets
import sys
from collections.abc import Callable
from threading import Thread
from types import TracebackType

from rlgrade.author.declare import Check
from rlgrade.courses import Course, Exercise
from rlgrade.judge.bank import Bank
from rlgrade.judge.grading import Settings, grade
from rlgrade.judge.loading import load_checks
from rlgrade.judge.server import Server
from rlgrade.judge.training import Verdict
from rlgrade.outcome import GraderError
from rlgrade.report import CheckResult, Report


class Session:
    """Grades one file after the other. A context manager; a server that dies is started again."""

    def __init__(self, course: Course) -> None:
        self.course = course
        self._server = Server(hidden=[course.root])
        self._banks: dict[str, Bank] = {}

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def grade(
        self,
        exercise: Exercise,
        data: bytes,
        *,
        verbose: bool,
        on_result: Callable[[CheckResult], None],
        on_point: Callable[[Check, Verdict], None],
        on_restart: Callable[[], None],
        on_wait: Callable[[], None],
        on_failing: Callable[[Check], None] = lambda check: None,
        seed: int | None = None,
    ) -> Report:
        """The report on one submission.

        Args:
            exercise: what is graded.
            data: the submission.
            verbose: explain every failure, not only the first.
            on_result: is told of each check as it ends.
            on_point: is told of each new point of a learning curve.
            on_restart: is told when the server had died: what was told so far comes again.
            on_wait: is called several times a second while the submission works.
            on_failing: is told of a check that fails, before the failure is explained.
            seed: of the drawn examples; a fresh one if none is given.

        What these raise ends the check, if it is no `Exception`.

        Raises:
            GraderError: the server has died twice, or the checks cannot be loaded.
            UsageError: the course is not as it should be.
        """
        settings = Settings() if verbose else Settings(explained=1)

        def wait() -> None:
            try:
                on_wait()
            except BaseException:  # one of our workers may have been in the middle of an answer
                self._bank(exercise).close()
                del self._banks[exercise.id]
                raise

        def once() -> Report:
            self._server.on_wait = wait
            return grade(
                exercise,
                data,
                self._server,
                secrets.randbits(32) if seed is None else seed,
                settings=settings,
                bank=self._bank(exercise),
                on_result=on_result,
                on_failing=on_failing,
                on_point=on_point,
            )

        try:
            return once()
        except GraderError:
            if self._server.process.poll() is None:
                raise
            self._restart()
            on_restart()
            return once()

    def prepare(self, exercise: Exercise) -> None:
        """Load now what the next first failure would have to wait for."""
        try:
            self._server.on_wait = lambda: None
            self._bank(exercise).prepare()
            if "torch" not in sys.modules and any(c.training for c in load_checks(exercise)):
                Thread(target=importlib.import_module, args=("torch",), daemon=True).start()
        except GraderError:
            self._restart()

    def _bank(self, exercise: Exercise) -> Bank:
        return self._banks.setdefault(exercise.id, Bank(exercise, self._server))

    def _restart(self) -> None:
        self._close()
        self._server = Server(hidden=[self.course.root])
        self._banks = {}

    def _close(self) -> None:
        for bank in self._banks.values():
            bank.close()
        self._server.close()
