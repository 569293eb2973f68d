"""Completes names of exercises in a shell."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem


def complete_exercise(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The exercises whose number, or whole name, begins like this."""
    from rlgrade.learner.desk import open_desk
    from rlgrade.outcome import UsageError

    root = context.find_root()
    try:
        exercises = open_desk(root.obj or root.params.get("course")).course.exercises
        return [
            CompletionItem(name, help=exercise.metadata.title)
            for exercise in exercises
            for name in (exercise.id if "_" in incomplete else exercise.short,)
            if name.startswith(incomplete)
        ]
    except (UsageError, OSError):
        return []
