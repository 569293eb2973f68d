"""Courses on disk: where they are, which exercises they have, and what is said of each."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from rlgrade.outcome import UsageError
from rlgrade.places import wanted_root

FORMAT = 1
D = TypeVar("D")
TYPES = {"str": (str,), "int": (int,), "float": (int, float), "list[str]": (list,)}


class CourseError(UsageError):
    """A course's own file is not as the format says; the message names the file."""


@dataclass(frozen=True)
class Metadata:
    """`exercise.toml`: what is said of an exercise before anyone opens it."""

    title: str
    chapter: str
    version: int
    minutes: int
    difficulty: int  # 1 to 5
    importance: int  # 1 to 5
    points: int
    prerequisites: list[str]
    seconds: float = 1.0  # what a warm run of all checks on the solution may take


@dataclass(frozen=True)
class Edit:
    """One replacement in the solution's text; `replace` occurs there exactly once."""

    replace: str
    by: str


@dataclass(frozen=True)
class Mistake:
    """The solution with one plausible error, and the sentence that tells the learner so.

    `caught_by` names the check that must catch it and from which it is recognised,
    `also_caught_by` training checks that must fail with it, too.
    """

    name: str
    says: str
    caught_by: str
    edits: tuple[Edit, ...]
    also_caught_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exercise:
    """One exercise of a course: the learner's folder, and the teacher's."""

    id: str
    shown: Path
    hidden: Path

    def __str__(self) -> str:
        return self.id

    @property
    def short(self) -> str:
        """The number alone, such as `ex05`."""
        return self.id.partition("_")[0]

    @property
    def course_root(self) -> Path:
        """The folder of the course that this exercise belongs to."""
        return self.hidden.parents[1]

    @property
    def file(self) -> str:
        """The name of the one file that the learner edits."""
        return self.id.partition("_")[2] + ".py"

    @property
    def stub(self) -> Path:
        """The generated stub."""
        return self.shown / self.file

    @property
    def solution(self) -> Path:
        """The one source."""
        return self.hidden / self.file

    @cached_property
    def metadata(self) -> Metadata:
        """What `exercise.toml` says."""
        path = self.hidden / "exercise.toml"
        return _build(Metadata, _read_toml(path), str(path))

    @cached_property
    def mistakes(self) -> list[Mistake]:
        """The known mistakes, in the order of `mistakes.toml`."""
        path = self.hidden / "mistakes.toml"
        table = _read_toml(path)
        if set(table) != {"mistakes"} or not isinstance(table["mistakes"], list):
            raise CourseError(f"{path}: it holds [[mistakes]] tables and nothing else")
        if not all(isinstance(entry, dict) for entry in table["mistakes"]):
            raise CourseError(f"{path}: it holds [[mistakes]] tables and nothing else")
        return [_mistake(entry, str(path)) for entry in table["mistakes"]]

    @cached_property
    def hints(self) -> list[str]:
        """The hints, from a question to nearly the solution: the parts of `hints.md`."""
        path = self.hidden / "hints.md"
        if not path.is_file():
            raise CourseError(f"{path} is missing")
        text = path.read_text(encoding="utf-8")
        return [part.strip("\n").rstrip() for part in text.split("\n---\n")]

    @property
    def right(self) -> list[Path]:
        """Other correct implementations."""
        return sorted((self.hidden / "right").glob("*.py"))

    @cached_property
    def bands(self) -> dict[str, dict[str, Any]]:
        """By training check, where curves of right code lie, as `scripts/training` wrote it."""
        path = self.hidden / "bands.json"
        if not path.is_file():
            return {}
        try:
            bands: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise CourseError(f"{path}: {error}") from None
        return bands

    def mistaken_source(self, mistake: Mistake) -> str:
        """The solution with this mistake in it.

        Raises:
            CourseError: a text to replace does not occur exactly once.
        """
        source = self.solution.read_text(encoding="utf-8")
        for edit in mistake.edits:
            count = source.count(edit.replace)
            if count != 1:
                raise CourseError(
                    f"{self.hidden / 'mistakes.toml'}: {mistake.name!r} replaces a text that "
                    f"occurs {count} times in {self.file}; it must occur once:\n{edit.replace}"
                )
            source = source.replace(edit.replace, edit.by)
        return source


@dataclass(frozen=True)
class Course:
    """A folder with `exercises/` and `solutions/`; `only` names the exercises that are meant."""

    root: Path
    only: frozenset[str] = frozenset()  # empty: all

    @cached_property
    def _table(self) -> dict[str, Any]:
        path = self.root / "exercises" / "course.toml"
        table = _read_toml(path)
        number = table.get("format")
        if type(number) is not int or number < 1:
            raise CourseError(f"{path}: it needs `format = {FORMAT}`; format is {number!r}")
        for name, kind in (("title", str), ("chapters", dict)):
            if number == FORMAT and not isinstance(table.get(name), kind):
                raise CourseError(f"{path}: missing {name!r}")
        if number != FORMAT:
            raise CourseError(
                f"{path}: this course has format {table.get('format')}, and this rlgrade reads "
                f"format {FORMAT}; install a newer rlgrade"
            )
        return table

    @property
    def title(self) -> str:
        """The course's name."""
        return str(self._table["title"])

    @property
    def chapters(self) -> dict[str, str]:
        """Titles of the chapters by key, in order."""
        return dict(self._table["chapters"])

    @cached_property
    def exercises(self) -> list[Exercise]:
        """Every exercise, in order of number. A folder in `solutions/` is all it takes."""
        _ = self._table
        folders = sorted((self.root / "solutions").glob("ex[0-9]*_*"))
        return [
            Exercise(folder.name, self.root / "exercises" / folder.name, folder)
            for folder in folders
            if folder.is_dir() and (not self.only or folder.name in self.only)
        ]

    def chosen(self, wanted: Iterable[str]) -> list[Exercise]:
        """The exercises named: `ex05`, `ex01-ex06`, several with commas; all, if none is named.

        Raises:
            UsageError: there is no such exercise.
        """
        names = [name for text in wanted for name in text.split(",") if name.strip()]
        if not names:
            return self.exercises
        chosen: set[str] = set()
        ids = [exercise.id for exercise in self.exercises]
        for name in names:
            first, dash, last = name.strip().partition("-")
            begin = ids.index(self.find(first).id)
            end = ids.index(self.find(last).id) if dash else begin
            chosen.update(ids[begin : end + 1])
        if not chosen:
            said = ", ".join(names)
            raise UsageError(f"there is no exercise in {said}; name the lower number first")
        return [exercise for exercise in self.exercises if exercise.id in chosen]

    def find(self, name: str) -> Exercise:
        """The exercise of this name, number, folder or file: ex05_gae, ex5, 5, gae, gae.py.

        Raises:
            UsageError: there is none; the nearest name is suggested.
        """
        wanted = name.lower().removeprefix("./").strip("/").removesuffix(".py")
        names = {
            known: exercise
            for exercise in self.exercises
            for stem in [exercise.file.removesuffix(".py")]
            for known in (exercise.id, exercise.short, stem, f"{exercise.id}/{stem}")
        }
        numbers = {
            int(exercise.short.removeprefix("ex")): exercise
            for exercise in self.exercises
            if exercise.short.removeprefix("ex").isdecimal()
        }
        number = wanted.removeprefix("ex")
        if wanted in names:
            return names[wanted]
        if number.isdecimal() and int(number) in numbers:
            return numbers[int(number)]
        near = difflib.get_close_matches(wanted, names, 1, 0.4)
        found = names[near[0]] if near else None
        shown = found and (found.short if near[0] == found.short else found.id)
        hint = f"; did you mean {shown}?" if shown else "; `rlgrade list` shows them all"
        raise UsageError(f"there is no exercise {name!r}{hint}")


def find_course(named: str | Path | None = None) -> Course:
    """The course that was named, else that of RLGRADE_COURSE, else the one this package has.

    Raises:
        UsageError: there is no course there.
    """
    root = Path(wanted_root(None if named is None else str(named)))
    if not (root / "exercises" / "course.toml").is_file():
        raise UsageError(f"no course at {root}: exercises/course.toml is not there")
    return Course(root)


def _mistake(entry: dict[str, Any], where: str) -> Mistake:
    """A mistake has one edit, as `replace` and `with`, or several, as `edits` of such tables."""
    entry = dict(entry)
    edits = entry.pop("edits", None) or [{key: entry.pop(key, None) for key in ("replace", "with")}]
    for edit in edits:
        if not isinstance(edit, dict) or {"replace", "with"} != {
            key for key, text in edit.items() if isinstance(text, str)
        }:
            raise CourseError(f"{where}: {entry.get('name')!r} needs both `replace` and `with`")
    pairs = tuple(Edit(edit["replace"], edit["with"]) for edit in edits)
    also = tuple(entry.get("also_caught_by", ()))
    return _build(Mistake, entry | {"edits": pairs, "also_caught_by": also}, where)


def _build(kind: type[D], table: dict[str, Any], where: str) -> D:
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    for name in table:
        if name not in known:
            raise CourseError(f"{where}: unknown field {name!r}; known are {sorted(known)}")
    for field in fields(kind):  # type: ignore[arg-type]
        wanted = TYPES.get(str(field.type), (object,))
        if field.name in table and not isinstance(table[field.name], wanted):
            raise CourseError(f"{where}: {field.name} should be {field.type}")
    try:
        return kind(**table)
    except TypeError as error:
        missing = str(error).partition("argument")[2].strip(": s")
        raise CourseError(f"{where}: missing {missing}") from None


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        raise CourseError(f"{path} is missing") from None
    except ValueError as error:  # not TOML, or not UTF-8
        raise CourseError(f"{path}: {error}") from None
