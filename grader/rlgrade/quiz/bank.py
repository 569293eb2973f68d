"""The bank: all quiz files of a course, found by the id of an item.

bank = find_bank(find_course())
entry = bank.find("ppo.clip.neg-high")   # reads one file
entry.item, entry.quiz.title, entry.exercise
for entry in bank.entries(): ...         # reads all
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rlgrade.courses import Course
from rlgrade.outcome import UsageError
from rlgrade.quiz import schema
from rlgrade.quiz.functions import Functions
from rlgrade.quiz.loading import Loaded, load_file
from rlgrade.quiz.names import did_you_mean
from rlgrade.quiz.problems import BankError, Problem
from rlgrade.quiz.structure import check


@dataclass(frozen=True)
class Entry:
    """An item, and the file that it stands in. `case` is set for a question of a case."""

    item: schema.Item
    quiz: schema.QuizFile
    case: schema.Case | None = None

    @property
    def exercise(self) -> str | None:
        """The exercise to go to after failing it: the item's own, or the file's."""
        return self.item.exercise or (self.case and self.case.exercise) or self.quiz.exercise


class Bank:
    """The quiz files of one folder. A file is read when it is needed, and once."""

    def __init__(self, folder: Path, exercises: Iterable[str]) -> None:
        self.folder = folder
        self.exercises = tuple(exercises)
        self.functions = Functions(folder / "functions")
        self._loaded: dict[Path, Loaded] = {}

    @cached_property
    def files(self) -> list[Path]:
        """The quiz files, by name."""
        return sorted(path for path in self.folder.glob("*.yaml"))

    @property
    def topics(self) -> list[str]:
        """The names of the quiz files."""
        return [path.stem for path in self.files]

    def load(self, path: Path) -> Loaded:
        """One file.

        Raises:
            BankError: something is wrong with it.
        """
        if path not in self._loaded:
            loaded = load_file(path, self.shown(path))
            problems = check(loaded, self.exercises)
            if problems:
                raise BankError(problems)
            self._loaded[path] = loaded
        return self._loaded[path]

    def shown(self, path: Path) -> str:
        """How messages name a file: `quizzes/ppo.yaml`."""
        try:
            return path.resolve().relative_to(self.folder.resolve().parent).as_posix()
        except ValueError:
            return str(path)

    def load_all(self) -> list[Loaded]:
        """Every file.

        Raises:
            BankError: something is wrong with one of them, or two have items of one id.
        """
        found, problems = self.read(self.files)
        if problems:
            raise BankError(problems)
        return found

    def read(self, paths: Iterable[Path]) -> tuple[list[Loaded], list[Problem]]:
        """The files that are in order, and what is wrong with the others."""
        found, problems = [], []
        for path in paths:
            try:
                found.append(self.load(path))
            except BankError as error:
                problems += error.problems
        return found, problems + across(found)

    def topic(self, name: str) -> Loaded:
        """The file of this name.

        Raises:
            UsageError: there is none; the nearest name is suggested.
        """
        for path in self.files:
            if path.stem == name:
                return self.load(path)
        hint = did_you_mean(name, self.topics) or f"; there are {', '.join(self.topics)}"
        raise UsageError(f"there is no quiz {name!r}{hint}")

    def find(self, identifier: str) -> Entry:
        """The item of this id; only files that mention it are read.

        Raises:
            UsageError: there is none; the nearest id is suggested.
        """
        wanted = identifier.encode()
        for path in self.files:
            if wanted in path.read_bytes():
                for entry in _entries(self.load(path)):
                    if entry.item.id == identifier:
                        return entry
        known = [entry.item.id for entry in self.entries(every=True)]
        raise UsageError(f"there is no item {identifier!r}{did_you_mean(identifier, known)}")

    def entries(
        self, *, every: bool = False, inner: bool = False, topics: Iterable[str] | None = None
    ) -> list[Entry]:
        """The reviewed items (with `every`, drafts and retired ones too), in the files' order.

        A case is one entry; with `inner`, its questions follow it as entries of their own. With
        `topics`, only those files are read.
        """
        files = self.load_all() if topics is None else [self.topic(name) for name in topics]
        return [
            entry
            for loaded in files
            for entry in _entries(loaded)
            if (every or entry.item.status == "reviewed") and (inner or every or not entry.case)
        ]


def find_bank(course: Course) -> Bank:
    """The bank of a course.

    Raises:
        UsageError: the course has no `quizzes/`.
    """
    folder = course.root / "quizzes"
    if not folder.is_dir():
        raise UsageError(f"this course has no quizzes: {folder} is not there")
    return Bank(folder, [exercise.id for exercise in course.exercises])


def _entries(loaded: Loaded) -> list[Entry]:
    entries = []
    for item in loaded.quiz.items:
        entries.append(Entry(item, loaded.quiz))
        if isinstance(item, schema.Case):
            entries += [Entry(inner, loaded.quiz, item) for inner in item.items]
    return entries


def across(files: list[Loaded]) -> list[Problem]:
    """What is wrong between files: ids of two items, misconceptions that no file declares."""
    declared = {entry.id for loaded in files for entry in loaded.quiz.misconceptions}
    places = defaultdict(list)
    problems = []
    for loaded in files:
        for steps, item in loaded.places():
            places[item.id].append((loaded, steps))
            for name in sorted(misconceptions(item) - declared):
                message = (
                    f"misconception {name!r} is declared nowhere{did_you_mean(name, declared)}; "
                    "declare it under `misconceptions:`"
                )
                problems.append(loaded.problem(steps, "misconception", message, item.id))
    for name, found in places.items():
        for loaded, steps in found[1:]:
            message = f"{found[0][0].name} has an item of this id; rename one"
            problems.append(loaded.problem((*steps, "id"), "unique-id", message, name))
    return problems


def misconceptions(item: schema.Item) -> set[str]:
    """The misconceptions that an item names."""
    return set(named_misconceptions(item))


def named_misconceptions(item: schema.Item) -> list[str]:
    """The same, each as often as the item names it; those of a case are its questions'."""
    lists: list[list[schema.Option] | list[schema.Fix] | list[schema.WrongNumber]] = []
    found: list[str | None] = []
    match item:
        case schema.Single() | schema.Multi():
            lists = [item.options]
        case schema.Claim():
            lists = [item.conditions]
        case schema.Bug():
            lists = [item.fixes]
        case schema.Numeric():
            lists = [item.wrong]
        case schema.Predict():
            found = [wrong.misconception for wrong in item.wrong]
        case schema.Derive():
            lists = [blank.options for blank in item.blanks]
    found += [entry.misconception for entries in lists for entry in entries]
    return [name for name in found if name]
