"""What several commands do: read the marks of a class, write a file."""

from __future__ import annotations

from pathlib import Path

import click

from rlgrade.classroom.gradebook import open_gradebook
from rlgrade.classroom.marks import Standing, standing
from rlgrade.classroom.policy import FILE, Policy, read_policy
from rlgrade.courses import find_course
from rlgrade.outcome import UsageError


def marks_of(
    course: str | None, book: str, policy: Path | None, exercises: tuple[str, ...]
) -> tuple[Policy, Standing]:
    """The policy, `policy.toml` beside the gradebook unless another is named, and the marks."""
    chosen = [e.id for e in find_course(course).chosen(exercises)] if exercises else None
    beside = Path(book) / FILE
    rules = read_policy(policy or (beside if beside.is_file() else None))
    with open_gradebook(book) as gradebook:
        return rules, standing(gradebook, rules, chosen)


def put(text: str, to: Path | None) -> None:
    """Write text to a file, or to standard output.

    Raises:
        UsageError: the file cannot be written.
    """
    if to is None:
        click.echo(text.encode(), nl=False)
        return
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(text.encode())
    except OSError as error:
        raise UsageError(f"{to} cannot be written: {error.strerror}") from None
