"""Declarations: how a course's `checks.py` says what it promises, and on what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rlgrade.author.strategies import Strategy
from rlgrade.author.training import Training

Body = Callable[..., None]
DEFAULT_EXAMPLES = 100
DEFAULT_SECONDS = 5.0
TRAINING_SECONDS = 60.0


@dataclass(frozen=True)
class Property:
    """A body and the strategies its arguments are drawn from."""

    body: Body
    strategies: dict[str, Strategy[Any]] = field(default_factory=dict)
    examples: int = 1
    lends: bool = False


@dataclass(frozen=True)
class Check:
    """One hidden function of a course: a promise, and the body that tries to break it.

    A training check has `training`, and no examples in `tries`.
    """

    name: str
    promise: str
    tries: Property
    training: Training | None
    needs: str | None
    seconds: float
    weight: int


def given(
    *, examples: int = DEFAULT_EXAMPLES, lends: bool = False, **strategies: Strategy[Any]
) -> Callable[[Body], Property]:
    """Run the body on `examples` draws; each keyword names an argument of the body.

    A body that lends functions or environments to the submission says `lends=True`: examples then
    run one by one, for a worker that waits for an answer can begin nothing else.
    """

    def bind(body: Body) -> Property:
        return Property(body, strategies, examples, lends)

    return bind


def check(
    promise: str,
    *,
    needs: str | None = None,
    seconds: float | None = None,
    weight: int = 1,
) -> Callable[[Body | Property | Training], Check]:
    """Declare a check.

    Args:
        promise: completes the sentence "your function ...", for the learner.
        needs: the name of a check without which this one says nothing; it is then skipped.
        seconds: wall time for the whole check; 5, or 60 where something is trained.
        weight: its share of the exercise's points.
    """

    def bind(tries: Body | Property | Training) -> Check:
        trained = tries if isinstance(tries, Training) else None
        body = tries.body if isinstance(tries, Training) else tries
        whole = body if isinstance(body, Property) else Property(body)
        limit = seconds or (TRAINING_SECONDS if trained else DEFAULT_SECONDS)
        return Check(whole.body.__name__, promise, whole, trained, needs, limit, weight)

    return bind
