"""An item with a seed becomes the question that a learner sees; the same seed, the same question.

    instance = draw(entry.item, seed=7, functions=bank.functions)

Every part is drawn from sha256(item id | rev | seed | part), so that two parts never agree by
chance of a shared seed, and only `random.Random.random` is used: Python promises that its sequence
stays.
"""

from __future__ import annotations

import hashlib
import math
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from rlgrade.outcome import UsageError
from rlgrade.quiz import schema
from rlgrade.quiz.functions import Functions
from rlgrade.quiz.structure import PLACEHOLDER

T = TypeVar("T")
TRIES = 1000


@dataclass(frozen=True)
class Instance:
    """One drawn question. Fields that its kind does not have are empty.

    options: what to choose from, as displayed (single, multi, conditions of a claim, fixes of a
    bug); letters a, b, c count them. blocks: the blocks of an order or the right-hand sides of a
    match, as displayed. blanks: those of a derivation. children: the questions of a case.
    value: the key of numeric and estimate. wrong: the numbers that known slips lead to.
    """

    item: schema.Item
    seed: int
    stem: str
    explain: str
    hints: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    options: tuple[schema.Option | schema.Fix, ...] = ()
    blocks: tuple[schema.Block, ...] = ()
    blanks: tuple[schema.Blank, ...] = ()
    children: tuple[Instance, ...] = ()
    value: float = math.nan
    wrong: tuple[tuple[float, schema.WrongNumber], ...] = ()


@dataclass(frozen=True)
class Draws:
    """Random numbers for the parts of one item."""

    item: schema.Item
    seed: int

    def source(self, part: str) -> random.Random:
        """A generator of its own for this part."""
        text = f"{self.item.id}|{self.item.rev}|{self.seed}|{part}"
        return random.Random(int.from_bytes(hashlib.sha256(text.encode()).digest()))

    def shuffled(self, things: Sequence[T], part: str) -> tuple[T, ...]:
        """The things in random order."""
        source, mixed = self.source(part), list(things)
        for last in range(len(mixed) - 1, 0, -1):
            other = int(source.random() * (last + 1))
            mixed[last], mixed[other] = mixed[other], mixed[last]
        return tuple(mixed)


def draw(item: schema.Item, seed: int, functions: Functions) -> Instance:
    """The question of this seed.

    Raises:
        UsageError: a call of the item fails, or its parameters are rejected without end.
    """
    draws = Draws(item, seed)
    plain = Instance(item, seed, item.stem, item.explain, tuple(item.hints))
    replace = msgspec.structs.replace
    match item:
        case schema.Single(order="fixed"):
            return _with(plain, options=tuple(item.options))
        case schema.Single() | schema.Multi():
            return _with(plain, options=draws.shuffled(item.options, "options"))
        case schema.Claim():
            return _with(plain, options=draws.shuffled(item.conditions, "conditions"))
        case schema.Bug():
            return _with(plain, options=draws.shuffled(item.fixes, "fixes"))
        case schema.Order():
            return _with(plain, blocks=_mixed(draws, item))
        case schema.Match():
            rights = [schema.Block(text=pair.right, why=pair.why) for pair in item.pairs]
            return _with(plain, blocks=draws.shuffled([*rights, *item.spare], "rights"))
        case schema.Derive():
            blanks = [
                replace(blank, options=list(draws.shuffled(blank.options, f"blank {n}")))
                for n, blank in enumerate(item.blanks)
            ]
            return _with(plain, blanks=tuple(blanks))
        case schema.Estimate():
            return _with(plain, value=_number(item, call(item.answer, {}, functions)))
        case schema.Numeric():
            return _numeric(item, draws, functions)
        case schema.Case():
            return _with(plain, children=tuple(draw(i, seed, functions) for i in item.items))
    return plain


def call(what: schema.Call, values: Mapping[str, Any], functions: Functions) -> Any:
    """What a call returns, `$name` in its arguments being `values[name]`.

    Raises:
        UsageError: it fails, or returns nothing that `select` fits.
    """
    result = functions.call(what.call, {k: _filled(v, values) for k, v in what.args.items()})
    for step in what.select:
        try:
            result = result[step]
        except (LookupError, TypeError):
            raise UsageError(f"{what.call}: select {step!r} does not fit {result!r}") from None
    return result


def shown(value: Any) -> str:
    """A parameter as a learner reads it: `0.3`, `[1, −0.5]`."""
    if isinstance(value, bool) or not isinstance(value, int | float | list | tuple):
        return str(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(shown(entry) for entry in value) + "]"
    text = str(value) if isinstance(value, int) else f"{value:.10g}"
    return text.replace("-", "−", 1) if text.startswith("-") else text


def fill(text: str, values: Mapping[str, Any]) -> str:
    """The text with each `${name}` replaced by the parameter's value."""
    return PLACEHOLDER.sub(lambda found: shown(values[found[1]]), text)


def _with(instance: Instance, **changes: Any) -> Instance:
    return Instance(**{**vars(instance), **changes})


def _mixed(draws: Draws, item: schema.Order) -> tuple[schema.Block, ...]:
    """The blocks in an order that does not happen to be the right one."""
    for attempt in range(TRIES):
        mixed = draws.shuffled([*item.blocks, *item.distractors], f"blocks {attempt}")
        if [block for block in mixed if block in item.blocks] != item.blocks:
            return mixed
    raise UsageError(f"{item.id}: its blocks have one order only")


def _numeric(item: schema.Numeric, draws: Draws, functions: Functions) -> Instance:
    for attempt in range(TRIES):
        values = _parameters(item, draws, attempt, functions)
        key = _number(item, call(item.answer, values, functions))
        values["answer"] = key
        if item.reject_if is None or not call(item.reject_if, values, functions):
            break
    else:
        raise UsageError(f"{item.id}: reject_if refuses every draw of seed {draws.seed}")
    wrong = tuple(
        (_number(item, call(entry.call, values, functions)), entry) for entry in item.wrong
    )
    return Instance(
        item,
        draws.seed,
        fill(item.stem, values),
        fill(item.explain, values | {"answer": float(f"{key:.6g}")}),
        tuple(fill(hint, values) for hint in item.hints),
        {name: value for name, value in values.items() if name != "answer"},
        value=key,
        wrong=wrong,
    )


def _parameters(
    item: schema.Numeric, draws: Draws, attempt: int, functions: Functions
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, parameter in item.params.items():
        source = draws.source(f"{name} {attempt}")
        values[name] = _parameter(parameter, values, source, functions)
    return values


def _parameter(
    parameter: schema.Parameter,
    values: Mapping[str, Any],
    source: random.Random,
    functions: Functions,
) -> Any:
    if parameter.choice is not None:
        return parameter.choice[int(source.random() * len(parameter.choice))]
    if parameter.whole is not None:
        low, high = parameter.whole
        return low + int(source.random() * (high - low + 1))
    if parameter.decimal is not None:
        least, most, digits = parameter.decimal
        return round(least + (most - least) * source.random(), digits)
    arguments = {k: _filled(v, values) for k, v in parameter.args.items()}
    return functions.call(parameter.call, {"random": source} | arguments)


def _filled(argument: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(argument, str) and re.match(r"\$\w+\Z", argument):
        return values[argument[1:]]
    if isinstance(argument, list):
        return [_filled(entry, values) for entry in argument]
    if isinstance(argument, dict):
        return {key: _filled(entry, values) for key, entry in argument.items()}
    return argument


def _number(item: schema.Item, found: Any) -> float:
    """The number that a call returned; a 0-d array is one, a bool or a list is none."""
    try:
        if isinstance(found, bool | str):
            raise TypeError
        return float(found)
    except (TypeError, ValueError):
        raise UsageError(f"{item.id}: a call returned {found!r}, which is no number") from None
