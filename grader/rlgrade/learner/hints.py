"""Hints one at a time: a question that needs no hint, then the exercise's own, with a pause."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from rlgrade.courses import Exercise
from rlgrade.learner.progress import Work

COOL_DOWN = timedelta(seconds=60)
QUESTION = 0  # the level of the question before all hints


@dataclass(frozen=True)
class Hint:
    """What to show: the level, its text, and a line on how to get more."""

    level: int
    text: str
    more: str


def next_hint(exercise: Exercise, work: Work, now: datetime) -> Hint:
    """The next hint, or the last one again while the pause lasts.

    Args:
        exercise: whose hints.
        work: what was done on it so far.
        now: the pause ends a minute after the last new hint, or with a check since.
    """
    last = max(work.hints, key=lambda hint: hint.level, default=None)
    if last is None:
        level = 1 if work.passed else QUESTION
        return hint_at(exercise, work, level)
    if last.level >= len(exercise.hints):
        return hint_at(exercise, work, last.level)
    checked = work.last is not None and work.last.at > last.at
    rest = last.at + COOL_DOWN - now
    if checked or rest <= timedelta(0):
        return hint_at(exercise, work, last.level + 1)
    seconds = min(round(rest.total_seconds()), COOL_DOWN.seconds)
    wait = f"the next hint comes in {seconds} s, or after another `rlgrade check {exercise.short}`"
    return Hint(last.level, hint_at(exercise, work, last.level).text, wait)


def hint_at(exercise: Exercise, work: Work, level: int) -> Hint:
    """The hint of one level; a level above the last is the last."""
    hints = exercise.hints
    level = min(level, len(hints))
    text = question(exercise, work) if level == QUESTION else hints[level - 1]
    if level == len(hints):
        more = f"that was the last hint; `rlgrade solution {exercise.short}` shows ours"
        return Hint(level, text, more)
    more = f"more, after another check or in {COOL_DOWN.seconds} s: rlgrade hint {exercise.short}"
    return Hint(level, text, more)


def question(exercise: Exercise, work: Work) -> str:
    """What a good colleague asks before helping; it tells nothing about the exercise."""
    if work.last is None:
        return (
            "A question before the first hint: what should your function return for the smallest "
            "input there is?\nWork one case with two or three numbers out on paper, write it as "
            f"code, and let `rlgrade check {exercise.short}`\nsay which promise breaks first."
        )
    if work.last.broken:
        return (
            "A question before the first hint. Your last check broke this promise:\n\n"
            f"    {work.last.broken}\n\n"
            "Take its smallest case and work the right answer out on paper. After which line do "
            "the numbers in your\ncode first differ from yours? The replay program runs that case "
            "in a debugger."
        )
    return "Your last check passed. What does our solution do that yours does not?"
