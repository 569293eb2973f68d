"""The list of exercises, read straight from the TOML files: `courses` checks them, but slower."""

from __future__ import annotations

import os
import tomllib
from typing import Any

# The signs of an exercise that was passed, begun, given up, and of one that was not begun.
SIGNS = {True: ("✓", "●", "▪", "○"), False: ("[ok]", "[..]", "[--]", "[  ]")}


def listing(root: str, state: str | None = None, encoding: str | None = "utf-8") -> str:
    """The exercises of the course in `root`, by chapter, as text.

    Args:
        root: the course's folder.
        state: the folder with the learner's progress, if there is one.
        encoding: of the terminal; without Unicode the signs are ASCII.

    Raises:
        OSError, ValueError, KeyError, TypeError, AttributeError: a file of the course is missing or
            not as it should be.
    """
    course = _read(os.path.join(root, "exercises", "course.toml"))
    if course["format"] != 1:
        raise ValueError("a newer format")
    hidden = os.path.join(root, "solutions")
    exercises = {
        name: _read(os.path.join(hidden, name, "exercise.toml"))
        for name in sorted(os.listdir(hidden))
        if name.startswith("ex")
    }
    signs = SIGNS[(encoding or "").lower().startswith("utf")]
    work = _work(state)
    lines = [course["title"]]
    for key, title in course["chapters"].items():
        inside = {name: about for name, about in exercises.items() if about["chapter"] == key}
        if inside:
            lines += ["", title]
        for name, about in inside.items():
            needs = ", ".join(each.partition("_")[0] for each in about["prerequisites"])
            after = f"  (after {needs})" if needs else ""
            sign, short = _sign(work.get(name), signs), name.partition("_")[0]
            lines.append(f"{sign} {short}  {about['minutes']:>3} min  {about['title']}{after}")
    text = "\n".join(line.rstrip() for line in [*lines, "", _legend(signs)]) + "\n"
    return text.encode(encoding or "ascii", "replace").decode(encoding or "ascii")


def _sign(work: dict[str, Any] | None, signs: tuple[str, ...]) -> str:
    passed, begun, given_up, fresh = signs
    if work is None:
        return fresh
    if work.get("passed"):
        return passed
    if work.get("gave_up"):
        return given_up
    return begun if work.get("attempts") else fresh


def _legend(signs: tuple[str, ...]) -> str:
    names = ("passed", "begun", "given up", "not begun")
    return "  ".join(f"{sign} {name}" for sign, name in zip(signs, names, strict=True))


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
