"""`rlgrade quiz`: the bank of questions."""

from __future__ import annotations

import sys

import click

from rlgrade.commands import Commands


@click.group(cls=Commands)
def quiz() -> None:
    """Questions whose every answer is explained."""


@quiz.command()
@click.argument("item")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--solution", "solved", is_flag=True, help="Show the answer and every reason too.")
@click.pass_obj
def show(course: str | None, item: str, seed: int, solved: bool) -> None:
    """Show the question ITEM, for example `rlgrade quiz show ppo.clip.neg-high`."""
    from rlgrade.courses import find_course
    from rlgrade.quiz.bank import find_bank
    from rlgrade.quiz.drawing import draw
    from rlgrade.quiz.presenting import how_to_answer, question, solution

    bank = find_bank(find_course(course))
    instance = draw(bank.find(item).item, seed, bank.functions)
    click.echo(question(instance))
    click.echo(f"\n{solution(instance) if solved else 'answer: ' + how_to_answer(instance.item)}")


@quiz.command()
@click.argument("files", nargs=-1, type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print problems and figures as JSON.")
@click.pass_obj
def lint(course: str | None, files: tuple[str, ...], as_json: bool) -> None:
    """Check FILES, or the whole bank: every item, and whether it can be guessed.

    Exit code 1 if a gate fails.
    """
    from rlgrade.courses import find_course
    from rlgrade.quiz.bank import find_bank
    from rlgrade.quiz.lint.command import lint_command

    sys.exit(lint_command(find_bank(find_course(course)), files, as_json=as_json))
