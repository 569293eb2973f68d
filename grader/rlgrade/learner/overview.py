"""`rlgrade progress`: how far the learner is, chapter by chapter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from rlgrade.courses import Course, Exercise
from rlgrade.folding import folded
from rlgrade.learner.progress import Progress, streak, upcoming_exercise

BARS = (20, 10, 0)  # cells of a bar, the most for which there is room
HANG = 2


@dataclass(frozen=True)
class ChapterState:
    """One chapter: how many exercises it has, how many are passed, and the points."""

    title: str
    exercises: int
    passed: int
    gave_up: int
    points: float
    max_points: float
    seconds: int


def chapter_states(course: Course, progress: Progress) -> list[ChapterState]:
    """The state of each chapter that has exercises, in order."""
    inside: dict[str, list[Exercise]] = {key: [] for key in course.chapters}
    for exercise in course.exercises:
        inside.setdefault(exercise.metadata.chapter, []).append(exercise)
    return [
        _state(course.chapters.get(key, key), exercises, progress)
        for key, exercises in inside.items()
        if exercises
    ]


def overview(
    course: Course,
    progress: Progress,
    today: date,
    quiz_due: int | None,
    width: int | None = None,
) -> list[str]:
    """The lines of `rlgrade progress`, for a terminal of this width if it is one."""
    chapters = chapter_states(course, progress)
    head, table = folded(course.title, width), _table(chapters, width)
    lines = [*_totals(chapters), _days(progress, today)]
    if quiz_due is not None:
        lines.append(f"quiz: {_many(quiz_due, 'card')} due; rlgrade quiz review")
    following = upcoming_exercise(course.exercises, progress)
    if following is None:
        lines.append("next: nothing is left; rlgrade quiz, or teach it to somebody")
    else:
        title = following.metadata.title
        lines.append(f"next: rlgrade check {following.short}  ({title})")
    tail = [each for line in lines for each in folded(line, width, HANG)]
    return [*head, "", *table, "", *tail]


def duration(seconds: int) -> str:
    """A length of time for a person."""
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"


def _state(title: str, exercises: Sequence[Exercise], progress: Progress) -> ChapterState:
    works = [progress.exercises.get(exercise.id) for exercise in exercises]
    known = [work for work in works if work is not None]
    return ChapterState(
        title=title,
        exercises=len(exercises),
        passed=sum(work.passed is not None for work in known),
        gave_up=sum(work.passed is None and work.gave_up is not None for work in known),
        points=sum(work.best for work in known),
        max_points=sum(exercise.metadata.points for exercise in exercises),
        seconds=sum(work.seconds for work in known),
    )


def _table(chapters: Sequence[ChapterState], width: int | None) -> list[str]:
    """A line a chapter, with the longest bar for which there is room; without any, two lines."""
    longest = max((len(chapter.title) for chapter in chapters), default=0)
    for cells in BARS:
        lines = [f"{each.title:<{longest}}  {_counts(each, cells)}" for each in chapters]
        if width is None or all(len(line) <= width for line in lines):
            return lines
    return [
        line
        for each in chapters
        for line in (*folded(each.title, width, HANG), f"  {_counts(each, 0)}")
    ]


def _counts(chapter: ChapterState, cells: int) -> str:
    """What follows the title: a bar of so many cells, the exercises, the points."""
    full = cells * chapter.passed // chapter.exercises
    bar = "█" * full + "░" * (cells - full) + "  " if cells else ""
    count = f"{chapter.passed} of {chapter.exercises}"
    points = f"{round(chapter.points, 2):g} of {chapter.max_points:g} points"
    given_up = f"  {chapter.gave_up} given up" if chapter.gave_up else ""
    return f"{bar}{count:>7}  {points}{given_up}"


def _totals(chapters: Sequence[ChapterState]) -> list[str]:
    passed = sum(chapter.passed for chapter in chapters)
    exercises = sum(chapter.exercises for chapter in chapters)
    seconds = sum(chapter.seconds for chapter in chapters)
    return [f"{passed} of {_many(exercises, 'exercise')} passed in {duration(seconds)} of work"]


def _days(progress: Progress, today: date) -> str:
    row = streak(list(progress.days), today)
    total = len(progress.days)
    return f"streak: {_many(row, 'day')} in a row, {_many(total, 'day')} in all"


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
