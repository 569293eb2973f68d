"""Bring a newer course into a workspace, and lose none of the learner's work."""

from __future__ import annotations

import ast
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path

from rlgrade.courses import Course, find_course
from rlgrade.learner.backup import keep_backup
from rlgrade.learner.keeper import local_now
from rlgrade.outcome import UsageError
from rlgrade.places import RECORD, STATE
from rlgrade.store import write_whole
from rlgrade.workspace import (
    ORIGINAL,
    Workspace,
    make_workspace,
    recorded_course,
    recorded_exercises,
    shown_files,
)


class Change(Enum):
    """What became of one file, in words for the learner."""

    REPLACED = "brought up to date"
    MERGED = "brought up to date around your edits"
    BESIDE = "yours is kept; the course's new version, which does not fit it, lies beside it"


@dataclass(frozen=True)
class Updated:
    """One file that changed: its place in the workspace, how, and what else was written."""

    name: Path
    change: Change
    extra: Path | None = None  # the backup, or the new version that lies beside


def init_command(
    course: str | None, folder: str, *, update: bool, exercises: Sequence[str] = ()
) -> list[str]:
    """Make the workspace, or bring it up to date; what to say of it.

    Args:
        course: its folder; else that of the workspace, else the one that comes along.
        folder: where the workspace is, or is to be.
        update: bring what the course has changed, too.
        exercises: which are wanted, such as `ex06-ex10`; else all, or those that are there.

    Raises:
        UsageError: it cannot be written, or there is no such course or exercise.
    """
    root = Path(folder)
    record = root / STATE / RECORD
    if course is None and record.is_file():
        course = recorded_course(record)
    found = find_course(course)
    found = Course(found.root, _wanted(found, exercises, record))
    written = make_workspace(root, found)
    lines = []
    if update:
        workspace = Workspace(root, found, root / STATE)
        for updated in update_workspace(workspace, local_now()):
            extra = f" ({updated.extra})" if updated.extra is not None else ""
            lines.append(f"{updated.name}: {updated.change.value}{extra}")
        lines = lines or ["the course has changed nothing that you have"]
    go = "" if root.resolve() == Path.cwd() else f"cd {folder} && "
    return [*lines, f"{len(written)} files written to {folder}; now: {go}rlgrade"]


def _wanted(course: Course, exercises: Sequence[str], record: Path) -> frozenset[str]:
    """The names of the exercises that are wanted now and of those before; none for all."""
    before = recorded_exercises(record)
    if not exercises or (record.is_file() and not before):
        return before
    chosen = before.union(exercise.id for exercise in course.chosen(exercises))
    return chosen if len(chosen) < len(course.exercises) else frozenset()


def update_workspace(workspace: Workspace, now: datetime) -> list[Updated]:
    """Bring every file that the course has changed since; missing files are `init`'s work.

    A file without edits is replaced. In one with edits the course's changes and the learner's are
    merged, and the old one is backed up. Where they touch the same lines the learner's file stays.

    Raises:
        UsageError: something cannot be written.
    """
    try:
        return list(_updates(workspace, now))
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}") from None


def _updates(workspace: Workspace, now: datetime) -> Iterator[Updated]:
    for source, name in shown_files(workspace.course):
        new = source.read_bytes()
        mine_path, original_path = workspace.root / name, workspace.state / ORIGINAL / name
        if not mine_path.exists():
            continue
        mine = mine_path.read_bytes()
        original = original_path.read_bytes() if original_path.exists() else None
        if new not in (mine, original):
            updated = _bring(workspace, name, original, new, now)
            yield updated
            if updated.change is Change.BESIDE and original is not None:
                continue  # the learner's file still stands on the old one
        if new != original:
            original_path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(original_path, new)


def _bring(
    workspace: Workspace, name: Path, original: bytes | None, new: bytes, now: datetime
) -> Updated:
    path = workspace.root / name
    mine = path.read_bytes()
    if mine == original:
        write_whole(path, new)
        return Updated(name, Change.REPLACED)
    both = merged(mine, original, new) if original is not None else None
    if both is None or (path.suffix == ".py" and not _parses(both)):
        beside = name.with_name(f"{name.stem}.new{name.suffix}")
        write_whole(workspace.root / beside, new)
        return Updated(name, Change.BESIDE, beside)
    backup = keep_backup(workspace, path, now)
    write_whole(path, both)
    return Updated(name, Change.MERGED, backup.relative_to(workspace.root))


def merged(mine: bytes, original: bytes, new: bytes) -> bytes | None:
    """The changes from `original` to `mine` and to `new`, both; None where they meet, or no git."""
    git = shutil.which("git")
    if git is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("mine", "original", "new")]
        for file, data in zip(files, (mine, original, new), strict=True):
            file.write_bytes(data)
        done = subprocess.run(
            [git, "merge-file", "-p", *map(str, files)], capture_output=True, check=False
        )
    return done.stdout if done.returncode == 0 else None


def _parses(source: bytes) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError):
        return False
    return True
