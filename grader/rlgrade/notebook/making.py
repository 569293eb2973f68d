"""`rlgrade notebook`: an exercise as an .ipynb."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from rlgrade.courses import Exercise
from rlgrade.learner.desk import Desk, open_desk, short_path
from rlgrade.outcome import UsageError


def notebook_command(course: str | None, name: str | None, out: str | None) -> Path:
    """Write the notebook of an exercise; where it is.

    Raises:
        UsageError: there is no such exercise, a file is in the way, or nbformat is missing.
    """
    desk = open_desk(course)
    exercise = desk.exercise(name)
    if out is not None:
        path = Path(out)
    elif desk.workspace is not None:
        path = desk.workspace.file_of(exercise).with_suffix(".ipynb")
    else:
        path = Path(f"{exercise.id}.ipynb")
    text = notebook_text(exercise, source_of(desk, exercise))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(
            f"{short_path(path)} is there already and is left alone; name another: --out FILE"
        ) from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    return path


def source_of(desk: Desk, exercise: Exercise) -> str:
    """The learner's own file where there is one, else the stub."""
    own = desk.workspace.file_of(exercise) if desk.workspace is not None else None
    path = own if own is not None and own.is_file() else exercise.stub
    return path.read_text(encoding="utf-8", errors="replace")


def notebook_text(exercise: Exercise, source: str) -> str:
    """The notebook as JSON: the statement, the cell that is graded, and one for trying out.

    Raises:
        UsageError: nbformat is missing.
    """
    try:
        nbformat: Any = importlib.import_module("nbformat")
    except ImportError:
        raise UsageError("notebooks need nbformat: pip install 'rlgrade[notebook]'") from None
    v4 = nbformat.v4
    statement = (exercise.shown / "README.md").read_text(encoding="utf-8")
    cells = [
        v4.new_markdown_cell(statement, id="statement"),
        v4.new_code_cell("%load_ext rlgrade", id="load"),
        v4.new_code_cell(f"%%rlgrade {exercise.short}\n{source.rstrip()}", id="graded"),
        v4.new_markdown_cell(
            "Run the cell above to grade it and to define its functions here. "
            "Try them out below; `%rlgrade hint` gives a hint.",
            id="next",
        ),
        v4.new_code_cell("", id="scratch"),
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.validate(notebook)
    return str(nbformat.writes(notebook)) + "\n"
