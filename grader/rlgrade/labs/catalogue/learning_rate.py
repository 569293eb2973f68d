"""REINFORCE on the bandit with a learning rate thirty times too low."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rlgrade.labs.bandit import Bandit, learn
from rlgrade.labs.lab import Figures, Lab, Measured, Panel, Question, first_reached

GOOD, LOW = "Adam 3e-3", "Adam 1e-4"
LOOK_BACK = 1000  # episodes: how long people usually let this run


def trial(seeds: Sequence[int], small: bool) -> Measured:
    """Both rates."""
    found: Measured = {"chance": {}, "greedy": {}}
    for variant, rate in ((GOOD, 3e-3), (LOW, 1e-4)):
        episodes = 2_500 if small else 3_000
        bandit = Bandit(learning_rate=rate)
        found["greedy"][variant], found["chance"][variant] = learn(bandit, seeds, episodes)
    return found


def figures(measured: Measured) -> Figures:
    """When both are learned, and what the low rate shows after a thousand episodes."""
    found = {
        f"{panel}_{short}": first_reached(measured[panel][variant], 0.9)
        for panel in ("chance", "greedy")
        for short, variant in (("good", GOOD), ("low", LOW))
    }
    for panel in ("chance", "greedy"):
        low = measured[panel][LOW]
        at = int(np.argmin(np.abs(low.x - LOOK_BACK)))
        found[f"{panel}_then"] = float(np.median(low.rows[:, at]))
    return found | {"times": found["chance_low"] / found["chance_good"]}


LAB = Lab(
    title="a learning rate thirty times too low, and a metric that hides it",
    setting=(
        "The bandit of four actions, right pays 1, wrong −0.1; REINFORCE, one episode a step, "
        "Adam with 3e-3 or with 1e-4. You stop after 1,000 episodes and look at how often the "
        "likeliest action is the right one."
    ),
    question=Question(
        "What does that metric say of the rate 1e-4 after 1,000 episodes?",
        (
            "about 100 %, and samples of the policy are right far less often",
            "about 25 %, as at the start: it has not learned yet",
            "about 50 %, and so does the sampled policy",
            "about 100 %, and the sampled policy is as good: the rate does not matter to Adam",
        ),
        0,
    ),
    panels=(
        Panel("chance", "Chance of the right action", "episodes", "mean P(right)", limits=(0, 1)),
        Panel("greedy", "The likeliest action is right", "episodes", "share", limits=(0, 1)),
    ),
    trial=trial,
    figures=figures,
    holds=lambda f: (
        f["greedy_then"] > 0.9
        and f["chance_then"] < 0.85
        and f["chance_low"] > 8 * f["chance_good"]
    ),
    explanation=(
        "After 1,000 episodes at 1e-4 the likeliest action is right in {greedy_then:.0%} of the "
        "states and its mean chance is {chance_then:.2f}. The chance reaches 0.9 after "
        "{chance_good:.0f} episodes at 3e-3 and after {chance_low:.0f} at 1e-4, {times:.0f} times "
        "later; the likeliest action is right after {greedy_good:.0f} and {greedy_low:.0f}.\n"
        "Adam moves each weight by about its rate at every step, whatever the gradient's size: a "
        "rate thirty times lower needs about thirty times the steps. The argmax needs only the "
        "order of four logits, which is right after the first few nudges; the policy that acts, "
        "and that makes the data, needs the gaps between them.\n"
        "So measure the thing you use. If you sample at temperature 1, evaluate samples."
    ),
    exercises=("ex02",),
    together=True,
    seeds=20,
)
