"""PPO with a learning rate ten times too high: what the clip does not prevent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rlgrade.labs.lab import Figures, Lab, Measured, Panel, Question, tail
from rlgrade.labs.ppo import Ppo, compare

RIGHT, HIGH = "rate 0.01", "rate 0.1"


def trial(seeds: Sequence[int], small: bool) -> Measured:
    """Both rates under the same clip."""
    variants = {RIGHT: Ppo(learning_rate=1e-2), HIGH: Ppo(learning_rate=1e-1)}
    steps = 24_000 if small else 40_000
    return compare(variants, seeds, steps, ("returns", "clipped", "divergence", "entropy"))


def figures(measured: Measured) -> Figures:
    """Where both end, and how much of the first rollout ends outside the clip."""
    found = {}
    for short, variant in (("right", RIGHT), ("high", HIGH)):
        found[f"return_{short}"] = tail(measured["returns"][variant])
        for panel in ("clipped", "divergence"):
            rows = measured[panel][variant].rows
            found[f"{panel}_{short}"] = float(np.median(rows[:, 0]))
        found[f"entropy_{short}"] = tail(measured["entropy"][variant])
    return found


LAB = Lab(
    title="a learning rate ten times too high, under PPO's clip",
    setting=(
        "PPO on CartPole, 4 epochs of 4 minibatches on rollouts of 1,024 steps, clip 0.2. One "
        "version has a good learning rate for Adam, 0.01, the other 0.1. The clip is in place in "
        "both."
    ),
    question=Question(
        "Does the clip keep the high rate safe?",
        (
            "yes: no ratio can leave 0.8 to 1.2, so an update cannot go too far",
            "yes, but it learns more slowly, because most gradients are clipped to zero",
            "no: at first most ratios end outside the band; entropy falls, the return stalls",
            "no: the loss turns into NaN within a few updates",
        ),
        2,
    ),
    panels=(
        Panel("returns", "Return", "environment steps", "mean of 20 episodes"),
        Panel(
            "clipped",
            "Ratios outside 0.8 to 1.2 when a rollout is done with",
            "environment steps",
            "share",
            limits=(0, 1),
        ),
        Panel("entropy", "Entropy of the policy", "environment steps", "nats", limits=(0, 0.7)),
    ),
    trial=trial,
    figures=figures,
    holds=lambda f: (
        f["return_high"] < 0.75 * f["return_right"]
        and f["clipped_high"] > 2 * f["clipped_right"]
        and f["divergence_high"] > 4 * f["divergence_right"]
    ),
    explanation=(
        "The return ends at {return_right:.0f} with rate 0.01 and at {return_high:.0f} with 0.1. "
        "After the first rollout {clipped_right:.0%} and {clipped_high:.0%} of its ratios are "
        "outside 0.8 to 1.2, and the policy has moved by {divergence_right:.3f} and "
        "{divergence_high:.3f} nats.\n"
        "The clip looks at the ratio as it is now and sets a gradient to zero. At the first "
        "minibatch every ratio is 1: nothing is clipped, and one oversized step may already leave "
        "the region where the advantages mean anything. Beyond the edge there is no force back: "
        "the gradient is zero, not opposed. Samples with a negative advantage and a ratio above "
        "1.2 are not clipped at all. And the weights are shared, so each step moves states that "
        "its minibatch never contained, and the critic as well.\n"
        "Entropy {entropy_right:.2f} against {entropy_high:.2f} nats at the end shows the damage: "
        "a policy that is certain too early explores no more. Watch the KL and the clipped share, "
        "stop an epoch at a target KL, and treat the clip as a guard rail, not as a brake."
    ),
    exercises=("ex06", "ex07"),
    seeds=8,
)
