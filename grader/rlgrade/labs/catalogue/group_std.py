"""Advantages divided by the group's standard deviation, where most groups hold only noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rlgrade.labs.lab import Figures, Lab, Measured, Panel, Question, Series, tail

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from rlgrade.trainer.language_model import LanguageModel

DIVIDED, CENTRED = "divided by the std", "centred only"
LOW, WIDTH = 0.90, 0.05  # rewards of the prompts that teach nothing
FIRST_DIGIT = 2
LOOK_EVERY = 4


def trial(seeds: Sequence[int], small: bool) -> Measured:
    """Both, on the same warmed-up model of a seed."""
    from rlgrade.trainer.language_model import warmed_up

    updates = 80 if small else 120
    panels = ("score", "share")
    curves: dict[str, dict[str, list[list[float]]]] = {
        panel: {CENTRED: [], DIVIDED: []} for panel in panels
    }
    for seed in seeds:
        warm = warmed_up(seed)
        for variant, divide in ((CENTRED, False), (DIVIDED, True)):
            for panel, curve in zip(panels, _one(warm, seed, updates, divide), strict=True):
                curves[panel][variant].append(curve)
    x = np.arange(LOOK_EVERY, updates + 1, LOOK_EVERY, dtype=float)
    return {
        panel: {variant: Series(x, np.array(rows)) for variant, rows in variants.items()}
        for panel, variants in curves.items()
    }


def _one(warm: LanguageModel, seed: int, updates: int, divide: bool) -> list[list[float]]:
    """The score on prompts that teach, and the noise's share of all squared advantages."""
    import torch

    from rlgrade.labs.tiny import Rule, Tiny
    from rlgrade.trainer import language_model as lm

    tiny = Tiny(warm, seed, Rule(divide=divide))
    generator = torch.Generator().manual_seed(seed)
    scores, shares, sums = [], [], np.zeros(4)
    for update in range(updates):
        batch = tiny.roll_out(lambda tokens: rewards(tokens, generator))
        tiny.improve(batch)
        teaches = teaching(batch.tokens)
        squares = batch.advantages.flatten() ** 2
        right = lm.scores(batch.tokens)[teaches]
        sums += [
            float(right.sum()),
            float(len(right)),
            float(squares[~teaches].sum()),
            float(squares.sum()),
        ]
        if update % LOOK_EVERY == LOOK_EVERY - 1:
            scores.append(sums[0] / max(sums[1], 1.0))
            shares.append(sums[2] / max(sums[3], 1e-12))
            sums[:] = 0
    return [scores, shares]


def teaching(tokens: Tensor) -> Tensor:
    """[B] whether the prompt's rewards say anything: those that begin with 0, 4 or 8."""
    return (tokens[:, 0] - FIRST_DIGIT) % 4 == 0


def rewards(tokens: Tensor, generator: torch.Generator) -> Tensor:
    """[B] the score where the prompt teaches, a number from 0.90 to 0.95 by chance elsewhere."""
    import torch

    from rlgrade.trainer import language_model as lm

    noise = LOW + WIDTH * torch.rand(len(tokens), generator=generator)
    return torch.where(teaching(tokens), lm.scores(tokens), noise)


def even_group(count: int = 64) -> tuple[float, float, float]:
    """Of rewards evenly from 0.90 to 0.95: their std, the largest advantage with it and without."""
    spread = np.linspace(LOW, LOW + WIDTH, count)
    centred, std = spread - spread.mean(), spread.std(ddof=1)
    return float(std), float((centred / (std + 1e-4)).max()), float(centred.max())


def figures(measured: Measured) -> Figures:
    """Where both end, the noise's share of the advantages, and a group computed exactly."""
    std, with_std, without = even_group()
    return {
        **{
            f"{panel}_{short}": tail(measured[panel][variant], share)
            for panel, share in (("score", 0.2), ("share", 1.0))
            for short, variant in (("divided", DIVIDED), ("centred", CENTRED))
        },
        "std": std,
        "with_std": with_std,
        "without": without,
    }


LAB = Lab(
    title="group advantages divided by a standard deviation that is noise",
    setting=(
        "The tiny language model learns to reverse digits, 16 prompts a step with 8 completions "
        "each. On three prompts of ten the reward is the score. On the others the judge gives "
        "everything between 0.90 and 0.95, by chance. One version divides each group's advantages "
        "by its standard deviation, as GRPO does, the other only subtracts the mean, as Dr. GRPO "
        "does."
    ),
    question=Question(
        "How large are GRPO's advantages in a group whose rewards lie evenly from 0.90 to 0.95?",
        (
            "within ±0.025: such a group hardly counts",
            "zero: the rewards are practically tied",
            "they explode, since the standard deviation is nearly zero",
            "within about ±1.7, as large as in a group with rewards from 0 to 1",
        ),
        3,
    ),
    panels=(
        Panel("score", "Score on the prompts that teach", "updates", "share of right places"),
        Panel(
            "share",
            "How much of the squared advantages is noise",
            "updates",
            "share",
            limits=(0, 1),
        ),
    ),
    trial=trial,
    figures=figures,
    holds=lambda f: (
        f["share_divided"] > 0.5
        and f["share_centred"] < 0.3
        and f["score_centred"] > f["score_divided"] + 0.1
    ),
    explanation=(
        "64 rewards evenly from 0.90 to 0.95 have a standard deviation of {std:.4f}: divided by "
        "it the largest advantage is {with_std:.2f}, without {without:.3f}. In training, "
        "{share_divided:.0%} of the squared advantages come from the prompts that teach nothing "
        "when divided, and {share_centred:.0%} when only centred. The score on the others ends at "
        "{score_divided:.2f} and {score_centred:.2f}.\n"
        "The division makes every group speak equally loudly, whatever it has to say. A judge "
        "that scatters by a hundredth then moves the model as much as right against wrong. It is "
        "fair where all rewards are of one kind, 0 or 1: then it weighs hard and easy prompts up.\n"
        "An optimiser like Adam divides scale out again, so a uniform factor changes nothing: "
        "what counts is the weight of one group against another within a step. Remedies: centre "
        "only; divide by the standard deviation of the whole batch; leave out groups with too "
        "little spread; an eps on the scale of the rewards. An exact tie gives zero only if eps "
        "is larger than rounding."
    ),
    exercises=("ex10",),
    seeds=6,
)
