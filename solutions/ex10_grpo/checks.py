"""The promises of ex10_grpo: advantages of a group first, then the loss, then its aggregation.

The oracles take other ways than a solution would. Advantages come from pairwise differences of
rewards, without a mean or a standard deviation. The clip is a table of cases. What a token weighs
in the loss is written down for each aggregation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rlgrade.author import (
    Array,
    Draw,
    Strategy,
    check,
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
    masks,
    one_of,
    permutations,
    prefix_masks,
    strategy,
    tensors,
    training,
)

ADVANTAGES = ("dr_grpo_advantages", "leave_one_out_advantages", "group_advantages")
OF_REWARDS = (*ADVANTAGES, "group_signal")
AGGREGATIONS = ("token_mean", "sequence_mean", "constant")
INPUTS = ("log_probs", "old_log_probs", "ref_log_probs", "advantages", "mask")

# Rewards are small multiples of a power of two, so that float32 adds them without loss.
LEVELS = np.array([0, 1, -1, 2, 0.5, -0.5, 3, -2, 1.5, 0.25, -3, -0.25, 4, 0.75], np.float32)
SPREADS = np.array([1, 0.25, 2, 0.5], np.float32)
# Log-ratios on both sides of every clip in EPSILONS, none of them near an edge.
LOG_RATIOS = np.array([0, 2, -0.8, 0.05, -0.05, 0.5, 0.25, -0.3, -2, 0.08, -0.08, 1.5], np.float32)
GAPS = np.array([0.5, -0.5, 1, -1, 0.25, -0.25, 0, 0.75], np.float32)
# Those of a policy that is far off. What exp makes of the largest is finite in float32.
FAR_LOG_RATIOS = np.array([12, 4, -5, 2.5, 20, 0, -12, 40], np.float32)
FAR_GAPS = np.array([3, -3, 12, 5, -12, 0, 30, -40], np.float32)
SIGNED = np.array([1, -1, 2, -2, 0.5, -0.5, 1.5, -0.75], np.float32)
GARBAGE = np.array([20, -20, 0, 12, -12, 5], np.float32)  # far off, yet no ratio overflows
EPSILONS = (0.2, 0.1, 0.5, 0.3)
CONSTANTS = one_of(8, 10.0, 5, 16.0)


# What is drawn


def chosen(table: Array, *shape: int) -> Strategy[Array]:
    """Entries of a table."""
    return integer_tensors(*shape, low=0, high=len(table) - 1).map(table.take)


@strategy
def reward_tables(draw: Draw, *, prompts: tuple[int, int] = (1, 4)) -> Array:
    """float32 [P, G]; the groups differ in mean and scale, and any may be tied."""
    p, g = draw(distinct_sizes(prompts, (2, 6)))
    spreads, means = draw(chosen(SPREADS, p)), draw(chosen(LEVELS, p))
    table: Array = draw(chosen(LEVELS, p, g)) * spreads[:, None] + means[:, None]
    return table


@strategy
def integer_tables(draw: Draw) -> Array:
    """[P, G] of an integer dtype; differences of uint8 would wrap around."""
    dtype = draw(one_of("int64", "uint8", "int8", "int32"))
    if dtype in ("int64", "int32"):
        return np.asarray(np.round(draw(reward_tables())).astype(dtype))
    p, g = draw(distinct_sizes((1, 4), (2, 6)))
    table = draw(integer_tensors(p, g, low=max(-60, int(np.iinfo(dtype).min)), high=60))
    return np.asarray(table.astype(dtype))


@strategy
def mixed_tables(draw: Draw) -> Array:
    """[P, G], in which groups are tied, or different, or by next to nothing, in the middle only."""
    p, g = draw(distinct_sizes((1, 5), (3, 8)))
    table: Array = draw(chosen(LEVELS, p, g)) * np.float32(draw(one_of(0.9, 0.7, 1.0, 0.001)))
    table = table.astype(draw(one_of("float32", "float64")))
    for row, kind in zip(table, draw(integer_tensors(p, low=0, high=5)), strict=True):
        if kind in (0, 1, 5):
            row[:] = row[0]
        if kind == 5:
            row[1] = np.nextafter(row[0], row[0] + 1)
        elif kind == 2:
            row[-1] = row[0]
    return np.asfortranarray(table)


@dataclass(frozen=True)
class TiedGroups:
    """Groups of G completions each; all completions of one have the same reward."""

    function: str
    reward_of_each_group: Array
    completions: int
    eps: float

    @property
    def rewards(self) -> Array:
        """float32 [P, G]."""
        return np.repeat(self.reward_of_each_group[:, None], self.completions, axis=1)


@strategy
def tied_groups(draw: Draw) -> TiedGroups:
    """Rewards most of whose sums float32 rounds; it shows in large ones, or blown up by a std."""
    function = draw(one_of(*OF_REWARDS[::-1], "group_advantages"))
    plain = [98765.4, 0.9, 1234.567, -0.6, -45678.9, 1 / 3, 0.1, 0.35, 0.7, 0.0]
    if function == "group_advantages":
        plain[:2] = [0.9, 98765.4]
    rewards = draw(chosen(np.array(plain, np.float32), draw(one_of(1, 2, 3))))
    completions = draw(one_of(64, 7, 8, 16, 48, 100))
    return TiedGroups(function, rewards, completions, draw(one_of(1e-8, 1e-4)))


@dataclass(frozen=True)
class Batch:
    """What `grpo_loss` is called with."""

    log_probs: Array
    old_log_probs: Array
    ref_log_probs: Array
    advantages: Array
    mask: Array
    epsilon: float
    beta: float
    aggregation: str
    constant: float | None

    def with_tensors(self, change: Any) -> Batch:
        """The same with each tensor changed by a function."""
        return replace(self, **{name: change(getattr(self, name)) for name in INPUTS})

    def rows(self, index: Any) -> Batch:
        """Some of the completions."""
        return self.with_tensors(lambda tensor: tensor[index])


@strategy
def batches(
    draw: Draw,
    *,
    how: tuple[str, ...] = AGGREGATIONS,
    mask: Any = masks,
    sizes: tuple[tuple[int, int], tuple[int, int]] = ((2, 3), (2, 4)),
    betas: tuple[float, ...] = (0.0, 0.5, 0.1, 2.0),
    levels: tuple[float, ...] = (0.0,),
    far: tuple[bool, ...] = (False,),
    epsilons: tuple[float, ...] = EPSILONS,
) -> Batch:
    """Batches with advantages of both signs and ratios below, inside and above the clip."""
    b, t = draw(distinct_sizes(*sizes))
    far_off = draw(one_of(*far))
    log_ratios = draw(chosen(FAR_LOG_RATIOS if far_off else LOG_RATIOS, b, t))
    gaps = draw(chosen(FAR_GAPS if far_off else GAPS, b, t))
    likeliest = draw(tensors(b, t, low=-4.0, high=-2.0)) + np.float32(draw(one_of(*levels)))
    log_probs = likeliest - np.maximum(gaps, 0) - np.maximum(-log_ratios, 0)
    aggregation = draw(one_of(*how))
    return Batch(
        log_probs=log_probs,
        old_log_probs=log_probs - log_ratios,
        ref_log_probs=log_probs + gaps,
        advantages=draw(chosen(SIGNED, b)),
        mask=draw(mask(b, t)),
        epsilon=draw(one_of(*epsilons)),
        beta=draw(one_of(*betas)),
        aggregation=aggregation,
        constant=draw(CONSTANTS) if aggregation == "constant" else None,
    )


def full(rows: int, length: int) -> Strategy[Array]:
    """A mask under which every token counts."""
    return one_of(np.ones((rows, length), bool))


@strategy
def with_garbage(draw: Draw) -> Batch:
    """Batches with large numbers where the mask is False."""
    batch = draw(batches())
    garbage = {
        name: np.where(batch.mask, getattr(batch, name), draw(chosen(GARBAGE, *batch.mask.shape)))
        for name in INPUTS[:3]
    }
    return replace(batch, **garbage)


@strategy
def with_empty_rows(draw: Draw) -> Batch:
    """Batches in which one row or more, perhaps each, has no counted token."""
    batch = draw(batches())
    rows = len(batch.mask)
    empty = draw(permutations(rows)) < draw(integers(1, rows))
    return replace(batch, mask=batch.mask & ~empty[:, None])


@strategy
def two_lengths(draw: Draw, *, how: str) -> Batch:
    """A longer and a shorter completion with advantages 1 and -1, before the first update."""
    longer = draw(integers(2, 5))
    lengths = np.array([longer, draw(integers(1, longer - 1))])
    time = longer + draw(integers(0, 2)) + (longer == 2)
    signs = np.array(draw(one_of((1.0, -1.0), (-1.0, 1.0))), np.float32)
    log_probs = draw(tensors(2, time, low=-4.0, high=-2.0))
    constant = draw(CONSTANTS) if how == "constant" else None
    mask = np.arange(time) < lengths[:, None]
    return Batch(log_probs, log_probs, log_probs, signs, mask, 0.2, 0.0, how, constant)


@strategy
def first_steps(draw: Draw) -> Batch:
    """What the loss sees before the first update: groups with contrast, three equal policies."""
    p, g = draw(one_of((1, 2), (1, 3), (2, 2), (2, 3)))
    rewards = draw(chosen(LEVELS, p, g))
    rewards[:, 0] += np.all(rewards == rewards[:, :1], axis=1)  # no group is tied
    time = draw(integers(2, 5))
    time += time == p * g
    log_probs = draw(tensors(p * g, time, low=-4.0, high=-2.0))
    advantages = pairwise(rewards).mean(axis=2).ravel().astype(np.float32)
    mask = draw(prefix_masks(p * g, time))
    beta = draw(one_of(0.0, 0.5))
    return Batch(
        log_probs, log_probs, log_probs, advantages, mask, 0.2, beta, "sequence_mean", None
    )


@dataclass(frozen=True)
class Policies:
    """Two distributions over three tokens, as counts out of 8."""

    policy: tuple[int, ...]
    reference: tuple[int, ...]


@strategy
def policies(draw: Draw) -> Policies:
    """Two different distributions, not each other's mirror image."""
    first = draw(one_of((6, 1, 1), (4, 3, 1), (1, 2, 5), (2, 3, 3)))
    second = draw(one_of((2, 2, 4), (3, 4, 1), (1, 5, 2), (1, 1, 6), (3, 3, 2)))
    return Policies(first, second)


@dataclass(frozen=True)
class Misfit:
    """One argument of the loss has another shape than it should have."""

    argument: str
    shape: list[int]
    shape_of_log_probs: list[int]
    beta: float


@strategy
def misfits(draw: Draw) -> Misfit:
    """Misfits, most of which broadcasting would let through."""
    b, t = draw(distinct_sizes((2, 3), (2, 4)))
    argument = draw(one_of(*INPUTS[1:]))
    shapes = ([t], [b, 1], [1, t], [1, b, t], [b, t + 1])
    if argument == "advantages":
        shapes = ([t], [b, 1], [b, t], [1], [])
    return Misfit(argument, draw(one_of(*shapes)), [b, t], draw(one_of(0.1, 0.0)))


# The oracles


def pairwise(rewards: Array) -> Array:
    """[P, G, G]: by how much completion g is better than completion h."""
    exact = rewards.astype(np.float64)
    return exact[:, :, None] - exact[:, None, :]


def true_advantages(function: str, rewards: Array, eps: float = 1e-4) -> Array:
    """Advantages from differences alone; a group's variance is half their mean square."""
    differences = pairwise(rewards)
    others = rewards.shape[1] - 1
    if function == "leave_one_out_advantages":
        return differences.sum(axis=2) / others
    centred = differences.mean(axis=2)
    if function == "dr_grpo_advantages":
        return centred
    variance = (differences**2).sum(axis=(1, 2)) / (2 * (others + 1) * others)
    return centred / (np.sqrt(variance) + eps)[:, None]


def rounding_of_a_mean(rewards: Array) -> float:
    """By how much a float32 mean of a group may be off, with room for any order of its sum."""
    return float(2.0**-21 * np.abs(rewards).max())


def token_weights(batch: Batch) -> Array:
    """[B, T]: what each token's loss counts for."""
    weights = np.zeros(batch.mask.shape)
    for row, counted in enumerate(batch.mask):
        divisor = {
            "token_mean": batch.mask.sum(),
            "sequence_mean": len(batch.mask) * counted.sum(),
            "constant": len(batch.mask) * (batch.constant or 0),
        }[batch.aggregation]
        weights[row, counted] = 1 / divisor if counted.any() else 0
    return weights


def true_loss(batch: Batch) -> tuple[float, Array]:
    """The loss and its gradient with respect to log_probs."""
    new, old, ref = (
        np.where(batch.mask, getattr(batch, name), 0).astype(np.float64) for name in INPUTS[:3]
    )
    advantage = batch.advantages.astype(np.float64)[:, None]
    ratio = np.exp(new - old)
    too_high = (advantage > 0) & (ratio > 1 + batch.epsilon)
    too_low = (advantage < 0) & (ratio < 1 - batch.epsilon)
    held = np.select([too_high, too_low], [1 + batch.epsilon, 1 - batch.epsilon], ratio)
    moves = np.where(too_high | too_low, 0, ratio)
    gap = ref - new
    weights = token_weights(batch)
    losses = batch.beta * (np.expm1(gap) - gap) - held * advantage
    slopes = -batch.beta * np.expm1(gap) - moves * advantage
    return float((weights * losses).sum()), weights * slopes


def loss_and_gradient(submission: Any, batch: Batch) -> tuple[Array, Any]:
    """The submission's loss, a scalar, and its gradient with respect to log_probs."""
    answer = submission.grpo_loss.gradients("log_probs", **vars(batch))
    expect_shape("the loss", answer.value, ())
    if not batch.mask.any():
        expect(
            answer.carries_gradient,
            "`backward()` should work on the loss where nothing counts, too; yours has no graph",
        )
    return answer.value, answer.gradients["log_probs"]


def expect_true_loss(submission: Any, batch: Batch, **tolerances: float) -> None:
    """Value and gradient are those of the oracle."""
    value, gradient = loss_and_gradient(submission, batch)
    true_value, true_gradient = true_loss(batch)
    expect_close("the loss", value, true_value, **tolerances)
    if batch.mask.any():
        expect_close("the gradient of log_probs", gradient, true_gradient, **tolerances)
    else:
        expect_no_gradient("log_probs", gradient)


# Advantages


@check("dr_grpo_advantages subtracts the mean of each group and divides by nothing")
@given(rewards=reward_tables(), examples=30)
def subtracts_the_group_mean(submission, rewards):
    advantages = submission.dr_grpo_advantages(rewards)
    expect_close("advantages", advantages, true_advantages("dr_grpo_advantages", rewards))


@check("leave_one_out_advantages compares each reward with the mean of the others in its group")
@given(rewards=reward_tables(), examples=30)
def compares_with_the_others(submission, rewards):
    advantages = submission.leave_one_out_advantages(rewards)
    expect_close("advantages", advantages, true_advantages("leave_one_out_advantages", rewards))


@check("group_advantages divides by each group's standard deviation plus eps")
@given(
    rewards=reward_tables(),
    eps=one_of(0.5, 1e-4, 1.0, 0.1, 0.01),
    unit=one_of(1.0, 1e-6, 1e-9),
    examples=50,
)
def divides_by_the_spread(submission, rewards, eps, unit):
    """In any unit: rewards that differ little are not tied."""
    rewards, eps = rewards * np.float32(unit), eps * unit
    advantages = submission.group_advantages(rewards, eps=eps)
    expect_close("advantages", advantages, true_advantages("group_advantages", rewards, eps))


@check("group_advantages takes 1e-4 for eps when none is given")
@given(rewards=reward_tables(), unit=one_of(1e-3, 3e-4, 1e-4), examples=20)
def default_of_eps(submission, rewards, unit):
    rewards = np.round(rewards * 16) / 16 * np.float32(unit)
    advantages = submission.group_advantages(rewards)
    expect_close("advantages", advantages, true_advantages("group_advantages", rewards))


@check("gives a group the same advantages in whatever order and company the prompts come")
@given(
    function=one_of(*ADVANTAGES),
    rewards=reward_tables(prompts=(2, 4)),
    order=permutations(7),
    leave_out=integers(0, 2),
    examples=30,
)
def groups_stay_apart(submission, function, rewards, order, leave_out):
    order = order[order < len(rewards)]
    order = order[: max(1, len(order) - leave_out)]
    whole = getattr(submission, function)(np.asfortranarray(rewards))
    expect_shape("advantages", whole, rewards.shape)
    part = getattr(submission, function)(rewards[order])
    expect_close("advantages of the chosen prompts", part, whole[order].astype(np.float64))


@check("group_advantages ignores a shift, and a scale up to eps: A(c * r, eps) = A(r, eps / c)")
@given(
    rewards=reward_tables(),
    shift=one_of(0.0, 1.0, -2.0, 0.25, 1000.0, -100.0),
    scale=one_of(2.0, 0.5, 4.0, 0.25),
    sign=one_of(1.0, -1.0),
    eps=one_of(0.5, 0.1, 1.0),
    examples=40,
)
def shift_and_scale(submission, rewards, shift, scale, sign, eps):
    changed = (rewards * scale * sign + shift).astype(np.float32)
    expected = submission.group_advantages(rewards, eps=eps / scale)
    expect_shape("advantages", expected, rewards.shape)
    advantages = submission.group_advantages(changed, eps=eps)
    expect_close(
        "advantages of c * r + b",
        advantages,
        sign * expected.astype(np.float64),
        atol=1e-5 + rounding_of_a_mean(changed) / eps,
    )


@check("leave_one_out_advantages is G / (G - 1) times dr_grpo_advantages")
@given(rewards=reward_tables(), examples=20)
def factor_of_leave_one_out(submission, rewards):
    centred = submission.dr_grpo_advantages(rewards)
    expect_shape("dr_grpo_advantages", centred, rewards.shape)
    advantages = submission.leave_one_out_advantages(rewards)
    completions = rewards.shape[1]
    expected = centred.astype(np.float64) * completions / (completions - 1)
    expect_close("leave_one_out_advantages", advantages, expected)


@check("gives tied groups advantages of exactly zero, and no signal, whatever the reward")
@given(groups=tied_groups(), examples=80)
def tied_groups_give_zero(submission, groups):
    options = {"eps": groups.eps} if groups.function == "group_advantages" else {}
    answer = getattr(submission, groups.function)(groups.rewards, **options)
    zeros = np.zeros(() if groups.function == "group_signal" else groups.rewards.shape)
    expect_close(groups.function, answer, zeros, rtol=0.0, atol=0.0)


@check("gives a tied group exactly zero beside one that is not tied")
@given(groups=tied_groups(), examples=60)
def tied_beside_untied(submission, groups):
    if groups.function == "group_signal":
        return
    untied = np.arange(groups.completions, dtype=np.float32)[None]
    options = {"eps": groups.eps} if groups.function == "group_advantages" else {}
    table = np.concatenate([groups.rewards, untied])
    answer = getattr(submission, groups.function)(table, **options)
    expect_shape(groups.function, answer, table.shape)
    zeros = np.zeros(groups.rewards.shape)
    expect_close("the rows of the tied groups", answer[:-1], zeros, rtol=0.0, atol=0.0)


@check("group_signal is the share of groups whose rewards are not all equal")
@given(rewards=mixed_tables(), examples=50)
def share_with_contrast(submission, rewards):
    contrast = [len(set(row)) > 1 for row in rewards.tolist()]
    signal = submission.group_signal(rewards)
    expect_close("the signal", signal, sum(contrast) / len(contrast))


@check("takes rewards of any integer dtype")
@given(function=one_of(*OF_REWARDS), rewards=integer_tables(), examples=40)
def integer_rewards(submission, function, rewards):
    answer = getattr(submission, function)(rewards)
    if function == "group_signal":
        expect_close("the signal", answer, np.mean(np.ptp(rewards.astype(int), axis=1) > 0))
    else:
        expect_dtype("advantages", answer, "float32")
        expect_close("advantages", answer, true_advantages(function, rewards))


@check("refuses groups of one completion, and rewards that are not [P, G], with a ValueError")
@given(function=one_of(*OF_REWARDS), shape=one_of((3, 1), (1, 1), (4,), (2, 3, 4)), examples=16)
def group_of_one_is_refused(submission, function, shape):
    rewards = np.arange(math.prod(shape), dtype=np.float32).reshape(shape)
    with expect_raises(ValueError, naming="rewards"):
        getattr(submission, function)(rewards)


# The loss, token by token


@check("grpo_loss starts at zero, with a gradient that does not")
@given(batch=first_steps(), examples=30)
def starts_at_zero_and_moves(submission, batch):
    expect_true_loss(submission, batch)


@check("grpo_loss clips a ratio above for positive and below for negative advantages only")
@given(
    batch=batches(
        how=("token_mean",),
        mask=full,
        betas=(0.0,),
        sizes=((1, 2), (2, 3)),
        far=(False, False, True),
    ),
    examples=50,
)
def clips_each_sign_on_its_side(submission, batch):
    expect_true_loss(submission, batch)


@check("grpo_loss adds beta times what is KL(policy || reference) on average over the policy")
@given(policies=policies(), beta=one_of(1.0, 2.0, 0.5), examples=30)
def estimates_the_divergence(submission, policies, beta):
    policy, reference = (np.array(counts) / 8 for counts in (policies.policy, policies.reference))
    tokens = np.repeat(np.arange(3), policies.policy)  # each as often as it is likely
    log_probs = np.log(policy)[tokens][:, None].astype(np.float32)
    ref_log_probs = np.log(reference)[tokens][:, None].astype(np.float32)
    nothing, everything = np.zeros(8, np.float32), np.ones((8, 1), bool)
    inputs = (log_probs, log_probs, ref_log_probs, nothing, everything)
    loss = submission.grpo_loss(*inputs, epsilon=0.2, beta=beta, aggregation="sequence_mean")
    expect_close("the loss", loss, beta * (policy * np.log(policy / reference)).sum())


@check("grpo_loss pulls every log-prob towards the reference, by beta * (1 - exp(ref - log_prob))")
@given(
    batch=batches(mask=full, betas=(1.0, 10.0, 0.5), far=(False, True)).map(
        lambda batch: replace(batch, advantages=batch.advantages * 0)
    ),
    examples=30,
)
def pulls_towards_the_reference(submission, batch):
    _, gradient = loss_and_gradient(submission, batch)
    gap = batch.ref_log_probs.astype(np.float64) - batch.log_probs
    expected = token_weights(batch) * batch.beta * (1 - np.exp(gap))
    expect_close("the gradient of log_probs", gradient, expected)


# Aggregation


@check("token_mean weighs every counted token of the batch alike")
@given(batch=two_lengths(how="token_mean"), examples=20)
def token_mean_weighs_tokens(submission, batch):
    expect_true_loss(submission, batch)


@check("sequence_mean weighs every completion alike, so each token of a long one less")
@given(batch=two_lengths(how="sequence_mean"), examples=20)
def sequence_mean_weighs_completions(submission, batch):
    expect_true_loss(submission, batch)


@check("constant weighs every token by 1 / (B * constant), whatever the lengths")
@given(batch=two_lengths(how="constant"), examples=20)
def constant_divides(submission, batch):
    expect_true_loss(submission, batch)


@check("grpo_loss ignores whatever stands at masked tokens, however large")
@given(batch=with_garbage(), examples=30)
def masked_tokens_never_count(submission, batch):
    expect_true_loss(submission, batch)


@check("grpo_loss lets a row without counted tokens add 0 and be one of the B rows all the same")
@given(batch=with_empty_rows(), examples=40)
def empty_rows_add_zero(submission, batch):
    expect_true_loss(submission, batch)


@check("grpo_loss is the sum over microbatches, each weighed by its share of the tokens or rows")
@given(batch=batches(), split=integers(1, 4), examples=30)
def microbatches_add_up(submission, batch, split):
    split = min(split, len(batch.mask) - 1)
    value, gradient = loss_and_gradient(submission, batch)
    total, gradients = 0.0, []
    for rows in (slice(split), slice(split, None)):
        part = batch.rows(rows)
        share = len(part.mask) / len(batch.mask)
        if batch.aggregation == "token_mean":
            share = part.mask.sum() / batch.mask.sum()
        loss, of_part = loss_and_gradient(submission, part)
        expect_shape("the gradient of log_probs", of_part, part.mask.shape)
        total += share * float(loss)
        gradients.append(share * of_part.astype(np.float64))
    expect_close("the loss of the whole batch", value, total)
    expect_close("the gradient of the whole batch", gradient, np.concatenate(gradients))


@check("grpo_loss agrees with the definition on any batch")
@given(
    batch=batches(levels=(0.0, -200.0), far=(False, False, True), epsilons=(*EPSILONS, 1.0, 1.5)),
    examples=50,
)
def agrees_with_the_definition(submission, batch):
    expect_true_loss(submission, batch.with_tensors(np.asfortranarray))


# Tensors


@check("grpo_loss sends gradient to log_probs and to nothing else")
@given(batch=batches(betas=(0.5, 2.0)), examples=20)
def only_log_probs_get_gradient(submission, batch):
    answer = submission.grpo_loss.gradients(*INPUTS[:4], **vars(batch))
    for name in INPUTS[1:4]:
        expect_no_gradient(name, answer.gradients[name])
    expect_close("the gradient of log_probs", answer.gradients["log_probs"], true_loss(batch)[1])


@check("returns advantages that carry no gradient")
@given(function=one_of(*ADVANTAGES), rewards=reward_tables(), examples=20)
def advantages_carry_no_gradient(submission, function, rewards):
    answer = getattr(submission, function).gradients("rewards", rewards=rewards)
    expect_shape("advantages", answer.value, rewards.shape)
    expect(not answer.carries_gradient, f"the result of {function} should be detached")


@check("answers float64 with float64, to all its digits")
@given(
    function=one_of(*ADVANTAGES, "grpo_loss"),
    rewards=reward_tables(),
    batch=batches(betas=(0.5, 2.0)),
    examples=30,
)
def float64_stays(submission, function, rewards, batch):
    if function == "grpo_loss":
        thirds = batch.with_tensors(lambda x: x if x.dtype == bool else x.astype(np.float64) / 3)
        thirds = replace(thirds, epsilon=0.25)
        loss, _ = loss_and_gradient(submission, thirds)
        expect_dtype("the loss", loss, "float64")
        expect_true_loss(submission, thirds, rtol=1e-11, atol=1e-11)
        return
    thirds = rewards.astype(np.float64) / 3
    options = {"eps": 0.25} if function == "group_advantages" else {}
    advantages = getattr(submission, function)(thirds, **options)
    expect_dtype("advantages", advantages, "float64")
    expected = true_advantages(function, thirds, **options)
    expect_close("advantages", advantages, expected, rtol=1e-9, atol=1e-9)


@check("leaves its inputs as they were")
@given(
    function=one_of(*OF_REWARDS, "grpo_loss"),
    rewards=reward_tables(),
    batch=with_garbage(),
    examples=30,
)
def inputs_stay(submission, function, rewards, batch):
    inputs = vars(batch) if function == "grpo_loss" else {"rewards": rewards}
    _, after = getattr(submission, function).arguments_after(**inputs)
    for name in INPUTS if function == "grpo_loss" else ("rewards",):
        expect_equal(f"the caller's {name}", after[name], inputs[name])


@check("grpo_loss refuses an argument of a wrong shape with a ValueError that names it")
@given(misfit=misfits(), examples=100)
def shapes_are_checked(submission, misfit):
    shapes = dict.fromkeys(INPUTS, misfit.shape_of_log_probs)
    shapes["advantages"] = misfit.shape_of_log_probs[:1]
    shapes[misfit.argument] = misfit.shape
    tensors = {
        name: np.ones(shape, bool if name == "mask" else np.float32)
        for name, shape in shapes.items()
    }
    with expect_raises(ValueError, naming=misfit.argument):
        submission.grpo_loss(**tensors, epsilon=0.2, beta=misfit.beta, aggregation="token_mean")


@check("grpo_loss refuses an unknown aggregation, and `constant` without a constant")
@given(
    batch=batches(how=("token_mean",)),
    aggregation=one_of("constant", "mean", "token-mean", "sum"),
    examples=12,
)
def options_are_checked(submission, batch, aggregation):
    naming = "constant" if aggregation == "constant" else "aggregation"
    with expect_raises(ValueError, naming=naming):
        submission.grpo_loss(**vars(replace(batch, aggregation=aggregation)))


@check(
    "raises the score of a small language model on prompts that it was not trained on",
    needs="divides_by_the_spread",
    weight=2,
)
@training(
    goal=0.85,
    null=0.46,
    unit="mean score",
    budget=120,
    alive_by=(70, 0.6),
    on_gpu=True,
    likely={
        "worse": "a loss of the wrong sign",
        "flat": "an advantage that does not tell the better completions of a prompt from the worse",
        "collapse": "a loss of the wrong sign, or a ratio the wrong way up",
        "KL blown up": "a KL term of the wrong sign, or a loss of the wrong sign",
        "not finite": "a division by the standard deviation of a tied group",
    },
)
def raises_the_score(submission, attempt):
    from rlgrade.trainer.language_training import Session
    from rlgrade.trainer.remote import as_array, remote_loss

    session = Session(attempt)
    score = 0.0
    while session.rollouts < attempt.goal.budget:
        seen = session.rollout()
        advantages = submission.group_advantages(as_array(seen.scores))
        expect_shape("advantages", advantages, tuple(seen.scores.shape))

        def loss_of(log_probs, seen=seen, advantages=advantages):
            return remote_loss(
                submission.grpo_loss,
                {"log_probs": log_probs},
                old_log_probs=seen.log_probs,
                ref_log_probs=seen.ref_log_probs,
                advantages=advantages.reshape(-1),
                mask=seen.mask,
                epsilon=0.2,
                beta=0.01,
                aggregation="token_mean",
            )

        session.improve(seen, loss_of)
        score = session.evaluate(seen)
        if score >= attempt.goal.score:
            return
    raise attempt.not_learned(score)
