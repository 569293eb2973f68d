"""`rlgrade dev`: for authors of exercises."""

from __future__ import annotations

import sys

import click

from rlgrade.commands import Commands


@click.group(cls=Commands)
def dev() -> None:
    """For authors of exercises."""


@dev.command()
@click.argument("name")
@click.pass_obj
def new(course: str | None, name: str) -> None:
    """Begin the exercise NAME, for example ex12_rlvr."""
    from rlgrade.authoring import begin_exercise
    from rlgrade.courses import find_course

    for path in begin_exercise(find_course(course), name):
        click.echo(path)


@dev.command()
@click.argument("exercises", nargs=-1)
@click.option("--check", "only_check", is_flag=True, help="Write nothing; exit 1 if any differs.")
@click.pass_obj
def stub(course: str | None, exercises: tuple[str, ...], only_check: bool) -> None:
    """Write the stubs of EXERCISES (all, if none is named) from their solutions."""
    from rlgrade.authoring import write_stubs
    from rlgrade.courses import find_course

    stale = write_stubs(find_course(course), exercises, only_check=only_check)
    for path in stale:
        click.echo(f"{'differs' if only_check else 'written'}: {path}")
    sys.exit(1 if only_check and stale else 0)


@dev.command()
@click.argument("exercises", nargs=-1)
@click.option("--seed", type=int, default=0, show_default=True)
@click.pass_obj
def verify(course: str | None, exercises: tuple[str, ...], seed: int) -> None:
    """Prove that the checks of EXERCISES (all, if none is named) are sound and sharp."""
    from rlgrade.courses import find_course
    from rlgrade.verify import verify_command

    sys.exit(verify_command(find_course(course), exercises, seed))
