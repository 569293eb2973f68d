"""When an item comes again: spaced repetition with the `fsrs` library, without its chance.

after = reviewed(card, item, Grade.GOOD, now, by=date(2026, 12, 1))
due_day(after, item.id, by)

A day is the unit: an item is due from the morning of its day. With the day of an interview, no
interval goes beyond it, and what was scheduled for later comes in the week before it. A wrong first
answer is a lapse, whatever the second try was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import IntEnum
from typing import Literal

import msgspec

from rlgrade.quiz import schema
from rlgrade.quiz.marking import ENOUGH
from rlgrade.quiz.notes import Card, Count, Notebook

Confidence = Literal["", "sure", "unsure", "guess"]
LAST_WEEK = 7


class Grade(IntEnum):
    """How well an item was recalled, as `fsrs` counts it."""

    AGAIN = 1
    HARD = 2
    GOOD = 3
    EASY = 4


@dataclass(frozen=True)
class Answered:
    """How an item was answered. `right` and `score` are those of the first try."""

    right: bool
    score: float
    tries: int = 1
    hints: int = 0
    confidence: Confidence = ""
    misconceptions: tuple[str, ...] = ()
    faults: bool = False  # an open answer without a must, or with a red flag
    easy: bool = False  # only the learner can say so


def grade_of(answered: Answered, *, of_open: bool = False) -> Grade:
    """The grade of an answer.

    Wrong is again; right with a hint, unsure or guessed is hard; right is good. An open answer is
    again without its musts or with a red flag, hard under 70 % of the weight.
    """
    if of_open:
        if answered.faults:
            return Grade.AGAIN
        return Grade.GOOD if answered.score >= ENOUGH else Grade.HARD
    if not answered.right or answered.tries > 1:
        return Grade.AGAIN
    if answered.hints or answered.confidence in ("unsure", "guess"):
        return Grade.HARD
    return Grade.EASY if answered.easy else Grade.GOOD


def card_number(item: str) -> int:
    """The number that `fsrs` knows an item by: 63 bits of its id's SHA-256."""
    return int.from_bytes(hashlib.sha256(item.encode()).digest()[:8]) >> 1


def card_of(notebook: Notebook, item: schema.Item, topic: str) -> Card:
    """The item's card; a new schedule where the item's meaning has grown, the old one otherwise."""
    card = notebook.cards.get(item.id)
    if card is None or card.meaning != item.meaning:
        shown = card.shown if card is not None else 0
        return Card(topic=topic, meaning=item.meaning, shown=shown)
    return msgspec.structs.replace(card, topic=topic)


def reviewed(card: Card, item: str, grade: Grade, now: datetime, by: date | None) -> Card:
    """The card after a review."""
    import fsrs

    scheduler = fsrs.Scheduler(
        learning_steps=(),
        relearning_steps=(),
        maximum_interval=longest_interval(now.date(), by),
        enable_fuzzing=False,
    )
    new = card.stability is None
    before = fsrs.Card(
        card_id=card_number(item),
        state=fsrs.State.Learning if new else fsrs.State.Review,
        stability=card.stability,
        difficulty=card.difficulty,
        due=card.due or now.astimezone(UTC),
        last_review=card.last,
    )
    after, _ = scheduler.review_card(before, fsrs.Rating(int(grade)), now.astimezone(UTC))
    return msgspec.structs.replace(
        card,
        stability=after.stability,
        difficulty=after.difficulty,
        due=after.due,
        last=after.last_review,
    )


def longest_interval(today: date, by: date | None) -> int:
    """In days: so that an item comes once more before the interview; else a hundred years."""
    if by is None or by <= today:
        return 36_500
    return max(1, (by - today).days - 1)


def due_day(card: Card, item: str, by: date | None, today: date) -> date | None:
    """The day from which an item is due; None where it was never answered.

    What would come after an interview that lies ahead is spread over the week before it.
    """
    if card.due is None:
        return None
    day = card.due.astimezone().date()
    if by is None or by <= today or day < by:
        return day
    early = by - timedelta(days=1 + card_number(item) % LAST_WEEK)
    answered = card.last.astimezone().date() if card.last is not None else today
    return max(early, min(answered + timedelta(days=1), by))


def due_items(notebook: Notebook, today: date) -> list[str]:
    """The ids of the items that are due, the longest overdue first."""
    days = {item: due_day(card, item, notebook.by, today) for item, card in notebook.cards.items()}
    found = {item: day for item, day in days.items() if day is not None and day <= today}
    return sorted(found, key=lambda item: (found[item], item))


def next_days(notebook: Notebook, today: date) -> Mapping[date, int]:
    """How many items fall due on each day to come; those overdue count as today's."""
    counts: dict[date, int] = {}
    for item, card in notebook.cards.items():
        day = due_day(card, item, notebook.by, today)
        if day is not None:
            counts[max(day, today)] = counts.get(max(day, today), 0) + 1
    return dict(sorted(counts.items()))


def record(
    notebook: Notebook, item: schema.Item, topic: str, answered: Answered, now: datetime
) -> Card:
    """Write an answer into the notebook; the card that it leaves."""
    of_open = isinstance(item, schema.Open)
    grade = grade_of(answered, of_open=of_open)
    card = card_of(notebook, item, topic)
    card = reviewed(card, item.id, grade, now, notebook.by)
    right = grade is not Grade.AGAIN
    card.shown += 1
    card.answered += 1
    card.first_right += right
    notebook.cards[item.id] = card
    _count(notebook.days, now.date().isoformat(), right)
    if answered.confidence:
        _count(notebook.confidence, answered.confidence, right)
    for belief in answered.misconceptions:
        notebook.beliefs[belief] = notebook.beliefs.get(belief, 0) + 1
    return card


def _count(counts: dict[str, Count], name: str, right: bool) -> None:
    count = counts.setdefault(name, Count())
    count.answers += 1
    count.right += right
