"""The promises of ex11_rlhf_ppo, from the score of a response to the loss over its tokens.

The oracles take other ways than a solution would. Rewards and the KL are held against a language
model of two places whose responses are all enumerated. Advantages are sums of all later TD errors,
over rows from which every place that does not count was cut out. The standard deviation comes from
pairwise differences, and both clips are tables of cases.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rlgrade.author import (
    Array,
    Draw,
    NotLearned,
    Strategy,
    check,
    discounts,
    distinct_sizes,
    expect,
    expect_close,
    expect_dtype,
    expect_equal,
    expect_no_gradient,
    expect_raises,
    expect_shape,
    given,
    integer_tensors,
    integers,
    lambdas,
    masks,
    one_of,
    permutations,
    prefix_masks,
    strategy,
    tensors,
    training,
)

TENSORS_OF_THE_LOSS = (
    "log_probs",
    "old_log_probs",
    "values",
    "old_values",
    "advantages",
    "targets",
    "mask",
)
ARGUMENTS = {
    "token_rewards": ("scores", "log_probs", "ref_log_probs", "mask"),
    "token_advantages": ("rewards", "values", "mask"),
    "whiten": ("advantages", "mask"),
    "rlhf_ppo_loss": TENSORS_OF_THE_LOSS,
    "kl_to_reference": ("log_probs", "ref_log_probs", "mask"),
    "explained_variance": ("values", "targets", "mask"),
}
OPTIONS: dict[str, dict[str, float]] = {
    "token_rewards": {"beta": 0.5},
    "token_advantages": {"discount": 0.5, "lam": 0.5},
    "rlhf_ppo_loss": {"epsilon": 0.25, "value_epsilon": 0.5, "value_coefficient": 2.0},
}

SCORES = np.array([1, 0, -1, 2, 0.5, -0.5, 40, -25], np.float32)
# Log-ratios on both sides of every clip in EPSILONS, none of them near an edge.
LOG_RATIOS = np.array([0, 2, -0.8, 0.05, -0.05, 0.5, 0.25, -0.3, -2, 0.08, -0.08, 1.5], np.float32)
WIDE_LOG_RATIOS = np.array([6, -6, 13, -13, 21, 0.5, -0.8, 0], np.float32)
GAPS = np.array([0.5, -0.5, 1, -1, 0.25, -0.25, 0, 0.75, 6, -6, 14, -35], np.float32)
SIGNED = np.array([1, -1, 2, -2, 0.5, -0.5, 1.5, -0.75], np.float32)
WIDE = np.array([8, -8, 30, -30, 1.25, -1.25], np.float32)
# How far a value has moved, and how far the target is from the old one. No edge of VALUE_EPSILONS
# is met, and no clipped error is as large as the other.
MOVES = np.array([0, 1.75, -1.75, 0.125, -0.125, 0.75, -0.75], np.float32)
ERRORS = np.array([1, -1, 2, -2, 0.25, -0.25, 0, 3], np.float32)
GARBAGE = np.array([20, -20, 0, 12, -12, 5], np.float32)  # far off, yet no ratio overflows
HUGE_GARBAGE = np.array([1e4, -1e4, 0, 300, -300, 20], np.float32)  # here most ratios do
BETAS = one_of(1.0, 0.5, 0.1, 2.0)
EPSILONS = one_of(0.2, 0.1, 0.3)
VALUE_EPSILONS = one_of(0.2, 0.5, 1.0)
COEFFICIENTS = one_of(1.0, 0.5, 0.1, 2.0)
SIZES = ((2, 3), (2, 5))


# What is drawn


def chosen(table: Array, *shape: int) -> Strategy[Array]:
    """Entries of a table."""
    return integer_tensors(*shape, low=0, high=len(table) - 1).map(table.take)


def full(rows: int, length: int) -> Strategy[Array]:
    """A mask under which every place counts."""
    return one_of(np.ones((rows, length), bool))


@strategy
def blocks(draw: Draw, rows: int, length: int) -> Array:
    """A mask of one block in each row: a prompt before it, a response, padding behind it."""
    starts = draw(integer_tensors(rows, low=0, high=max(0, length - 2)))[:, None]
    lengths = draw(integer_tensors(rows, low=1, high=length))[:, None]
    places = np.arange(length)
    return (places >= starts) & (places < starts + lengths)


@strategy
def any_masks(draw: Draw, rows: int, length: int) -> Array:
    """Padding behind, a prompt before, or holes; perhaps rows in which nothing counts."""
    kind = draw(integers(0, 3))
    mask: Array = draw((prefix_masks, blocks, masks, masks)[kind](rows, length))
    if kind == 3:
        mask = mask & (draw(permutations(rows)) > 0)[:, None]
    return mask


@dataclass(frozen=True)
class Written:
    """Responses with their scores and what two policies make of their tokens."""

    scores: Array
    log_probs: Array
    ref_log_probs: Array
    mask: Array
    beta: float


@strategy
def written(draw: Draw, *, mask: Any = any_masks, betas: Strategy[float] = BETAS) -> Written:
    """Responses whose log-probs are garbage at places that do not count."""
    b, t = draw(distinct_sizes(*SIZES))
    counted = draw(mask(b, t))
    likelier = draw(tensors(b, t, low=-4.0, high=-1.0))
    gaps = draw(chosen(GAPS, b, t))
    ref = likelier - np.maximum(gaps, 0)
    log_probs = np.where(counted, likelier + np.minimum(gaps, 0), draw(chosen(GARBAGE, b, t)))
    return Written(draw(chosen(SCORES, b)), log_probs, ref, counted, draw(betas))


@dataclass(frozen=True)
class Steps:
    """What `token_advantages` is called with."""

    rewards: Array
    values: Array
    mask: Array
    discount: float
    lam: float


@strategy
def steps(
    draw: Draw,
    *,
    mask: Any = any_masks,
    discount: Strategy[float] | None = None,
    lam: Strategy[float] | None = None,
    garbage: bool = True,
) -> Steps:
    """Rewards and values, garbage at places that do not count."""
    b, t = draw(distinct_sizes(*SIZES))
    counted = draw(mask(b, t))
    rewards = draw(tensors(b, t, low=-2.0, high=2.0))
    values = draw(tensors(b, t, low=-2.0, high=2.0))
    if garbage:
        rewards, values = (
            np.where(counted, x, draw(chosen(GARBAGE, b, t))) for x in (rewards, values)
        )
    return Steps(rewards, values, counted, draw(discount or discounts()), draw(lam or lambdas()))


@dataclass(frozen=True)
class Advantages:
    """What `whiten` is called with."""

    advantages: Array
    mask: Array
    eps: float


@strategy
def advantages_of_a_batch(draw: Draw, *, mask: Any = any_masks) -> Advantages:
    """Advantages with a mean, garbage at places that do not count; two or more count."""
    b, t = draw(distinct_sizes((2, 3), (3, 5)))
    counted = draw(mask(b, t))
    counted[0, :2] = True
    plain = draw(chosen(SIGNED, b, t)) + draw(one_of(1.0, -2.0, 0.0, 0.5))
    advantages = np.where(counted, plain, draw(chosen(GARBAGE, b, t))).astype(np.float32)
    return Advantages(advantages, counted, draw(one_of(0.5, 0.1, 1.0)))


@strategy
def advantages_far_from_zero(draw: Draw) -> Advantages:
    """Float32 advantages whose mean is hundreds of times their standard deviation."""
    case = draw(advantages_of_a_batch())
    far = case.advantages + np.float32(draw(one_of(1000.0, -1000.0)))
    return replace(case, advantages=np.where(case.mask, far, case.advantages), eps=1e-8)


@strategy
def tied_advantages(draw: Draw, kinds: tuple[Any, ...] = (np.float32, np.float64)) -> Advantages:
    """Equal advantages, whose mean is rounded, or one, or none that count; padding differs."""
    b, t = draw(one_of((7, 10), (3, 16), (2, 3), (5, 13)))
    number = draw(one_of(0.1, 0.9, -0.35, 1 / 3, 0.0, 1234.567))
    mask = draw(one_of(np.ones((b, t), bool), np.arange(t) < np.arange(b)[:, None] + 2))
    count = draw(one_of(b * t, 1, 0, 2, 7, 9))  # sums of 7 and of 9 are rounded in float64, too
    mask = mask & (np.cumsum(mask).reshape(b, t) <= count)
    kind = draw(one_of(*kinds))
    # An eps below the rounding of float64, so that what is left of it shows.
    eps = 1e-18 if kind is np.float64 else 1e-8
    return Advantages(np.where(mask, number, 5.0).astype(kind), mask, eps)


@strategy
def nearly_tied_advantages(draw: Draw) -> Advantages:
    """Float64 advantages that differ by less than a hundred-thousandth of their size."""
    b, t = draw(distinct_sizes((2, 3), (3, 4)))
    ups = draw(integer_tensors(b, t, low=0, high=1))
    mask = draw(any_masks(b, t))
    ups[0, 0], mask[0, :2] = 1 - ups[0, 1], True
    advantages = draw(one_of(128.0, -128.0)) + ups / 1024  # exact also in its square
    return Advantages(np.where(mask, advantages, 5.0), mask, 1e-8)


@dataclass(frozen=True)
class Batch:
    """What `rlhf_ppo_loss` is called with."""

    log_probs: Array
    old_log_probs: Array
    values: Array
    old_values: Array
    advantages: Array
    targets: Array
    mask: Array
    epsilon: float
    value_epsilon: float
    value_coefficient: float

    def with_tensors(self, change: Any) -> Batch:
        """The same with each tensor changed by a function."""
        return replace(self, **{name: change(getattr(self, name)) for name in TENSORS_OF_THE_LOSS})


@strategy
def batches(
    draw: Draw,
    *,
    mask: Any = any_masks,
    sizes: tuple[tuple[int, int], tuple[int, int]] = ((2, 3), (2, 4)),
    coefficients: Strategy[float] = COEFFICIENTS,
    levels: tuple[float, ...] = (0.0,),
    log_ratios: Array = LOG_RATIOS,
    moves: Array = MOVES,
    advantages: Array = SIGNED,
    errors: Array = ERRORS,
) -> Batch:
    """Batches in which ratios and values lie on all sides of their clips."""
    b, t = draw(distinct_sizes(*sizes))
    old = draw(tensors(b, t, low=-4.0, high=-2.0)) + np.float32(draw(one_of(*levels)))
    old_values = draw(tensors(b, t, low=-2.0, high=2.0))
    return Batch(
        log_probs=old + draw(chosen(log_ratios, b, t)),
        old_log_probs=old,
        values=old_values + draw(chosen(moves, b, t)),
        old_values=old_values,
        advantages=draw(chosen(advantages, b, t)),
        targets=old_values + draw(chosen(errors, b, t)),
        mask=draw(mask(b, t)),
        epsilon=draw(EPSILONS),
        value_epsilon=draw(VALUE_EPSILONS),
        value_coefficient=draw(coefficients),
    )


@strategy
def batches_with_garbage(draw: Draw) -> Batch:
    """Batches with large numbers at places that do not count."""
    batch = draw(batches())
    garbage = chosen(HUGE_GARBAGE, *batch.mask.shape)
    tables = {
        name: np.where(batch.mask, getattr(batch, name), draw(garbage))
        for name in TENSORS_OF_THE_LOSS[:-1]
    }
    return replace(batch, **tables)


@strategy
def batches_moved_to_zero(draw: Draw) -> Batch:
    """Values whose difference from the old ones is rounded, all of them within the clip."""
    batch = draw(batches(mask=full, sizes=((1, 2), (2, 3))))
    shape = batch.mask.shape
    signs = draw(chosen(np.array([1, -1], np.float32), *shape))
    old_values = draw(tensors(*shape, low=1.5, high=2.4)) / np.float32(3) * signs
    return replace(
        batch,
        old_values=old_values,
        values=draw(tensors(*shape, low=-0.3, high=0.3)) / np.float32(3),
        targets=old_values + draw(chosen(ERRORS, *shape)),
        value_epsilon=1.0,
    )


@strategy
def cancelling_batches(draw: Draw) -> Batch:
    """Two float64 tokens whose terms, both clipped, are a million in size and cancel."""
    epsilon = draw(EPSILONS)
    table = np.zeros(draw(one_of((1, 2), (2, 1))))
    advantages = 1e6 * np.array([1 - epsilon, -1 - epsilon]).reshape(table.shape)
    return Batch(
        log_probs=table + np.sign(advantages) * draw(one_of(1.0, 2.0)),
        old_log_probs=table,
        values=table,
        old_values=table,
        advantages=advantages,
        targets=table,
        mask=table == 0,
        epsilon=epsilon,
        value_epsilon=0.5,
        value_coefficient=1.0,
    )


@strategy
def two_lengths(draw: Draw) -> Batch:
    """A longer and a shorter response with advantages 1 and -1, before the first update."""
    longer = draw(integers(3, 6))
    lengths = np.array([longer, draw(integers(1, longer - 1))])[:, None]
    signs = np.array(draw(one_of((1.0, -1.0), (-1.0, 1.0))), np.float32)[:, None]
    log_probs = draw(tensors(2, longer, low=-4.0, high=-2.0))
    values = np.zeros((2, longer), np.float32)
    return Batch(
        log_probs=log_probs,
        old_log_probs=log_probs,
        values=values,
        old_values=values,
        advantages=signs + values,
        targets=2 * signs + values,
        mask=np.arange(longer) < lengths,
        epsilon=0.2,
        value_epsilon=0.2,
        value_coefficient=draw(COEFFICIENTS),
    )


@dataclass(frozen=True)
class Long:
    """Responses of hundreds of tokens: a few whole rows, or many with holes."""

    scores: Array
    gaps: Array
    values: Array
    mask: Array


@strategy
def long_responses(draw: Draw) -> Long:
    """Responses in rows of 260 places and more."""
    b, t = draw(one_of((3, 280), (12, 260)))
    generator = np.random.default_rng(draw(integers(0, 10_000)))
    gaps = generator.normal(size=(b, t)).round(2).astype(np.float32)
    values = generator.normal(size=(b, t)).round(2).astype(np.float32)
    mask = generator.random((b, t)) < (0.9 if b > 3 else 1.0)
    return Long(draw(chosen(SCORES, b)), gaps, values, mask)


@dataclass(frozen=True)
class TinyModels:
    """Two language models of three tokens, of which token 0 ends a response, and scores.

    Rows of counts out of 8: the first token, and the second one behind token 1 and token 2.
    """

    policy: tuple[tuple[int, ...], ...]
    reference: tuple[tuple[int, ...], ...]
    scores: Array

    @property
    def responses(self) -> list[tuple[int, ...]]:
        """All of them; the length limit is two tokens."""
        return [(0,), *((first, second) for first in (1, 2) for second in (0, 1, 2))]

    def log_probs(self, counts: tuple[tuple[int, ...], ...]) -> Array:
        """[7, 2] of each response's tokens; 9 behind the end."""
        table = np.full((7, 2), 9.0)
        for row, response in enumerate(self.responses):
            table[row, 0] = np.log(counts[0][response[0]] / 8)
            if len(response) == 2:
                table[row, 1] = np.log(counts[response[0]][response[1]] / 8)
        return table

    @property
    def mask(self) -> Array:
        """[7, 2] bool."""
        return np.array([[True, len(response) == 2] for response in self.responses])

    @property
    def probabilities(self) -> Array:
        """[7] of each response under the policy."""
        return np.exp(np.where(self.mask, self.log_probs(self.policy), 0).sum(axis=1))

    @property
    def divergence(self) -> float:
        """KL(policy || reference), summed over places: what each adds to those before it."""
        p, q = np.array(self.policy) / 8, np.array(self.reference) / 8
        of_rows = (p * np.log(p / q)).sum(axis=1)
        return float(of_rows[0] + p[0, 1] * of_rows[1] + p[0, 2] * of_rows[2])


@strategy
def tiny_models(draw: Draw) -> TinyModels:
    """Two different models whose divergences in the two directions differ."""
    policy = tuple(draw(one_of((6, 1, 1), (2, 5, 1), (1, 2, 5), (1, 6, 1))) for _ in range(3))
    reference = tuple(draw(one_of((2, 2, 4), (3, 4, 1), (1, 1, 6), (4, 2, 2))) for _ in range(3))
    return TinyModels(policy, reference, draw(chosen(SCORES, 7)))


@dataclass(frozen=True)
class Guesses:
    """What `explained_variance` is called with."""

    values: Array
    targets: Array
    mask: Array


@strategy
def guesses(draw: Draw) -> Guesses:
    """Targets that vary, and values, garbage at places that do not count."""
    b, t = draw(distinct_sizes((2, 3), (3, 5)))
    mask = draw(any_masks(b, t))
    mask[0, :2] = True
    targets = draw(tensors(b, t, low=-2.0, high=2.0))
    targets[0, 0] = targets[0, 1] + draw(one_of(1.0, -2.0))
    values = targets * draw(one_of(1.0, 0.5, 0.0, -1.0, 2.0)) + draw(chosen(ERRORS, b, t)) / 2
    values = values + draw(one_of(0.0, 1.0, -3.0))
    unit, level = draw(one_of((1.0, 0.0), (2.0**-12, 0.0), (1.0, 1024.0)))
    values, targets = values * unit + level, targets * unit + level
    values, targets = (
        np.where(mask, x, draw(chosen(GARBAGE, b, t))).astype(np.float32) for x in (values, targets)
    )
    return Guesses(values, targets, mask)


@dataclass(frozen=True)
class Misfit:
    """One argument of a function has another shape than it should have."""

    function: str
    argument: str
    shape: list[int]
    rows: int
    places: int


@strategy
def misfits(draw: Draw) -> Misfit:
    """Misfits, most of which broadcasting would let through."""
    b, t = draw(distinct_sizes((2, 3), (2, 4)))
    function = draw(one_of(*ARGUMENTS))
    argument = draw(one_of(*(name for name in ARGUMENTS[function] if name != first_of(function))))
    shapes = ([b, 1], [1, t], [1, b, t], [b, t + 1], [t])
    if argument == "scores":
        shapes = ([b, 1], [t], [1], [], [b, t])
    return Misfit(function, argument, draw(one_of(*shapes)), b, t)


def first_of(function: str) -> str:
    """The argument that the others are compared with."""
    return next(name for name in ARGUMENTS[function] if name != "scores")


def example_of(function: str, rows: int = 2, places: int = 3) -> dict[str, Array]:
    """Tensors of the right shapes for a function."""
    arguments = {}
    for number, name in enumerate(ARGUMENTS[function]):
        shape = (rows,) if name == "scores" else (rows, places)
        filled = np.arange(np.prod(shape), dtype=np.float32).reshape(shape) / 4 - number / 2
        arguments[name] = np.ones(shape, bool) if name == "mask" else filled
    return arguments


# The oracles


def true_rewards(case: Written) -> Array:
    """[B, T], token by token."""
    rewards = np.zeros(case.mask.shape)
    for row, counted in enumerate(case.mask):
        for place in np.flatnonzero(counted):
            gap = float(case.log_probs[row, place]) - float(case.ref_log_probs[row, place])
            rewards[row, place] = -case.beta * gap
        if counted.any():
            rewards[row, np.flatnonzero(counted).max()] += float(case.scores[row])
    return rewards


def true_advantages(case: Steps) -> tuple[Array, Array]:
    """Advantages and targets [B, T]: sums of all later TD errors, places that count alone."""
    advantages, targets = np.zeros(case.mask.shape), np.zeros(case.mask.shape)
    for row, counted in enumerate(case.mask):
        rewards = case.rewards[row, counted].astype(np.float64)
        values = case.values[row, counted].astype(np.float64)
        errors = rewards + case.discount * np.append(values[1:], 0.0)[: len(values)] - values
        weights = (case.discount * case.lam) ** np.arange(len(errors))
        sums = [weights[: len(errors) - t] @ errors[t:] for t in range(len(errors))]
        advantages[row, counted] = sums
        targets[row, counted] = values + np.array(sums)
    return advantages, targets


def true_whitened(case: Advantages) -> Array:
    """[B, T] from differences alone; the variance is half their mean square."""
    counted = case.advantages[case.mask].astype(np.float64)
    differences = counted[:, None] - counted[None, :]
    variance = (differences**2).sum() / (2 * len(counted) * (len(counted) - 1))
    whitened = np.zeros(case.mask.shape)
    whitened[case.mask] = differences.mean(axis=1) / (np.sqrt(variance) + case.eps)
    return whitened


def true_loss(batch: Batch) -> tuple[float, Array, Array]:
    """The loss and its gradients with respect to log_probs and values, by cases."""
    total = 0.0
    of_log_probs, of_values = np.zeros(batch.mask.shape), np.zeros(batch.mask.shape)
    places = np.argwhere(batch.mask)
    for place in map(tuple, places):
        new, old, value, old_value, advantage, target = (
            float(getattr(batch, name)[place]) for name in TENSORS_OF_THE_LOSS[:-1]
        )
        ratio = np.exp(new - old)
        edge = 1 + batch.epsilon if advantage > 0 else 1 - batch.epsilon
        beyond = ratio > edge if advantage > 0 else ratio < edge
        total -= advantage * (edge if beyond else ratio)
        of_log_probs[place] = 0.0 if beyond else -advantage * ratio
        error, moved = value - target, value - old_value
        near = old_value + np.sign(moved) * batch.value_epsilon - target
        held = abs(moved) > batch.value_epsilon and abs(near) > abs(error)
        total += batch.value_coefficient * (near if held else error) ** 2 / 2
        of_values[place] = 0.0 if held else batch.value_coefficient * error
    count = max(len(places), 1)
    return total / count, of_log_probs / count, of_values / count


def expect_true_loss(submission: Any, batch: Batch, **tolerances: float) -> None:
    """Value and both gradients are those of the oracle."""
    answer = submission.rlhf_ppo_loss.gradients("log_probs", "values", **vars(batch))
    value, of_log_probs, of_values = true_loss(batch)
    expect_close("the loss", answer.value, value, **tolerances)
    expect_gradient("log_probs", answer, of_log_probs, **tolerances)
    expect_gradient("values", answer, of_values, **tolerances)


def expect_gradient(name: str, answer: Any, expected: Array, **tolerances: float) -> None:
    """The gradient is the oracle's; none at all is a zero one."""
    gradient = answer.gradients[name]
    if expected.any():
        expect_close(f"the gradient of {name}", gradient, expected, **tolerances)
    else:
        expect_no_gradient(name, gradient)


def advantages_and_targets(submission: Any, case: Steps) -> tuple[Array, Array]:
    """What the submission answers, if that is two tensors of the right shape."""
    return pair_of(submission.token_advantages(**vars(case)), case.mask.shape)


def pair_of(answer: Any, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """The two tensors that an answer consists of."""
    two = isinstance(answer, (list, tuple)) and len(answer) == 2
    expect(two, "token_advantages should return a pair: advantages, targets", "the pair")
    expect_shape("advantages", answer[0], shape)
    expect_shape("targets", answer[1], shape)
    return answer[0], answer[1]


def expect_true_advantages(submission: Any, case: Steps, **tolerances: float) -> None:
    """Both answers are those of the oracle."""
    advantages, targets = advantages_and_targets(submission, case)
    expected, expected_targets = true_advantages(case)
    expect_close("advantages", advantages, expected, **tolerances)
    expect_close("targets", targets, expected_targets, **tolerances)


# The rewards


@check("token_rewards puts the score on the last counted token of each row, and nowhere else")
@given(case=written(betas=one_of(0.0)), examples=40)
def scores_the_last_token(submission, case):
    expect_close("rewards", submission.token_rewards(**vars(case)), true_rewards(case))


@check("token_rewards takes beta * (log_prob - ref_log_prob) from every counted token")
@given(case=written(mask=full).map(lambda case: replace(case, scores=case.scores * 0)), examples=30)
def penalises_every_token(submission, case):
    expect_close("rewards", submission.token_rewards(**vars(case)), true_rewards(case))


@check("token_rewards adds up, over all responses, to the mean score less beta * KL(pi || pi_ref)")
@given(models=tiny_models(), beta=BETAS, examples=25)
def adds_up_to_the_objective(submission, models, beta):
    rewards = submission.token_rewards(
        models.scores,
        models.log_probs(models.policy).astype(np.float32),
        models.log_probs(models.reference).astype(np.float32),
        models.mask,
        beta=beta,
    )
    expect_shape("rewards", rewards, (7, 2))
    objective = float(models.probabilities @ rewards.astype(np.float64).sum(axis=1))
    expected = float(models.probabilities @ models.scores) - beta * models.divergence
    expect_close("the mean of the rewards' sums", objective, expected)


@check("token_rewards agrees with the definition under any mask, whatever stands elsewhere")
@given(case=written(), examples=50)
def rewards_agree_with_the_definition(submission, case):
    expect_close("rewards", submission.token_rewards(**vars(case)), true_rewards(case))


@check("token_rewards takes scores that are whole numbers")
@given(case=written(), examples=15)
def takes_integer_scores(submission, case):
    whole = replace(case, scores=np.round(case.scores).astype(np.int64))
    rewards = submission.token_rewards(**vars(whole))
    expect_close("rewards", rewards, true_rewards(whole))
    expect_dtype("rewards", rewards, "float32")


# The advantages


@check("token_advantages bootstraps nothing after the last counted token")
@given(case=steps(mask=prefix_masks), examples=40)
def ends_with_the_response(submission, case):
    advantages, targets = advantages_and_targets(submission, case)
    rows = np.arange(len(case.mask))
    last = case.mask.sum(axis=1) - 1
    rewards, values = (x.astype(np.float64)[rows, last] for x in (case.rewards, case.values))
    expect_close("advantages of the last tokens", advantages[rows, last], rewards - values)
    expect_close("targets of the last tokens", targets[rows, last], rewards)


@check("token_advantages with lam 0 gives TD errors")
@given(case=steps(mask=full, lam=one_of(0.0)), examples=30)
def lam_zero_is_one_step(submission, case):
    expect_true_advantages(submission, case)


@check("token_advantages with lam 1 gives targets that are returns, whatever the critic says")
@given(case=steps(mask=prefix_masks, lam=one_of(1.0)), examples=30)
def lam_one_is_the_return(submission, case):
    _, targets = advantages_and_targets(submission, case)
    expected = np.zeros(case.mask.shape)
    for row, counted in enumerate(case.mask):
        following = 0.0
        for place in np.flatnonzero(counted)[::-1]:
            following = float(case.rewards[row, place]) + case.discount * following
            expected[row, place] = following
    expect_close("targets", targets, expected)


@check("token_advantages weighs a TD error k tokens ahead by (discount * lam)^k")
@given(case=steps(mask=full), examples=40)
def weighs_later_errors(submission, case):
    advantages, _ = advantages_and_targets(submission, case)
    expect_close("advantages", advantages, true_advantages(case)[0])


@check("token_advantages gives targets of advantage plus value, 0 where nothing counts")
@given(case=steps(mask=prefix_masks), examples=40)
def targets_are_lambda_returns(submission, case):
    _, targets = advantages_and_targets(submission, case)
    expect_close("targets", targets, true_advantages(case)[1])


@check("token_advantages passes over places that do not count, as if they had been cut out")
@given(case=steps(mask=masks), examples=40)
def holes_are_no_steps(submission, case):
    expect_true_advantages(submission, case)


@check("token_advantages gives each row what it gives it alone, behind padding of any length")
@given(case=steps(), row=integers(0, 2), more=integers(1, 3), examples=30)
def rows_stand_alone(submission, case, row, more):
    row = min(row, len(case.mask) - 1)
    places = case.mask.shape[1]
    longer = {
        name: np.pad(getattr(case, name)[row], (0, more), constant_values=value)[None]
        for name, value in (("rewards", 7.0), ("values", -9.0), ("mask", False))
    }
    whole = advantages_and_targets(submission, case)
    alone = advantages_and_targets(submission, replace(case, **longer))
    for name, of_all, of_row in zip(("advantages", "targets"), whole, alone, strict=True):
        expected = of_all[row].astype(np.float64)
        expect_close(f"{name} of a row alone", of_row[0, :places], expected)
        expect_close(f"{name} behind the end", of_row[0, places:], np.zeros(more))


@check("token_advantages agrees with the definition on any batch")
@given(case=steps(), examples=40)
def advantages_agree_with_the_definition(submission, case):
    apart = replace(
        case,
        rewards=np.asfortranarray(case.rewards),
        values=np.asfortranarray(case.values),
        mask=np.asfortranarray(case.mask),
    )
    expect_true_advantages(submission, apart)


@check(
    "responses of hundreds of tokens get what short ones do, to their first token and last row",
    seconds=20.0,
)
@given(case=long_responses(), examples=3)
def long_responses_are_whole(submission, case):
    log_probs = np.where(case.mask, case.gaps - 3, np.float32(9))
    ref_log_probs = np.where(case.mask, np.float32(-3), np.float32(-4))
    written = Written(case.scores, log_probs, ref_log_probs, case.mask, 0.5)
    rewards = submission.token_rewards(**vars(written))
    expect_close("rewards", rewards, true_rewards(written))
    paid = true_rewards(written).astype(np.float32)
    for lam in (1.0, 0.3):
        steps = Steps(paid, case.values, case.mask, 1.0, lam)
        expect_true_advantages(submission, steps, rtol=1e-3, atol=1e-3)


# Whitening


@check("whiten divides by the standard deviation over the counted tokens of the batch, plus eps")
@given(case=advantages_of_a_batch(), examples=50)
def whitens_what_counts(submission, case):
    expect_close("whitened advantages", submission.whiten(**vars(case)), true_whitened(case))


@check("whiten keeps to the spread of advantages that are far from zero")
@given(case=advantages_far_from_zero(), examples=20)
def whitens_far_from_zero(submission, case):
    if np.ptp(case.advantages[case.mask]) == 0:
        return
    whitened = submission.whiten(**vars(case))
    expect_close("whitened advantages", whitened, true_whitened(case), rtol=1e-2, atol=1e-2)


@check("whiten takes 1e-8 for eps when none is given")
@given(case=advantages_of_a_batch(), unit=one_of(1e-6, 1e-5), examples=15)
def default_of_eps(submission, case, unit):
    small = replace(case, advantages=(case.advantages * np.float32(unit)), eps=1e-8)
    if np.ptp(small.advantages[small.mask]) == 0:
        return
    whitened = submission.whiten(small.advantages, small.mask)
    expect_close("whitened advantages", whitened, true_whitened(small), rtol=1e-3)


@check("whiten gives exactly 0 where all counted advantages are equal, one counts, or none")
@given(case=tied_advantages(), wide=tied_advantages(kinds=(np.float64,)), examples=40)
def ties_give_zero(submission, case, wide):
    for tied in (case, wide):
        whitened = submission.whiten(**vars(tied))
        zeros = np.zeros(tied.mask.shape)
        expect_close("whitened advantages", whitened, zeros, rtol=0.0, atol=0.0)


@check("whiten takes equal advantages alone for a tie, not nearly equal ones")
@given(case=nearly_tied_advantages(), examples=15)
def whitens_near_ties(submission, case):
    whitened = submission.whiten(**vars(case))
    expect_close("whitened advantages", whitened, true_whitened(case), rtol=1e-3)


# The loss


@check("rlhf_ppo_loss clips a ratio above for positive and below for negative advantages only")
@given(batch=batches(mask=full, sizes=((1, 2), (2, 3)), coefficients=one_of(0.0)), examples=50)
def clips_each_sign_on_its_side(submission, batch):
    expect_true_loss(submission, batch)


@check("rlhf_ppo_loss takes every ratio, advantage and error as it is, however large")
@given(
    batch=batches(
        sizes=((1, 2), (1, 3)),
        levels=(-30.0,),
        log_ratios=WIDE_LOG_RATIOS,
        moves=WIDE,
        advantages=WIDE,
        errors=WIDE,
    ),
    examples=50,
)
def takes_large_numbers_as_they_are(submission, batch):
    # What is clipped may come out as the difference of two numbers as large as ratio times A.
    gaps = batch.log_probs.astype(float) - batch.old_log_probs
    terms = np.exp(gaps) * batch.advantages * batch.mask
    largest = float(np.abs(terms).max()) / max(batch.mask.sum(), 1)
    expect_true_loss(submission, batch, scale=max(1.0, largest))


@check("rlhf_ppo_loss takes the larger of the two squared errors of each value, and half of it")
@given(
    batch=batches(mask=full, sizes=((1, 2), (2, 3))).map(
        lambda batch: replace(batch, advantages=batch.advantages * 0)
    ),
    examples=60,
)
def takes_the_larger_error(submission, batch):
    expect_true_loss(submission, batch)


@check("rlhf_ppo_loss weighs every counted token of the batch alike, in both terms")
@given(batch=two_lengths(), examples=20)
def weighs_tokens_alike(submission, batch):
    expect_true_loss(submission, batch)


@check("rlhf_ppo_loss ignores any number up to 1e4 in size at places that do not count")
@given(batch=batches_with_garbage(), examples=40)
def other_places_never_count(submission, batch):
    expect_true_loss(submission, batch)


@check("rlhf_ppo_loss agrees with the definition on any batch")
@given(batch=batches(levels=(0.0, -200.0)), examples=50)
def loss_agrees_with_the_definition(submission, batch):
    expect_true_loss(submission, batch.with_tensors(np.asfortranarray))


@check("rlhf_ppo_loss is 0 where nothing counts")
@given(batch=batches(mask=full).map(lambda b: replace(b, mask=b.mask & False)), examples=5)
def nothing_counts(submission, batch):
    expect_true_loss(submission, batch)


@check("rlhf_ppo_loss sends gradient to log_probs and values and to nothing else")
@given(batch=batches(), near=batches_moved_to_zero(), examples=20)
def only_the_learner_gets_gradient(submission, batch, near):
    answer = submission.rlhf_ppo_loss.gradients(*TENSORS_OF_THE_LOSS[:-1], **vars(batch))
    for name in ("old_log_probs", "old_values", "advantages", "targets"):
        expect_no_gradient(name, answer.gradients[name])
    _, of_log_probs, of_values = true_loss(batch)
    expect_gradient("log_probs", answer, of_log_probs)
    expect_gradient("values", answer, of_values)
    expect_true_loss(submission, near)


# What is watched


@check("kl_to_reference is the KL(pi || pi_ref) of whole responses, on average over pi")
@given(models=tiny_models(), examples=20)
def estimates_the_divergence(submission, models):
    counts = np.rint(models.probabilities * 64).astype(int)  # each response as often as likely
    log_probs, ref_log_probs = (
        np.repeat(models.log_probs(of), counts, axis=0).astype(np.float32)
        for of in (models.policy, models.reference)
    )
    kl = submission.kl_to_reference(log_probs, ref_log_probs, np.repeat(models.mask, counts, 0))
    expect_close("the KL", kl, models.divergence)


@check("kl_to_reference sums over the counted tokens of a row, and averages over all B rows")
@given(case=written(), examples=40)
def sums_tokens_and_averages_rows(submission, case):
    gaps = case.log_probs.astype(np.float64) - case.ref_log_probs
    sums = [gaps[row, counted].sum() for row, counted in enumerate(case.mask)]
    kl = submission.kl_to_reference(case.log_probs, case.ref_log_probs, case.mask)
    expect_close("the KL", kl, float(np.mean(sums)))


@check("explained_variance is the share of the targets' variance that the values foresee")
@given(case=guesses(), examples=50)
def explains_variance(submission, case):
    residuals = (case.targets.astype(np.float64) - case.values)[case.mask]
    targets = case.targets[case.mask].astype(np.float64)
    spread = [((x[:, None] - x[None, :]) ** 2).sum() for x in (residuals, targets)]
    share = submission.explained_variance(**vars(case))
    expect_close("the share", share, 1 - spread[0] / spread[1])


@check("explained_variance is exactly 0 where the targets do not vary")
@given(case=tied_advantages(), examples=30)
def nothing_to_explain(submission, case):
    share = submission.explained_variance(**vars(guesses_of_ties(case)))
    expect_close("the share", share, 0.0, rtol=0.0, atol=0.0)


def guesses_of_ties(case: Advantages) -> Guesses:
    """Targets that do not vary, of a critic that says something else everywhere."""
    values = np.arange(case.mask.size, dtype=case.advantages.dtype)
    return Guesses(values.reshape(case.mask.shape), case.advantages, case.mask)


@check("explained_variance is 1 for a perfect critic, also where the targets are nearly equal")
@given(case=nearly_tied_advantages(), examples=10)
def explains_near_ties(submission, case):
    share = submission.explained_variance(case.advantages, case.advantages, case.mask)
    expect_close("the share", share, 1.0)


# All of them


def calls_but_the_loss(
    case: Written, rollout: Steps, whole: Advantages, guess: Guesses, tied: Advantages
) -> tuple[tuple[str, dict[str, Any]], ...]:
    """Each function but the loss and what it is called with, those that know ties on ties, too."""
    return (
        ("token_rewards", vars(case)),
        ("token_advantages", vars(rollout)),
        ("whiten", vars(whole)),
        ("whiten", vars(tied)),
        ("kl_to_reference", {name: getattr(case, name) for name in ARGUMENTS["kl_to_reference"]}),
        ("explained_variance", vars(guess)),
        ("explained_variance", vars(guesses_of_ties(tied))),
    )


@check("everything but the loss carries no gradient")
@given(
    case=written(mask=prefix_masks),
    rollout=steps(mask=prefix_masks),
    batch=advantages_of_a_batch(),
    guess=guesses(),
    tied=tied_advantages(),
    examples=10,
)
def no_gradient_is_carried(submission, case, rollout, batch, guess, tied):
    for function, arguments in calls_but_the_loss(case, rollout, batch, guess, tied):
        names = ARGUMENTS[function][:-1]
        answer = getattr(submission, function).gradients(*names, **arguments)
        expect(
            not answer.carries_gradient, f"the result of {function} should be detached", function
        )


@check("answers float64 with float64, to all its digits")
@given(
    case=written(),
    rollout=steps(),
    batch=batches(),
    large=cancelling_batches(),
    whole=advantages_of_a_batch(),
    examples=20,
)
def float64_stays(submission, case, rollout, batch, large, whole):
    exactly = {"rtol": 1e-11, "atol": 1e-11}
    case = in_thirds(case, "scores", "log_probs", "ref_log_probs")
    rewards = submission.token_rewards(**vars(case))
    expect_dtype("rewards", rewards, "float64")
    expect_close("rewards", rewards, true_rewards(case), **exactly)
    rollout = in_thirds(rollout, "rewards", "values")
    for name, answer in zip(
        ("advantages", "targets"), advantages_and_targets(submission, rollout), strict=True
    ):
        expect_dtype(name, answer, "float64")
    expect_true_advantages(submission, rollout, **exactly)
    batch = replace(in_thirds(batch, *TENSORS_OF_THE_LOSS[:-1]), epsilon=0.25, value_epsilon=0.3)
    expect_dtype("the loss", submission.rlhf_ppo_loss(**vars(batch)), "float64")
    expect_true_loss(submission, large, scale=1e6, **exactly)
    expect_true_loss(submission, batch, **exactly)
    whole = in_thirds(whole, "advantages")
    whitened = submission.whiten(**vars(whole))
    expect_dtype("whitened advantages", whitened, "float64")
    expect_close("whitened advantages", whitened, true_whitened(whole), **exactly)


def in_thirds(case: Any, *names: str) -> Any:
    """The same with some tensors as float64 thirds, which float32 cannot hold."""
    return replace(case, **{name: getattr(case, name).astype(np.float64) / 3 for name in names})


@check("leaves its arguments as they were")
@given(
    case=written(),
    rollout=steps(),
    batch=batches_with_garbage(),
    whole=advantages_of_a_batch(),
    guess=guesses(),
    tied=tied_advantages(),
    examples=10,
)
def arguments_stay(submission, case, rollout, batch, whole, guess, tied):
    few = replace(tied, mask=tied.mask & (np.cumsum(tied.mask).reshape(tied.mask.shape) == 1))
    calls = calls_but_the_loss(case, rollout, whole, guess, tied)
    for function, arguments in (*calls, ("whiten", vars(few)), ("rlhf_ppo_loss", vars(batch))):
        _, after = getattr(submission, function).arguments_after(**arguments)
        for name in ARGUMENTS[function]:
            expect_equal(f"the caller's {name}", after[name], arguments[name])


@check("a wrong shape is a ValueError that names the argument")
@given(misfit=misfits(), examples=200)
def shapes_are_checked(submission, misfit):
    arguments = example_of(misfit.function, misfit.rows, misfit.places)
    kind = arguments[misfit.argument].dtype
    arguments[misfit.argument] = np.ones(misfit.shape, kind)
    with expect_raises(ValueError, naming=misfit.argument):
        getattr(submission, misfit.function)(**arguments, **OPTIONS.get(misfit.function, {}))


@check("tensors that are not [B, T] are a ValueError")
@given(function=one_of(*ARGUMENTS), shape=one_of((3,), (2, 3, 4)), examples=16)
def tables_are_wanted(submission, function, shape):
    arguments = {
        name: np.ones(shape, bool if name == "mask" else np.float32) for name in ARGUMENTS[function]
    }
    if "scores" in arguments:
        arguments["scores"] = np.ones(shape[:1], np.float32)
    with expect_raises(ValueError, naming=first_of(function)):
        getattr(submission, function)(**arguments, **OPTIONS.get(function, {}))


# What is trained

GOAL = 0.7  # of the mean score
BETA = 0.1  # score units for each nat
BOUND = 3.0  # nats


def improve_by_ppo(submission, session, *, beta):
    """One rollout, and what the submission makes of it."""
    from rlgrade.trainer.remote import as_array, remote_loss

    seen = session.rollout()
    shape = tuple(seen.mask.shape)
    scores, log_probs, ref_log_probs, values, mask = map(
        as_array, (seen.scores, seen.log_probs, seen.ref_log_probs, seen.values, seen.mask)
    )
    rewards = submission.token_rewards(scores, log_probs, ref_log_probs, mask, beta=beta)
    expect_shape("rewards", rewards, shape)
    advantages, targets = pair_of(
        submission.token_advantages(rewards, values, mask, discount=1.0, lam=0.95), shape
    )
    whitened = submission.whiten(advantages, mask)
    expect_shape("whitened advantages", whitened, shape)

    def loss_of(log_probs, values):
        return remote_loss(
            submission.rlhf_ppo_loss,
            {"log_probs": log_probs, "values": values},
            old_log_probs=seen.log_probs,
            old_values=seen.values,
            advantages=whitened,
            targets=targets,
            mask=seen.mask,
            epsilon=0.2,
            value_epsilon=0.2,
            value_coefficient=1.0,
        )

    session.improve(seen, loss_of)
    return variance_explained(values[mask], targets[mask])


def variance_explained(values, targets):
    """The share of the targets' variance that the judge's critic foresaw, from -1."""
    spread = float(np.var(targets))
    return max(-1.0, 1 - float(np.var(targets - values)) / spread) if spread > 0 else 0.0


@check(
    "raises the score of a small language model and stays within 3 nats of its reference",
    needs="rewards_agree_with_the_definition",
    weight=2,
)
@training(
    goal=GOAL,
    null=0.5,
    unit="mean score",
    budget=30,
    alive_by=(20, 0.6),
    kl_bound=BOUND,
    likely={
        "flat": "advantages that do not know the score, or a ratio without gradient",
        "worse": "a loss of the wrong sign",
        "collapse": "a loss of the wrong sign",
        "KL blown up": "a penalty that is not beta times each log-ratio, or of the wrong sign",
        "slow": "a penalty that is too large, or advantages that lose the score on their way back",
        "not finite": "a ratio or a standard deviation that takes in what does not count",
        "critic not learning": "targets that are not advantage plus value",
    },
)
def stays_on_the_leash(submission, attempt):
    from rlgrade.trainer.rlhf_training import Session

    session = Session(attempt)
    score = kl = 0.0
    while session.rollouts < attempt.goal.budget:
        explained = improve_by_ppo(submission, session, beta=BETA)
        if session.due():
            score, kl = session.evaluate()
            attempt.point(session.rollouts, score, kl=kl, explained_variance=explained)
    if kl > BOUND:
        raise NotLearned(
            f"with beta {BETA:g} the policy ended {kl:.3g} nats away from its reference; it should "
            f"stay within {BOUND:g}",
            "the KL to the reference",
        )
    if score < attempt.goal.score:
        raise attempt.not_learned(score)


@check(
    "leaves those 3 nats far behind when beta is 0",
    needs="rewards_agree_with_the_definition",
)
@training(
    goal=2 * BOUND,
    null=0.0,
    unit="KL to the reference in nats",
    budget=30,
    alive_by=(20, BOUND),
    likely={
        "flat": "a beta that is not the caller's, or a KL penalty outside of beta",
        "slow": "a beta that is not the caller's, or a KL penalty outside of beta",
    },
)
def leaves_without_a_leash(submission, attempt):
    from rlgrade.trainer.rlhf_training import Session

    session = Session(attempt)
    score = kl = 0.0
    while session.rollouts < attempt.goal.budget:
        improve_by_ppo(submission, session, beta=0.0)
        if session.due():
            score, kl = session.evaluate()
            attempt.point(session.rollouts, kl, mean_score=score)
            if kl >= attempt.goal.score and score >= GOAL:
                return
    if kl >= attempt.goal.score:
        raise NotLearned(
            f"with beta 0 the policy ran {kl:.3g} nats away, and not for the score: its mean is "
            f"{score:.3g}; it should be at least {GOAL:g}",
            "the mean score",
        )
    raise attempt.not_learned(kl)
