"""A time limit treated as the end of the world."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rlgrade.labs.lab import Array, Figures, Lab, Measured, Panel, Question, Series, tail

RIGHT, WRONG = "bootstraps at the limit", "limit taken for an end"
DISCOUNT, LIMIT, WALK = 0.99, 20, 14
SMALL_PAY, LARGE_PAY = 0.8, 1.0
COUNT = 64  # episodes side by side
RATE, RANDOM, ELSEWHERE = 0.2, 0.1, 0.1
STAY, GO = 0, 1
START = 0


def trial(seeds: Sequence[int], small: bool) -> Measured:
    """Both: what the start is thought to be worth, and how often the better way is taken."""
    episodes = 120 if small else 250
    found: Measured = {"value": {}, "goes": {}}
    for variant, bootstraps in ((RIGHT, True), (WRONG, False)):
        curves = [_one(seed, episodes, bootstraps) for seed in seeds]
        x = np.arange(1, episodes + 1, dtype=float)
        for number, panel in enumerate(found):
            found[panel][variant] = Series(x, np.array([curve[number] for curve in curves]))
    return found


def _one(seed: int, episodes: int, bootstraps: bool) -> tuple[Array, Array]:
    """Q-learning on a table, with a policy that is 10 % random.

    State 0 pays a little for staying. Going on from it is a walk of several unpaid steps to the
    last state, which pays more for staying. Nothing ever ends; after 20 steps an episode is cut.
    """
    random = np.random.default_rng(seed)
    worth = np.zeros((WALK + 1, 2))
    worths, goes = np.zeros(episodes), np.zeros(episodes)
    for episode in range(episodes):
        anywhere = random.integers(WALK + 1, size=COUNT)
        states = np.where(random.uniform(size=COUNT) < ELSEWHERE, anywhere, START)
        for step in range(LIMIT):
            greedy = worth[states].argmax(axis=1)
            anything = random.integers(2, size=COUNT)
            actions = np.where(random.uniform(size=COUNT) < RANDOM, anything, greedy)
            following, rewards = step_of(states, actions)
            future = worth[following].max(axis=1)
            if step == LIMIT - 1 and not bootstraps:
                future = np.zeros(COUNT)
            errors = rewards + DISCOUNT * future - worth[states, actions]
            cells = 2 * states + actions
            hits = np.bincount(cells, minlength=worth.size)
            sums = np.bincount(cells, weights=errors, minlength=worth.size)
            worth += (RATE * sums / np.maximum(hits, 1)).reshape(worth.shape)
            states = following
        worths[episode] = worth[START].max()
        goes[episode] = float(worth[START, GO] > worth[START, STAY])
    return worths, goes


def step_of(states: Array, actions: Array) -> tuple[Array, Array]:
    """Where the actions lead, and what they pay."""
    goes = (actions == GO) & (states < WALK)
    following = np.where(goes, states + 1, states)
    pays = np.zeros(WALK + 1)
    pays[START], pays[WALK] = SMALL_PAY, LARGE_PAY
    return following, np.where(goes, 0.0, pays[states])


def exact_worth() -> tuple[float, float]:
    """The value of staying at the start for ever, and of going."""
    stay = SMALL_PAY / (1 - DISCOUNT)
    return stay, DISCOUNT**WALK * LARGE_PAY / (1 - DISCOUNT)


def figures(measured: Measured) -> Figures:
    """What the start is thought to be worth, and how often the better way is chosen, at the end."""
    stay, go = exact_worth()
    return {
        "stay": stay,
        "go": go,
        **{
            f"{panel}_{short}": tail(measured[panel][variant])
            for panel in ("value", "goes")
            for short, variant in (("right", RIGHT), ("wrong", WRONG))
        },
    }


LAB = Lab(
    title="a time limit treated as the end of the world",
    setting=(
        "Q-learning with a table in a world that never ends, discount 0.99. At the start, staying "
        "pays 0.8 a step; fourteen unpaid steps away, staying pays 1. Episodes are cut after 20 "
        "steps, which is not part of the state; one in ten begins somewhere else than at the "
        "start. One version bootstraps from the last state of a cut episode; the other takes the "
        "cut for an end, with value 0."
    ),
    question=Question(
        "What does the version that takes the cut for an end learn?",
        (
            "the same policy with lower values: all values shrink by the same factor",
            "to stay at the start, with values of about a tenth of the true ones",
            "the same values and policy: the discount makes the far future negligible",
            "nothing stable: the values never settle, since the limit is not in the state",
        ),
        1,
    ),
    panels=(
        Panel("value", "Best value at the start", "rounds of 64 episodes", "value"),
        Panel(
            "goes",
            "At the start, going is thought better than staying",
            "rounds of 64 episodes",
            "share of seeds",
            limits=(0, 1),
        ),
    ),
    trial=trial,
    figures=figures,
    holds=lambda f: (
        f["goes_right"] > 0.9
        and f["goes_wrong"] < 0.3
        and f["value_wrong"] < 0.4 * f["value_right"]
    ),
    explanation=(
        "Exactly, going is worth {go:.1f} and staying {stay:.1f}. The version that bootstraps "
        "finds {value_right:.1f} and goes. The other thinks the best is worth {value_wrong:.1f}, "
        "and prefers going in {goes_wrong:.0%} of its last rounds.\n"
        "Whoever takes the cut for an end learns the values of a world of 20 steps: 14 of them "
        "are the walk, 6 are paid, and 20 · 0.8 is more than 6 · 1. It solves that problem well. "
        "The true one goes on, so the last state of a cut episode still has its value: bootstrap "
        "from it, and only stop the accumulator, because the next state in the buffer belongs to "
        "another episode.\n"
        "CartPole does not show this: 30 of 30 runs of PPO with this mistake still reach 475. Its "
        "best policy is the same for a short and a long world. A response of a language model "
        "that hits the token limit is cut in the same way."
    ),
    exercises=("ex01", "ex05"),
    seeds=8,
)
