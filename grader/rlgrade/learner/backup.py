"""Copies of a learner's files, made before anything of ours changes them."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

from rlgrade.outcome import UsageError
from rlgrade.store import free_name
from rlgrade.workspace import Workspace


def keep_backup(workspace: Workspace, file: Path, now: datetime) -> Path:
    """A copy of `file` in `.rlgrade/backup/`, under its name and the time.

    Raises:
        UsageError: it cannot be written; then nothing may be changed either.
    """
    stamp = now.strftime("%Y-%m-%dT%H-%M-%S")
    name = f"{file.stem}.{stamp}{file.suffix}"
    target = free_name(workspace.state / "backup" / file.parent.name / name)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    except OSError as error:
        reason = f"{error.filename or target}: {error.strerror}"
        raise UsageError(f"no backup can be written, so {file.name} stays: {reason}") from None
    return target
