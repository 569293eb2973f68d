"""`rlgrade quiz`: the bank of questions. Sessions are in `quiz_run.py`."""

from __future__ import annotations

import sys
from typing import Any

import click

from rlgrade.commands import Commands
from rlgrade.commands.quiz_options import session_options

ELSEWHERE = {
    "cram": "quiz_run",
    "export": "quiz_export",
    "flag": "quiz_run",
    "review": "quiz_run",
    "run": "quiz_run",
    "stats": "quiz_run",
}


@click.group(cls=Commands, elsewhere=ELSEWHERE, invoke_without_command=True)
@session_options
@click.pass_context
def quiz(context: click.Context, /, **options: Any) -> None:
    """Questions whose every answer is explained.

    `rlgrade quiz` alone asks ten: what is due, and what is new in your chapter.
    """
    from rlgrade.outcome import UsageError

    if context.invoked_subcommand is None:
        from rlgrade.commands.quiz_run import session
        from rlgrade.quiz.session import daily

        session(context.obj, options, lambda table, wanted, manner: daily(table, wanted, manner))
        return
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if source is click.core.ParameterSource.COMMANDLINE:
            name = context.invoked_subcommand
            raise UsageError(f"put {parameter.opts[0]} behind the command: rlgrade quiz {name} ...")


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
