"""`rlgrade quiz export`: the bank for other programs."""

from __future__ import annotations

import click

FORMATS = ("anki", "moodle", "qti", "md", "html")


@click.command()
@click.argument("format_", metavar="FORMAT", type=click.Choice(FORMATS))
@click.argument("file", type=click.Path(dir_okay=False))
@click.argument("topics", nargs=-1)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Which numbers and which order of options.",
)
@click.pass_obj
def export(
    course: str | None, format_: str, file: str, topics: tuple[str, ...], seed: int
) -> None:  # fmt: skip
    """Write the questions of TOPICS (all, if none is named) to FILE.

    \b
    anki    a package for Anki; a later export updates the notes, and their schedules stay
    moodle  Moodle XML, for the import of a question bank
    qti     QTI 1.2 in a zip, for the import of Canvas
    md      Markdown, each answer folded away
    html    one page that marks the answers itself, without a network

    It says what the format could not hold.
    """
    from pathlib import Path

    from rlgrade.courses import find_course
    from rlgrade.quiz.bank import find_bank
    from rlgrade.quiz.choosing import topics_named
    from rlgrade.quiz.export.command import export_command

    found = find_course(course)
    bank = find_bank(found)
    export_command(bank, format_, Path(file), topics_named(bank, found, topics) or None, seed)
