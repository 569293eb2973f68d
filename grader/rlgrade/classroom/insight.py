"""What a teacher wants to know of a class: how it went, where it is stuck, what is odd."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from rlgrade.classroom.marks import Attempt, Mark, Standing
from rlgrade.classroom.names import Identity
from rlgrade.outcome import Outcome

BINS = 10
WALL_SIGNS = {
    "the sandbox refuses": "tried what the sandbox refuses: a file, a socket, a program, a process",
    "PermissionError": "tried what the sandbox refuses: a file, a socket, a program, a process",
    "FileNotFoundError": "looked for a file that is not there for a submission",
    "Network is unreachable": "tried to reach a network",
    "threads and processes": "started more threads and processes than it may",
    "used more memory": "used more memory than it may",
    "printed more than": "printed more than it may",
    "ended the process": "ended its process",
    "crashed the process": "crashed its process",
    "closed its connection": "closed its connection to the grader",
    "its answer cannot be read": "sent what is no answer",
    "asks for something that was not lent": "sent what is no answer",
}


@dataclass(frozen=True)
class Item:
    """One check over the class.

    `difficulty` is the share that passed. `discrimination` is the correlation between passing it
    and the points of all the other checks; None where all passed or all failed.
    """

    check: str
    promise: str
    counts: Counter[str]
    difficulty: float
    discrimination: float | None


@dataclass(frozen=True)
class Diagnosis:
    """One known mistake, and who makes it."""

    says: str
    students: list[Identity]
    checks: list[str]


@dataclass(frozen=True)
class Wall:
    """A submission that touched a wall."""

    student: Identity
    attempt: int
    what: str
    message: str


@dataclass(frozen=True)
class ExerciseView:
    """One exercise over the class."""

    exercise: str
    max_points: float
    sent: int
    graded: int
    passed: int
    missing: int
    faults: list[Mark]
    scores: list[float]
    bins: list[int]
    items: list[Item]
    diagnoses: list[Diagnosis]
    undiagnosed: int
    walls: list[Wall]
    days: list[tuple[str, int, int]]  # day, attempts sent, students who pass by then
    attempts: Counter[int] = field(default_factory=Counter)

    @property
    def mean(self) -> float:
        """Of the scores."""
        return statistics.fmean(self.scores) if self.scores else 0.0

    @property
    def median(self) -> float:
        """Of the scores."""
        return statistics.median(self.scores) if self.scores else 0.0


def view(standing: Standing, exercise: str) -> ExerciseView:
    """All that the class page shows of an exercise."""
    marks = [standing.of(student, exercise) for student in standing.students]
    sent = [mark for mark in marks if mark.attempts]
    counted = [mark for mark in sent if mark.counted is not None and mark.counted.report]
    scores = [mark.score for mark in sent if mark.score is not None]
    most = max((mark.max_points for mark in marks), default=0.0)
    diagnoses, undiagnosed = _diagnoses(counted)
    return ExerciseView(
        exercise,
        most,
        sent=len(sent),
        graded=len(counted),
        passed=sum(_passed(mark.counted) for mark in counted),
        missing=len(marks) - len(sent),
        faults=[mark for mark in sent if any(attempt.broken for attempt in mark.attempts)],
        scores=scores,
        bins=histogram(scores, most),
        items=_items(counted),
        diagnoses=diagnoses,
        undiagnosed=undiagnosed,
        walls=_walls(sent),
        days=_days(sent),
        attempts=Counter(len(mark.attempts) for mark in sent),
    )


def histogram(scores: Sequence[float], most: float) -> list[int]:
    """How many scores lie in each tenth; the last has its upper end."""
    bins = [0] * BINS
    for score in scores:
        part = min(max(score / most, 0.0), 1.0) if most else 0.0
        bins[min(int(part * BINS + 1e-9), BINS - 1)] += 1
    return bins


def correlation(ones: Sequence[float], others: Sequence[float]) -> float | None:
    """Pearson's, or None where one of them does not vary."""
    if len(ones) < 2 or len(set(ones)) < 2 or len(set(others)) < 2:
        return None
    return statistics.correlation(ones, others)


def _passed(attempt: Attempt | None) -> bool:
    return bool(attempt and attempt.report and attempt.report["passed"])


def _items(marks: Sequence[Mark]) -> list[Item]:
    reports = [mark.counted.report for mark in marks if mark.counted and mark.counted.report]
    if not reports:
        return []
    names = [check["check"] for check in reports[-1]["checks"]]
    tables = [{check["check"]: check for check in report["checks"]} for report in reports]
    items = []
    for name in names:
        rows = [table for table in tables if name in table]
        passes = [float(table[name]["outcome"] == Outcome.PASS.value) for table in rows]
        rest = [sum(c["points"] for c in t.values()) - t[name]["points"] for t in rows]
        counts = Counter(str(table[name]["outcome"]) for table in rows)
        share = statistics.fmean(passes)
        promise = rows[-1][name]["promise"]
        items.append(Item(name, promise, counts, share, correlation(passes, rest)))
    return items


def _diagnoses(marks: Iterable[Mark]) -> tuple[list[Diagnosis], int]:
    """The mistakes by how many make them, and how many fail without one being recognised."""
    who: dict[str, dict[str, Identity]] = defaultdict(dict)
    where: dict[str, dict[str, None]] = defaultdict(dict)
    unknown = 0
    for mark in marks:
        assert mark.counted is not None
        assert mark.counted.report is not None
        report = mark.counted.report
        known = False
        for check in report["checks"]:
            for says in check["diagnosis"]:
                known = True
                who[says][mark.student.key] = mark.student
                where[says][check["promise"]] = None
        unknown += not known and not report["passed"]
    found = [Diagnosis(says, list(who[says].values()), list(where[says])) for says in who]
    return sorted(found, key=lambda d: (-len(d.students), d.says)), unknown


def _walls(marks: Iterable[Mark]) -> list[Wall]:
    """Who touched a wall, by what the reports say; what a submission swallows is not seen."""
    walls = []
    for mark in marks:
        for attempt in mark.attempts:
            seen: dict[str, str] = {}
            for check in (attempt.report or {"checks": []})["checks"]:
                for sign, what in WALL_SIGNS.items():
                    if sign in check["message"]:
                        seen.setdefault(what, check["message"])
                        break
            walls += [Wall(mark.student, attempt.number, w, text) for w, text in seen.items()]
    return walls


def _days(marks: Iterable[Mark]) -> list[tuple[str, int, int]]:
    """For each day: attempts sent on it, and students with a full pass up to its end."""
    sent: Counter[str] = Counter()
    first: list[str] = []
    for mark in marks:
        times = [(a.submitted_at, a) for a in mark.attempts if a.submitted_at is not None]
        sent.update(_day(moment) for moment, _ in times)
        passes = [_day(moment) for moment, attempt in times if _passed(attempt)]
        first += [min(passes)] if passes else []
    return [(day, sent[day], sum(f <= day for f in first)) for day in sorted(sent)]


def _day(moment: datetime) -> str:
    return moment.date().isoformat()
