"""`rlgrade class feedback` and `page`: what students and the teacher read."""

from __future__ import annotations

from pathlib import Path

import click

REVEALS = ("promise", "counterexample", "diagnosis", "solution")


@click.command()
@click.argument("book", metavar="DIR|URL")
@click.option("--to", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option(
    "--reveal",
    type=click.Choice(REVEALS),
    default="promise",
    show_default=True,
    help="Each tells what the one before does, and more; solutions after the due date.",
)
@click.option("--policy", type=click.Path(path_type=Path), help="TOML; else policy.toml in DIR.")
@click.option("--exercises", multiple=True, metavar="LIST", help="Else all that was handed in.")
@click.pass_obj
def feedback(
    course: str | None,
    book: str,
    to: Path,
    reveal: str,
    policy: Path | None,
    exercises: tuple[str, ...],
) -> None:
    """Write an HTML and a Markdown file for each student to the folder --to."""
    from datetime import UTC, datetime

    from rlgrade.classroom.desk import marks_of, put
    from rlgrade.classroom.feedback import Telling, feedback_files
    from rlgrade.classroom.telling import Reveal
    from rlgrade.courses import find_course

    rules, marks = marks_of(course, book, policy, exercises)
    telling = Telling(find_course(course), rules, Reveal[reveal.upper()], datetime.now(UTC))
    count = 0
    for name, text in feedback_files(marks, telling):
        put(text, to / name)
        count += 1
    click.echo(f"{count} files in {to}")


@click.command()
@click.argument("book", metavar="DIR|URL")
@click.option(
    "--to", type=click.Path(path_type=Path, dir_okay=False), help="Else class.html in DIR."
)
@click.option("--policy", type=click.Path(path_type=Path), help="TOML; else policy.toml in DIR.")
@click.option("--exercises", multiple=True, metavar="LIST", help="Else all that was handed in.")
@click.pass_obj
def page(
    course: str | None,
    book: str,
    to: Path | None,
    policy: Path | None,
    exercises: tuple[str, ...],
) -> None:
    """Write the class page: marks, mistakes, hard checks, copies, walls touched. One HTML file."""
    from rlgrade.classroom.desk import marks_of, put
    from rlgrade.classroom.gradebook import open_gradebook
    from rlgrade.classroom.page import class_page
    from rlgrade.courses import find_course
    from rlgrade.outcome import UsageError

    if to is None and "://" in book:
        raise UsageError("say where the page goes: --to class.html")
    target = to or Path(book) / "class.html"
    _, marks = marks_of(course, book, policy, exercises)
    with open_gradebook(book) as gradebook:
        put(class_page(gradebook, marks, find_course(course)), target)
    click.echo(f"written: {target}")
