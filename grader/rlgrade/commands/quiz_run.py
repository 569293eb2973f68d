"""Sessions of questions: `rlgrade quiz run`, `review`, `cram`; and `flag`, `stats`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from rlgrade.commands.quiz_options import session_options

if TYPE_CHECKING:
    from rlgrade.quiz.bank import Entry
    from rlgrade.quiz.choosing import Wanted
    from rlgrade.quiz.session import Manner, Table

    Choose = Callable[[Table, Wanted, Manner], list[Entry]]


@click.command()
@click.argument("topics", nargs=-1, required=True, metavar="TOPIC...")
@session_options
@click.pass_obj
def run(course: str | None, /, topics: tuple[str, ...], **options: Any) -> None:
    """Ask questions of TOPIC: a quiz such as gae, an exercise such as ex05, or a chapter.

    What is due comes first, then what is new.
    """
    from rlgrade.quiz.session import of_topics

    session(course, options, lambda table, wanted, manner: of_topics(table, topics, wanted, manner))


@click.command()
@session_options
@click.pass_obj
def review(course: str | None, /, **options: Any) -> None:
    """Ask what is due today, the longest overdue first."""
    from rlgrade.quiz.session import review as due

    session(course, options, lambda table, wanted, manner: due(table, wanted))


@click.command()
@click.argument("topics", nargs=-1, metavar="[TOPIC...]")
@session_options
@click.pass_obj
def cram(course: str | None, /, topics: tuple[str, ...], **options: Any) -> None:
    """Ask what went worst, again until it is right; the schedule stays as it is."""
    from rlgrade.quiz.session import for_cramming

    session(
        course,
        options,
        lambda table, wanted, manner: for_cramming(table, topics, wanted, manner),
        cram=True,
    )


@click.command()
@click.argument("item")
@click.argument("note", nargs=-1)
@click.pass_obj
def flag(course: str | None, item: str, note: tuple[str, ...]) -> None:
    """Doubt the question ITEM, with a NOTE why; `rlgrade quiz stats` shows it."""
    from rlgrade.learner.desk import open_desk
    from rlgrade.outcome import UsageError
    from rlgrade.quiz.session import open_table, take_down

    table = open_table(open_desk(course))
    if not table.notes.keeps:
        raise UsageError("this folder is no workspace, where the note could be kept; go to yours")
    if not take_down(table, table.bank.find(item).item, " ".join(note)):
        raise UsageError(f"the note on {item} is not kept; mend that and give it again")
    click.echo(f"noted: {item}")


@click.command()
@click.pass_obj
def stats(course: str | None) -> None:
    """Show what your answers add up to: by topic, how sure you were, what you believe."""
    from rlgrade.learner.desk import open_desk
    from rlgrade.plain import say
    from rlgrade.quiz.session import open_table
    from rlgrade.quiz.statistics import statistics

    table = open_table(open_desk(course))
    for line in statistics(table.bank, table.notes.read(), table.today):
        say(line)


def session(
    course: str | None, options: dict[str, Any], choose: Choose, *, cram: bool = False
) -> None:
    """Choose the questions and ask them."""
    from rlgrade.learner.desk import open_desk
    from rlgrade.quiz.choosing import Wanted
    from rlgrade.quiz.session import Manner, open_table, run_session, set_interview
    from rlgrade.quiz.wire import run_wire

    table = open_table(open_desk(course))
    wanted = Wanted(options["n"], kinds(options["kinds"]), options["level"] or "")
    manner = Manner(options["seed"], options["confidence"], cram, options["as_json"])
    set_interview(table, options["by"])
    entries = choose(table, wanted, manner)
    if manner.as_json:
        run_wire(table, entries, manner)
    elif not entries:
        click.echo("no such question is to be asked now; rlgrade quiz run TOPIC asks at any time")
    else:
        run_session(table, entries, manner)


def kinds(text: str) -> tuple[str, ...]:
    """The kinds that a text names.

    Raises:
        UsageError: one is none.
    """
    from rlgrade.outcome import UsageError
    from rlgrade.quiz.choosing import KINDS
    from rlgrade.quiz.names import did_you_mean

    named = tuple(part.strip() for part in text.split(",") if part.strip())
    for name in named:
        if name not in KINDS:
            hint = did_you_mean(name, KINDS) or f"; there are {', '.join(KINDS)}"
            raise UsageError(f"there is no kind {name!r}{hint}")
    return named
