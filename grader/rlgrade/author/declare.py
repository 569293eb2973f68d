"""Declarations: how a course's `checks.py` says what it promises, and on what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rlgrade.author.strategies import Strategy

Body = Callable[..., None]
DEFAULT_EXAMPLES = 100
DEFAULT_SECONDS = 5.0


@dataclass(frozen=True)
class Property:
    """A body and the strategies its arguments are drawn from."""

    body: Body
    strategies: dict[str, Strategy[Any]] = field(default_factory=dict)
    examples: int = 1


@dataclass(frozen=True)
class Check:
    """One hidden function of a course: a promise, and the body that tries to break it."""

    name: str
    promise: str
    tries: Property
    needs: str | None
    seconds: float
    weight: int


def given(
    *, examples: int = DEFAULT_EXAMPLES, **strategies: Strategy[Any]
) -> Callable[[Body], Property]:
    """Run the body on `examples` draws; each keyword names an argument of the body."""

    def bind(body: Body) -> Property:
        return Property(body, strategies, examples)

    return bind


def check(
    promise: str,
    *,
    needs: str | None = None,
    seconds: float = DEFAULT_SECONDS,
    weight: int = 1,
) -> Callable[[Body | Property], Check]:
    """Declare a check.

    Args:
        promise: completes the sentence "your function ...", for the learner.
        needs: the name of a check without which this one says nothing; it is then skipped.
        seconds: wall time for the whole check.
        weight: its share of the exercise's points.
    """

    def bind(tries: Body | Property) -> Check:
        whole = tries if isinstance(tries, Property) else Property(tries)
        return Check(whole.body.__name__, promise, whole, needs, seconds, weight)

    return bind
