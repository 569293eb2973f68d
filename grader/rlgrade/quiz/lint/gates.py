"""The gates of a whole bank: each figure, what it must be, and what published banks have."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rlgrade.quiz import schema
from rlgrade.quiz.drawing import Draws
from rlgrade.quiz.lint import guessers
from rlgrade.quiz.lint.coverage import Syllabus, covered
from rlgrade.quiz.lint.execution import executable
from rlgrade.quiz.lint.wording import choices

HIGHER = {"apply", "analyze", "evaluate", "create"}
SEEDS = range(1, 21)


@dataclass(frozen=True)
class Gate:
    """A figure of the bank. best, worst: of the published banks that were measured."""

    name: str
    figure: str
    wanted: str
    passed: bool
    best: str = ""
    worst: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Material:
    """What the gates look at: the reviewed items, questions of cases among them."""

    items: tuple[schema.Item, ...]
    files: tuple[schema.QuizFile, ...]

    @property
    def leaves(self) -> list[schema.Item]:
        """Everything that is asked: a case is its questions."""
        return [item for item in self.items if not isinstance(item, schema.Case)]

    @property
    def singles(self) -> list[schema.Single]:
        """The single-choice items."""
        return [item for item in self.items if isinstance(item, schema.Single)]


def gates(material: Material, syllabus: Syllabus | None) -> Iterator[Gate]:
    """Every figure that a whole bank must meet."""
    yield from _sizes(material)
    yield from _guessing(material.singles)
    yield from _positions(material.singles)
    yield from _verdicts(material)
    yield from _words(material)
    yield from _levels(material)
    yield from _misconceptions(material)
    if syllabus:
        yield from _coverage(material, syllabus)


def stored(item: schema.Single) -> guessers.Question:
    """The item as its file has it."""
    texts = tuple(option.text.strip() for option in item.options)
    return guessers.Question(item.id, item.stem, texts, _key(item.options))


def displayed(item: schema.Single, seed: int) -> guessers.Question:
    """The item as a learner with this seed sees it."""
    fixed = item.order == "fixed"
    options = item.options if fixed else Draws(item, seed).shuffled(item.options, "options")
    texts = tuple(option.text.strip() for option in options)
    return guessers.Question(item.id, item.stem, texts, _key(options))


def _key(options: Sequence[schema.Option]) -> int:
    return next(n for n, option in enumerate(options) if option.correct)


def _sizes(material: Material) -> Iterator[Gate]:
    kinds = Counter(item.__struct_config__.tag for item in material.items)
    leaves = len(material.leaves)
    yield Gate("items", str(leaves), ">= 300", leaves >= 300, "2026", "10")
    for kind, least in (("single", 200), ("open", 40)):
        yield Gate(f"{kind} items", str(kinds[kind]), f">= {least}", kinds[kind] >= least)
    every = {kind.__struct_config__.tag for kind in schema.Item.__args__}
    missing = sorted(every - set(kinds))
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    yield Gate("kinds", str(len(kinds)), "12", not missing, "", "1", counts)


def _guessing(singles: Sequence[schema.Single]) -> Iterator[Gate]:
    questions = [stored(item) for item in singles]
    published = {"longest": (".241", ".913"), "shortest": (".025", ".270")}
    for name, pick in (("longest", guessers.longest), ("shortest", guessers.shortest)):
        found = guessers.guess(questions, pick)
        passed = found.excess <= 0.05 and found.upper <= found.chance + 0.10
        wanted = f"<= {_two(found.chance + 0.05)}, 95 % <= {_two(found.chance + 0.10)}"
        figure = f"{_two(found.score)}, 95 % <= {_two(found.upper)}"
        yield Gate(f"guess the {name}", figure, wanted, passed, *published[name])
    found = guessers.learned(questions)
    wanted = f"<= {_two(found.chance + 0.07)}"
    passed = found.excess <= 0.07
    yield Gate("learned guesser", _two(found.score), wanted, passed, ".184", ".913")
    ratio = guessers.length_ratio(questions)
    passed = 0.90 <= ratio <= 1.10
    yield Gate("key / distractor length", f"{ratio:.2f}", ".90 to 1.10", passed, "1.00", "3.06")


def _positions(singles: Sequence[schema.Single]) -> Iterator[Gate]:
    for name, orders in (
        ("stored", [[stored(item) for item in singles]]),
        ("displayed", [[displayed(item, seed) for item in singles] for seed in SEEDS]),
    ):
        pooled = [question for order in orders for question in order]
        share = guessers.best_position(pooled)
        yield Gate(f"best place, {name}", _two(share), "<= .32", share <= 0.32, ".25", "1.00")
        tails = sorted(guessers.position_p(order) for order in orders)
        middle = tails[len(tails) // 2]
        figure = f"{middle:.2f}"
        yield Gate(f"places even, {name}: p", figure, "> .01", middle > 0.01, ".84", "3e-186")


def _verdicts(material: Material) -> Iterator[Gate]:
    """Nobody may do well on claims by always saying false, which errata make the usual verdict."""
    found = Counter(item.verdict for item in material.items if isinstance(item, schema.Claim))
    share = max(found.values()) / found.total() if found else math.nan
    counts = ", ".join(f"{count} {verdict}" for verdict, count in found.most_common())
    passed = not share > 1 / 3 + 0.05
    yield Gate("one verdict for all claims", _two(share), "<= .383", passed, "", "", counts)


def _words(material: Material) -> Iterator[Gate]:
    options = [
        (option.text, option.correct)
        for item in material.items
        if isinstance(item, schema.Single | schema.Multi)
        for option in item.options
    ]
    for name, pattern in (("absolutes", guessers.ABSOLUTE), ("hedges", guessers.HEDGE)):
        gap = guessers.words_gap(options, pattern)
        worst = "-.95" if name == "absolutes" else ""
        figure = f"{gap:+.2f}"
        passed = abs(gap) <= 0.10
        yield Gate(f"{name}: keys less distractors", figure, "-.10 to +.10", passed, "", worst)
    whys = [
        len(option.why.strip()) >= 25
        for item in material.items
        for _, given in choices(item)
        for option in given
    ]
    share = sum(whys) / max(1, len(whys))
    yield Gate("options explained", f"{share:.0%}", "100%", share == 1, "100%", "0%")


def _levels(material: Material) -> Iterator[Gate]:
    leaves = material.leaves
    share = sum(item.bloom in HIGHER for item in leaves) / max(1, len(leaves))
    yield Gate("Bloom apply or higher", f"{share:.0%}", ">= 60%", share >= 0.6, "", "0%")
    share = sum(executable(item) for item in leaves) / max(1, len(leaves))
    yield Gate("executable keys", f"{share:.0%}", ">= 35%", share >= 0.35, "0%", "0%")
    levels: dict[str, list[str]] = defaultdict(list)
    for quiz in material.files:
        levels |= {f"{quiz.id}: {objective.id}": [] for objective in quiz.objectives}
        for item in _all(quiz):
            levels[f"{quiz.id}: {item.objective}"].append(item.bloom)
    thin = [name for name, found in levels.items() if len(found) < 2 or len(set(found)) < 2]
    figure = f"{len(levels) - len(thin)} of {len(levels)}"
    yield Gate("objectives on 2 levels", figure, "all", not thin, "", "", ", ".join(thin))


def _all(quiz: schema.QuizFile) -> Iterator[schema.Item]:
    for item in quiz.items:
        if item.status == "reviewed":
            yield item
            if isinstance(item, schema.Case):
                yield from item.items


def _misconceptions(material: Material) -> Iterator[Gate]:
    from rlgrade.quiz.bank import named_misconceptions

    used = Counter(name for item in material.items for name in named_misconceptions(item))
    declared = {entry.id for quiz in material.files for entry in quiz.misconceptions}
    rare = sorted(name for name in declared if used[name] < 2)
    figure = f"{len(declared) - len(rare)} of {len(declared)}"
    yield Gate("misconceptions used twice", figure, "all", not rare, "", "", ", ".join(rare))


def _coverage(material: Material, syllabus: Syllabus) -> Iterator[Gate]:
    left = covered(syllabus, material.items)
    for name, missing, whole, least in (
        ("topics covered", left.topics, len(syllabus.topics), 0.95),
        ("core topics, 3 items on 2 levels", left.core, len(syllabus.core), 1.0),
        ("source questions, facts, errata", left.seeds, len(syllabus.seeds), 1.0),
    ):
        done = whole - len(missing)
        passed = done >= least * whole
        figure = f"{done} of {whole}"
        yield Gate(name, figure, f">= {least:.0%}", passed, "", "", ", ".join(missing))


def _two(number: float) -> str:
    return "none" if math.isnan(number) else f"{number:.3f}".replace("0.", ".", 1)
