"""YAML 1.2 as plain data, with the line of every value, and nothing that YAML 1.1 would guess.

`1e-4` is a number, `no` and `12:30` are text. Duplicate keys, anchors, tags and several documents
are refused. libyaml parses; the rules here decide what its scalars mean.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

TAG = "tag:yaml.org,2002:"
NULL = {"", "~", "null", "Null", "NULL"}
TRUE = {"true", "True", "TRUE"}
FALSE = {"false", "False", "FALSE"}
WHOLE = re.compile(r"[-+]?[0-9]{1,400}\Z")
BASED = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
DECIMAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
SPECIAL = re.compile(r"([-+]?)\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z")
Steps = tuple[str | int, ...]


class YamlError(Exception):
    """Something that a quiz file may not hold; `line` counts from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


@dataclass(frozen=True)
class Document:
    """A YAML file as plain data, and as the nodes that know their lines."""

    data: Any
    root: Node

    def line(self, path: Steps) -> int:
        """The line of the value at this path, or of the nearest thing around it."""
        node = self.root
        line = _line(node)
        for step in path:
            found = _child(node, step)
            if found is None:
                break
            key, node = found
            line = _line(key)
        return line


class _Composer(CParser):
    """libyaml's composer; a plain scalar gets no tag, so that the rules here decide."""

    def resolve(self, kind: type, value: str, implicit: Any) -> str:
        return "plain" if kind is ScalarNode and implicit[0] else "text"

    def descend_resolver(self, parent: Any, index: Any) -> None:
        """Nothing: tags do not depend on where a value stands."""

    def ascend_resolver(self) -> None:
        """Nothing, likewise."""


def read_yaml(path: Path) -> Document:
    """The data of a file.

    Raises:
        YamlError: it is not UTF-8, not YAML, or uses what quiz files do not use.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise YamlError("it is not UTF-8; save it as UTF-8", 1) from error
    return parse_yaml(text)


def parse_yaml(text: str) -> Document:
    """The data of a text; raises as `read_yaml` does."""
    try:
        root = _Composer(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(filter(None, (error.context, error.problem)))
        raise YamlError(
            f"it is not YAML: {what}; quote a text that has `: ` or ` #` in it or begins with a "
            "sign such as [ { * & ! % @ `",
            mark.line + 1 if mark else 1,
        ) from None
    except yaml.YAMLError as error:
        raise YamlError(f"it is not YAML: {error}", 1) from None
    if root is None:
        raise YamlError("it is empty; begin with `schema: rlgrade.quiz/1`", 1)
    return Document(_value(root, set()), root)


def _value(node: Node, seen: set[int]) -> Any:
    if id(node) in seen:
        raise YamlError(
            "this value is used again by an alias (*name); write it out in both places", _line(node)
        )
    seen.add(id(node))
    if isinstance(node, ScalarNode):
        return _scalar(node)
    if node.tag not in ("text", f"{TAG}seq", f"{TAG}map"):
        raise YamlError(f"it uses the tag {node.tag}; quiz files have no tags", _line(node))
    if isinstance(node, MappingNode):
        return _mapping(node, seen)
    return [_value(child, seen) for child in node.value]


def _mapping(node: MappingNode, seen: set[int]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in node.value:
        if not isinstance(key, ScalarNode):
            raise YamlError("a key is a list or a mapping; keys are words", _line(key))
        if key.value in found:
            raise YamlError(
                f"the key {key.value!r} is there twice in one mapping; remove one", _line(key)
            )
        found[key.value] = _value(value, seen)
    return found


def _scalar(node: ScalarNode) -> Any:
    if node.tag in ("text", f"{TAG}str"):
        return node.value
    if node.tag != "plain":
        raise YamlError(f"it uses the tag {node.tag}; quiz files have no tags", _line(node))
    return plain(node.value)


def plain(text: str) -> bool | int | float | str | None:
    """What an unquoted scalar means in YAML 1.2's core schema."""
    if text in NULL:
        return None
    if text in TRUE or text in FALSE:
        return text in TRUE
    if WHOLE.match(text):
        return int(text)
    if BASED.match(text):
        return int(text[2:], 8 if text[1] == "o" else 16)
    if DECIMAL.match(text):
        return float(text)
    if SPECIAL.match(text):
        return float(text.replace(".", "", 1))
    return text


def _child(node: Node, step: str | int) -> tuple[Node, Node] | None:
    if isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if key.value == step:
                return key, value
    return None


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1
