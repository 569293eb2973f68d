"""What `rlgrade check` does: find the file, start the server, grade, print, keep replays."""

from __future__ import annotations

import contextlib
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlgrade.courses import Exercise
from rlgrade.folding import folded_program
from rlgrade.judge.server import Server
from rlgrade.judge.source import parse_source, read_bytes
from rlgrade.learner.desk import open_desk, short_path
from rlgrade.learner.keeper import Keeper
from rlgrade.outcome import ExitCode, UsageError
from rlgrade.workspace import Workspace

if TYPE_CHECKING:
    from rlgrade.author.declare import Check
    from rlgrade.judge.grading import Settings
    from rlgrade.judge.training import Verdict
    from rlgrade.report import CheckResult, Report


@dataclass(frozen=True)
class Target:
    """What is to be graded, and the workspace around it, if there is one."""

    exercise: Exercise
    path: Path
    workspace: Workspace | None

    @property
    def own(self) -> bool:
        """Whether it is the workspace's own file of the exercise."""
        if self.workspace is None:
            return False
        return self.path.resolve() == self.workspace.file_of(self.exercise).resolve()


def check_command(
    target: Target,
    *,
    as_json: bool,
    seed: int | None,
    verbose: bool,
    blind: bool,
    device: str = "auto",
) -> ExitCode:
    """Grade one submission and print the report; see `rlgrade check --help`."""
    data = read_bytes(target.path)
    seed = secrets.randbits(32) if seed is None else seed
    with Server(hidden=[target.exercise.course_root]) as server:
        # The server loads torch on one core while these load on the other.
        from rlgrade.judge.grading import Settings, grade
        from rlgrade.report import to_json

        if as_json:
            report = grade(target.exercise, data, server, seed, settings=Settings(device=device))
        else:
            settings = Settings(device=device, explained=1_000 if verbose else 1)
            report = _graded_aloud(target, data, server, seed, settings, verbose, blind)
        keeper_of(target).record_check(target.exercise, report, blind=blind)
        if as_json:
            print(to_json(report, blind=blind))
    return report.exit_code


def _graded_aloud(
    target: Target,
    data: bytes,
    server: Server,
    seed: int,
    settings: Settings,
    verbose: bool,
    blind: bool,
) -> Report:
    """The report, printed as it comes; blind, all at once, for when a line comes tells time."""
    from rlgrade.judge.grading import grade
    from rlgrade.render import Printer, make_console
    from rlgrade.report import of_file

    name = target.path.name
    printer = Printer(make_console(), file=name, verbose=verbose, blind=blind)
    printer.say(f"Checking {target.exercise.id} ({short_path(target.path)})")
    problem = "" if blind else parse_source(name, data).problem
    if problem:
        printer.problem(problem)

    def show(result: CheckResult) -> None:
        if not problem:
            replay = "" if blind else keep_replay(target, result)
            printer.result(of_file(result, target.exercise.file, name), replay)

    def show_failing(check: Check) -> None:
        printer.failing(check.promise)

    def show_point(check: Check, verdict: Verdict) -> None:
        printer.progress(check.promise, verdict.as_plain())

    told: dict[str, Any] = {}
    if not blind:
        told = {"on_result": show, "on_failing": show_failing, "on_point": show_point}
    try:
        report = grade(target.exercise, data, server, seed, settings=settings, **told)
    except KeyboardInterrupt:
        printer.interrupted()
        raise
    for result in report.checks if blind else []:
        show(result)
    printer.summary(report, f"rlgrade hint {target.exercise.short}")
    if report.passed and has_quiz(target.exercise):
        printer.say(f"quiz: rlgrade quiz run {target.exercise.short}")
    return report


def has_quiz(exercise: Exercise) -> bool:
    """Whether a quiz of the course belongs to this exercise."""
    from rlgrade.quiz.links import topics_of_exercise

    return bool(topics_of_exercise(exercise.course_root / "quizzes", exercise.id))


def keeper_of(target: Target) -> Keeper:
    """Who keeps the progress: that of the workspace's own file, none of another file."""
    return Keeper(target.workspace.state if target.workspace and target.own else None)


def find_target(course: str | None, name: str | None, file: str | None) -> Target:
    """The exercise of this name, and the file to grade: `file`, or the one in the workspace.

    Without a name it is the current exercise.

    Raises:
        UsageError: there is no such exercise, no workspace, or no file in it.
    """
    desk = open_desk(course)
    exercise = desk.exercise(name)
    if desk.workspace is None and file is None:
        raise UsageError(
            "this folder is no workspace; make one with `rlgrade init DIR`, "
            f"or name your file: rlgrade check {exercise.short} FILE"
        )
    path = Path(file) if file else desk.file_of(exercise)
    return Target(exercise, path, desk.workspace)


def keep_replay(target: Target, result: CheckResult) -> str:
    """Write the replay program of a failed check; its path, or nothing where we cannot write.

    One of another file than the workspace's own has that file's name in its own.
    """
    if target.workspace is None or result.evidence is None or not result.evidence.replay:
        return ""
    of = "" if target.own else "_of_" + re.sub(r"\W", "_", target.path.stem)
    name = f"{target.exercise.short}_{result.check}{of}.py"
    program = target.workspace.state / "replay" / name
    with contextlib.suppress(OSError):
        program.parent.mkdir(parents=True, exist_ok=True)
        path = repr(str(target.path.resolve()))
        text = folded_program(result.evidence.replay).replace("'PATH'", path)
        program.write_text(text, encoding="utf-8")
        return short_path(program)
    return ""
