"""The class page: one HTML file for the teacher, without a script or a file beside it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from rlgrade.classroom import charts
from rlgrade.classroom.feedback import TEMPLATES, environment, name_of
from rlgrade.classroom.gradebook import Gradebook
from rlgrade.classroom.insight import BINS, ExerciseView, Item, view
from rlgrade.classroom.marks import Standing
from rlgrade.classroom.similar import Pair, decoded, similar_pairs
from rlgrade.classroom.telling import WORDS
from rlgrade.courses import Course, CourseError
from rlgrade.outcome import Outcome, UsageError

HARD, EASY = 0.3, 0.95
FLAT = 0.1


@dataclass(frozen=True)
class Alike:
    """A pair of submissions, with the students behind each."""

    one: list[str]
    other: list[str]
    pair: Pair


def class_page(book: Gradebook, standing: Standing, course: Course) -> str:
    """The page as HTML.

    Raises:
        UsageError: nothing was sent in.
    """
    if not standing.students:
        raise UsageError("there is nobody in this gradebook yet; `rlgrade class grade` comes first")
    views = [view(standing, exercise) for exercise in standing.exercises]
    alike = {each.exercise: _alike(book, course, each.exercise) for each in views}
    return str(
        environment()
        .get_template("page.html.j2")
        .render(
            course=course.title,
            now=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            style=(TEMPLATES / "style.css").read_text(encoding="utf-8"),
            standing=standing,
            views=views,
            titles={each.exercise: _title(course, each.exercise) for each in views},
            charts={each.exercise: _charts(each) for each in views},
            alike={exercise: pairs for exercise, (pairs, _) in alike.items()},
            rings={exercise: found for exercise, (_, found) in alike.items()},
            rejected=_rejected(book),
            seed=book.setting("seed"),
            levels=_levels(standing),
            meter=meter,
            remark=remark,
            name=name_of,
            words={outcome.value: word for outcome, word in WORDS.items()},
        )
    )


def meter(item: Item) -> list[tuple[str, float]]:
    """The parts of a check's bar: class and percent."""
    total = sum(item.counts.values()) or 1
    passed = item.counts[Outcome.PASS.value]
    failed = item.counts[Outcome.FAIL.value]
    parts = (("pass", passed), ("fail", failed), ("other", total - passed - failed))
    return [(name, 100 * count / total) for name, count in parts if count]


def remark(item: Item) -> str:
    """What is odd about a check, if anything."""
    if item.difficulty >= EASY:
        return "nearly all pass: it tells little"
    if item.discrimination is not None and item.discrimination < 0:
        return "those who do well elsewhere fail it: look at the statement"
    if item.discrimination is not None and item.discrimination < FLAT:
        return "it does not tell strong from weak"
    return "hard: worth a word in class" if item.difficulty <= HARD else ""


def _charts(each: ExerciseView) -> dict[str, str]:
    edges = [each.max_points * n / BINS for n in range(BINS + 1)]
    labels = [f"{low:g}–{high:g}" for low, high in itertools.pairwise(edges)]
    days = [day for day, _, _ in each.days]
    short = [day[5:] for day in days]
    return {
        "scores": charts.bars(each.bins, labels, "Students by points", "students"),
        "sent": charts.bars([n for _, n, _ in each.days], short, "Attempts by day", "attempts"),
        "passes": charts.line(
            [n for _, _, n in each.days], short, "Students who pass everything, by day", "students"
        ),
    }


def _title(course: Course, exercise: str) -> str:
    try:
        return course.find(exercise).metadata.title
    except (UsageError, CourseError):
        return exercise


def _alike(book: Gradebook, course: Course, exercise: str) -> tuple[list[Alike], list[list[str]]]:
    """Pairs that share what is rare, and groups of students who sent the very same bytes."""
    submissions, students = book.table("submissions"), book.table("students")
    people = {row.id: row.name or row.key for row in book.rows(students.select())}
    query = submissions.select().where(submissions.c.exercise == exercise)
    texts: dict[str, str] = {}
    who: dict[str, dict[str, None]] = {}
    for row in book.rows(query.order_by(submissions.c.id)):
        texts[row.sha256] = decoded(bytes(row.data))
        who.setdefault(row.sha256, {})[people[row.student]] = None
    stub = course.find(exercise).stub
    given = stub.read_text(encoding="utf-8") if stub.is_file() else ""
    pairs = [
        Alike(list(who[pair.one]), list(who[pair.other]), pair)
        for pair in similar_pairs(texts, given)
        if set(who[pair.one]) != set(who[pair.other])  # two attempts of one student
    ]
    same = [list(names) for sha, names in who.items() if len(names) > 1 and texts[sha] != given]
    return pairs, same


def _rejected(book: Gradebook) -> list[tuple[str, str, str]]:
    rejected, students = book.table("rejected"), book.table("students")
    people = {row.id: row.name or row.key for row in book.rows(students.select())}
    rows = book.rows(rejected.select().order_by(rejected.c.id))
    return [(people[row.student], row.path, row.reason) for row in rows]


def _levels(standing: Standing) -> list[str]:
    return sorted(set(_sandboxes(standing)))


def _sandboxes(standing: Standing) -> Iterator[str]:
    for mark in standing.all():
        for attempt in mark.attempts:
            if attempt.report and attempt.report["sandbox"]:
                yield attempt.report["sandbox"]
