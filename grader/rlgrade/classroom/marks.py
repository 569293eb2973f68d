"""Marks: what every student has in every exercise, by the gradebook and the policy.

Worked out anew each time from what was sent, found and decided; nothing here is stored.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from rlgrade.classroom.gradebook import Gradebook
from rlgrade.classroom.names import Identity
from rlgrade.classroom.people import IDENTITY
from rlgrade.classroom.policy import Policy


@dataclass(frozen=True)
class Attempt:
    """One submission with its result. No report: not graded yet, or the grader failed."""

    number: int
    sha256: str
    submitted_at: datetime | None
    collected_at: str
    path: str
    note: str
    report: dict[str, Any] | None
    broken: str = ""
    stale: bool = False  # graded by an older course, engine or seed than the class is now

    @property
    def points(self) -> float:
        """What the checks gave."""
        return float(self.report["points"]) if self.report else 0.0


@dataclass(frozen=True)
class Said:
    """A comment or an override, and by whom and when."""

    who: str
    when: str
    text: str
    points: float | None = None


@dataclass(frozen=True)
class Mark:
    """What one student has in one exercise."""

    student: Identity
    exercise: str
    max_points: float
    attempts: list[Attempt] = field(default_factory=list)
    counted: Attempt | None = None  # the attempt that the feedback is about
    raw: float | None = None  # before lateness
    earned: float | None = None  # after lateness, before an override
    days_late: int = 0
    tokens_used: int = 0
    override: Said | None = None
    comments: list[Said] = field(default_factory=list)

    @property
    def score(self) -> float | None:
        """What counts; None where nothing was sent or the grader failed."""
        return self.earned if self.override is None else self.override.points

    @property
    def penalty(self) -> float:
        """What lateness took."""
        return 0.0 if self.raw is None or self.earned is None else round(self.raw - self.earned, 6)


@dataclass(frozen=True)
class Standing:
    """The whole class."""

    students: list[Identity]
    exercises: list[str]
    marks: dict[tuple[str, str], Mark]  # by the student's key and the exercise

    def of(self, student: Identity, exercise: str) -> Mark:
        """One mark."""
        return self.marks[student.key, exercise]

    def all(self) -> Iterable[Mark]:
        """Every mark, student by student."""
        return (self.of(s, e) for s in self.students for e in self.exercises)


def standing(book: Gradebook, policy: Policy, exercises: Sequence[str] | None = None) -> Standing:
    """Everybody's marks in `exercises` (those that anything was sent for, if none are named)."""
    students = book.rows(book.table("students").select())
    people = {
        row.id: Identity(row.key, **{name: row._mapping[name] for name in IDENTITY})
        for row in students
    }
    attempts = _attempts(book)
    said = {name: _said(book, name) for name in ("overrides", "comments")}
    sent = sorted({exercise for _, exercise in [*attempts, *said["overrides"]]})
    chosen = list(sent if exercises is None else exercises)
    most = _max_points(book)
    marks = {}
    for number, person in people.items():
        tokens = policy.tokens
        for exercise in sorted(chosen, key=policy.order):
            mine = attempts.get((number, exercise), [])
            mark = _mark(person, exercise, mine, policy, tokens, most.get(exercise, 0.0))
            tokens -= mark.tokens_used
            overrides = said["overrides"].get((number, exercise), [])
            last = overrides[-1] if overrides and overrides[-1].points is not None else None
            comments = said["comments"].get((number, exercise), [])
            marks[person.key, exercise] = replace(mark, override=last, comments=comments)
    order = sorted(people.values(), key=lambda p: (p.name.casefold(), p.key))
    return Standing(order, chosen, marks)


def _mark(
    person: Identity,
    exercise: str,
    attempts: list[Attempt],
    policy: Policy,
    tokens: int,
    most: float,
) -> Mark:
    """The mark by checks and lateness alone, with the fewest tokens that make it best."""
    empty = Mark(person, exercise, most, attempts)
    graded = [attempt for attempt in attempts if attempt.report is not None]
    if not attempts:
        return empty if policy.missing == "blank" else replace(empty, raw=0.0, earned=0.0)
    waits = policy.count == "last" and attempts[-1].report is None
    if not graded or waits:  # the grader failed: no mark, rather than a wrong one
        return replace(empty, counted=attempts[-1])
    late = {a.number: policy.days_late(exercise, a.submitted_at) for a in graded}
    best = empty
    for used in range(min(tokens, max(late.values())) + 1):
        kept = {number: policy.share_kept(max(0, days - used)) for number, days in late.items()}
        counted, raw, earned = _total(graded, kept, policy.count)
        if best.earned is None or earned > best.earned + 1e-9:
            days = late[counted.number]
            best = replace(
                empty,
                counted=counted,
                raw=raw,
                earned=earned,
                days_late=days,
                tokens_used=min(used, max(late.values())),
            )
    return best


def _total(
    graded: list[Attempt], kept: dict[int, float], count: str
) -> tuple[Attempt, float, float]:
    """The attempt that counts, its points, and what lateness leaves of them."""
    if count == "last":
        counted = graded[-1]
    else:  # of equals, the last
        counted = max(graded, key=lambda a: (round(a.points * kept[a.number], 9), a.number))
    if count != "any":
        return counted, counted.points, round(counted.points * kept[counted.number], 6)
    best: dict[str, tuple[float, float]] = {}
    for attempt in graded:
        for check in (attempt.report or {})["checks"]:
            value = (check["points"] * kept[attempt.number], check["points"])
            best[check["check"]] = max(best.get(check["check"], (0.0, 0.0)), value)
    raw = sum(points for _, points in best.values())
    return counted, round(raw, 6), round(sum(value for value, _ in best.values()), 6)


def _attempts(book: Gradebook) -> dict[tuple[int, str], list[Attempt]]:
    """Every attempt, by student and exercise, in the order in which they were sent."""
    table = book.table("submissions")
    columns = [column for column in table.c if column.name != "data"]
    found = _results(book)
    grouped = defaultdict(list)
    for row in book.rows(table.select().with_only_columns(*columns).order_by(table.c.id)):
        told = found.get((row.sha256, row.exercise), {"report": None})
        moment = datetime.fromisoformat(row.submitted_at) if row.submitted_at else None
        attempt = Attempt(
            row.attempt, row.sha256, moment, row.collected_at, row.path, row.note, **told
        )
        grouped[row.student, row.exercise].append(attempt)
    for mine in grouped.values():
        mine.sort(key=lambda a: (a.submitted_at or _moment(a.collected_at), a.number))
    return grouped


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _results(book: Gradebook) -> dict[tuple[str, str], dict[str, Any]]:
    """The result that counts for each different submission: of the versions of now, if there."""
    results, graded_as = book.table("results"), book.table("graded_as")
    wanted = {
        row.exercise: (row.course_version, row.engine_version, row.seed)
        for row in book.rows(graded_as.select())
    }
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in book.rows(results.select().order_by(results.c.id)):
        version = (row.course_version, row.engine_version, row.seed)
        current = version == wanted.get(row.exercise)
        before = found.get((row.sha256, row.exercise))
        if before is not None and not before["stale"]:
            continue
        if row.broken and before is not None and before["report"] is not None:
            continue  # an older result is better than none
        report = None if row.broken or row.report is None else json.loads(row.report)
        told = {"report": report, "broken": row.broken, "stale": not current}
        found[row.sha256, row.exercise] = told
    return found


def _max_points(book: Gradebook) -> dict[str, float]:
    results = book.table("results")
    names = (results.c.exercise, results.c.max_points)
    query = results.select().with_only_columns(*names).where(results.c.max_points.is_not(None))
    return {row.exercise: row.max_points for row in book.rows(query.order_by(results.c.id))}


def _said(book: Gradebook, name: str) -> dict[tuple[int, str], list[Said]]:
    table = book.table(name)
    grouped = defaultdict(list)
    for row in book.rows(table.select().order_by(table.c.id)):
        text = row.reason if name == "overrides" else row.text
        points = row.points if name == "overrides" else None
        grouped[row.student, row.exercise].append(Said(row.who, row.made_at, text, points))
    return grouped
