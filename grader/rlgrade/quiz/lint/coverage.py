"""What the bank has to cover, from `quizzes/coverage.toml`, and what it does."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rlgrade.outcome import UsageError
from rlgrade.quiz import schema

SPAN = re.compile(r"([A-Z]\d*-?[A-Z]*)(\d+)\.\.\1(\d+)\Z")


@dataclass(frozen=True)
class Syllabus:
    """topics, seeds: what each id means. core: the topics that need three items. also: patterns
    of ids that an item may name and none has to."""

    topics: dict[str, str]
    core: frozenset[str]
    seeds: dict[str, str]
    also: tuple[re.Pattern[str], ...] = ()

    def knows(self, name: str) -> bool:
        """Whether an item may name this id under `covers`."""
        known = name in self.topics or name in self.seeds
        return known or any(pattern.fullmatch(name) for pattern in self.also)


@dataclass(frozen=True)
class Covered:
    """Which ids no item covers, and which core topics have fewer than three, or on one level."""

    topics: tuple[str, ...]
    core: tuple[str, ...]
    seeds: tuple[str, ...]


def read_syllabus(folder: Path) -> Syllabus | None:
    """What `coverage.toml` in this folder asks for; None where there is none.

    Raises:
        UsageError: it is not as it should be.
    """
    path = folder / "coverage.toml"
    if not path.is_file():
        return None
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        topics = {key.rstrip("*"): text for key, text in table["topics"].items()}
        core = frozenset(key[:-1] for key in table["topics"] if key.endswith("*"))
        also = tuple(re.compile(pattern) for pattern in table.get("also", ()))
        return Syllabus(topics, core, dict(_spread(table["seeds"])), also)
    except (ValueError, KeyError, AttributeError, re.error) as error:
        raise UsageError(f"{path}: it needs [topics] and [seeds] of texts; {error}") from None


def covered(syllabus: Syllabus, items: Iterable[schema.Item]) -> Covered:
    """What these items leave uncovered."""
    found: dict[str, list[schema.Item]] = defaultdict(list)
    for item in items:
        for name in item.covers:
            found[name].append(item)
    thin = [
        name
        for name in sorted(syllabus.core)
        if len(found[name]) < 3 or len({item.bloom for item in found[name]}) < 2
    ]
    return Covered(
        tuple(name for name in sorted(syllabus.topics) if not found[name]),
        tuple(thin),
        tuple(name for name in sorted(syllabus.seeds) if not found[name]),
    )


def _spread(entries: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """`F01..F03` is F01, F02 and F03."""
    for entry, text in entries.items():
        span = SPAN.match(entry)
        numbers = range(int(span[2]), int(span[3]) + 1) if span else ()
        yield from ((f"{span[1]}{n:0{len(span[2])}}", text) for n in numbers if span)
        if not span:
            yield entry, text
