"""`rlgrade class handout`, `bundle`, `autograde`: what goes out, and grading where others ask."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--exercises", multiple=True, metavar="LIST", help="Such as ex05 or ex01-ex06; else all."
)
@click.option("--due", default="", help="When it is due, in your words.")
@click.option(
    "--public-checks",
    multiple=True,
    metavar="EX=CHECKS",
    help="Checks to give away as tests: ex05=one_step,no_gradient or ex05=3 or all=2.",
)
@click.option(
    "--public-cases",
    type=click.IntRange(1, 50),
    default=2,
    show_default=True,
    help="Cases of each.",
)
@click.pass_obj
def handout(
    course: str | None,
    folder: Path,
    exercises: tuple[str, ...],
    due: str,
    public_checks: tuple[str, ...],
    public_cases: int,
) -> None:
    """Write the student edition to the new FOLDER: statements, stubs, public tests.

    Public tests are inputs with their right answers, as plain pytest; they are not the cases that
    grade. No hidden check, solution, mistake or hint goes out.
    """
    from rlgrade.classroom.handout import make_handout
    from rlgrade.courses import find_course

    found = find_course(course)
    chosen = found.chosen(exercises)
    public: dict[str, str] = {}
    if public_checks:
        from rlgrade.classroom.public import chosen_checks, public_tests
        from rlgrade.judge.loading import load_checks
        from rlgrade.judge.server import Server

        with Server(hidden=[found.root]) as server:
            for exercise in chosen:
                names = _checks_for(exercise.id, exercise.short, public_checks)
                if not names:
                    continue
                checks = chosen_checks(load_checks(exercise), names, exercise.id)
                public[exercise.id], without = public_tests(exercise, checks, server, public_cases)
                if without:
                    click.echo(f"{exercise.id}: no case to show of {', '.join(without)}", err=True)
    written = make_handout(folder, found, chosen, due=due, public=public)
    click.echo(f"{len(written)} files in {folder}; no line of a hidden file is in them")


def _checks_for(exercise: str, short: str, pairs: tuple[str, ...]) -> list[str]:
    from rlgrade.outcome import UsageError

    names = []
    for pair in pairs:
        target, equals, checks = pair.partition("=")
        if not equals:
            raise UsageError(f"--public-checks {pair}: write EX=CHECKS, for example ex05=one_step")
        if target in (exercise, short, "all"):
            names += [name.strip() for name in checks.split(",") if name.strip()]
    return names


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--gradescope", "platform", flag_value="gradescope", help="autograder.zip to upload.")
@click.option("--github", "platform", flag_value="github", help="A GitHub Classroom workflow.")
@click.option(
    "--prairielearn", "platform", flag_value="prairielearn", help="Questions and an image."
)
@click.option(
    "--exercises", multiple=True, metavar="LIST", help="Such as ex05 or ex01-ex06; else all."
)
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), help="Of all submissions; else drawn now."
)
@click.option("--seconds", type=click.FloatRange(1, 3600), default=30, show_default=True)
@click.option(
    "--reveal",
    type=click.Choice(["promise", "counterexample", "diagnosis"]),
    default="promise",
    show_default=True,
)
@click.option(
    "--allow-level",
    type=click.Choice(["L1", "L2", "L3"]),
    default="L2",
    show_default=True,
    help="The lowest sandbox level to accept.",
)
@click.option(
    "--visibility",
    type=click.Choice(["visible", "after_due_date", "after_published", "hidden"]),
    default="visible",
    show_default=True,
    help="On Gradescope.",
)
@click.option("--pip-index", default="", metavar="URL", help="An index with torch for CPUs alone.")
@click.pass_obj
def bundle(
    course: str | None,
    folder: Path,
    platform: str | None,
    exercises: tuple[str, ...],
    seed: int | None,
    seconds: float,
    reveal: str,
    allow_level: str,
    visibility: str,
    pip_index: str,
) -> None:
    """Write a grader for a platform to FOLDER. It holds the hidden checks: keep it to yourself."""
    import secrets

    from rlgrade.classroom import bundle as made
    from rlgrade.courses import find_course
    from rlgrade.outcome import UsageError

    if platform is None:
        raise UsageError("say for which platform: --gradescope, --github or --prairielearn")
    found = find_course(course)
    makers = {
        "gradescope": made.gradescope_bundle,
        "github": made.github_bundle,
        "prairielearn": made.prairielearn_bundle,
    }
    drawn = secrets.randbits(32) if seed is None else seed
    grading = made.Grading(drawn, seconds, reveal, allow_level, visibility, pip_index)
    files = makers[platform](found, found.chosen(exercises), grading)
    written = made.write_files(folder, files)
    click.echo(f"{len(written)} files in {folder}; seed {drawn}")


@click.command()
@click.argument("settings", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--gradescope", type=click.Path(path_type=Path), metavar="DIR", help="/autograder there."
)
@click.option("--github", type=click.Path(path_type=Path), metavar="DIR", help="The checkout.")
@click.option(
    "--prairielearn", type=click.Path(path_type=Path), metavar="DIR", help="/grade there."
)
@click.option("--only", default="", help="The exercise, for --github.")
@click.pass_obj
def autograde(
    course: str | None,
    settings: Path,
    gradescope: Path | None,
    github: Path | None,
    prairielearn: Path | None,
    only: str,
) -> None:
    """Grade one submission on a platform, by the SETTINGS of a bundle. Bundles call this."""
    from rlgrade.classroom import autograde as platforms
    from rlgrade.courses import find_course
    from rlgrade.outcome import UsageError

    found, read = find_course(course), platforms.read_settings(settings)
    if gradescope is not None:
        sys.exit(platforms.grade_for_gradescope(found, read, gradescope))
    if prairielearn is not None:
        sys.exit(platforms.grade_for_prairielearn(found, read, prairielearn))
    if github is None:
        raise UsageError("say where: --gradescope, --github or --prairielearn")
    sys.exit(platforms.grade_for_github(found, read, github, only or read.exercises[0]))
