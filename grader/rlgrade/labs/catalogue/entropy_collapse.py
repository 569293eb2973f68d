"""A policy that has become certain, and a task that changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rlgrade.labs.lab import Figures, Lab, Measured, Panel, Question, Series

if TYPE_CHECKING:
    from torch import Tensor

    from rlgrade.trainer.language_model import LanguageModel

FREE, LEASHED = "no KL penalty", "KL penalty 0.1"
PANELS = ("score", "entropy", "tied")
RATE, BETA = 5e-3, 0.1
LOOK_EVERY = 5


def trial(seeds: Sequence[int], small: bool) -> Measured:
    """Both, on the same warmed-up model of a seed; the task changes in the middle."""
    from rlgrade.trainer.language_model import warmed_up

    updates = 100 if small else 140
    curves: dict[str, dict[str, list[list[float]]]] = {
        panel: {LEASHED: [], FREE: []} for panel in PANELS
    }
    for seed in seeds:
        warm = warmed_up(seed)
        for variant, beta in ((LEASHED, BETA), (FREE, 0.0)):
            for panel, curve in zip(PANELS, _one(warm, seed, updates, beta), strict=True):
                curves[panel][variant].append(curve)
    x = np.arange(LOOK_EVERY, updates + 1, LOOK_EVERY, dtype=float)
    return {
        panel: {variant: Series(x, np.array(rows)) for variant, rows in variants.items()}
        for panel, variants in curves.items()
    }


def _one(warm: LanguageModel, seed: int, updates: int, beta: float) -> list[list[float]]:
    """The task's score, the entropy of a response, and the share of groups without a difference."""
    from rlgrade.labs.tiny import Rule, Tiny
    from rlgrade.trainer import language_model as lm

    tiny = Tiny(warm, seed, Rule(beta=beta, rate=RATE))
    found: list[list[float]] = [[], [], []]
    sums = np.zeros(3)
    for update in range(updates):
        score = lm.scores if update < updates // 2 else copied
        batch = tiny.roll_out(score)
        tiny.improve(batch)
        groups = score(batch.tokens).view(tiny.rule.prompts, tiny.rule.group)
        tied = groups.max(dim=1).values == groups.min(dim=1).values
        surprise = -(batch.log_probs * batch.mask).sum(dim=1)
        sums += float(groups.mean()), float(surprise.mean()), float(tied.float().mean())
        if update % LOOK_EVERY == LOOK_EVERY - 1:
            for curve, total in zip(found, sums, strict=True):
                curve.append(float(total) / LOOK_EVERY)
            sums[:] = 0
    return found


def copied(tokens: Tensor) -> Tensor:
    """[B] the score of the second task: the digits as they stand, then the end mark."""
    import torch

    from rlgrade.trainer import language_model as lm

    end = torch.full_like(tokens[:, :1], lm.EOS)
    answer = torch.cat([tokens[:, : lm.DIGITS], end], dim=1)
    return (tokens[:, lm.PROMPT : lm.PROMPT + lm.ANSWER] == answer).float().mean(dim=1)


def figures(measured: Measured) -> Figures:
    """Both before the change, and after it."""
    found = {}
    for short, variant in (("leashed", LEASHED), ("free", FREE)):
        for panel in PANELS:
            rows = measured[panel][variant].rows
            half = rows.shape[1] // 2
            found[f"{panel}_before_{short}"] = float(np.median(rows[:, half - 1]))
            found[f"{panel}_after_{short}"] = float(np.median(rows[:, -2:].mean(axis=1)))
        change = measured["tied"][variant].rows
        found[f"tied_at_change_{short}"] = float(np.median(change[:, change.shape[1] // 2]))
    return found


LAB = Lab(
    title="entropy collapse: certain, right, and unable to learn",
    setting=(
        "The tiny language model learns to write four digits in reverse, with group advantages "
        "and a brisk learning rate. Halfway the task changes: the digits as they stand. One "
        "version pays 0.1 a nat for its distance from the model it began as, which knew both "
        "orders; the other nothing."
    ),
    question=Question(
        "How does the version without the penalty do on the second task?",
        (
            "it learns it as fast as the first: the reward and the optimiser are the same",
            "faster: it has learned to handle digits, and only the order is new",
            "hardly: the completions of a prompt are all alike, so nearly all groups are tied",
            "it forgets how to write digits, and falls to a score of zero for good",
        ),
        2,
    ),
    panels=(
        Panel("score", "Score on the task of the moment", "updates", "share right", limits=(0, 1)),
        Panel("entropy", "Entropy of a response", "updates", "nats"),
        Panel("tied", "Groups in which all eight score alike", "updates", "share", limits=(0, 1)),
    ),
    trial=trial,
    figures=figures,
    holds=lambda f: (
        f["entropy_before_free"] < 0.5 * f["entropy_before_leashed"]
        and f["tied_at_change_free"] > f["tied_at_change_leashed"]
        and f["score_after_leashed"] > f["score_after_free"] + 0.15
    ),
    explanation=(
        "Before the change both have learned: scores {score_before_free:.2f} without and "
        "{score_before_leashed:.2f} with the penalty. But the entropy of a response is "
        "{entropy_before_free:.2f} against {entropy_before_leashed:.2f} nats. Just after it, "
        "{tied_at_change_free:.0%} and {tied_at_change_leashed:.0%} of the groups are tied, and "
        "at the end the scores on the second task are {score_after_free:.2f} and "
        "{score_after_leashed:.2f}.\n"
        "A policy gradient learns from differences between samples. When all completions of a "
        "prompt are the same, every group is tied, every advantage is zero, and no learning rate "
        "helps. Nothing in the score warned of it: it was perfect.\n"
        "Without a change of task the same thing happens on the prompts that are still wrong: "
        "they are answered with the same wrong answer eight times. So watch the entropy and the "
        "share of tied groups beside the reward. A KL penalty, an entropy bonus (in small doses: "
        "it pays for noise), a higher clip above than below, and fresh prompts keep differences "
        "alive; each costs some score."
    ),
    exercises=("ex02", "ex09", "ex10"),
    seeds=6,
)
