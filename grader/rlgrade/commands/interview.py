"""`rlgrade interview`: a mock interview."""

from __future__ import annotations

import click

from rlgrade.commands.quiz_options import LEVELS


@click.command()
@click.option(
    "--minutes",
    type=click.IntRange(5, 180),
    default=30,
    show_default=True,
    help="How long you want to talk.",
)
@click.option(
    "--level",
    type=click.Choice(LEVELS),
    default="senior",
    show_default=True,
    help="How hard it is at most.",
)
@click.option(
    "--topics",
    metavar="TOPICS",
    default="",
    help="Only these, such as ppo,grpo; all, if none is named.",
)
@click.option("--seed", type=click.IntRange(0), help="Ask the same questions again.")
@click.option(
    "--report",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Where the report goes; else interview-DAY-TIME.md here.",
)
@click.pass_obj
def interview(
    course: str | None, minutes: int, level: str, topics: str, seed: int | None, report: str | None
) -> None:  # fmt: skip
    """Hold a mock interview: you speak or write, tick a rubric, and get a report to study from.

    Warm-up, concept, derivation, debugging, design. Nobody judges but you.
    """
    from typing import cast

    from rlgrade.learner.desk import open_desk
    from rlgrade.quiz import schema
    from rlgrade.quiz.interview.command import Terms, interview_command
    from rlgrade.quiz.session import open_table

    terms = Terms(minutes, cast(schema.Level, level), topics, seed, report)
    interview_command(open_table(open_desk(course)), terms)
