"""What a learner has answered, in `.rlgrade/quiz.json` beside the progress: one readable file.

notes = Notes(workspace.state)
with notes.change() as notebook:
    notebook.cards["gae.compute.first"] = ...

Nothing that was answered is lost: it is written after every question. Where it cannot be written,
that is said once, and the session goes on.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path

import msgspec

from rlgrade.learner.keeper import local_now, to_stderr
from rlgrade.store import NotKept, Record, Store

FILE = "quiz.json"
SEEDS = 2**31


class Card(msgspec.Struct):
    """One item's schedule. `meaning` is that of the item when it was last answered.

    shown: how often it was drawn, which is its next variant. first_right: how often the first
    answer was right. stability, difficulty, due, last: what `fsrs` knows of it.
    """

    topic: str
    meaning: int
    shown: int = 0
    answered: int = 0
    first_right: int = 0
    stability: float | None = None
    difficulty: float | None = None
    due: datetime | None = None
    last: datetime | None = None


class Flag(msgspec.Struct):
    """Doubt about an item: what was noted, of which revision, and when."""

    note: str
    rev: int
    at: datetime


class Count(msgspec.Struct):
    """How many answers, and how many of them were right."""

    answers: int = 0
    right: int = 0


class Notebook(Record):
    """`.rlgrade/quiz.json`. Cards and flags by the item's id; days in ISO format.

    seed: the learner's own, drawn once. by: the day of the interview. confidence: by `sure`,
    `unsure`, `guess`. beliefs: how often an answer showed a misconception.
    """

    seed: int = -1
    by: date | None = None
    cards: dict[str, Card] = msgspec.field(default_factory=dict)
    flags: dict[str, list[Flag]] = msgspec.field(default_factory=dict)
    confidence: dict[str, Count] = msgspec.field(default_factory=dict)
    beliefs: dict[str, int] = msgspec.field(default_factory=dict)
    days: dict[str, Count] = msgspec.field(default_factory=dict)


class Notes:
    """The notebook of one workspace; without a folder it lasts as long as the session."""

    def __init__(
        self,
        state: Path | None,
        now: Callable[[], datetime] = local_now,
        say: Callable[[str], None] = to_stderr,
    ) -> None:
        self.now = now
        self.say = say
        self._store = None if state is None else Store(state / FILE, Notebook, say)
        self._memory: Notebook | None = None if self._store else Notebook()

    @property
    def keeps(self) -> bool:
        """Whether, as far as is known, the notebook is still there next time."""
        return self._memory is None

    def read(self) -> Notebook:
        """What is known of the learner."""
        if self._memory is None and self._store is not None:
            try:
                return self._store.read()
            except NotKept as error:
                self._forget(error)
        return self._memory or Notebook()

    @contextlib.contextmanager
    def change(self) -> Iterator[Notebook]:
        """The notebook, to be changed in the block."""
        entered = False
        if self._memory is None and self._store is not None:
            try:
                with self._store.change() as notebook:
                    entered = True
                    yield notebook
                return
            except NotKept as error:
                self._forget(error)
        if not entered:
            assert self._memory is not None
            yield self._memory

    def own_seed(self) -> int:
        """The learner's seed, drawn at the first call and kept."""
        if self.read().seed < 0:
            with self.change() as notebook:
                if notebook.seed < 0:
                    notebook.seed = secrets.randbelow(SEEDS)
        return self.read().seed

    def _forget(self, error: NotKept) -> None:
        self.say(f"answers are not kept: {error}")
        try:
            self._memory = self._store.read() if self._store is not None else Notebook()
        except NotKept:
            self._memory = Notebook()
