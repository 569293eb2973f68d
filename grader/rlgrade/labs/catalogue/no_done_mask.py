"""GAE that runs on over the end of an episode into the next one."""

from __future__ import annotations

from collections.abc import Sequence

from rlgrade.labs.lab import Figures, Lab, Measured, Panel, Question, tail
from rlgrade.labs.ppo import Ppo, compare

MASKED, UNMASKED = "masked", "no mask"


def trial(seeds: Sequence[int], small: bool) -> Measured:
    """With and without the mask."""
    variants = {MASKED: Ppo(), UNMASKED: Ppo(masks=False)}
    steps = 15_000 if small else 40_000
    return compare(variants, seeds, steps, ("returns", "value"))


def figures(measured: Measured) -> Figures:
    """Where the returns and the critic end."""
    return {
        f"{panel}_{short}": tail(measured[panel][variant])
        for panel in ("returns", "value")
        for short, variant in (("masked", MASKED), ("unmasked", UNMASKED))
    }


LAB = Lab(
    title="GAE without the mask for finished episodes",
    setting=(
        "PPO on CartPole, discount 0.99. Every step pays 1 until the pole falls. One version "
        "masks: a fallen pole bootstraps 0 and stops the accumulator. The other forgets it: it "
        "takes the value of the state after the reset, and the accumulator runs on into the next "
        "episode."
    ),
    question=Question(
        "What do you see in the version without the mask?",
        (
            "the critic's values explode without bound, since the sum never ends",
            "it learns as before, a little slower: most steps end no episode",
            "the critic's values go to 0, since every state looks the same",
            "the critic goes calmly to 100 = 1 / (1 − 0.99), and nothing is learned",
        ),
        3,
    ),
    panels=(
        Panel("returns", "Return", "environment steps", "mean of 20 episodes"),
        Panel("value", "What the critic expects, on average", "environment steps", "value"),
    ),
    trial=trial,
    figures=figures,
    holds=lambda f: f["returns_unmasked"] < 0.3 * f["returns_masked"] and f["value_unmasked"] > 80,
    explanation=(
        "The return ends at {returns_masked:.0f} with the mask and {returns_unmasked:.0f} "
        "without, less than an untrained policy has. The critic without the mask ends at "
        "{value_unmasked:.1f}; the other at {value_masked:.1f}, because its poles really stand.\n"
        "Without the mask no episode ever ends: falling is a free teleport to an upright pole, "
        "and the reward is 1 at every step for ever, whatever is done. The value of that is 1 / "
        "(1 − 0.99) = 100 in every state, and the critic finds it. It is right about the wrong "
        "problem: its loss is small, its explained variance need not look bad, and the advantage "
        "of keeping the pole up is zero. What is left is noise, and often falling quickly looks "
        "best: a fresh start is a state with a good value.\n"
        "Two masks do two jobs: the bootstrap is masked where an episode terminated, the "
        "accumulator where it terminated or was cut. Forgetting only the accumulator's is not "
        "seen by training at all (20 of 20 runs still solve CartPole); rlgrade finds it on two "
        "steps."
    ),
    exercises=("ex05", "ex07"),
    seeds=8,
)
