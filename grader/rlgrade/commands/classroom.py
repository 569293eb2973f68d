"""`rlgrade class`: grade a class of any size and tell everybody what came of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rlgrade.commands import Commands

if TYPE_CHECKING:
    from rlgrade.classroom.run import Engine

REVEALS = ("promise", "counterexample", "diagnosis", "solution")
FORMATS = ("canvas", "moodle", "nbgrader", "jsonl", "junit", "gradescope")


ELSEWHERE = dict.fromkeys(("handout", "bundle", "autograde"), "class_give")
ELSEWHERE |= dict.fromkeys(("feedback", "page"), "class_tell")


@click.group(name="class", cls=Commands, elsewhere=ELSEWHERE)
def classroom() -> None:
    """Grade a class: hand out, grade, export, regrade."""


setattr(sys.modules[__name__], "class", classroom)  # a keyword, and the name of the command


@classroom.command()
@click.argument("submissions", type=click.Path(path_type=Path))
@click.option(
    "--out", required=True, metavar="DIR|URL", help="The gradebook: a folder, or a database."
)
@click.option("-j", "--jobs", type=click.IntRange(1, 1024), help="Processes; as many as cores.")
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), help="Of all submissions; kept for later runs."
)
@click.option(
    "--exercises", multiple=True, metavar="LIST", help="Such as ex05 or ex01-ex06; else all."
)
@click.option(
    "--seconds",
    type=click.FloatRange(1, 3600),
    default=30,
    show_default=True,
    help="For each submission.",
)
@click.option(
    "--explain",
    type=click.IntRange(0),
    default=3,
    show_default=True,
    help="Failures with a smallest case and a diagnosis.",
)
@click.option(
    "--allow-level",
    type=click.Choice(["L1", "L2", "L3"]),
    default="L2",
    show_default=True,
    help="The lowest sandbox level to accept.",
)
@click.option(
    "--times", type=click.Path(path_type=Path), help="CSV of student, submitted_at (and exercise)."
)
@click.option(
    "--roster", type=click.Path(path_type=Path), help="CSV of the students; Canvas' own will do."
)
@click.option(
    "--resume/--again",
    default=True,
    help="Keep results that are there (default), or grade all again.",
)
@click.option(
    "--ray", metavar="ADDRESS", help="Grade on this Ray cluster; `local` starts one here."
)
@click.option(
    "--ray-cpus",
    type=click.FloatRange(0.1),
    default=1,
    show_default=True,
    help="Each task's cores.",
)
@click.option(
    "--ray-gpus", type=click.FloatRange(0), default=0, show_default=True, help="Each task's GPUs."
)
@click.pass_obj
def grade(
    course: str | None,
    submissions: Path,
    out: str,
    jobs: int | None,
    seed: int | None,
    exercises: tuple[str, ...],
    seconds: float,
    explain: int,
    allow_level: str,
    times: Path | None,
    roster: Path | None,
    resume: bool,
    ray: str | None,
    ray_cpus: float,
    ray_gpus: float,
) -> None:
    """Grade what is in SUBMISSIONS: folders, zips, downloads of Canvas, Gradescope or Moodle.

    A result is kept as soon as it exists. The same command again goes on where the last one
    stopped, and retries what the grader itself got wrong.
    """
    from rlgrade.classroom.collect import collect, with_times
    from rlgrade.classroom.gradebook import open_gradebook
    from rlgrade.classroom.judging import Rules
    from rlgrade.classroom.progress import Progress
    from rlgrade.classroom.roster import read_roster
    from rlgrade.classroom.run import grade_class, seed_of
    from rlgrade.courses import find_course

    found = find_course(course)
    chosen = found.chosen(exercises)
    rules = Rules(str(found.root), seconds=seconds, explained=explain, lowest=allow_level)
    collection = collect(submissions, chosen)
    collection = with_times(collection, times) if times else collection
    engine = _engine(jobs, ray, ray_cpus, ray_gpus)
    with open_gradebook(out, create=True) as book:
        if roster:
            book.add_students(read_roster(roster))
        seed = seed_of(book, seed)
        with Progress() as progress:
            summary = grade_class(
                book,
                chosen,
                collection,
                rules,
                seed,
                engine,
                again=not resume,
                on_start=progress.begin,
                on_result=progress.result,
            )
        sys.exit(progress.end(summary, collection, out, seed))


@classroom.command()
@click.argument("book", metavar="DIR|URL")
@click.option("--format", "form", type=click.Choice(FORMATS), required=True)
@click.option("--to", type=click.Path(path_type=Path), help="A file (gradescope: a folder).")
@click.option("--policy", type=click.Path(path_type=Path), help="TOML; else policy.toml in DIR.")
@click.option(
    "--exercises", multiple=True, metavar="LIST", help="Else all that anything is in for."
)
@click.option(
    "--title", multiple=True, metavar="EX=TITLE", help='For example ex05="GAE (4711)" on Canvas.'
)
@click.option(
    "--reveal",
    type=click.Choice(REVEALS),
    default="promise",
    show_default=True,
    help="What texts for students tell.",
)
@click.pass_obj
def export(
    course: str | None,
    book: str,
    form: str,
    to: Path | None,
    policy: Path | None,
    exercises: tuple[str, ...],
    title: tuple[str, ...],
    reveal: str,
) -> None:
    """Write the marks for another program; without --to, on standard output."""
    from rlgrade.classroom.desk import marks_of, put
    from rlgrade.classroom.export import FORMATS as WRITERS
    from rlgrade.classroom.export import Choices, gradescope_files
    from rlgrade.classroom.telling import Reveal
    from rlgrade.outcome import UsageError

    rules, marks = marks_of(course, book, policy, exercises)
    titles: dict[str, str] = {}
    for pair in title:
        name, _, text = pair.partition("=")
        titles |= {e: text for e in marks.exercises if name in (e, e.partition("_")[0])}
    choices = Choices(rules, Reveal[reveal.upper()], titles)
    if form != "gradescope":
        put(WRITERS[form](marks, choices), to)
        return
    if to is None:
        raise UsageError("--format gradescope writes a folder: name it with --to")
    for name, text in gradescope_files(marks, choices).items():
        put(text, to / name)


@classroom.command()
@click.argument("book", metavar="DIR|URL")
@click.argument("student")
@click.argument("exercise")
@click.argument("points", type=click.FloatRange(0), required=False)
@click.option("--clear", is_flag=True, help="Take the override back.")
@click.option("--reason", default="", help="Stands in the feedback.")
@click.option("--by", default="", help="Who decides; else the name of the user.")
@click.pass_obj
def override(
    course: str | None,
    book: str,
    student: str,
    exercise: str,
    points: float | None,
    clear: bool,
    reason: str,
    by: str,
) -> None:
    """Set the score of STUDENT in EXERCISE to POINTS by hand. No regrade ever changes it."""
    from rlgrade.classroom import decisions
    from rlgrade.classroom.gradebook import open_gradebook
    from rlgrade.courses import find_course
    from rlgrade.outcome import UsageError

    if clear == (points is not None):
        raise UsageError("name the points, or --clear")
    found = find_course(course).find(exercise)
    with open_gradebook(book) as gradebook:
        decisions.override(gradebook, student, found.id, points, by=by, reason=reason)


@classroom.command()
@click.argument("book", metavar="DIR|URL")
@click.argument("student")
@click.argument("exercise")
@click.argument("text")
@click.option("--by", default="", help="Who says it; else the name of the user.")
@click.pass_obj
def comment(course: str | None, book: str, student: str, exercise: str, text: str, by: str) -> None:
    """Say TEXT to STUDENT about EXERCISE. It stands in the feedback, whatever is regraded."""
    from rlgrade.classroom import decisions
    from rlgrade.classroom.gradebook import open_gradebook
    from rlgrade.courses import find_course

    found = find_course(course).find(exercise)
    with open_gradebook(book) as gradebook:
        decisions.comment(gradebook, student, found.id, text, by=by)


def _engine(jobs: int | None, ray: str | None, cpus: float, gpus: float) -> Engine:
    if ray is not None:
        from rlgrade.classroom.cluster import ray_cluster

        return ray_cluster(ray, cpus=cpus, gpus=gpus)
    from rlgrade.classroom.pool import cores
    from rlgrade.classroom.run import one_machine

    return one_machine(jobs or cores())
