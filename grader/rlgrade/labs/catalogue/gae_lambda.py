"""Bias and variance of GAE over lambda, against advantages that are known exactly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rlgrade.labs.lab import Array, Figures, Lab, Measured, Panel, Question, Series

LAMBDAS = np.array([0.0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 1.0])
STATES, ACTIONS, LENGTH, DISCOUNT = 10, 3, 20, 0.99
CRITICS = {"critic off by 0.2": 0.2, "critic off by 2": 2.0}


def trial(seeds: Sequence[int], small: bool) -> Measured:
    """Errors of the first step's advantage, for two critics."""
    count = 4_000 if small else 20_000
    found: Measured = {"whole": {}, "bias": {}, "deviation": {}, "error": {}}
    for variant, wrong_by in CRITICS.items():
        rows = np.array([_one(seed, count, wrong_by) for seed in seeds])
        for number, panel in enumerate(found):
            found[panel][variant] = Series(LAMBDAS, rows[:, number])
    return found


def _one(seed: int, count: int, wrong_by: float) -> Array:
    """[4, lambdas] root mean squares over states and actions.

    The bias, the part of it that depends on the action, the deviation, and the error that matters:
    the last two together.
    """
    random = np.random.default_rng(seed)
    moves = random.dirichlet(np.full(STATES, 0.1), size=(STATES, ACTIONS))
    pays = random.normal(size=STATES)
    error = random.normal(size=STATES)
    error *= wrong_by / np.sqrt((error**2).mean())
    values = exact_values(moves, pays)
    exact = moves @ (pays + DISCOUNT * values[1]) - values[0][:, None]
    estimates, pairs = _estimates(moves, pays, values, error, count, random)
    means, spreads, noise = (np.zeros((len(LAMBDAS), STATES * ACTIONS)) for _ in range(3))
    for pair in range(STATES * ACTIONS):
        mine = estimates[:, pairs == pair]
        means[:, pair] = mine.mean(axis=1) - exact.flat[pair]
        spreads[:, pair] = mine.var(axis=1, ddof=1)
        noise[:, pair] = spreads[:, pair] / mine.shape[1]  # of the mean; that is no bias
    apart = means.reshape(-1, STATES, ACTIONS)
    apart = (apart - apart.mean(axis=2, keepdims=True)).reshape(means.shape)
    whole = np.maximum((means**2 - noise).mean(axis=1), 0.0)
    bias = np.maximum((apart**2 - noise * (1 - 1 / ACTIONS)).mean(axis=1), 0.0)
    variance = spreads.mean(axis=1)
    found: Array = np.sqrt(np.stack([whole, bias, variance, bias + variance]))
    return found


def exact_values(moves: Array, pays: Array) -> Array:
    """[LENGTH + 1, S] the value with so many steps done, by going back from the end, which is 0.

    `moves` [S, A, S] is where an action leads, `pays` [S] is paid on arrival. The policy is
    uniform.
    """
    values = np.zeros((LENGTH + 1, STATES))
    for step in reversed(range(LENGTH)):
        values[step] = moves.mean(axis=1) @ (pays + DISCOUNT * values[step + 1])
    return values


def _estimates(
    moves: Array,
    pays: Array,
    values: Array,
    error: Array,
    count: int,
    random: np.random.Generator,
) -> tuple[Array, Array]:
    """[lambdas, count] GAE of the first step, and [count] its state and action in one number."""
    states = np.zeros((count, LENGTH + 1), dtype=np.int64)
    states[:, 0] = random.integers(STATES, size=count)
    actions = random.integers(ACTIONS, size=(count, LENGTH))
    edges = moves.cumsum(axis=2)
    for step in range(LENGTH):
        drawn = random.uniform(size=(count, 1))
        passed = (drawn > edges[states[:, step], actions[:, step]]).sum(axis=1)
        states[:, step + 1] = np.minimum(passed, STATES - 1)
    believed = values + error
    believed[LENGTH] = 0.0  # the end is known to be the end
    critic = believed[np.arange(LENGTH + 1), states]
    deltas = pays[states[:, 1:]] + DISCOUNT * critic[:, 1:] - critic[:, :-1]
    weights = (DISCOUNT * LAMBDAS[:, None]) ** np.arange(LENGTH)
    return weights @ deltas.T, states[:, 0] * ACTIONS + actions[:, 0]


def figures(measured: Measured) -> Figures:
    """The ends of the curves, and the best lambda for either critic."""
    found = {}
    for short, variant in zip(("good", "bad"), CRITICS, strict=True):
        error = measured["error"][variant].middle
        found[f"best_{short}"] = float(LAMBDAS[int(np.argmin(error))])
        found[f"error_{short}"] = float(error.min())
        for panel in ("whole", "bias", "deviation"):
            middle = measured[panel][variant].middle
            found |= {
                f"{panel}_0_{short}": float(middle[0]),
                f"{panel}_1_{short}": float(middle[-1]),
            }
    return found


LAB = Lab(
    title="GAE's lambda: what is bias and what is variance",
    setting=(
        "Random worlds of 10 states and 3 actions, 20 steps long, whose values are computed "
        "exactly. Two critics are the exact values plus a fixed error for each state: of size "
        "0.2, and of size 2. GAE estimates the advantage of the first action, for eleven lambdas "
        "from 0 to 1, and is compared with the exact one. The error counts what reaches a policy "
        "gradient: the bias that differs between actions, and the variance."
    ),
    question=Question(
        "How does the lambda of the least error depend on the critic?",
        (
            "it is 0.95 for both: that is why everybody uses it",
            "near 1 for the good critic, lower for the bad one",
            "near 0 for the good critic, higher for the bad one",
            "1 for both: only there the critic's error does not count",
        ),
        2,
    ),
    panels=(
        Panel("error", "Error that reaches the gradient", "lambda", "root mean square"),
        Panel("bias", "Bias that differs between actions", "lambda", "root mean square"),
        Panel("whole", "Bias as an estimate of the advantage", "lambda", "root mean square"),
        Panel("deviation", "Standard deviation", "lambda", "root mean square"),
    ),
    trial=trial,
    figures=figures,
    holds=lambda f: (
        f["best_good"] < f["best_bad"]
        and f["bias_0_bad"] > 5 * f["bias_0_good"]
        and f["bias_1_bad"] < 0.2 * f["bias_0_bad"]
        and f["whole_1_bad"] > 1.5
        and f["deviation_1_good"] > 2 * f["deviation_0_good"]
    ),
    explanation=(
        "With the good critic the best lambda is {best_good:g} (error {error_good:.2f}), with the "
        "bad one {best_bad:g} (error {error_bad:.2f}).\n"
        "At lambda 0 the estimate is one TD error. Its deviation is small, {deviation_0_good:.2f} "
        "for the good critic, but what the critic thinks wrongly of the next state goes in whole: "
        "bias {bias_0_good:.2f} for the good and {bias_0_bad:.2f} for the bad one. At lambda 1 "
        "rewards replace the critic's view of the future: the bias between actions is "
        "{bias_1_bad:.2f} even for the bad critic, and the deviation is {deviation_1_good:.2f}.\n"
        "Now the third chart: at lambda 1 the bias as an estimate of the advantage is "
        "{whole_1_good:.2f} and {whole_1_bad:.2f}, just the size of the critic's error. The "
        "estimate is shifted by V(s) minus the critic's V(s). The shift is the same for all "
        "actions in a state, so it is a baseline and does no harm. 'Unbiased at lambda 1' is a "
        "statement about the gradient, not about A."
    ),
    exercises=("ex05",),
    seeds=12,
)
