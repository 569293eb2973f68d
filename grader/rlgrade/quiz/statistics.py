"""What the learner's answers add up to: by topic, by confidence, by misconception, and doubts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from rlgrade.quiz.bank import Bank
from rlgrade.quiz.notes import Card, Notebook
from rlgrade.quiz.schedule import due_items, next_days

SHOWN = 5
EXPECTED = {"sure": "nearly all", "unsure": "about half to most", "guess": "chance"}


def statistics(bank: Bank, notebook: Notebook, today: date) -> list[str]:
    """The lines of `rlgrade quiz stats`."""
    if not notebook.cards and not notebook.flags:
        return ["nothing was answered yet; rlgrade quiz begins"]
    lines = [*_topics(notebook), "", *_coming(notebook, today), *_confidence(notebook)]
    lines += [*_weak(notebook), *_beliefs(bank, notebook), *_flags(notebook)]
    return lines


def _topics(notebook: Notebook) -> Iterator[str]:
    topics: dict[str, list[Card]] = {}
    for card in notebook.cards.values():
        topics.setdefault(card.topic, []).append(card)
    width = max((len(topic) for topic in topics), default=0)
    for topic, cards in sorted(topics.items()):
        answers = sum(card.answered for card in cards)
        right = sum(card.first_right for card in cards)
        yield f"{topic:<{width}}  {right} of {answers} right at the first try, {_many(len(cards))}"


def _coming(notebook: Notebook, today: date) -> Iterator[str]:
    days = next_days(notebook, today)
    waiting = len(due_items(notebook, today))
    week = sum(count for day, count in days.items() if 0 < (day - today).days <= 7)
    yield f"due today: {waiting}; in the seven days after: {week}"
    if notebook.by is not None:
        left = (notebook.by - today).days
        yield (
            f"interview: {notebook.by}, in {left} days" if left > 0 else f"interview: {notebook.by}"
        )


def _confidence(notebook: Notebook) -> Iterator[str]:
    for name, expected in EXPECTED.items():
        count = notebook.confidence.get(name)
        if count is not None:
            share = f"{round(100 * count.right / count.answers)} %"
            yield f"{name}: {count.right} of {count.answers} right, {share}; should be {expected}"


def _weak(notebook: Notebook) -> Iterator[str]:
    def share(item: str) -> float:
        return notebook.cards[item].first_right / notebook.cards[item].answered

    weak = [name for name, card in notebook.cards.items() if card.answered and share(name) < 1]
    if weak:
        yield ""
        yield "weakest:"
    for name in sorted(weak, key=lambda item: (share(item), item))[:SHOWN]:
        card = notebook.cards[name]
        yield f"  {name}: {card.first_right} of {card.answered}"


def _beliefs(bank: Bank, notebook: Notebook) -> Iterator[str]:
    often = sorted(notebook.beliefs, key=lambda name: (-notebook.beliefs[name], name))[:SHOWN]
    if not often:
        return
    topics = sorted({card.topic for card in notebook.cards.values()} & set(bank.topics))
    says = {m.id: m.says for topic in topics for m in bank.topic(topic).quiz.misconceptions}
    yield ""
    yield "your answers suggest that you believe:"
    for name in often:
        yield f"  {notebook.beliefs[name]}×  {says.get(name, name).strip()}"


def _flags(notebook: Notebook) -> Iterator[str]:
    if notebook.flags:
        yield ""
        yield "you doubt:"
    for name, flags in sorted(notebook.flags.items()):
        for flag in flags:
            yield f"  {name} (rev {flag.rev}, {flag.at.date()}): {flag.note or 'no note'}"


def _many(number: int) -> str:
    return "1 question" if number == 1 else f"{number} questions"
