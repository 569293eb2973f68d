"""REINFORCE where every reward is positive, with a baseline and without."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rlgrade.labs.bandit import Bandit, learn
from rlgrade.labs.lab import Array, Figures, Lab, Measured, Panel, Question, Series, first_reached

WITHOUT, WITH = "no baseline", "baseline 0.6"
POLICY, PAYS = np.array([0.7, 0.2, 0.1]), np.array([1.0, 0.5, 0.0])
BASELINES = np.linspace(-0.4, 1.2, 161)
SAMPLES = 4_000


def trial(seeds: Sequence[int], small: bool) -> Measured:
    """Learning both ways, and the variance of the gradient of a small bandit by its baseline."""
    found: Measured = {"chance": {}, "variance": {}}
    episodes = 300 if small else 500
    for variant, baseline in ((WITHOUT, 0.0), (WITH, 0.6)):
        bandit = Bandit(right=1.0, wrong=0.5, baseline=baseline)
        found["chance"][variant] = learn(bandit, seeds, episodes)[1]
    sampled = np.stack([_sampled_variance(seed) for seed in seeds])
    found["variance"]["sampled"] = Series(BASELINES, sampled)
    exact = np.array([[exact_variance(b) for b in BASELINES]] * len(seeds))
    found["variance"]["exact"] = Series(BASELINES, exact)
    return found


def exact_variance(baseline: float) -> float:
    """The variance, summed over logits, of (R - b) times the gradient of log pi, exactly."""
    scores = np.eye(3) - POLICY  # row a: the gradient of log pi(a) by the logits
    terms = (PAYS - baseline)[:, None] * scores
    mean = POLICY @ terms
    return float(POLICY @ (terms**2).sum(axis=1) - mean @ mean)


def best_baseline() -> float:
    """The baseline of least variance: rewards weighted by the square of the score's length."""
    lengths = ((np.eye(3) - POLICY) ** 2).sum(axis=1)
    return float((POLICY * lengths) @ PAYS / (POLICY @ lengths))


def _sampled_variance(seed: int) -> Array:
    actions = np.random.default_rng(seed).choice(3, size=SAMPLES, p=POLICY)
    scores = (np.eye(3) - POLICY)[actions]
    terms = (PAYS[actions][:, None] - BASELINES)[..., None] * scores[:, None]
    found: Array = terms.var(axis=0).sum(axis=-1)
    return found


def figures(measured: Measured) -> Figures:
    """When both are learned, and three variances."""
    value = float(POLICY @ PAYS)
    return {
        "without": first_reached(measured["chance"][WITHOUT], 0.9),
        "with_baseline": first_reached(measured["chance"][WITH], 0.9),
        "none": exact_variance(0.0),
        "value": value,
        "at_value": exact_variance(value),
        "best": best_baseline(),
        "at_best": exact_variance(best_baseline()),
    }


LAB = Lab(
    title="REINFORCE without a baseline, every reward positive",
    setting=(
        "The bandit of four actions: the right one pays 1, the others 0.5. REINFORCE, one episode "
        "a step, Adam 3e-3. One version uses the reward as it is, the other subtracts 0.6, which "
        "is about the mean reward at the start. The expected gradient of both is the same."
    ),
    question=Question(
        "How does the version without a baseline learn?",
        (
            "the same: the expected gradient is the same, so the curves agree",
            "never: it pushes every action up, so the policy stays uniform",
            "faster: every episode gives a push, none is wasted",
            "it gets there, but takes about three times as many episodes",
        ),
        3,
    ),
    panels=(
        Panel("chance", "Chance of the right action", "episodes", "mean P(right)", limits=(0, 1)),
        Panel(
            "variance",
            "Variance of one sampled gradient: policy (0.7, 0.2, 0.1), rewards (1, 0.5, 0)",
            "baseline",
            "variance",
        ),
    ),
    trial=trial,
    figures=figures,
    holds=lambda f: (
        f["without"] > 1.8 * f["with_baseline"] and f["at_best"] < f["at_value"] < f["none"]
    ),
    explanation=(
        "The mean chance of the right action reaches 0.9 after {without:.0f} episodes without and "
        "after {with_baseline:.0f} with the baseline.\n"
        "A constant changes no expectation, since the gradients of log π average to zero under π. "
        "It changes what one sample says. With rewards 1 and 0.5 each sampled action is made "
        "likelier, right or wrong; only the difference survives the average, and the rest is "
        "noise of the size of the mean reward.\n"
        "The second chart shows it exactly, on three actions: variance {none:.4f} without a "
        "baseline, {at_value:.4f} with the value {value:.2f}, and {at_best:.4f} with {best:.3f}. "
        "So the value is a good baseline and not the best one: the best weights each reward by "
        "the squared length of its score, and rare actions have long ones."
    ),
    exercises=("ex03",),
    together=True,
    seeds=20,
)
