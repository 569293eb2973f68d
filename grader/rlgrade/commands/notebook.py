"""`rlgrade notebook`: an exercise in Jupyter."""

from __future__ import annotations

import click

from rlgrade.commands.names import complete_exercise


@click.command()
@click.argument("exercise", required=False, shell_complete=complete_exercise)
@click.option("--out", metavar="FILE", help="Where to write it, instead of beside your file.")
@click.pass_obj
def notebook(course: str | None, exercise: str | None, out: str | None) -> None:
    """Make a notebook of EXERCISE, or the current one: its text, and a cell that is graded."""
    from rlgrade.learner.desk import short_path
    from rlgrade.notebook.making import notebook_command

    path = notebook_command(course, exercise, out)
    click.echo(f"written: {short_path(path)}")
    click.echo(f"next: jupyter lab {short_path(path)}, or open it in your editor")
