"""The command `rlgrade`. Each command imports what it needs; `--help` imports nothing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rlgrade.courses import Course

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Commands(click.Group):
    """A group that turns our exceptions into one sentence and the right exit code."""

    def invoke(self, context: click.Context) -> Any:
        from rlgrade.outcome import ExitCode, GraderError, UsageError

        try:
            return super().invoke(context)
        except UsageError as error:
            click.echo(f"rlgrade: {error}", err=True)
            context.exit(ExitCode.USAGE)
        except GraderError as error:
            click.echo(f"rlgrade: {error} (the grader's fault, not your code's)", err=True)
            context.exit(ExitCode.BROKEN)
        except (click.exceptions.Exit, click.ClickException, click.Abort, SystemExit):
            raise
        except Exception as error:
            import traceback

            traceback.print_exception(error)
            click.echo("rlgrade: this is a fault of the grader; please report it", err=True)
            context.exit(ExitCode.BROKEN)
        except KeyboardInterrupt:
            click.echo("\nrlgrade: interrupted; nothing is left running", err=True)
            context.exit(ExitCode.INTERRUPTED)


@click.group(cls=Commands, context_settings=CONTEXT)
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


@cli.group(cls=Commands)
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


def _course_here(course: str | None) -> Course:
    from pathlib import Path

    from rlgrade.courses import find_course
    from rlgrade.outcome import UsageError
    from rlgrade.workspace import find_workspace

    try:
        return find_workspace(Path.cwd(), course).course
    except UsageError:
        return find_course(course)
