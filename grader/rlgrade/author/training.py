"""Training checks: how a course's `checks.py` says that what was written must learn.

A body makes one attempt at learning from a fresh seed. It reports points of a learning curve as it
goes, returns when the goal is reached, and raises `NotLearned` when the budget of steps is spent.
The engine makes up to three attempts: one that learns is enough, for a correct implementation
misses the goal in one attempt with a known small chance, and a wrong one reaches it by luck with a
chance that is smaller still (`docs/training.md` has both).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rlgrade.author.expect import Unmet

TrainingBody = Callable[..., None]


class NotLearned(Unmet):
    """The goal was not reached within the budget of steps. Another attempt may reach it."""


class Refused(Exception):
    """What a submission asks of something that was lent to it is not granted; it is told why."""


class OutOfTime(Exception):
    """The wall time of the check is over before the attempt is decided."""


@dataclass
class Curve:
    """What one attempt looked like: scores by steps, and other signals at the same steps."""

    seed: int
    steps: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    signals: dict[str, list[float]] = field(default_factory=dict)
    learned: bool = False

    def add(self, step: int, score: float, signals: Mapping[str, float]) -> None:
        """One more point."""
        self.steps.append(int(step))
        self.scores.append(round(float(score), 4))
        for name, value in signals.items():
            self.signals.setdefault(name, []).append(round(float(value), 6))

    def as_plain(self) -> dict[str, Any]:
        """The curve in JSON's types; null stands for what is no finite number."""
        return {
            "seed": self.seed,
            "steps": list(self.steps),
            "scores": _finite(self.scores),
            "signals": {name: _finite(values) for name, values in self.signals.items()},
            "learned": self.learned,
        }


@dataclass(frozen=True)
class Goal:
    """What the scores of a training check mean.

    score: what is reached when it has learned. null: what a policy that never learns gets.
    unit: of the score, such as "mean return". budget: steps of one attempt.
    alive_by: a step by which, and a score that, some point of the curve must have reached; an
    attempt that has not is over. Correct implementations are far beyond it by then.
    kl_bound: nats; where the signal `kl` ends beyond it, the policy has run away.
    """

    score: float
    null: float
    unit: str
    budget: int
    alive_by: tuple[int, float] | None = None
    kl_bound: float = 10.0


@dataclass(frozen=True)
class Training:
    """A body that makes one attempt, and how its curve is to be read.

    likely: for each symptom (see `symptom`) what most often causes it, in words for the learner.
    on_gpu: whether a GPU is worth having for it.
    wins: how many attempts must learn.
    """

    body: TrainingBody
    goal: Goal
    attempts: int = 3
    likely: Mapping[str, str] = field(default_factory=dict)
    on_gpu: bool = False
    wins: int = 1


def training(
    *,
    goal: float,
    null: float,
    unit: str,
    budget: int,
    alive_by: tuple[int, float] | None = None,
    attempts: int = 3,
    likely: Mapping[str, str] | None = None,
    on_gpu: bool = False,
    kl_bound: float = 10.0,
    wins: int = 1,
) -> Callable[[TrainingBody], Training]:
    """Make a training check of a body `body(submission, attempt)`.

    Args:
        goal: the score at which it has learned.
        null: the score of a policy that never learns.
        unit: what a score is, such as "mean return".
        budget: steps of one attempt, in the unit of the curve's steps.
        alive_by: a step, and a score that must have been reached by then; see `Goal`.
        attempts: how many seeds are tried before the verdict is that it does not learn.
        likely: by symptom, what most often causes it.
        on_gpu: whether the judge's networks should live on a GPU if there is one.
        kl_bound: in nats, how far from its reference a policy may end; see `Goal`.
        wins: how many attempts must learn; two where luck can be had, as by a policy that was
            written beforehand and happens to fit one relabelling in a hundred.
    """

    def bind(body: TrainingBody) -> Training:
        aim = Goal(goal, null, unit, budget, alive_by, kl_bound)
        return Training(body, aim, attempts, likely or {}, on_gpu, wins)

    return bind


class Attempt:
    """One attempt at learning: its seed, its device and its curve."""

    def __init__(
        self,
        goal: Goal,
        seed: int,
        *,
        device: str = "cpu",
        end: float = float("inf"),
        on_point: Callable[[Curve], None] = lambda curve: None,
    ) -> None:
        self.goal = goal
        self.seed = seed
        self.device = device
        self.random = np.random.default_rng(seed)
        self.curve = Curve(seed)
        self._end = end
        self._on_point = on_point

    def point(self, step: int, score: float, **signals: float) -> None:
        """Note a point of the learning curve; `signals` are read for symptoms.

        Raises:
            Unmet: no step was made since the last point.
            OutOfTime: the check's wall time is over.
            NotLearned: the curve is so low at this step that it is hopeless.
        """
        if self.curve.steps and step <= self.curve.steps[-1]:
            raise Unmet(
                f"nothing was trained on since step {step:,}, and yet another update is told",
                "on_update",
            )
        self.curve.add(step, score, signals)
        self._on_point(self.curve)
        by, least = self.goal.alive_by or (float("inf"), 0.0)
        if step >= by and max(self.curve.scores) < least:
            raise self.not_learned(score)
        if time.monotonic() > self._end:
            raise OutOfTime

    def not_learned(self, score: float) -> NotLearned:
        """The exception to raise when the budget is spent at this score."""
        goal = self.goal
        return NotLearned(
            f"the {goal.unit} reached {score:.4g} of {goal.score:g} in {goal.budget:,} steps",
            goal.unit,
        )


FLAT = "flat"
WORSE = "worse"
COLLAPSE = "collapse"
SLOW = "slow"
NOT_FINITE = "not finite"
ENTROPY_GONE = "entropy gone"
KL_BLOWN_UP = "KL blown up"
CRITIC_STUCK = "critic not learning"

SEEN = {
    FLAT: "it stayed where a policy that never learns is",
    WORSE: "it fell below what a policy that never learns gets",
    COLLAPSE: "it rose and then fell back",
    SLOW: "it rose, but not far enough",
    NOT_FINITE: "something became infinite or not a number",
    ENTROPY_GONE: "the policy became certain of its actions before it was good",
    KL_BLOWN_UP: "the policy ran far away from where it began",
    CRITIC_STUCK: "the values never came to explain the returns",
}


def symptom(curve: Curve, goal: Goal) -> str:
    """What a failed attempt looked like; one of the words that `SEEN` explains.

    The signals `entropy` (as a share of its largest), `kl` (nats a sample) and
    `explained_variance` are read where the curve has them.
    """
    scores = np.array(curve.scores)
    everything = [scores, *map(np.array, curve.signals.values())]
    if not all(np.isfinite(values).all() for values in everything):
        return NOT_FINITE
    risen = (scores - goal.null) / (goal.score - goal.null) if len(scores) else scores
    best = risen.max(initial=0.0)
    last = risen[-max(1, len(risen) // 5) :].mean() if len(risen) else 0.0
    if best > 0.4 and last < 0.5 * best:
        return KL_BLOWN_UP if _ended(curve, "kl", above=goal.kl_bound) else COLLAPSE
    if best < 0.1 and last < -0.3:
        return WORSE
    if _ended(curve, "kl", above=goal.kl_bound):
        return KL_BLOWN_UP
    if _ended(curve, "entropy", below=0.05):
        return ENTROPY_GONE
    if best < 0.1:
        return FLAT
    if _ended(curve, "explained_variance", below=0.05):
        return CRITIC_STUCK
    return SLOW


def _finite(values: list[float]) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values]


def _ended(curve: Curve, name: str, *, below: float = -np.inf, above: float = np.inf) -> bool:
    """Whether the last fifth of a signal lies below or above a bound."""
    values = curve.signals.get(name, [])
    if not values:
        return False
    mean = float(np.mean(values[-max(1, len(values) // 5) :]))
    return mean < below or mean > above
