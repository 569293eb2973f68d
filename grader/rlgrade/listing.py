"""The list of exercises, read straight from the TOML files: `courses` checks them, but slower."""

from __future__ import annotations

import os
import tomllib
from typing import Any

from rlgrade.folding import folded, packed
from rlgrade.places import RECORD

FOR_MINUTES = 50  # columns
# The signs of an exercise that was passed, begun, given up, and of one that was not begun.
SIGNS = {True: ("✓", "●", "▪", "○"), False: ("[ok]", "[..]", "[--]", "[  ]")}


def listing(
    root: str,
    state: str | None = None,
    encoding: str | None = "utf-8",
    width: int | None = None,
) -> str:
    """The exercises of the course in `root` that the workspace has, by chapter, as text.

    Args:
        root: the course's folder.
        state: the folder with the learner's progress, if there is one.
        encoding: of the terminal; without Unicode the signs are ASCII.
        width: of the terminal; lines are broken between words, and a narrow one loses the minutes.

    Raises:
        OSError, ValueError, KeyError, TypeError, AttributeError: a file of the course is missing or
            not as it should be.
    """
    course = _read(os.path.join(root, "exercises", "course.toml"))
    if course["format"] != 1:
        raise ValueError("a newer format")
    hidden = os.path.join(root, "solutions")
    chosen = _chosen(state)
    exercises = {
        name: _read(os.path.join(hidden, name, "exercise.toml"))
        for name in sorted(os.listdir(hidden))
        if name.startswith("ex") and name in (chosen or [name])
    }
    signs = SIGNS[(encoding or "").lower().startswith("utf")]
    work = _work(state)
    lines = folded(course["title"], width)
    for key, title in course["chapters"].items():
        inside = {name: about for name, about in exercises.items() if about["chapter"] == key}
        if inside:
            lines += ["", *folded(title, width)]
        for name, about in inside.items():
            lines += _lines(name, about, _sign(work.get(name), signs), width)
    lines += ["", *packed(_legend(signs), width)]
    text = "\n".join(line.rstrip() for line in lines) + "\n"
    return text.encode(encoding or "ascii", "replace").decode(encoding or "ascii")


def _lines(name: str, about: dict[str, Any], sign: str, width: int | None) -> list[str]:
    """An exercise; what does not fit stands under its title."""
    head = f"{sign} {name.partition('_')[0]}  "
    head += f"{about['minutes']:>3} min  " if width is None or width >= FOR_MINUTES else ""
    needs = ", ".join(each.partition("_")[0] for each in about["prerequisites"])
    parts = [f"{head}{about['title']}", *([f"(after {needs})"] if needs else [])]
    first, *rest = packed(parts, width)
    hang = len(head)
    return [
        *folded(first, width, hang),
        *(line for part in rest for line in folded(" " * hang + part, width, hang)),
    ]


def _sign(work: dict[str, Any] | None, signs: tuple[str, ...]) -> str:
    passed, begun, given_up, fresh = signs
    if work is None:
        return fresh
    if work.get("passed"):
        return passed
    if work.get("gave_up"):
        return given_up
    return begun if work.get("attempts") else fresh


def _legend(signs: tuple[str, ...]) -> list[str]:
    names = ("passed", "begun", "given up", "not begun")
    return [f"{sign} {name}" for sign, name in zip(signs, names, strict=True)]


def _chosen(state: str | None) -> list[str]:
    """The exercises that the workspace was made with; none if all."""
    record = None if state is None else os.path.join(state, RECORD)
    if record is None or not os.path.isfile(record):
        return []
    return list(_read(record).get("exercises", []))


def _work(state: str | None) -> dict[str, Any]:
    """What was done on each exercise; nothing where that cannot be read.

    A damaged file is for the commands that write to set aside.
    """
    if state is None:
        return {}
    import json

    try:
        with open(os.path.join(state, "progress.json"), "rb") as file:
            exercises = json.load(file)["exercises"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    return {name: each for name, each in exercises.items() if isinstance(each, dict)}


def _read(path: str) -> dict[str, Any]:
    with open(path, "rb") as file:
        return tomllib.load(file)
