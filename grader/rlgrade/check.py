"""What `rlgrade check` does: find the file, start the server, grade, print, keep replays."""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rlgrade.courses import Exercise, find_course
from rlgrade.judge.server import Server
from rlgrade.judge.source import read_bytes
from rlgrade.outcome import ExitCode, UsageError
from rlgrade.workspace import Workspace, find_workspace

if TYPE_CHECKING:
    from rlgrade.report import CheckResult


@dataclass(frozen=True)
class Target:
    """What is to be graded, and the workspace around it, if there is one."""

    exercise: Exercise
    path: Path
    workspace: Workspace | None


def check_command(
    target: Target, *, as_json: bool, seed: int | None, verbose: bool, blind: bool
) -> ExitCode:
    """Grade one submission and print the report; see `rlgrade check --help`."""
    data = read_bytes(target.path)
    seed = secrets.randbits(32) if seed is None else seed
    with Server(hidden=[target.exercise.course_root]) as server:
        # The server loads torch on one core while these load on the other.
        from rlgrade.judge.grading import Settings, grade
        from rlgrade.report import to_json

        if as_json:
            report = grade(target.exercise, data, server, seed)
            print(to_json(report, blind=blind))
            return report.exit_code
        from rlgrade.render import Printer, make_console

        printer = Printer(make_console(), file=target.path.name, verbose=verbose, blind=blind)
        printer.say(f"Checking {target.exercise.id} ({_short(target.path)})")

        def show(result: CheckResult) -> None:
            printer.result(result, "" if blind else keep_replay(target, result))

        settings = Settings() if verbose else Settings(explained=1)
        report = grade(target.exercise, data, server, seed, settings=settings, on_result=show)
        printer.summary(report, f"rlgrade hint {target.exercise.short}")
    return report.exit_code


def find_target(course: str | None, name: str, file: str | None) -> Target:
    """The exercise of this name, and the file to grade: `file`, or the one in the workspace.

    Raises:
        UsageError: there is no such exercise, no workspace, or no file in it.
    """
    try:
        workspace = find_workspace(Path.cwd(), course)
    except UsageError:
        exercise = find_course(course).find(name)
        if file is None:
            raise
        return Target(exercise, Path(file), None)
    exercise = workspace.course.find(name)
    path = Path(file) if file else workspace.file_of(exercise)
    if not file and not path.exists():
        raise UsageError(
            f"there is no {_short(path)}; `rlgrade init {_short(workspace.root)}` "
            "brings the stub back"
        )
    return Target(exercise, path, workspace)


def keep_replay(target: Target, result: CheckResult) -> str:
    """Write the replay program of a failed check; its path, or nothing where we cannot write."""
    if target.workspace is None or result.evidence is None or not result.evidence.replay:
        return ""
    program = target.workspace.state / "replay" / f"{target.exercise.short}_{result.check}.py"
    with contextlib.suppress(OSError):
        program.parent.mkdir(parents=True, exist_ok=True)
        path = repr(str(target.path.resolve()))
        program.write_text(result.evidence.replay.replace("'PATH'", path), encoding="utf-8")
        return _short(program)
    return ""


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
