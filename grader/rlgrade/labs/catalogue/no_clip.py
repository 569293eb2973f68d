"""PPO with twenty epochs on every rollout, with the clip and without."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rlgrade.labs.lab import Figures, Lab, Measured, Panel, Question, tail
from rlgrade.labs.ppo import Ppo, compare

WITH, WITHOUT = "clip 0.2", "no clip"


def trial(seeds: Sequence[int], small: bool) -> Measured:
    """Twenty epochs, both ways."""
    variants = {WITH: Ppo(epochs=20), WITHOUT: Ppo(epochs=20, clip=None)}
    steps = 16_000 if small else 30_000
    return compare(variants, seeds, steps, ("returns", "divergence", "entropy"))


def figures(measured: Measured) -> Figures:
    """Where both end, and how far one rollout's epochs move the policy."""
    found = {}
    for short, variant in (("with", WITH), ("without", WITHOUT)):
        found[f"return_{short}"] = tail(measured["returns"][variant])
        found[f"first_kl_{short}"] = float(np.median(measured["divergence"][variant].rows[:, 0]))
        found[f"largest_kl_{short}"] = float(
            np.median(measured["divergence"][variant].rows.max(axis=1))
        )
        found[f"entropy_{short}"] = tail(measured["entropy"][variant])
    return found


LAB = Lab(
    title="PPO without its clip, many epochs on a rollout",
    setting=(
        "PPO on CartPole: rollouts of 1,024 steps, 20 epochs of 4 minibatches on each, Adam 1e-2. "
        "One version clips the ratio at 1 ± 0.2, the other uses ratio · advantage as it is. "
        "Everything else is the same. The best return is 500; an untrained policy has about 20."
    ),
    question=Question(
        "What becomes of the version without the clip?",
        (
            "it learns faster: nothing holds it back, and the ratio corrects for old data",
            "the first rollouts already move it by several nats; it gets stuck near a fixed policy",
            "no difference: gradients are clipped to a norm of 0.5 anyway",
            "it learns as fast and falls apart only near the optimum",
        ),
        1,
    ),
    panels=(
        Panel("returns", "Return", "environment steps", "mean of 20 episodes"),
        Panel(
            "divergence",
            "How far one rollout's epochs move the policy",
            "environment steps",
            "KL(old || new), nats",
            logarithmic=True,
        ),
        Panel("entropy", "Entropy of the policy", "environment steps", "nats", limits=(0, 0.7)),
    ),
    trial=trial,
    figures=figures,
    holds=lambda f: (
        f["return_without"] < 0.6 * f["return_with"]
        and f["first_kl_without"] > 20 * f["first_kl_with"]
    ),
    explanation=(
        "At the end the return is {return_with:.0f} with the clip and {return_without:.0f} "
        "without. The epochs on the very first rollout move the policy by {first_kl_with:.2f} "
        "nats with the clip and by {first_kl_without:.1f} without; the entropy ends at "
        "{entropy_with:.2f} and {entropy_without:.2f} nats.\n"
        "Ratio · advantage equals the true objective only near the policy that made the data. "
        "Eighty steps of Adam on one rollout optimise it where it is no longer true: actions that "
        "happened to precede a good stretch become certain, the next rollout comes from that "
        "policy and holds no other action to learn from. The clip takes the reward for going on "
        "beyond 1 ± 0.2 away.\n"
        "A clip of the gradient's norm does not help, since Adam divides the scale out. And the "
        "clip earns nothing where it cannot act: with one gradient step a rollout every ratio is "
        "1. Then removing it changes nothing, and training on CartPole with 4 epochs hardly sees "
        "it either (20 of 20 runs still solve it): that is why rlgrade checks the clip by its "
        "gradients."
    ),
    exercises=("ex06", "ex07"),
    seeds=6,
)
