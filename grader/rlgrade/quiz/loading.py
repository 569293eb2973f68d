"""A quiz file, read strictly: every fault has a file, a line and a remedy."""

from __future__ import annotations

import difflib
import re
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from rlgrade.quiz import schema
from rlgrade.quiz.problems import BankError, Problem
from rlgrade.quiz.scalars import Document, Steps, YamlError, read_yaml

AT = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
STEP = re.compile(r"\.(\w+)|\[(\d+|\.\.\.)\]")


@dataclass(frozen=True)
class Loaded:
    """One file: what it says, and where it says it."""

    path: Path
    name: str  # the path as messages show it
    quiz: schema.QuizFile
    document: Document

    def problem(self, steps: Steps, rule: str, message: str, item: str = "") -> Problem:
        """A problem at the value that these steps lead to."""
        return Problem(self.name, self.document.line(steps), rule, message, item)

    def places(self) -> Iterator[tuple[Steps, schema.Item]]:
        """Every item and where it stands; a case first, then the items in it."""
        for index, item in enumerate(self.quiz.items):
            yield ("items", index), item
            if isinstance(item, schema.Case):
                for child, inner in enumerate(item.items):
                    yield ("items", index, "items", child), inner


def load_file(path: Path, name: str | None = None) -> Loaded:
    """What a quiz file says.

    Does not look at other files, and does not call anything; `structure.check` does the former.

    Raises:
        BankError: it is not YAML, or not as the schema says; there is one problem an item.
    """
    name = name or str(path)
    try:
        document = read_yaml(path)
    except OSError as error:
        raise BankError([Problem(name, 1, "file", f"it cannot be read: {error}")]) from None
    except YamlError as error:
        raise BankError([Problem(name, error.line, "yaml", error.message)]) from None
    try:
        quiz = msgspec.convert(document.data, schema.QuizFile, strict=True)
    except msgspec.ValidationError:
        raise BankError(list(_faults(document, name))) from None
    return Loaded(path, name, quiz, document)


def _faults(document: Document, name: str) -> Iterator[Problem]:
    """The first fault of every item, and that of the rest of the file."""
    data = document.data
    items = data.get("items") if isinstance(data, dict) else None
    if not isinstance(items, list):
        yield from _fault(document, name, data, schema.QuizFile, ())
        return
    yield from _fault(document, name, data | {"items": []}, schema.QuizFile, ())
    for index, item in enumerate(items):
        yield from _fault(document, name, item, schema.Item, ("items", index))


def _fault(document: Document, name: str, data: Any, kind: Any, start: Steps) -> Iterator[Problem]:
    try:
        msgspec.convert(data, kind, strict=True)
    except msgspec.ValidationError as error:
        found = AT.match(str(error))
        assert found
        steps = start + _steps(found["path"] or "$")
        item = data.get("id", "") if isinstance(data, dict) and start else ""
        yield Problem(
            name,
            document.line(_as_far_as_known(document, steps, found["what"])),
            "schema",
            _remedy(document.data, steps, found["what"]),
            item if isinstance(item, str) else "",
        )


def _steps(path: str) -> Steps:
    """`$.items[3].options[1]` as steps; `[...]`, a key that msgspec does not tell, ends them."""
    steps: list[str | int] = []
    for word, index in STEP.findall(path):
        if index == "...":
            break
        steps.append(word or int(index))
    return tuple(steps)


def _as_far_as_known(document: Document, steps: Steps, what: str) -> Steps:
    """The steps, and one more to the field that the message names, where that is there."""
    named = re.search(r"unknown field `([^`]+)`", what)
    return (*steps, named[1]) if named else steps


def _remedy(data: Any, steps: Steps, what: str) -> str:
    where = ".".join(str(step) for step in steps if not isinstance(step, int)) or "the file"
    struct = _struct_at(data, steps)
    unknown = re.search(r"unknown field `([^`]+)`", what)
    missing = re.search(r"missing required field `([^`]+)`", what)
    if unknown and struct:
        names = [field.encode_name for field in msgspec.structs.fields(struct)]
        near = difflib.get_close_matches(unknown[1], names, 1)
        meant = f"did you mean {near[0]!r}? " if near else ""
        return f"{where}: unknown field {unknown[1]!r}; {meant}known are {', '.join(names)}"
    if missing:
        return f"{where}: {missing[1]!r} is missing; add it (docs/quiz-schema.md has an example)"
    choices = _choices(data, steps)
    if "Invalid" in what and choices:
        found = _at(data, steps)
        return f"{where}: {found!r} is none of {', '.join(map(str, choices))}"
    if "Expected `str`" in what and "`str`, got `dict`" not in what:
        return f"{where}: {what}; put the text in double quotes"
    if "got `str`" in what and any(kind in what for kind in ("`int`", "`float`", "`bool`")):
        return f"{where}: {what}; numbers, true and false stand without quotes"
    return f"{where}: {what}; docs/quiz-schema.md shows what belongs there"


def _struct_at(data: Any, steps: Steps) -> type[msgspec.Struct] | None:
    """The struct of the schema that the mapping at these steps is meant to be."""
    kind: Any = schema.QuizFile
    for step in steps:
        chosen = _choose(kind, data)
        if isinstance(step, int):
            kind, data = (typing.get_args(chosen) or (None,))[0], _get(data, step)
            continue
        if not (isinstance(chosen, type) and issubclass(chosen, msgspec.Struct)):
            return None
        fields = {field.encode_name: field for field in msgspec.structs.fields(chosen)}
        if step not in fields:
            return None
        kind, data = fields[step].type, _get(data, step)
    chosen = _choose(kind, data)
    return chosen if isinstance(chosen, type) and issubclass(chosen, msgspec.Struct) else None


def _choices(data: Any, steps: Steps) -> list[Any]:
    """The values that the schema allows here, where it lists them."""
    if not steps:
        return []
    if steps[-1] == "kind":
        return [kind.__struct_config__.tag for kind in typing.get_args(schema.Item)]
    struct = _struct_at(data, steps[:-1])
    for field in msgspec.structs.fields(struct) if struct else ():
        if field.encode_name == steps[-1]:
            return list(_literals(field.type))
    return []


def _literals(kind: Any) -> Iterator[Any]:
    if typing.get_origin(kind) is typing.Literal:
        yield from typing.get_args(kind)
    elif isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        for choice in typing.get_args(kind):
            yield from _literals(choice)


def _at(data: Any, steps: Steps) -> Any:
    for step in steps:
        data = _get(data, step)
    return data


def _choose(kind: Any, data: Any) -> Any:
    """One of a union: the struct whose tag the data has, else what is not None."""
    if not isinstance(kind, types.UnionType) and typing.get_origin(kind) is not typing.Union:
        return kind
    choices = [choice for choice in typing.get_args(kind) if choice is not type(None)]
    tag = data.get("kind") if isinstance(data, dict) else None
    for choice in choices:
        if getattr(choice, "__struct_config__", None) and choice.__struct_config__.tag == tag:
            return choice
    return choices[0] if len(choices) == 1 else None


def _get(data: Any, step: str | int) -> Any:
    try:
        return data[step]
    except (KeyError, IndexError, TypeError):
        return None
