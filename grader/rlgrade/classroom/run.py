"""Grade a class: collect, leave out what is graded already, grade the rest, keep every result."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from rlgrade import __version__
from rlgrade.classroom.collect import Collection
from rlgrade.classroom.gradebook import Gradebook, Key
from rlgrade.classroom.judging import Done, Job, Rules, course_version
from rlgrade.classroom.pool import grade_on_cores
from rlgrade.courses import CourseError, Exercise

Engine = Callable[[Rules, Sequence[Job]], Iterator[Done]]


@dataclass(frozen=True)
class Summary:
    """What a run did."""

    submissions: int
    new: int
    distinct: int
    graded: int
    kept: int
    broken: list[Done] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Results a second."""
        return self.graded / self.seconds if self.seconds else 0.0


def one_machine(processes: int) -> Engine:
    """Grade on so many processes of this machine."""
    return lambda rules, jobs: grade_on_cores(rules, jobs, processes)


def jobs_of(
    book: Gradebook, exercises: Sequence[Exercise], seed: int, *, again: bool = False
) -> tuple[list[Job], int, list[Key]]:
    """What is to be graded, how many are graded already, and every key.

    Alike submissions are one job. `again` leaves out nothing.
    """
    submissions = book.table("submissions")
    versions = {e.id: course_version(e) for e in exercises}
    query = submissions.select().where(submissions.c.exercise.in_(versions))
    rows = book.rows(query.order_by(submissions.c.exercise, submissions.c.id))
    data = {
        Key(row.sha256, row.exercise, versions[row.exercise], __version__, seed): row.data
        for row in rows
    }
    there = set() if again else book.graded()
    jobs = [Job(key, bytes(data[key])) for key in data if key not in there]
    return jobs, len(data) - len(jobs), list(data)


def seed_of(book: Gradebook, wanted: int | None) -> int:
    """The seed of the class: the one asked for, else that of the run before, else a new one.

    One seed for all is what makes marks fair: every submission meets the same examples.
    """
    stored = book.setting("seed")
    seed = wanted if wanted is not None else int(stored) if stored else secrets.randbits(32)
    book.set_setting("seed", str(seed))
    return seed


def grade_class(
    book: Gradebook,
    exercises: Sequence[Exercise],
    collection: Collection,
    rules: Rules,
    seed: int,
    engine: Engine,
    *,
    again: bool = False,
    on_start: Callable[[int, int], None] = lambda jobs, kept: None,
    on_result: Callable[[Done], None] = lambda done: None,
) -> Summary:
    """Grade what is in `collection` and in the gradebook, and keep each result as it comes.

    Args:
        book: where everything is kept.
        exercises: what is graded.
        collection: what was sent; it is stored first, so that a run can be resumed without it.
        rules: limits, the same for all.
        seed: the same for all.
        engine: who grades.
        again: grade also what has a result.
        on_start: is told how many jobs there are, and how many results are there already.
        on_result: is told of each result once it is stored.
    """
    for exercise in exercises:
        _ = exercise.metadata, exercise.mistakes  # says what is wrong with the course, before all
        if not (exercise.hidden / "checks.py").is_file():
            raise CourseError(f"{exercise.hidden / 'checks.py'} is missing")
    start = time.monotonic()
    new = book.add_collection(collection)
    jobs, kept, keys = jobs_of(book, exercises, seed, again=again)
    on_start(len(jobs), kept)
    run = book.begin_run(keys, _options(rules, seed))
    broken, graded = [], 0
    results = engine(rules, jobs) if jobs else iter(())
    try:
        for done in results:
            book.store(done.key, done.report, done.broken, done.seconds)
            graded += 1
            broken += [done] if done.broken else []
            on_result(done)
    finally:
        if hasattr(results, "close"):
            results.close()
    book.end_run(run)
    seconds = round(time.monotonic() - start, 2)
    return Summary(len(collection.found), new, len(keys), graded, kept, broken, seconds)


def _options(rules: Rules, seed: int) -> dict[str, Any]:
    options = {name: value for name, value in vars(rules).items() if name != "course"}
    return options | {"seed": seed}
