"""Runs of a check's body on one example each, with every call noted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from rlgrade.author.declare import Property
from rlgrade.channel import Handle
from rlgrade.judge.calls import Submission
from rlgrade.judge.draws import Example, fresh_arguments
from rlgrade.judge.lanes import WIDTH, in_lanes
from rlgrade.judge.link import Link, Port, Reply, Request

CASE_SEED = 20_01


@dataclass(frozen=True)
class Case:
    """What was asked, what was answered, and what the body made of it (None: all well)."""

    calls: list[tuple[Request, Reply]]
    error: Exception | None

    @property
    def functions(self) -> set[str]:
        """The names of what was called."""
        return {request["target"] for request, _ in self.calls if request.get("of") != "tool"}


class _NotingPort:
    """Notes each call, and seeds the worker's random generators before it."""

    def __init__(self, port: Port, link: Link, module: str) -> None:
        self.port = port
        self.link = link
        self.module = module
        self.register = port.register
        self.calls: list[tuple[Request, Reply]] = []

    def call(self, request: Request) -> Reply:
        asked = _as_it_is(request)
        self.link.seed(CASE_SEED + len(self.calls))
        reply = self.port.call(request | {"module": self.module})
        if request["op"] != "lend":
            self.calls.append((asked, _as_it_is(reply)))
        return reply


def _as_it_is(value: Any) -> Any:
    """A copy of what is asked or answered; a body may change its arrays afterwards."""
    if isinstance(value, np.ndarray):
        gaps = value.ndim and not value.flags.c_contiguous
        return np.stack([value] * 2, axis=-1)[..., 0] if gaps else value.copy()
    if isinstance(value, dict):
        return {key: _as_it_is(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(_as_it_is, value))
    return value


@dataclass(frozen=True)
class Trial:
    """A body, an example of it, and whose functions are asked: those of the module `module`."""

    tries: Property
    example: Example
    module: str = ""


def run_case(link: Link, tries: Property, example: Example) -> Case:
    """Run the body once."""
    return run_cases(link, [Trial(tries, example)])[0]


def run_cases(link: Link, trials: list[Trial]) -> list[Case]:
    """Run each of them once, many at a time, each call with the random generators freshly seeded.

    When the worker dies, the case that was asked first of those under way has the reason; those
    behind it have none of their own.
    """

    def case_of(port: Port, number: int) -> Case:
        trial = trials[number]
        noting = _NotingPort(port, link, trial.module)
        try:
            arguments = fresh_arguments(trial.tries, trial.example)
            trial.tries.body(Submission(noting), **arguments)
        except Exception as error:
            return Case(noting.calls, error)
        return Case(noting.calls, None)

    width = 1 if any(trial.tries.lends for trial in trials) else WIDTH
    cases = dict(in_lanes(link, case_of, iter(range(len(trials))), width))
    return [cases[number] for number in range(len(trials))]


def same_answers(one: Case, other: Case) -> bool:
    """Whether two submissions were asked the same number of times and answered alike."""
    return len(one.calls) == len(other.calls) and all(
        same_reply(mine, theirs)
        for (_, mine), (_, theirs) in zip(one.calls, other.calls, strict=True)
    )


def same_reply(one: Reply, other: Reply) -> bool:
    """Whether two replies are alike: values to rounding, exceptions by type and wording."""
    raised, theirs = one.get("raised"), other.get("raised")
    if raised is not None or theirs is not None:
        return (
            raised is not None
            and theirs is not None
            and raised["types"] == theirs["types"]
            and _wording(raised["message"]) == _wording(theirs["message"])
        )
    keys = ("value", "gradients", "carries_gradient", "after", "unsendable", "foreign")
    return all(same_value(one.get(key), other.get(key)) for key in keys)


def similar_answers(one: Case, other: Case) -> bool:
    """Whether two submissions gave the same numbers and ended alike.

    Less than `same_answers`: a dtype, a graph that hangs on, or the wording of an exception may be
    of the learner's own.
    """
    return (
        (one.error is None) == (other.error is None)
        and len(one.calls) == len(other.calls)
        and all(
            _similar_reply(mine, theirs)
            for (_, mine), (_, theirs) in zip(one.calls, other.calls, strict=True)
        )
    )


def _similar_reply(one: Reply, other: Reply) -> bool:
    raised, theirs = one.get("raised"), other.get("raised")
    if raised is not None or theirs is not None:
        if raised is None or theirs is None or raised["types"] != theirs["types"]:
            return False
        own = raised["types"][0] == "ValueError"  # what a statement asks for; the words are free
        return own or _wording(raised["message"]) == _wording(theirs["message"])
    pairs = [(one.get("value"), other.get("value"))]
    mine, yours = one.get("gradients"), other.get("gradients")
    if isinstance(mine, dict) and isinstance(yours, dict):
        pairs += [(mine[name], yours.get(name)) for name in mine]
    return all(same_value(_as_float(a), _as_float(b)) for a, b in pairs)


def _as_float(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        return value.astype(np.float64)
    if type(value) in (list, tuple):
        return type(value)(map(_as_float, value))
    return value


def same_value(one: Any, other: Any) -> bool:
    """Whether two values are alike: the same types and shapes, numbers to rounding."""
    if type(one) is not type(other):
        return False
    if isinstance(one, Handle):
        return bool(one.type_name == other.type_name)
    if isinstance(one, np.ndarray):
        return bool(
            one.dtype == other.dtype
            and one.shape == other.shape
            and np.allclose(one, other, rtol=1e-4, atol=1e-5, equal_nan=True)
        )
    if isinstance(one, float):
        return bool(np.isclose(one, other, rtol=1e-4, atol=1e-5, equal_nan=True))
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same_value, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same_value(one[k], other[k]) for k in one)
    return bool(one == other)


def _wording(message: str) -> str:
    return re.sub(r"-?\d[\d.e+-]*", "#", message)
