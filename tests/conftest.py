"""What the tests share: one warm server, the fixture course, and ways to grade a text."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copytree

import pytest

from rlgrade.courses import Course, Exercise, find_course
from rlgrade.judge.grading import Settings, grade
from rlgrade.judge.server import Server
from rlgrade.report import CheckResult, Report

HERE = Path(__file__).parent
Grade = Callable[..., Report]

for size in ("COLUMNS", "LINES"):  # pytest-xdist sets them; a terminal of a test has its own
    os.environ.pop(size, None)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A job in the background of a shell starts with the signal ignored, and so would its children.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with Server() as warm:
        yield warm


@pytest.fixture
def course() -> Course:
    return find_course(HERE / "course")


@pytest.fixture
def exercise(course: Course) -> Exercise:
    return course.find("ex01")


@pytest.fixture
def own(course: Course, tmp_path: Path) -> Exercise:
    """The same in a course of its own, for tests that change its files before they use it."""
    return find_course(copytree(course.root, tmp_path / "course")).find("ex01")


@pytest.fixture
def grade_text(exercise: Exercise, server: Server) -> Grade:
    """Grade a whole submission, given as text or bytes."""

    def run(text: str | bytes, seed: int = 0, **settings: object) -> Report:
        data = text if isinstance(text, bytes) else text.encode()
        return grade(exercise, data, server, seed, settings=Settings(**settings))

    return run


@pytest.fixture
def grade_scale(exercise: Exercise, grade_text: Grade) -> Callable[..., CheckResult]:
    """Grade the solution with another body for `scale`, by the check of that function alone."""

    def run(body: str, check: str = "scales_each", **settings: object) -> CheckResult:
        source = exercise.solution.read_text()
        begin = source.index("    # BEGIN SOLUTION")
        end = source.index("# END SOLUTION") + len("# END SOLUTION")
        indented = "".join(f"    {line}\n" for line in body.splitlines())
        text = f"{source[:begin]}{indented}{source[end:]}"
        (result,) = grade_text(text, only=frozenset({check}), **settings).checks
        return result

    return run
