"""Where the learner's files are: a workspace made by `rlgrade init`, or the course's checkout."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

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
        record = root / STATE / RECORD
        if not record.exists():
            packaged = course.root == find_course().root and "RLGRADE_COURSE" not in os.environ
            text = "" if packaged else f"course = {str(course.root)!r}\n"
            record.write_text(f"format = 1\n{text}", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{root} cannot be written: {error.strerror}") from None
    return written


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
    try:
        table = tomllib.loads(record.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{record}: {error}; delete it and run `rlgrade init` again") from None
    course = table.get("course")
    return None if course is None else str(course)
