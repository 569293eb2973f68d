"""The options that all sessions of questions share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

C = TypeVar("C", bound=Callable[..., Any])
LEVELS = ("screen", "mid", "senior", "research")


def session_options(command: C) -> C:
    """The command with the options of a session."""
    for option in reversed(
        [
            click.option("--n", type=click.IntRange(1), default=10, show_default=True,
                         help="How many questions."),
            click.option("--kinds", metavar="KINDS", default="",
                         help="Only these, such as single,numeric,bug."),
            click.option("--level", type=click.Choice(LEVELS), help="Only items of this level."),
            click.option("--confidence", is_flag=True, help="Ask how sure you are, too."),
            click.option("--by", metavar="DAY",
                         help="Day of your interview, such as 2026-12-01; kept (none forgets it)."),
            click.option("--seed", type=click.IntRange(0),
                         help="Ask the same questions with the same numbers each time."),
            click.option("--json", "as_json", is_flag=True,
                         help="One JSON object a line; answers are read from standard input."),
        ]
    ):  # fmt: skip
        command = option(command)
    return command
