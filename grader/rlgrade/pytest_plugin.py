"""The second way in: the same checks as pytest items, for `-k`, `--pdb` and an editor's explorer.

    pytest solutions/ex05_gae --submission FILE

A folder with `exercise.toml` beside `checks.py` is collected as an exercise. Without
`--submission` the solution is graded. Examples run one by one, so that a debugger lands in the body
of the check that failed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rlgrade.author.declare import Check
    from rlgrade.courses import Exercise
    from rlgrade.judge.server import Server
    from rlgrade.report import CheckResult

SERVER = pytest.StashKey["Server"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--submission` and `--check-seed`."""
    group = parser.getgroup("rlgrade")
    group.addoption("--submission", metavar="FILE", help="the file that an exercise's checks grade")
    group.addoption("--check-seed", type=int, default=0, help="the seed of the drawn examples")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect `checks.py` of an exercise."""
    if file_path.name == "checks.py" and (file_path.parent / "exercise.toml").is_file():
        return ChecksFile.from_parent(parent, path=file_path)
    return None


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the server, if one was started."""
    if SERVER in config.stash:
        config.stash[SERVER].close()


class ChecksFile(pytest.File):
    """The checks of one exercise."""

    def collect(self) -> Iterator[pytest.Item]:
        """One item for each check."""
        from rlgrade.courses import Exercise
        from rlgrade.judge.loading import load_checks

        hidden = self.path.parent
        shown = hidden.parents[1] / "exercises" / hidden.name
        exercise = Exercise(hidden.name, shown, hidden)
        for check in load_checks(exercise):
            yield CheckItem.from_parent(self, name=check.name, exercise=exercise, check=check)


class CheckItem(pytest.Item):
    """One check."""

    def __init__(self, *, exercise: Exercise, check: Check, **rest: object) -> None:
        super().__init__(**rest)  # type: ignore[arg-type]
        self.exercise = exercise
        self.check = check
        self._result: CheckResult | None = None

    def runtest(self) -> None:
        """Grade by the one check; on failure run the smallest case again, here, to raise in it."""
        from rlgrade.judge.grading import Settings, grade

        seed = self.config.getoption("--check-seed")
        settings = Settings(only=frozenset({self.check.name}))
        server = self._server()
        report = grade(self.exercise, self._data(), server, seed, settings=settings)
        (self._result,) = report.checks
        if not report.passed:
            self._raise_on_smallest_case(server)

    def _raise_on_smallest_case(self, server: Server) -> None:
        """Run the body once more where nothing stands between it and pytest."""
        from rlgrade.judge.calls import Submission
        from rlgrade.judge.link import Link

        text = self._data().decode(errors="replace")
        evidence = self._result.evidence if self._result else None
        if evidence is not None:
            link = Link(server, self.exercise.file, text, seconds=10.0).load()
            link.deadline = time.monotonic() + self.check.seconds
            try:
                self.check.tries.body(Submission(link), **evidence.arguments)
            finally:
                link.close()
        pytest.fail("not passed")

    def _data(self) -> bytes:
        from rlgrade.judge.source import read_bytes

        named = self.config.getoption("--submission")
        return read_bytes(Path(named) if named else self.exercise.solution)

    def _server(self) -> Server:
        from rlgrade.judge.server import Server

        stash = self.config.stash
        if SERVER not in stash:
            stash[SERVER] = Server(hidden=[self.exercise.course_root])
        return stash[SERVER]

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> str:  # type: ignore[override]
        """The report's block instead of a traceback through the engine."""
        result = self._result
        if result is None:
            return str(super().repr_failure(excinfo))
        where = f"{self.exercise.file}:{result.line}: " if result.line else ""
        case = "  ".join(f"{name} {value}" for name, value in result.counterexample.items())
        lines = [where + result.message, *result.traceback]
        lines += [f"smallest case   {case}"] if case else []
        lines += [f"looks like      {' or '.join(result.diagnosis)}"] if result.diagnosis else []
        return "\n".join(lines)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the check is written, and its promise."""
        line = self.check.tries.body.__code__.co_firstlineno - 1
        return self.path, line, f"{self.check.name}: {self.check.promise}"
