"""The command `rlgrade`. Each command imports what it needs; `--help` imports nothing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from rlgrade.commands import Commands

if TYPE_CHECKING:
    from rlgrade.courses import Course

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


# A command that is not defined here: its name, and the module in `commands/` that has it.
ELSEWHERE: dict[str, str] = {"dev": "dev", "quiz": "quiz"}


@click.group(cls=Commands, elsewhere=ELSEWHERE, context_settings=CONTEXT)
@click.option("--course", metavar="DIR", help="Another course than the one that comes along.")
@click.version_option(package_name="rlgrade", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context, course: str | None) -> None:
    """Auto-graded reinforcement-learning exercises, from returns to GRPO.

    Begin with `rlgrade init my-work`, edit a file there, then `rlgrade check ex01`.
    """
    context.obj = course


@cli.command()
@click.argument("folder", type=click.Path(file_okay=False))
@click.pass_obj
def init(course: str | None, folder: str) -> None:
    """Make a workspace in FOLDER: a stub and a README for each exercise.

    Safe to run again: a file that is there is never overwritten.
    """
    from pathlib import Path

    from rlgrade.courses import find_course
    from rlgrade.workspace import make_workspace

    written = make_workspace(Path(folder), find_course(course))
    click.echo(f"{len(written)} files written to {folder}; now: cd {folder} && rlgrade list")


@cli.command(name="list")
@click.pass_obj
def list_exercises(course: str | None) -> None:
    """List the exercises by chapter."""
    from rlgrade.courses import find_course
    from rlgrade.listing import listing

    found = find_course(course)
    _ = [exercise.metadata for exercise in found.exercises]  # says what is wrong, if anything is
    click.echo(listing(str(found.root)), nl=False)


@cli.command()
@click.argument("exercise")
@click.argument("file", required=False, type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Repeat the run of this seed.")
@click.option("-v", "--verbose", is_flag=True, help="Explain every failure, not only the first.")
@click.option("--blind", is_flag=True, help="Show promises only: no inputs, no expected values.")
@click.pass_obj
def check(
    course: str | None,
    exercise: str,
    file: str | None,
    as_json: bool,
    seed: int | None,
    verbose: bool,
    blind: bool,
) -> None:
    """Grade EXERCISE, for example `rlgrade check ex05`.

    FILE is what to grade; without it, your file in this workspace.
    """
    from rlgrade.check import check_command, find_target

    target = find_target(course, exercise, file)
    sys.exit(check_command(target, as_json=as_json, seed=seed, verbose=verbose, blind=blind))


@cli.command()
@click.argument("exercise")
@click.option("--level", type=click.IntRange(1, 3), default=1, show_default=True)
@click.pass_obj
def hint(course: str | None, exercise: str, level: int) -> None:
    """Show a hint for EXERCISE: level 1 asks, level 3 nearly tells."""
    found = _course_here(course).find(exercise)
    hints = found.hints
    click.echo(hints[min(level, len(hints)) - 1])
    if level < len(hints):
        click.echo(f"\nmore: rlgrade hint {found.short} --level {level + 1}")


@cli.command()
@click.pass_obj
def doctor(course: str | None) -> None:
    """Say how strong the sandbox is on this machine, and what would make it stronger."""
    from rlgrade.doctor import doctor_command

    sys.exit(doctor_command())


def _course_here(course: str | None) -> Course:
    from pathlib import Path

    from rlgrade.courses import find_course
    from rlgrade.outcome import UsageError
    from rlgrade.workspace import find_workspace

    try:
        return find_workspace(Path.cwd(), course).course
    except UsageError:
        return find_course(course)
