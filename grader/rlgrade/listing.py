"""The list of exercises, read straight from the TOML files: `courses` checks them, but slower."""

from __future__ import annotations

import os
import tomllib
from typing import Any


def listing(root: str) -> str:
    """The exercises of the course in `root`, by chapter, as text.

    Raises:
        OSError, ValueError, KeyError: a file of the course is missing or not as it should be.
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
    lines = [course["title"]]
    for key, title in course["chapters"].items():
        inside = {name: about for name, about in exercises.items() if about["chapter"] == key}
        if inside:
            lines += ["", title]
        for name, about in inside.items():
            needs = ", ".join(each.partition("_")[0] for each in about["prerequisites"])
            after = f"  after {needs}" if needs else ""
            lines.append(f"  {name:<24} {about['title']:<44} {about['minutes']:>3} min{after}")
    return "\n".join(lines) + "\n"


def _read(path: str) -> dict[str, Any]:
    with open(path, "rb") as file:
        return tomllib.load(file)
