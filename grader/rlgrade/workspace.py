"""Where the learner's files are: a workspace made by `rlgrade init`, or the course's checkout."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlgrade.courses import Course, Exercise, find_course
from rlgrade.outcome import UsageError
from rlgrade.places import RECORD, STATE, workspace_above
from rlgrade.store import write_whole

ORIGINAL = "original"


@dataclass(frozen=True)
class Workspace:
    """A folder with the learner's copies of the stubs, and `.rlgrade/` for what we keep there."""

    root: Path
    course: Course
    state: Path  # our own folder

    @property
    def chosen(self) -> Course:
        """The course as far as this workspace has it.

        Raises:
            UsageError: the record of what was chosen cannot be read.
        """
        return Course(self.course.root, recorded_exercises(self.state / RECORD))

    def file_of(self, exercise: Exercise) -> Path:
        """The learner's file."""
        return self.root / exercise.id / exercise.file


def find_workspace(start: Path, course: str | None = None) -> Workspace:
    """The workspace that `start` lies in, else the checkout of the course.

    Raises:
        UsageError: neither is there.
    """
    above = workspace_above(str(start))
    if above is not None:
        state = Path(above, STATE)
        found = find_course(course or recorded_course(state / RECORD))
        return Workspace(Path(above), found, state)
    found = find_course(course)
    if start.is_relative_to(found.root):
        return Workspace(found.root / "exercises", found, found.root / STATE)
    raise UsageError(
        "this folder is no workspace; make one with `rlgrade init DIR`, "
        "or name your file: rlgrade check ex05 FILE"
    )


def make_workspace(root: Path, course: Course) -> list[Path]:
    """Copy what is missing of the student's edition to `root`; existing files are never touched.

    A course that means only some of its exercises gives those, and the record says so.
    A second copy of each file goes to `.rlgrade/original/`, for `update_workspace` to see edits by.

    Returns:
        The files that were written.

    Raises:
        UsageError: the folder cannot be written.
    """
    written = []
    try:
        (root / STATE).mkdir(parents=True, exist_ok=True)
        for source, name in shown_files(course):
            target, original = root / name, root / STATE / ORIGINAL / name
            if not target.exists():
                for path in (original, target):
                    path.parent.mkdir(parents=True, exist_ok=True)
                    write_whole(path, source.read_bytes())
                written.append(target)
        _write_record(root / STATE / RECORD, course)
    except OSError as error:
        raise UsageError(f"{root} cannot be written: {error.strerror}") from None
    return written


def _write_record(record: Path, course: Course) -> None:
    """Say what the workspace was made from; what was said before is kept, but for the exercises."""
    if record.exists():
        if recorded_exercises(record) == course.only:
            return
        named = recorded_course(record)
    else:
        packaged = course.root == find_course().root and "RLGRADE_COURSE" not in os.environ
        named = None if packaged else str(course.root)
    lines = ["format = 1"]
    lines += [f"course = {named!r}"] if named is not None else []
    lines += [f"exercises = {sorted(course.only)}"] if course.only else []
    write_whole(record, ("\n".join(lines) + "\n").encode())


def shown_files(course: Course) -> list[tuple[Path, Path]]:
    """The files of the student's edition, each with its place in a workspace."""
    return [
        (source, Path(exercise.id) / source.name)
        for exercise in course.exercises
        for source in (exercise.stub, exercise.shown / "README.md")
        if source.is_file()  # an exercise that is being written stops nobody
    ]


def recorded_course(record: Path) -> str | None:
    """The course that a workspace was made from; None for the one that comes along.

    Raises:
        UsageError: the record cannot be read.
    """
    course = _recorded(record).get("course")
    return None if course is None else str(course)


def recorded_exercises(record: Path) -> frozenset[str]:
    """The names of the exercises that a workspace has; none where it has all, or no record.

    Raises:
        UsageError: the record cannot be read.
    """
    names = _recorded(record).get("exercises", []) if record.exists() else []
    return frozenset(map(str, names if isinstance(names, list) else []))


def _recorded(record: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{record}: {error}; delete it and run `rlgrade init` again") from None
