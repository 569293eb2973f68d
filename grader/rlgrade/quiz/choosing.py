"""Which questions a session has: by topic, by what is due, by what is new; a seed repeats it."""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from rlgrade.courses import Course, Exercise
from rlgrade.outcome import UsageError
from rlgrade.quiz import schema
from rlgrade.quiz.bank import Bank, Entry
from rlgrade.quiz.links import exercise_of_file
from rlgrade.quiz.names import did_you_mean
from rlgrade.quiz.notes import Notebook
from rlgrade.quiz.schedule import card_of, due_day, due_items

KINDS = tuple(str(kind.__struct_config__.tag) for kind in schema.Item.__args__)


@dataclass(frozen=True)
class Wanted:
    """What the questions of a session must be. Empty means any."""

    count: int = 10
    kinds: tuple[str, ...] = ()
    level: str = ""

    def takes(self, entry: Entry) -> bool:
        """Whether an item is of this sort, and can be asked on this machine."""
        return (
            (not self.kinds or kind_of(entry.item) in self.kinds)
            and (not self.level or entry.item.level == self.level)
            and runs_here(entry.item)
        )


def kind_of(item: schema.Item) -> str:
    """Its kind, as in the file."""
    return str(item.__struct_config__.tag)


def runs_here(item: schema.Item) -> bool:
    """Whether the item can be marked here: some print what torch computes."""
    items = item.items if isinstance(item, schema.Case) else [item]
    needed = any(isinstance(each, schema.Predict) and each.needs_torch for each in items)
    return not needed or importlib.util.find_spec("torch") is not None


def topics_of_chapter(bank: Bank, course: Course, exercise: Exercise | None) -> list[str]:
    """The quizzes of an exercise's chapter, its own first."""
    if exercise is None:
        return bank.topics
    chapter = {
        each.id for each in course.exercises if each.metadata.chapter == exercise.metadata.chapter
    }
    homes = {path.stem: exercise_of_file(path) for path in bank.files}
    found = [topic for topic, home in homes.items() if home in chapter]
    return sorted(found, key=lambda topic: (homes[topic] != exercise.id, homes[topic], topic))


def topics_named(
    bank: Bank, course: Course, names: Iterable[str], *, broad: bool = False
) -> list[str]:
    """The quizzes that names stand for: `gae`, `ex05`, a chapter, or `ppo` for all that begin so.

    With `broad`, `grpo` stands for all that have the word in their name, too.

    Raises:
        UsageError: one stands for none; the nearest is suggested.
    """
    found: list[str] = []
    for name in (part.strip() for given in names for part in given.split(",")):
        if name:
            named = _topics_named(bank, course, name)
            if broad:
                plain = name.lower().replace("-", "_")
                words = {topic: topic.lower().replace("-", "_").split("_") for topic in bank.topics}
                named += [topic for topic in bank.topics if plain in words[topic]]
            found += [topic for topic in dict.fromkeys(named) if topic not in found]
    return found


def _topics_named(bank: Bank, course: Course, name: str) -> list[str]:
    plain = name.lower().replace("-", "_")
    topics = {topic.lower().replace("-", "_"): topic for topic in bank.topics}
    if plain in topics:
        return [topics[plain]]
    homes = {topic: exercise_of_file(bank.folder / f"{topic}.yaml") for topic in bank.topics}
    exercises = [e for e in course.exercises if plain in (e.id.lower(), e.short)]
    if not exercises and plain in course.chapters:
        exercises = [e for e in course.exercises if e.metadata.chapter == plain]
    if exercises:
        known = {exercise.id for exercise in exercises}
        found = [topic for topic, home in homes.items() if home in known]
        if not found:
            raise UsageError(f"{name} has no quiz; there are {', '.join(bank.topics)}")
        return found
    found = [topic for key, topic in topics.items() if key.startswith(plain)]
    found = found or [topic for key, topic in topics.items() if plain in key.split("_")]
    if not found:
        hint = did_you_mean(name, bank.topics) or f"; there are {', '.join(bank.topics)}"
        raise UsageError(f"there is no quiz {name!r}{hint}")
    return found


def due(bank: Bank, notebook: Notebook, today: date, wanted: Wanted) -> list[Entry]:
    """The due items that are still in the bank, the longest overdue first."""
    found: list[Entry] = []
    for item in due_items(notebook, today):
        entry = _found(bank, item, notebook.cards[item].topic)
        if entry is not None and wanted.takes(entry):
            found.append(entry)
        if len(found) == wanted.count:
            break
    return found


def new(
    bank: Bank, notebook: Notebook, topics: Sequence[str], wanted: Wanted, seed: int
) -> list[Entry]:
    """Items that were never answered: topic by topic, from easy to hard."""
    found: list[Entry] = []
    for topic in topics:
        fresh = [
            entry
            for entry in bank.entries(topics=[topic])
            if card_of(notebook, entry.item, topic).last is None and wanted.takes(entry)
        ]
        found += sorted(shuffled(fresh, seed, topic), key=lambda entry: entry.item.difficulty)
        if len(found) >= wanted.count:
            break
    return found[: wanted.count]


def of_topics(
    bank: Bank, notebook: Notebook, topics: Sequence[str], wanted: Wanted, today: date, seed: int
) -> list[Entry]:
    """Items of these topics: what is due, then what is new, then what is due next."""

    def urgency(entry: Entry) -> tuple[int, date]:
        card = card_of(notebook, entry.item, entry.quiz.id)
        day = due_day(card, entry.item.id, notebook.by, today)
        if day is None:
            return 1, today
        return (0, day) if day <= today else (2, day)

    found = by_seed(bank, topics, Wanted(10**6, wanted.kinds, wanted.level), seed)
    chosen = sorted(found, key=urgency)[: wanted.count]
    return sorted(chosen, key=lambda entry: (urgency(entry)[0], entry.item.difficulty))


def weakest(
    bank: Bank, notebook: Notebook, topics: Sequence[str], wanted: Wanted, seed: int
) -> list[Entry]:
    """Items of these topics, those that went worst first, then those never seen."""

    def weakness(entry: Entry) -> tuple[float, float]:
        card = card_of(notebook, entry.item, entry.quiz.id)
        if card.last is None:
            return 0.5, 0.0
        return card.first_right / max(1, card.answered), card.stability or 0.0

    found = by_seed(bank, topics, Wanted(10**6, wanted.kinds, wanted.level), seed)
    return sorted(found, key=weakness)[: wanted.count]


def by_seed(bank: Bank, topics: Sequence[str], wanted: Wanted, seed: int) -> list[Entry]:
    """Items of these topics that the seed alone chooses, from easy to hard."""
    found = [entry for entry in bank.entries(topics=topics) if wanted.takes(entry)]
    chosen = shuffled(found, seed, "session")[: wanted.count]
    return sorted(chosen, key=lambda entry: entry.item.difficulty)


def shuffled(entries: Sequence[Entry], seed: int, part: str) -> list[Entry]:
    """The entries in an order that depends on the seed and on nothing else."""
    keys = {entry.item.id: random.Random(f"{seed}|{part}|{entry.item.id}") for entry in entries}
    return sorted(entries, key=lambda entry: keys[entry.item.id].random())


def _found(bank: Bank, item: str, topic: str) -> Entry | None:
    """The item, where it is still there and reviewed; it may have moved to another file."""
    for names in ([topic] if topic in bank.topics else [], None):
        for entry in bank.entries(topics=names) if names != [] else []:
            if entry.item.id == item:
                return entry
    return None
