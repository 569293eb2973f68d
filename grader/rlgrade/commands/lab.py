"""`rlgrade lab`: break it and see."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem


def complete_lab(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The labs whose name begins like this."""
    from rlgrade.labs.registry import names

    return [CompletionItem(name) for name in names() if name.startswith(incomplete)]


@click.command()
@click.argument("name", required=False, shell_complete=complete_lab)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The first.")
@click.option("--seeds", type=click.IntRange(1, 200), help="How many; each lab has its own number.")
@click.option("--predict", metavar="LETTER", help="Your prediction, without being asked.")
@click.option("--no-predict", is_flag=True, help="Ask for no prediction.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON; asks nothing.")
@click.pass_obj
def lab(
    course: str | None,
    name: str | None,
    seed: int,
    seeds: int | None,
    predict: str | None,
    no_predict: bool,
    as_json: bool,
) -> None:
    """Break something on purpose and see: predict, run, understand.

    Without NAME, list the labs. Each runs something intact beside something broken, on several
    seeds, in less than a minute.
    """
    from rlgrade.labs.command import lab_command, list_labs

    if name is None:
        list_labs()
        return
    lab_command(
        course,
        name,
        first_seed=seed,
        count=seeds,
        predict=predict,
        ask=not no_predict,
        as_json=as_json,
    )
