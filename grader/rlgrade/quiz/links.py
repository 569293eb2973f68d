"""Between exercises and quizzes, and for other commands: cheap to import, reads no whole bank."""

from __future__ import annotations

import re
from pathlib import Path

HEADER = re.compile(rb"^exercise:\s*[\"']?(\w+)", re.MULTILINE)
HEADER_BYTES = 4096


def exercise_of_file(path: Path) -> str | None:
    """The exercise that a quiz file belongs to, from its first lines alone."""
    with path.open("rb") as file:
        found = HEADER.search(file.read(HEADER_BYTES))
    name = found[1].decode() if found else "null"
    return None if name == "null" else name


def topics_of_exercise(folder: Path, exercise: str) -> list[str]:
    """The quizzes that belong to an exercise; none where the course has none."""
    files = sorted(folder.glob("*.yaml"))
    return [path.stem for path in files if exercise_of_file(path) == exercise]


def offer(exercise: str) -> str:
    """The command that practises an exercise, and its name."""
    return f"rlgrade check {exercise.partition('_')[0]}  ({exercise})"


def due_count(state: Path | None) -> int | None:
    """How many questions are due; None for somebody who has never answered one."""
    from rlgrade.quiz.notes import Notes
    from rlgrade.quiz.schedule import due_items

    notes = Notes(state)
    notebook = notes.read()
    return len(due_items(notebook, notes.now().date())) if notebook.cards else None
