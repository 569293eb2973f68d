"""The same task paid in three ways: a wrong action gets 0.5, 0 or -0.1."""

from __future__ import annotations

from collections.abc import Sequence

from rlgrade.labs.bandit import Bandit, learn
from rlgrade.labs.lab import Figures, Lab, Measured, Panel, Question, first_reached

WRONG = {"wrong pays −0.1": -0.1, "wrong pays 0": 0.0, "wrong pays 0.5": 0.5}


def trial(seeds: Sequence[int], small: bool) -> Measured:
    """Both panels, for each reward of a wrong action."""
    found: Measured = {"greedy": {}, "chance": {}}
    for variant, wrong in WRONG.items():
        episodes = 300 if small else 500
        found["greedy"][variant], found["chance"][variant] = learn(
            Bandit(wrong=wrong), seeds, episodes
        )
    return found


def figures(measured: Measured) -> Figures:
    """Episodes until the likeliest action, and the mean chance, are right nine times in ten."""
    found = {}
    for short, variant in zip(("minus", "zero", "half"), WRONG, strict=True):
        for panel in ("greedy", "chance"):
            found[f"{panel}_{short}"] = first_reached(measured[panel][variant], 0.9)
    return found


LAB = Lab(
    title="a constant added to every reward",
    setting=(
        "A contextual bandit: one state of two numbers, four actions, one of which is right and "
        "pays 1. REINFORCE without a baseline, Adam 3e-3, one episode a step. Three versions "
        "differ only in what a wrong action pays: −0.1, 0 or 0.5. In all three the right action "
        "is the best one."
    ),
    question=Question(
        "When is it learned (mean chance of the right action at least 0.9)?",
        (
            "wrong pays 0.5 is fastest: every action is encouraged, so more is learned a step",
            "all three at the same time: a constant does not change the expected gradient",
            "−0.1 and 0 at about the same time, 0.5 several times later",
            "−0.1 first; 0 much later, since wrong actions then teach nothing",
        ),
        2,
    ),
    panels=(
        Panel("chance", "Chance of the right action", "episodes", "mean P(right)", limits=(0, 1)),
        Panel("greedy", "The likeliest action is right", "episodes", "share", limits=(0, 1)),
    ),
    trial=trial,
    figures=figures,
    holds=lambda f: (
        f["chance_half"] > 1.8 * f["chance_zero"] and f["chance_zero"] < 1.7 * f["chance_minus"]
    ),
    explanation=(
        "Mean P(right) reaches 0.9 after {chance_minus:.0f} episodes (−0.1), {chance_zero:.0f} "
        "(0) and {chance_half:.0f} (0.5); the likeliest action is right after {greedy_minus:.0f}, "
        "{greedy_zero:.0f} and {greedy_half:.0f}.\n"
        "The expected gradient sees only differences: E[c ∇log π] = 0 for a constant c. So 1 and "
        "0 are 1 and −0.1, shifted by 0.1 and a tenth smaller. But one episode is one sample. "
        "With 0.5 for everything wrong, whatever was sampled is pushed up; softmax lets the right "
        "action win only because it is pushed up twice as hard, and until many samples cancel, "
        "probability runs after the dice. The gap between the rewards shrank to a half and the "
        "noise grew with their mean.\n"
        "With 0 for wrong actions, three of four episodes give no update at all, and it costs "
        "nearly nothing. What to take away: what is learned from is reward minus baseline; and "
        "look at the chance, not at the argmax, which is right long before the policy is."
    ),
    exercises=("ex02", "ex03"),
    together=True,
    seeds=20,
)
