"""The command `rlgrade`. Each command imports what it needs; `--help` imports nothing."""

from __future__ import annotations

import sys

import click

from rlgrade.commands import Commands
from rlgrade.commands.names import complete_exercise

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


# A command that is not defined here: its name, and the module in `commands/` that has it.
ELSEWHERE: dict[str, str] = {
    "class": "classroom",
    "completion": "learner",
    "dev": "dev",
    "hint": "learner",
    "interview": "interview",
    "lab": "lab",
    "next": "learner",
    "notebook": "notebook",
    "progress": "learner",
    "quiz": "quiz",
    "report": "report",
    "reset": "learner",
    "run": "learner",
    "solution": "learner",
    "watch": "learner",
}


@click.group(
    cls=Commands,
    elsewhere=ELSEWHERE,
    context_settings=CONTEXT,
    invoke_without_command=True,
)
@click.option("--course", metavar="DIR", help="Another course than the one that comes along.")
@click.version_option(package_name="rlgrade", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context, course: str | None) -> None:
    """Auto-graded reinforcement-learning exercises, from returns to GRPO.

    Begin with `rlgrade init my-work`. In that folder, `rlgrade` alone checks whenever you save.
    """
    context.obj = course
    if context.invoked_subcommand is None:
        from rlgrade.watch.command import watch_command

        sys.exit(watch_command(course, None, manual=False, verbose=False))


@cli.command()
@click.argument("folder", type=click.Path(file_okay=False))
@click.option("--update", is_flag=True, help="Bring what the course has changed; keep your edits.")
@click.option(
    "--exercises", multiple=True, metavar="LIST", help="Only these, such as ex05 or ex06-ex10."
)
@click.pass_obj
def init(course: str | None, folder: str, update: bool, exercises: tuple[str, ...]) -> None:
    """Make a workspace in FOLDER: a stub and a README for each exercise.

    Safe to run again: a file that is there is never overwritten, and with --update only where the
    course has changed it, around your edits, with a backup. With --exercises, more are added.
    """
    from rlgrade.learner.update import init_command

    for line in init_command(course, folder, update=update, exercises=exercises):
        click.echo(line)


@cli.command(name="list")
@click.pass_obj
def list_exercises(course: str | None) -> None:
    """List the exercises by chapter, with what you have done."""
    from rlgrade.folding import terminal_width
    from rlgrade.learner.desk import open_desk
    from rlgrade.listing import listing

    desk = open_desk(course)
    _ = [exercise.metadata for exercise in desk.course.exercises]  # says what is wrong, if anything
    state = str(desk.workspace.state) if desk.workspace is not None else None
    width = terminal_width(sys.stdout)
    click.echo(listing(str(desk.course.root), state, sys.stdout.encoding, width), nl=False)


@cli.command()
@click.argument("exercise", required=False, shell_complete=complete_exercise)
@click.argument("file", required=False, type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Repeat the run of this seed.")
@click.option("-v", "--verbose", is_flag=True, help="Explain every failure, not only the first.")
@click.option("--blind", is_flag=True, help="Show promises only: no inputs, no expected values.")
@click.option(
    "--device",
    type=click.Choice(("auto", "cpu", "cuda", "mps")),
    default="auto",
    show_default=True,
    help="Where language models are trained; auto takes a GPU if there is one.",
)
@click.pass_obj
def check(
    course: str | None,
    exercise: str | None,
    file: str | None,
    as_json: bool,
    seed: int | None,
    verbose: bool,
    blind: bool,
    device: str,
) -> None:
    """Grade EXERCISE, for example `rlgrade check ex05`.

    FILE is what to grade; without it, your file in this workspace. Without EXERCISE, the current
    one: that of your last command.
    """
    from rlgrade.check import check_command, find_target

    target = find_target(course, exercise, file)
    sys.exit(
        check_command(
            target, as_json=as_json, seed=seed, verbose=verbose, blind=blind, device=device
        )
    )


@cli.command()
@click.pass_obj
def doctor(course: str | None) -> None:
    """Say how strong the sandbox is on this machine, and what would make it stronger."""
    from rlgrade.doctor import doctor_command

    sys.exit(doctor_command())
