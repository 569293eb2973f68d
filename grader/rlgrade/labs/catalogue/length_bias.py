"""The mean of each sequence's token mean, against one divisor for all: which lengths grow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rlgrade.labs.lab import Figures, Lab, Measured, Panel, Question, Series, tail

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from rlgrade.trainer.language_model import LanguageModel

OWN, SHARED = "divided by its own length", "one divisor for all"
RIGHT, WRONG = 12, 13  # two symbols that the task does not use
CHANCE = 0.25
LOOK_EVERY = 4


def trial(seeds: Sequence[int], small: bool) -> Measured:
    """Both, on the same warmed-up model of a seed."""
    updates = 40 if small else 100
    panels = ("wrong", "right")
    curves: dict[str, dict[str, list[list[float]]]] = {
        panel: {SHARED: [], OWN: []} for panel in panels
    }
    for seed in seeds:
        warm = warmed_up(seed)
        for variant in (SHARED, OWN):
            found = _one(warm, seed, updates, own=variant == OWN)
            for panel, curve in zip(panels, found, strict=True):
                curves[panel][variant].append(curve)
    x = np.arange(LOOK_EVERY, updates + 1, LOOK_EVERY, dtype=float)
    return {
        panel: {variant: Series(x, np.array(rows)) for variant, rows in variants.items()}
        for panel, variants in curves.items()
    }


def warmed_up(seed: int, steps: int = 250) -> LanguageModel:
    """A model that answers with up to seven digits by chance, whatever is asked."""
    import torch

    from rlgrade.trainer import language_model as lm
    from rlgrade.trainer.devices import one_thread
    from rlgrade.trainer.optimiser import Adam

    one_thread()
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = lm.LanguageModel()
    optimiser = Adam(model.parameters(), 3e-3)
    places = torch.arange(lm.RESPONSE)
    for _ in range(steps):
        prompts = with_coins(lm.draw_prompts(128, generator), generator)
        lengths = torch.randint(0, lm.RESPONSE, (128, 1), generator=generator)
        digits = torch.randint(2, 12, (128, lm.RESPONSE), generator=generator)
        response = torch.where(
            places == lengths, lm.EOS, torch.where(places < lengths, digits, lm.PAD)
        )
        tokens = torch.cat([prompts, response], dim=1)
        mask = lm.response_mask(tokens)
        loss = -(model.log_probs(tokens) * mask).sum() / mask.sum()
        optimiser.step(torch.autograd.grad(loss, list(model.parameters())))
    return model


def with_coins(prompts: Tensor, generator: torch.Generator) -> Tensor:
    """Prompts [B, P] whose last symbol says, by chance, whether what follows counts as right."""
    import torch

    lucky = torch.rand(len(prompts), generator=generator) < CHANCE
    coins = torch.where(lucky, RIGHT, WRONG).unsqueeze(1)
    return torch.cat([prompts[:, :-1], coins], dim=1)


def _one(warm: LanguageModel, seed: int, updates: int, *, own: bool) -> list[list[float]]:
    """The mean length of wrong and of right responses."""
    import torch

    from rlgrade.labs.tiny import Rule, Tiny
    from rlgrade.trainer import language_model as lm

    tiny = Tiny(warm, seed, Rule(divide=False, average="sequences" if own else "constant"))
    generator = torch.Generator().manual_seed(seed + 3)
    found: list[list[float]] = [[], []]
    sums = np.zeros((2, 2))
    for update in range(updates):
        prompts = lm.draw_prompts(tiny.rule.prompts, tiny.drawing)
        prompts = with_coins(prompts.repeat_interleave(tiny.rule.group, dim=0), generator)
        batch = tiny.complete(prompts, lambda tokens: (tokens[:, lm.PROMPT - 1] == RIGHT).float())
        tiny.improve(batch)
        lengths, right = batch.mask.sum(dim=1), batch.rewards.flatten() > 0
        for row, chosen in enumerate((~right, right)):
            sums[row] += float(lengths[chosen].sum()), float(chosen.sum())
        if update % LOOK_EVERY == LOOK_EVERY - 1:
            for row in range(2):
                found[row].append(sums[row, 0] / sums[row, 1])
            sums[:] = 0
    return found


def figures(measured: Measured) -> Figures:
    """The lengths at both ends of the curves, and how far right and wrong are apart at the end."""
    found: Figures = {}
    for short, variant in (("own", OWN), ("shared", SHARED)):
        wrong, right = measured["wrong"][variant], measured["right"][variant]
        apart = Series(wrong.x, wrong.rows - right.rows)
        found |= {
            f"wrong_{short}": tail(wrong),
            f"right_{short}": tail(right),
            f"apart_{short}": tail(apart),
        }
    return found | {"start": float(np.median(measured["wrong"][OWN].rows[:, 0]))}


LAB = Lab(
    title="the length bias of sequence means",
    setting=(
        "The tiny language model answers with some digits and an end mark, 1 to 8 tokens. A coin "
        "that it sees decides before it writes: one response in four counts as right, with reward "
        "1, the others as wrong. Nothing that it writes changes the reward, its length neither. "
        "Advantages are centred in groups of 8. One version divides each response's sum of "
        "gradients by its own length (a mean of sequence means), the other by the same number for "
        "all."
    ),
    question=Question(
        "The reward ignores the length. What becomes of the lengths under sequence means?",
        (
            "nothing: no length is rewarded, so the lengths only drift by chance",
            "wrong responses grow to the limit, right ones shrink to almost nothing",
            "both grow: more tokens share the gradient, so length is free",
            "right responses grow, wrong ones shrink: the model says more where it is paid",
        ),
        1,
    ),
    panels=(
        Panel("wrong", "Length of wrong responses", "updates", "tokens", limits=(1, 8)),
        Panel("right", "Length of right responses", "updates", "tokens", limits=(1, 8)),
    ),
    trial=trial,
    figures=figures,
    holds=lambda f: f["apart_own"] > 3 and abs(f["apart_shared"]) < 1,
    explanation=(
        "From {start:.1f} tokens at the start, wrong responses go to {wrong_own:.1f} and right "
        "ones to {right_own:.1f} under sequence means: {apart_own:.1f} tokens apart. With one "
        "divisor they end at {wrong_shared:.1f} and {right_shared:.1f}, {apart_shared:.1f} apart.\n"
        "Divided by its own length, each token of a wrong response of 8 tokens is pushed down an "
        "eighth as hard as the only token of a short one. So among wrong responses the short ones "
        "are made rarer first, and long ones are what is left. Among right ones the short get the "
        "larger push up. With one divisor every token of a response carries the same advantage, "
        "and given the coin the expected push on the length is zero; what you see of it is drift, "
        "the same for right and wrong.\n"
        "The model must be able to tell that it is on a wrong track, here by the coin. That is "
        "why the bias shows most where much is wrong for long, and why response length is a bad "
        "sign of thought. Dr. GRPO and DAPO change the divisor for this reason; a token mean over "
        "the batch weighs each token alike within a batch."
    ),
    exercises=("ex08", "ex10"),
    seeds=6,
)
