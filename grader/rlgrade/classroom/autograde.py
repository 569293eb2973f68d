"""Grade one submission where a platform has put it, and leave the result where it looks."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlgrade.classroom.archives import MAX_ZIP, Entry, Refused, folder_entries, zipped_entries
from rlgrade.classroom.collect import best_file
from rlgrade.classroom.gradebook import Key
from rlgrade.classroom.judging import Done, Job, Judge, Rules
from rlgrade.classroom.names import clean
from rlgrade.classroom.platforms import (
    FAULT,
    github_classroom,
    github_nothing,
    github_output,
    gradescope,
    prairielearn,
)
from rlgrade.classroom.telling import Reveal
from rlgrade.courses import Course, Exercise
from rlgrade.judge.source import MAX_SOURCE
from rlgrade.outcome import ExitCode, GraderError, UsageError


@dataclass(frozen=True)
class Settings:
    """`autograde.toml` of a bundle."""

    exercises: list[str]
    seed: int
    seconds: float = 30.0
    reveal: str = "promise"
    lowest: str = "L2"
    visibility: str = "visible"


def read_settings(path: Path) -> Settings:
    """The settings of a bundle.

    Raises:
        UsageError: the file is not as `rlgrade class bundle` writes it.
    """
    try:
        settings = Settings(**tomllib.loads(path.read_text(encoding="utf-8")))
        _ = Reveal[settings.reveal.upper()]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UsageError(f"{path}: {error}; `rlgrade class bundle` writes it anew") from None
    return settings


def grade_for_gradescope(course: Course, settings: Settings, root: Path) -> ExitCode:
    """Grade `root/submission`, write `root/results/results.json`."""
    reveal = Reveal[settings.reveal.upper()]
    exercises = [course.find(name) for name in settings.exercises]
    try:
        done = _grade(course, exercises, settings, root / "submission")
    except (GraderError, UsageError) as error:
        # Neither a score nor tests: Gradescope says that the autograder failed, and nobody loses.
        _write(root, {"output": f"{FAULT}\n{error}", "output_format": "text"})
        return ExitCode.BROKEN
    except Exception:
        _write(root, {"output": FAULT, "output_format": "text"})
        raise  # for the log, which the teacher reads
    reports = [each.report for each in done.values() if isinstance(each, Done) and each.report]
    if any(isinstance(each, Done) and each.broken for each in done.values()):
        _write(root, {"output": FAULT, "output_format": "text"})
        return ExitCode.BROKEN
    results = gradescope(reports, reveal, settings.visibility)
    for exercise in exercises:
        if isinstance(reason := done[exercise.id], str):
            results["tests"].append(_nothing(exercise, reason, settings.visibility))
    _write(root, results)
    return ExitCode.PASSED


def _nothing(exercise: Exercise, reason: str, visibility: str) -> dict[str, Any]:
    return {
        "name": f"{exercise.id}: {exercise.file}",
        "number": "0",
        "score": 0,
        "max_score": exercise.metadata.points,
        "status": "failed",
        "output": reason,
        "output_format": "text",
        "visibility": visibility,
    }


def grade_for_github(course: Course, settings: Settings, submission: Path, only: str) -> ExitCode:
    """Grade one exercise in a checkout, append the result to the file of GITHUB_OUTPUT."""
    output = os.environ.get("GITHUB_OUTPUT")
    if output is None:
        raise UsageError("GITHUB_OUTPUT is not set: this is no step of a workflow")
    exercise = course.find(only)
    try:
        (done,) = _grade(course, [exercise], settings, submission).values()
    except (GraderError, UsageError) as error:
        done = Done(Key("", "", "", "", 0), None, str(error), 0.0)
    if isinstance(done, str):
        result = github_nothing(exercise.file, exercise.metadata.points, done, "fail")
    elif done.report is None:
        reason = f"{FAULT} ({done.broken})"
        result = github_nothing(exercise.file, exercise.metadata.points, reason, "error")
    else:
        result = github_classroom(done.report, Reveal[settings.reveal.upper()])
    with Path(output).open("a", encoding="utf-8") as file:
        file.write(github_output(result))
    return ExitCode.BROKEN if result["status"] == "error" else ExitCode.PASSED


def grade_for_prairielearn(course: Course, settings: Settings, root: Path) -> ExitCode:
    """Grade `root/student`, write `root/results/results.json`."""
    exercises = [course.find(name) for name in settings.exercises]
    try:
        (done,) = _grade(course, exercises, settings, root / "student").values()
    except (GraderError, UsageError) as error:
        done = Done(Key("", "", "", "", 0), None, str(error), 0.0)
    if isinstance(done, str):
        _write(root, {"gradable": False, "score": 0.0, "format_errors": [done]})
    elif done.report is None:
        _write(root, {"gradable": False, "score": 0.0, "format_errors": [FAULT], "message": FAULT})
    else:
        _write(root, prairielearn(done.report, Reveal[settings.reveal.upper()]))
    return ExitCode.PASSED


def _grade(
    course: Course, exercises: Sequence[Exercise], settings: Settings, folder: Path
) -> dict[str, Done | str]:
    """What came of each exercise: a result, or why there is nothing to grade."""
    rules = Rules(str(course.root), seconds=settings.seconds, lowest=settings.lowest)
    try:
        entries = _entries(folder)
    except Refused as refused:
        return {exercise.id: clean(str(refused)) for exercise in exercises}
    found: dict[str, Done | str] = {}
    with Judge(rules) as judge:
        rules.demand(judge.level())
        for exercise in exercises:
            best = best_file(entries, exercise, alone=len(exercises) == 1)
            if best is None:
                found[exercise.id] = f"there is no file {exercise.file} in the submission"
                continue
            try:
                data = best.read(MAX_SOURCE + 1)
            except Refused as refused:
                found[exercise.id] = clean(str(refused))
                continue
            found[exercise.id] = judge.grade(Job(Key("", exercise.id, "", "", settings.seed), data))
    return found


def _entries(folder: Path) -> list[Entry]:
    entries: list[Entry] = []
    for entry in folder_entries(folder):
        if entry.path.suffix.lower() != ".zip":
            entries.append(entry)
            continue
        try:
            entries += zipped_entries(entry.read(MAX_ZIP + 1))
        except Refused:
            continue
    return entries


def _write(root: Path, results: dict[str, Any]) -> None:
    """Write results whole or not at all, in place of whatever is there."""
    folder = root / "results"
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / ".results.json"
    draft.write_text(json.dumps(results, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    draft.replace(folder / "results.json")
