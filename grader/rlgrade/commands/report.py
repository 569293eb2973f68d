"""`rlgrade report`: a page of what was done."""

from __future__ import annotations

import click


@click.command()
@click.option("--out", metavar="FILE", help="Where to write it, instead of .rlgrade/report.html.")
@click.pass_obj
def report(course: str | None, out: str | None) -> None:
    """Write what you have done on one HTML page that needs no network."""
    from rlgrade.learner.desk import short_path
    from rlgrade.pages.command import report_command

    path = report_command(course, out)
    click.echo(f"written: {short_path(path)}")
    click.echo(f"open it: {path.resolve().as_uri()}")
