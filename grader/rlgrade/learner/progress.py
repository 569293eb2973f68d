"""What a learner has done: attempts, passes, hints, time. Data, and rules to read it by."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import msgspec

from rlgrade.courses import Exercise
from rlgrade.store import Record

IDLE = timedelta(minutes=15)  # a longer gap between two commands was a pause, and counts nothing


class Result(msgspec.Struct):
    """The last check of an exercise: enough to repeat it, and the promise it failed on."""

    at: datetime
    seed: int
    points: float
    max_points: float
    seconds: float
    version: int  # of the exercise
    file: str  # the first digits of the submission's SHA-256
    broken: str = ""  # the first promise that was broken


class HintShown(msgspec.Struct):
    """A hint, and when it was first shown. Level 0 is the question before all hints."""

    level: int
    at: datetime


class Work(msgspec.Struct):
    """What was done on one exercise."""

    attempts: int = 0  # checks of a file that had changed since the last one
    best: float = 0.0
    seconds: int = 0
    last: Result | None = None
    passed: datetime | None = None
    gave_up: datetime | None = None
    solution_seen: datetime | None = None
    hints: list[HintShown] = msgspec.field(default_factory=list)


class Active(msgspec.Struct):
    """The exercise of the last command, and when that was."""

    exercise: str
    at: datetime


class Progress(Record):
    """`.rlgrade/progress.json`. Keys are ids of exercises, and days in ISO format."""

    active: Active | None = None
    exercises: dict[str, Work] = msgspec.field(default_factory=dict)
    days: dict[str, int] = msgspec.field(default_factory=dict)  # seconds of work

    def of(self, exercise: Exercise) -> Work:
        """The work on an exercise; it is kept from now on."""
        return self.exercises.setdefault(exercise.id, Work())

    def has_passed(self, exercise: Exercise) -> bool:
        """Whether a check of it passed once."""
        work = self.exercises.get(exercise.id)
        return work is not None and work.passed is not None

    def is_done_with(self, exercise: Exercise) -> bool:
        """Whether it was passed or given up."""
        work = self.exercises.get(exercise.id)
        return work is not None and bool(work.passed or work.gave_up)


def note_activity(progress: Progress, exercise: Exercise, now: datetime) -> None:
    """Count the time since the last command, where that was no pause, to this exercise."""
    day = now.date().isoformat()
    before = progress.active
    gap = now - before.at if before is not None else timedelta(0)
    seconds = round(gap.total_seconds()) if timedelta(0) <= gap <= IDLE else 0
    progress.of(exercise).seconds += seconds
    progress.days[day] = progress.days.get(day, 0) + seconds
    progress.active = Active(exercise.id, now)


def streak(days: Sequence[str], today: date) -> int:
    """On how many days in a row there was work, up to today or yesterday."""
    worked = set(days)
    day = today if today.isoformat() in worked else today - timedelta(days=1)
    count = 0
    while day.isoformat() in worked:
        count += 1
        day -= timedelta(days=1)
    return count


def next_exercise(
    exercises: Sequence[Exercise], progress: Progress, after: Exercise | None = None
) -> Exercise | None:
    """The first that is to be done and whose prerequisites are done with; None when all are done.

    What a done exercise needed counts as done: whoever begins in the middle is not sent back for
    it; so does what is not among `exercises`. One that stands behind `after` is preferred. Where
    every one that is left waits for another, it is the first of them.
    """
    left = [exercise for exercise in exercises if not progress.is_done_with(exercise)]
    known = _known(exercises, [exercise for exercise in exercises if exercise not in left])
    names = {name for each in exercises for name in (each.id, each.short)}
    ready = [e for e in left if known.issuperset(names.intersection(e.metadata.prerequisites))]
    behind = [e for e in ready if after is not None and e.id > after.id]
    return next(iter(behind or ready or left), None)


def _known(exercises: Sequence[Exercise], done: Sequence[Exercise]) -> set[str]:
    """The names of exercises that are done, and of all that they needed."""
    by_name = {name: each for each in exercises for name in (each.id, each.short)}
    waiting, known = list(done), set[str]()
    while waiting:
        exercise = waiting.pop()
        if exercise.id not in known:
            known |= {exercise.id, exercise.short}
            needed = exercise.metadata.prerequisites
            waiting += [by_name[name] for name in needed if name in by_name]
    return known


def upcoming_exercise(exercises: Sequence[Exercise], progress: Progress) -> Exercise | None:
    """What to do next: what is begun and not done, else what comes after it; None when all is."""
    active = _active(exercises, progress)
    if active is not None and not progress.is_done_with(active):
        return active
    return next_exercise(exercises, progress, after=active)


def current_exercise(exercises: Sequence[Exercise], progress: Progress) -> Exercise | None:
    """The exercise of the last command, else the next one, else the last of the course."""
    active = _active(exercises, progress)
    following = next_exercise(exercises, progress)
    return active or following or (exercises[-1] if exercises else None)


def _active(exercises: Sequence[Exercise], progress: Progress) -> Exercise | None:
    wanted = progress.active.exercise if progress.active is not None else None
    return next((exercise for exercise in exercises if exercise.id == wanted), None)
