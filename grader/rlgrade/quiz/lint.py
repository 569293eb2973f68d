"""`rlgrade quiz lint`: what is wrong with the bank, and how it can be guessed."""

from __future__ import annotations

from pathlib import Path

import click

from rlgrade.outcome import ExitCode
from rlgrade.quiz.bank import Bank


def lint_command(bank: Bank, files: tuple[str, ...], *, as_json: bool) -> int:
    """Print what is wrong; the exit code."""
    paths = [Path(file).resolve() for file in files] or bank.files
    _, problems = bank.read(paths)
    for problem in problems:
        click.echo(problem)
    return ExitCode.NOT_YET if problems else ExitCode.PASSED
