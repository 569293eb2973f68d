"""Give an exercise's stub back, and keep what was there."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from rlgrade.courses import Exercise
from rlgrade.learner.backup import keep_backup
from rlgrade.outcome import UsageError
from rlgrade.store import write_whole
from rlgrade.stubs import stub_of
from rlgrade.workspace import Workspace


def reset_exercise(workspace: Workspace, exercise: Exercise, now: datetime) -> Path | None:
    """Put the stub in the place of the learner's file.

    Returns:
        The backup; None where there was no file, or nothing but the stub.

    Raises:
        UsageError: the backup or the stub cannot be written; the file is as it was.
    """
    path, stub = workspace.file_of(exercise), stub_of(exercise)
    backup = None
    if path.exists() and path.read_bytes() != stub:
        backup = keep_backup(workspace, path, now)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, stub)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    return backup
