"""A session of questions: what is asked, what is kept of it, and what it says at the end."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from rlgrade.learner.desk import Desk
from rlgrade.learner.progress import current_exercise
from rlgrade.outcome import UsageError
from rlgrade.quiz import choosing, schema
from rlgrade.quiz.asking import HELP, Asking
from rlgrade.quiz.bank import Bank, Entry, find_bank
from rlgrade.quiz.choosing import Wanted, kind_of
from rlgrade.quiz.drawing import Instance, draw
from rlgrade.quiz.links import offer
from rlgrade.quiz.notes import SEEDS, Card, Flag, Notes
from rlgrade.quiz.schedule import (
    Answered,
    Grade,
    card_of,
    due_day,
    due_items,
    grade_of,
    record,
    reviewed,
)
from rlgrade.quiz.talk import Leaves, Talk


@dataclass(frozen=True)
class Table:
    """What a session has before it: the desk, its bank and the learner's notebook."""

    desk: Desk
    bank: Bank
    notes: Notes

    @property
    def today(self) -> date:
        """The day here."""
        return self.notes.now().date()


@dataclass
class Tally:
    """What a session came to."""

    asked: int = 0
    right: int = 0
    exercises: dict[str, int] = field(default_factory=dict)  # wrong answers by exercise


@dataclass(frozen=True)
class Manner:
    """How a session goes. With a seed it asks the same again; a cram leaves the schedule alone."""

    seed: int | None = None
    confidence: bool = False
    cram: bool = False
    as_json: bool = False


def open_table(desk: Desk) -> Table:
    """The table at a desk.

    Raises:
        UsageError: the course has no quizzes.
    """
    state = desk.workspace.state if desk.workspace is not None else None
    return Table(desk, find_bank(desk.course), Notes(state))


def set_interview(table: Table, by: str | None) -> None:
    """Keep the day of the interview, `2026-12-01`; `none` forgets it.

    Raises:
        UsageError: it is no day, or not one to come.
    """
    if by is None:
        return
    try:
        day = None if by == "none" else date.fromisoformat(by)
    except ValueError:
        raise UsageError(f"--by {by} is no day; write it like 2026-12-01, or none") from None
    if day is not None and day <= table.today:
        raise UsageError(f"--by {by} is not a day to come; today is {table.today}")
    with table.notes.change() as notebook:
        notebook.by = day


def daily(table: Table, wanted: Wanted, manner: Manner) -> list[Entry]:
    """What is due, and behind it what is new in the learner's chapter."""
    notebook = table.notes.read()
    found = choosing.due(table.bank, notebook, table.today, wanted)
    exercise = current_exercise(table.desk.chosen.exercises, table.desk.keeper.read())
    topics = choosing.topics_of_chapter(table.bank, table.desk.course, exercise)
    seed = seed_of(table, manner)
    for names in (topics, [topic for topic in table.bank.topics if topic not in topics]):
        left = Wanted(wanted.count - len(found), wanted.kinds, wanted.level)
        found += choosing.new(table.bank, notebook, names, left, seed) if left.count > 0 else []
    return found


def review(table: Table, wanted: Wanted) -> list[Entry]:
    """What is due."""
    return choosing.due(table.bank, table.notes.read(), table.today, wanted)


def of_topics(table: Table, names: Sequence[str], wanted: Wanted, manner: Manner) -> list[Entry]:
    """Items of these topics; with a seed, chosen by the seed alone."""
    topics = choosing.topics_named(table.bank, table.desk.course, names)
    if manner.seed is not None:
        return choosing.by_seed(table.bank, topics, wanted, manner.seed)
    seed = seed_of(table, manner)
    notebook = table.notes.read()
    return choosing.of_topics(table.bank, notebook, topics, wanted, table.today, seed)


def for_cramming(table: Table, names: Sequence[str], wanted: Wanted, manner: Manner) -> list[Entry]:
    """Items of these topics (of all that were ever begun, if none is named), the weakest first."""
    notebook = table.notes.read()
    begun = {card.topic for card in notebook.cards.values()} & set(table.bank.topics)
    topics = choosing.topics_named(table.bank, table.desk.course, names) if names else sorted(begun)
    seed = seed_of(table, manner)
    return choosing.weakest(table.bank, notebook, topics, wanted, seed)


def seed_of(table: Table, manner: Manner) -> int:
    """The seed that chooses: the one asked for, or a new one each time."""
    return manner.seed if manner.seed is not None else secrets.randbelow(SEEDS)


def drawn(table: Table, entry: Entry, manner: Manner) -> Instance:
    """The question; without a seed its numbers differ with every review."""
    if manner.seed is not None:
        return draw(entry.item, manner.seed, table.bank.functions)
    card = table.notes.read().cards.get(entry.item.id)
    seed = table.notes.own_seed() + (card.shown if card is not None else 0)
    return draw(entry.item, seed, table.bank.functions)


def keep(table: Table, entry: Entry, answered: Answered, manner: Manner) -> Card | None:
    """Write the answer down; the card, or nothing where the schedule is left alone."""
    if manner.cram:
        with table.notes.change() as notebook:
            if entry.item.id in notebook.cards:
                notebook.cards[entry.item.id].shown += 1
        return None
    with table.notes.change() as notebook:
        return record(notebook, entry.item, entry.quiz.id, answered, table.notes.now())


def call_easy(table: Table, entry: Entry, before: Card) -> Card:
    """Schedule the last answer anew, as one that was easy; the card."""
    with table.notes.change() as notebook:
        now = table.notes.now()
        easy = reviewed(before, entry.item.id, Grade.EASY, now, notebook.by)
        kept = notebook.cards[entry.item.id]
        for name in ("stability", "difficulty", "due", "last"):
            setattr(kept, name, getattr(easy, name))
        return kept


def take_down(table: Table, item: schema.Item, note: str) -> bool:
    """Keep a doubt about an item; whether, as far as is known, it is still there next time."""
    with table.notes.change() as notebook:
        flag = Flag(note=note, rev=item.rev, at=table.notes.now())
        notebook.flags.setdefault(item.id, []).append(flag)
    return table.notes.keeps


def run_session(table: Table, entries: Sequence[Entry], manner: Manner) -> Tally:
    """Ask these questions in the terminal; how it went."""
    talk = Talk()
    asking = Asking(talk, lambda item, note: take_down(table, item, note), manner.confidence)
    tally = Tally()
    talk.say(f"{_many(len(entries), 'question')}. {HELP}.")
    left = list(entries)
    try:
        while left:
            entry = left.pop(0)
            before = card_of(table.notes.read(), entry.item, entry.quiz.id)
            answered = _one(table, entry, asking, manner, tally, len(left))
            if not answered.right and manner.cram:
                left.append(entry)  # until it is right
            if talk.typed:
                _pause(table, entry, before, answered, talk, manner, more=bool(left))
    except Leaves:
        talk.say("")
    except KeyboardInterrupt:
        talk.say(f"\n{summary(tally)}")
        raise
    talk.say(f"\n{summary(tally)}")
    _say_next(table, talk)
    return tally


def _one(
    table: Table, entry: Entry, asking: Asking, manner: Manner, tally: Tally, left: int
) -> Answered:
    """Ask one question and keep the answer."""
    item = entry.item
    more = f", {left} more" if left else ""
    asking.talk.say(f"\n── {item.id}  {kind_of(item)}, {item.level}{more}")
    answered = asking.ask(drawn(table, entry, manner))
    card = keep(table, entry, answered, manner)
    tally.asked += 1
    tally.right += answered.right
    if card is not None:
        _say_when(table, entry, card, asking.talk)
    if not answered.right and entry.exercise:
        tally.exercises[entry.exercise] = tally.exercises.get(entry.exercise, 0) + 1
        asking.talk.say(f"practise it: {offer(entry.exercise)}")
    return answered


def _pause(
    table: Table,
    entry: Entry,
    before: Card,
    answered: Answered,
    talk: Talk,
    manner: Manner,
    *,
    more: bool,
) -> None:
    """Wait until the learner goes on; a right answer may be called easy."""
    of_open = isinstance(entry.item, schema.Open)
    good = grade_of(answered, of_open=of_open) is Grade.GOOD and not manner.cram
    if not more and not good:
        return
    go_on = "Enter for the next" if more else "Enter ends"
    typed = talk.ask(f"\n{go_on}{', e if it was easy' if good else ''}: ")
    if good and typed.lower() in ("e", "easy"):
        _say_when(table, entry, call_easy(table, entry, before), talk)


def _say_when(table: Table, entry: Entry, card: Card, talk: Talk) -> None:
    day = due_day(card, entry.item.id, table.notes.read().by, table.today)
    talk.say(f"it comes again {when(day, table.today)}")


def summary(tally: Tally) -> str:
    """The last lines of a session."""
    if not tally.asked:
        return "Nothing was answered."
    said = f"{tally.right} of {tally.asked} right at the first try"
    most = sorted(tally.exercises, key=lambda name: (-tally.exercises[name], name))
    return "\n".join([said, *(f"practise: {offer(name)}" for name in most[:2])])


def when(day: date | None, today: date) -> str:
    """`tomorrow`, `in 5 days`."""
    days = (day - today).days if day is not None else 0
    if days <= 0:
        return "today"
    return "tomorrow" if days == 1 else f"in {days} days"


def _say_next(table: Table, talk: Talk) -> None:
    waiting = len(due_items(table.notes.read(), table.today))
    if waiting:
        talk.say(f"still due: {_many(waiting, 'question')}; rlgrade quiz review")


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
