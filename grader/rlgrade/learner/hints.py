"""Hints one at a time: a question that needs no hint, then the exercise's own, with a pause."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from rlgrade.courses import Exercise
from rlgrade.learner.progress import HintShown, Work

COOL_DOWN = timedelta(seconds=60)
NO_MORE = "that was the last hint; `rlgrade solution {short}` shows ours"
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
    last = _last(work)
    if last is None:
        level = 1 if work.passed else QUESTION
        return hint_at(exercise, work, level)
    following = min(last.level + 1, len(exercise.hints))
    return hint_of_level(exercise, work, last.level if _pause(work, last, now) else following, now)


def hint_of_level(exercise: Exercise, work: Work, level: int, now: datetime) -> Hint:
    """The hint of one level. Where it was seen before, it says when the next new one comes."""
    shown, last, short = hint_at(exercise, work, level), _last(work), exercise.short
    if last is None or shown.level > last.level:
        return shown
    if last.level >= len(exercise.hints):
        return Hint(shown.level, shown.text, NO_MORE.format(short=short))
    seconds = _pause(work, last, now)
    wait = f"the next hint comes in {seconds} s, or after another `rlgrade check {short}`"
    return Hint(shown.level, shown.text, wait if seconds else f"more: rlgrade hint {short}")


def _last(work: Work) -> HintShown | None:
    """The furthest hint that was shown."""
    return max(work.hints, key=lambda hint: hint.level, default=None)


def _pause(work: Work, last: HintShown, now: datetime) -> int:
    """The seconds until a new hint may come; a check since the last one ends the pause."""
    if work.last is not None and work.last.at > last.at:
        return 0
    rest = last.at + COOL_DOWN - now
    return min(max(round(rest.total_seconds()), 0), COOL_DOWN.seconds)


def hint_at(exercise: Exercise, work: Work, level: int) -> Hint:
    """The hint of one level; a level above the last is the last."""
    hints = exercise.hints
    level = min(level, len(hints))
    text = question(exercise, work) if level == QUESTION else hints[level - 1]
    if level == len(hints):
        return Hint(level, text, NO_MORE.format(short=exercise.short))
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
