"""A reward that can be hacked, with a KL penalty and without: Goodhart's law."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rlgrade.labs.lab import Figures, Lab, Measured, Panel, Question, Series, last, tail

if TYPE_CHECKING:
    from torch import Tensor

    from rlgrade.trainer.language_model import LanguageModel

LEASHED, FREE = "KL penalty 0.05", "no KL penalty"
FLAW = 0.15  # what the judge pays for every 9, wherever it stands
NINE = 2 + 9
LOOK_EVERY = 2


def trial(seeds: Sequence[int], small: bool) -> Measured:
    """Both, on the same warmed-up model of a seed."""
    from rlgrade.trainer.language_model import warmed_up

    updates = 40 if small else 100
    panels = ("true", "proxy", "divergence")
    curves: dict[str, dict[str, list[list[float]]]] = {
        panel: {LEASHED: [], FREE: []} for panel in panels
    }
    for seed in seeds:
        warm = warmed_up(seed)
        for variant, beta in ((LEASHED, 0.05), (FREE, 0.0)):
            for panel, curve in zip(panels, _one(warm, seed, updates, beta), strict=True):
                curves[panel][variant].append(curve)
    x = np.arange(LOOK_EVERY, updates + 1, LOOK_EVERY, dtype=float)
    return {
        panel: {variant: Series(x, np.array(rows)) for variant, rows in variants.items()}
        for panel, variants in curves.items()
    }


def _one(warm: LanguageModel, seed: int, updates: int, beta: float) -> list[list[float]]:
    """The true score, the judge's, and the distance from the reference, in nats."""
    from rlgrade.labs.tiny import Rule, Tiny
    from rlgrade.trainer import language_model as lm

    tiny = Tiny(warm, seed, Rule(beta=beta))
    found: list[list[float]] = [[], [], []]
    for update in range(updates):
        batch = tiny.roll_out(proxy)
        tiny.improve(batch)
        if update % LOOK_EVERY == LOOK_EVERY - 1:
            found[0].append(float(lm.scores(batch.tokens).mean()))
            found[1].append(float(proxy(batch.tokens).mean()))
            found[2].append(tiny.divergence(batch))
    return found


def proxy(tokens: Tensor) -> Tensor:
    """[B] what the flawed judge pays: the true score, and a bonus for each 9 in the response."""
    from rlgrade.trainer import language_model as lm

    nines = (tokens[:, lm.PROMPT :] == NINE) & lm.response_mask(tokens)
    return lm.scores(tokens) + FLAW * nines.sum(dim=1)


def figures(measured: Measured) -> Figures:
    """Where all curves end, and the best true score that the free one passes through."""
    found = {
        f"{panel}_{short}": tail(measured[panel][variant])
        for panel in ("true", "proxy", "divergence")
        for short, variant in (("leashed", LEASHED), ("free", FREE))
    }
    free = measured["true"][FREE]
    found["best_free"] = float(np.median(free.rows.max(axis=1)))
    found["start"] = float(np.median(free.rows[:, 0]))
    found["true_last_free"] = last(free)
    return found


LAB = Lab(
    title="a reward that can be hacked, without the KL penalty",
    setting=(
        "A tiny language model (27,000 parameters) should write four digits in reverse. It "
        "already writes the right digits in random order. The judge pays the share of right "
        "places, and by a flaw 0.15 for every 9 in the response. Policy gradient on groups of 8; "
        "one version pays 0.05 a nat for its distance from the model it began as, the other "
        "nothing."
    ),
    question=Question(
        "The judge's score rises in both. What does the version without the penalty do to the "
        "true"
        "score, the share of right places?",
        (
            "it rises to 1 as well: being right pays more than a 9",
            "it stays where it began: the bonus does not touch right places",
            "it falls below where it began",
            "it rises more slowly, but in the end as far as with the penalty",
        ),
        2,
    ),
    panels=(
        Panel("proxy", "What the judge pays", "updates", "mean score"),
        Panel(
            "true",
            "What it should have paid for",
            "updates",
            "share of right places",
            limits=(0, 1),
        ),
        Panel("divergence", "Distance from the start", "updates", "KL, nats a sequence"),
    ),
    trial=trial,
    figures=figures,
    holds=lambda f: (
        f["proxy_free"] > 1.1 * f["proxy_leashed"]
        and f["true_free"] < 0.4 * f["true_leashed"]
        and f["divergence_free"] > 3 * f["divergence_leashed"]
    ),
    explanation=(
        "The judge pays {proxy_free:.2f} without the penalty and {proxy_leashed:.2f} with it; the "
        "true score ends at {true_free:.2f} and {true_leashed:.2f}. The free version passes "
        "through {best_free:.2f} on its way and begins at {start:.2f}. It ends "
        "{divergence_free:.0f} nats from the start, the other {divergence_leashed:.1f}.\n"
        "The free model answers 99999999: eight times 0.15 is 1.2, plus what is right by "
        "accident, and a perfect answer earns 1. Nothing is wrong with the optimiser. It found "
        "the best of the reward that it was given, and when a measure becomes a target it stops "
        "being a good measure.\n"
        "The penalty works because the hack is far from the start (the first model ends after "
        "four digits) and the right answer is near: reversing costs two or three nats, eight "
        "nines dozens. It is a leash and no cure: with a flaw that pays more a nat, or a smaller "
        "penalty, the hack wins again. Repair the reward; watch the true score on samples; stop "
        "when the two part."
    ),
    exercises=("ex09", "ex11", "ex12"),
    seeds=6,
)
