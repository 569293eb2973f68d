"""What the functions of exercise 3 promise, one function after the other, then what all share.

Whatever concerns an expectation or a variance is enumerated over every action that a small softmax
policy can take; nothing is sampled. The other oracles are explicit sums, least squares, and a
standard deviation from pairwise differences.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, make_dataclass, replace
from typing import Any

import numpy as np

from rlgrade.author import (
    Array,
    Draw,
    Strategy,
    booleans,
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
    strategy,
    tensors,
    training,
)

ARGUMENTS = {
    "moving_average_baseline": ("returns", "decay", "initial"),
    "batch_mean_baseline": ("returns",),
    "leave_one_out_baseline": ("returns",),
    "value_baseline_loss": ("values", "returns", "mask"),
    "variance_minimising_baseline": ("scores", "returns"),
    "normalise_advantages": ("advantages", "mask"),
}
TENSORS = ("returns", "values", "mask", "scores", "advantages")
OF_SAMPLES = ("moving_average_baseline", "batch_mean_baseline", "leave_one_out_baseline")
CALLS = {
    name: make_dataclass("Call", ("function", *arguments), frozen=True)
    for name, arguments in ARGUMENTS.items()
}
GARBAGE = 1e6

decays = one_of(0.5, 0.9, 0.25, 1.0, 0.75, 0.0)
initials = one_of(1.0, 0.0, -2.0, 0.5, 3.0)
DYADIC = one_of(0.5, 0.25, 0.75)  # float32 holds them, so only the data can lose digits


# What is drawn


@strategy
def samples(draw: Draw, *, least: int = 1) -> Array:
    """float32 [N]: returns of up to five samples."""
    returns: Array = draw(tensors(draw(integers(least, 5))))
    return returns


@dataclass(frozen=True)
class Bandit:
    """A softmax policy that takes action a with probability counts[a] / sum, and N samples of it.

    Every action has one return.
    """

    counts: Array
    returns: Array
    samples: int = 1

    @property
    def probabilities(self) -> Array:
        """[A] float64."""
        return self.counts / self.counts.sum()

    @property
    def scores(self) -> Array:
        """[A, A] float64: the gradient of each action's log-prob with respect to the logits."""
        return np.eye(len(self.counts)) - self.probabilities

    @property
    def gradient(self) -> Array:
        """[A] float64: the gradient of the expected return."""
        weights = self.probabilities * self.returns.astype("float64")
        total: Array = weights @ self.scores
        return total

    @property
    def population(self) -> Array:
        """int64 [sum of counts]: actions in which each is as frequent as it is probable."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    def variance(self, baseline: float) -> float:
        """Trace of the covariance of the one-sample gradient estimate, over all actions."""
        return self.variances(np.array([baseline]))[0]

    def variances(self, baselines: Array) -> list[float]:
        """The same for several baselines."""
        errors = self.returns.astype("float64") - baselines[:, None]
        estimates = errors[:, :, None] * self.scores
        second_moments = (estimates**2).sum(axis=-1) @ self.probabilities
        variances: list[float] = (second_moments - (self.gradient**2).sum()).tolist()
        return variances


THE_BANDIT = Bandit(np.array([7, 2, 1]), np.array([1.0, 0.5, 0.0], dtype=np.float32))


@strategy
def bandits(draw: Draw) -> Bandit:
    """Bandits with a few actions and samples, never as many of one as of the other."""
    actions, number = draw(one_of((2, 3), (2, 1), (3, 2), (2, 4)))
    counts = draw(integer_tensors(actions, low=1, high=4))
    return Bandit(counts, draw(tensors(actions)), number)


@dataclass(frozen=True)
class Regression:
    """What value_baseline_loss is called with."""

    values: Array
    returns: Array
    mask: Array


@strategy
def regressions(draw: Draw, *, masked: bool) -> Regression:
    """Values and returns [B, T]; where the mask is False there is garbage."""
    shape = draw(distinct_sizes((1, 3), (1, 4)))
    values, returns = draw(tensors(*shape)), draw(tensors(*shape))
    mask = draw(some_counted(*shape, least=1)) if masked else np.ones(shape, bool)
    return Regression(with_garbage(values, mask), with_garbage(returns, mask, -0.5), mask)


@dataclass(frozen=True)
class Scored:
    """What variance_minimising_baseline is called with."""

    scores: Array
    returns: Array


@strategy
def scored(draw: Draw) -> Scored:
    """Samples with any scores, some all zero, but never the first: that has a check of its own."""
    n, k = draw(distinct_sizes((1, 4), (1, 3)))
    scores = draw(tensors(n, k)) * draw(masks(n, 1, at_least=0))
    scores[0, 0] = 1.0
    return Scored(scores, draw(tensors(n)))


@dataclass(frozen=True)
class Advantages:
    """What normalise_advantages is called with."""

    advantages: Array
    mask: Array


@strategy
def advantage_batches(draw: Draw, *, masked: bool, high: int | None = None) -> Advantages:
    """Advantages [B, T], at least two of which count; where the mask is False there is garbage.

    With `high` they are whole quarters from -high to high, which float32 adds up exactly.
    """
    shape = draw(distinct_sizes((1, 3), (2, 4)))
    if high is None:
        advantages = draw(tensors(*shape))
    else:
        advantages = draw(integer_tensors(*shape, low=-4 * high, high=4 * high)) / np.float32(4)
    mask = draw(some_counted(*shape)) if masked else np.ones(shape, bool)
    return Advantages(with_garbage(advantages.astype(np.float32), mask), mask)


@dataclass(frozen=True)
class Damped(Advantages):
    """What normalise_advantages is called with where eps is large beside the advantages."""

    eps: float


@strategy
def damped(draw: Draw) -> Damped:
    """Advantages of ordinary size with a large eps, or tiny ones with the usual eps."""
    batch = draw(advantage_batches(masked=True))
    unit, eps = draw(one_of((1.0, 1.0), (1.0, 0.5), (1.0, 0.1), (1.0, 2.0), (2.0**-29, 1e-8)))
    advantages = with_garbage(batch.advantages * np.float32(unit), batch.mask)
    return Damped(advantages, batch.mask, eps)


@strategy
def nearly_tied(draw: Draw) -> Advantages:
    """Advantages of two sizes that differ by eight millionths of themselves: 64 steps of float32.

    Both count at least once. float32 adds them up exactly.
    """
    b, t = draw(distinct_sizes((1, 2), (2, 3)))
    smaller, step = draw(one_of((1.0, 2.0**-17), (-512.0, 2.0**-8)))
    larger = draw(masks(b, t, at_least=0)).copy()
    larger.flat[0], larger.flat[-1] = False, True
    mask = draw(some_counted(b, t))
    advantages = np.where(larger, smaller + step, smaller).astype(np.float32)
    return Advantages(with_garbage(advantages, mask), mask)


def some_counted(*shape: int, least: int = 2) -> Strategy[Array]:
    """Masks whose rows count unequal numbers of entries, some none; the last entry counts.

    With `least` 2 the first entry counts as well.
    """

    def with_corners(mask: Array) -> Array:
        mask = mask.copy()
        mask.flat[-1] = True
        if least == 2:
            mask.flat[0] = True
        return mask

    return masks(*shape, at_least=0).map(with_corners)


def few_counted(b: int, t: int) -> Strategy[Array]:
    """Masks [B, T] of which one entry counts, or none."""
    return integers(0, b * t).map(lambda place: np.arange(b * t).reshape(b, t) == place)


def with_garbage(tensor: Array, mask: Array, factor: float = 1.0) -> Array:
    """Large numbers of changing sign wherever the mask is False."""
    signs = np.where(np.arange(tensor.size).reshape(tensor.shape) % 3 == 0, -1.0, 1.0)
    return np.where(mask, tensor, factor * GARBAGE * signs).astype(tensor.dtype)


@strategy
def nearly_all_masked(draw: Draw) -> Advantages:
    """Advantages of which one counts, or none."""
    b, t = draw(distinct_sizes((1, 3), (2, 4)))
    mask = draw(few_counted(b, t))
    return Advantages(with_garbage(draw(tensors(b, t)), mask), mask)


@strategy
def tied(draw: Draw) -> Advantages:
    """Many equal advantages whose float32 sum is rounded."""
    b, t = draw(one_of((2, 7), (1, 9), (3, 5), (4, 16), (5, 11)))
    value = np.float32(draw(one_of(0.1, 0.9, -0.3, 0.7, 1 / 3)))
    mask = draw(masks(b, t, at_least=t // 2))
    return Advantages(with_garbage(np.full((b, t), value), mask), mask)


@strategy
def calls(draw: Draw, *functions: str, kind: str = "float32", few: bool = False) -> Any:
    """A call of one of the functions (of all unless given), with all it needs.

    With the kind int64 `returns` are whole numbers; with float64 all tensors are thirds, which
    float32 cannot hold. With `few` one entry of a mask counts, or none, in every second call.
    """
    function = draw(one_of(*(functions or ARGUMENTS)))
    n, k = draw(distinct_sizes((1, 4), (2, 4)))
    b, t = draw(distinct_sizes((1, 3), (2, 4)))
    width = (b, t) if function == "value_baseline_loss" else (n,)

    def numbers(*shape: int, whole: bool = False) -> Array:
        if whole:
            return draw(integer_tensors(*shape, low=-3, high=3))
        if kind == "float64":
            return draw(integer_tensors(*shape, low=-2, high=2)) / 3.0
        return draw(tensors(*shape))

    of_name: dict[str, Callable[[], Any]] = {
        "decay": lambda: draw(DYADIC),
        "initial": lambda: draw(DYADIC),
        "mask": lambda: draw(few_counted(b, t) if few and draw(booleans()) else some_counted(b, t)),
        "scores": lambda: numbers(n, k),
        "values": lambda: numbers(b, t),
        "advantages": lambda: numbers(b, t),
        "returns": lambda: numbers(*width, whole=kind == "int64"),
    }
    arguments = [of_name[name]() for name in ARGUMENTS[function]]
    return CALLS[function](function, *arguments)


def arguments_of(call: Any) -> dict[str, Any]:
    """The keyword arguments of a call."""
    return {name: getattr(call, name) for name in ARGUMENTS[call.function]}


@dataclass(frozen=True)
class Misfit:
    """One argument of a function has a shape that it should not have."""

    function: str
    argument: str
    shape: list[int]
    shapes_of_the_others: dict[str, list[int]]


@strategy
def misfits(draw: Draw) -> Misfit:
    """Misfits, most of which broadcasting or a sum would let through."""
    n, k = draw(distinct_sizes((2, 3), (2, 4)))
    b, t = draw(distinct_sizes((2, 3), (2, 4)))
    of_step = [[t], [b, 1], [1, t], [t, b], [1, b, t], [b, t + 1]]
    of_sample = [[n, 1], [1], [], [n + 1]]
    table = [
        *((function, "returns", [[n, 1], [1, n], [n, k], []], {}) for function in OF_SAMPLES),
        ("value_baseline_loss", "returns", of_step, {"values": [b, t], "mask": [b, t]}),
        ("value_baseline_loss", "mask", of_step, {"values": [b, t], "returns": [b, t]}),
        ("variance_minimising_baseline", "returns", of_sample, {"scores": [n, k]}),
        ("variance_minimising_baseline", "scores", [[n], [n, k, 1]], {"returns": [n]}),
        ("normalise_advantages", "mask", of_step, {"advantages": [b, t]}),
    ]
    function, argument, shapes, others = draw(one_of(*table))
    return Misfit(function, argument, draw(one_of(*shapes)), others)


# The oracles


def true_moving_average(returns: Array, decay: float, initial: float) -> Array:
    """The definition, step by step."""
    averages = [initial]
    for outcome in returns.tolist():
        averages.append(decay * averages[-1] + (1 - decay) * outcome)
    return np.array(averages[:-1])


def true_batch_mean(returns: Array) -> Array:
    """The exact sum, divided once."""
    return np.full(len(returns), math.fsum(returns.tolist()) / len(returns))


def true_leave_one_out(returns: Array) -> Array:
    """For each sample the others, listed and averaged."""
    numbers = returns.tolist()
    others = [numbers[:i] + numbers[i + 1 :] for i in range(len(numbers))]
    return np.array([math.fsum(rest) / len(rest) if rest else 0.0 for rest in others])


def true_value_loss(values: Array, returns: Array, mask: Array) -> float:
    """Half the squared error of each counted step in turn, averaged."""
    steps = zip(values[mask].tolist(), returns[mask].tolist(), strict=True)
    halves = [0.5 * (value - outcome) ** 2 for value, outcome in steps]
    return math.fsum(halves) / len(halves)


def true_variance_minimiser(scores: Array, returns: Array) -> float:
    """The b for which the vectors s * (R - b), all put into one, are shortest: least squares."""
    exact = scores.astype("float64")
    column, target = exact.reshape(-1, 1), (exact * returns.astype("float64")[:, None]).ravel()
    return float(np.linalg.lstsq(column, target, rcond=None)[0][0])


def true_normalised(advantages: Array, mask: Array, eps: float = 1e-8) -> Array:
    """Mean by an exact sum, variance from the squared differences of all pairs."""
    counted = advantages[mask].astype("float64")
    n = len(counted)
    squares = (counted[:, None] - counted) ** 2
    std = math.sqrt(squares.sum() / (2 * n * (n - 1)))
    normalised = np.zeros(advantages.shape)
    normalised[mask] = (counted - math.fsum(counted.tolist()) / n) / (std + eps)
    return normalised


ORACLES: dict[str, Callable[..., Any]] = {
    "moving_average_baseline": true_moving_average,
    "batch_mean_baseline": true_batch_mean,
    "leave_one_out_baseline": true_leave_one_out,
    "value_baseline_loss": true_value_loss,
    "variance_minimising_baseline": true_variance_minimiser,
    "normalise_advantages": true_normalised,
}


def answer_to(submission: Any, call: Any, **changed: Any) -> Any:
    """What a call returns, with some of its arguments changed."""
    return getattr(submission, call.function)(**arguments_of(call) | changed)


def expect_the_truth(submission: Any, call: Any, rtol: float = 1e-4, atol: float = 1e-5) -> Any:
    """A call is answered as its oracle says; the answer is returned."""
    answer = answer_to(submission, call)
    expected = ORACLES[call.function](**arguments_of(call))
    expect_close(call.function, answer, expected, rtol=rtol, atol=atol)
    return answer


def expected_gradient(bandit: Bandit, baseline: Callable[[Array], Any]) -> Array:
    """E[mean over samples of s * (R - b)], over every choice of actions that could be sampled."""
    probabilities, scores, total = bandit.probabilities, bandit.scores, 0.0
    for choice in itertools.product(range(len(bandit.counts)), repeat=bandit.samples):
        actions = np.array(choice)
        returns = bandit.returns[actions]
        subtracted = baseline(returns)
        expect_shape("baseline", subtracted, returns.shape)
        estimate = ((returns - subtracted.astype("float64")) @ scores[actions]) / bandit.samples
        total = total + probabilities[actions].prod() * estimate
    return np.asarray(total)


# moving_average_baseline


@check("moving_average_baseline expects `initial` of the first sample")
@given(returns=samples(), decay=decays, initial=initials, examples=30)
def starts_from_initial(submission, returns, decay, initial):
    baseline = submission.moving_average_baseline(returns, decay=decay, initial=initial)
    expect_shape("baseline", baseline, returns.shape)
    expect_close("baseline of the first sample", float(baseline[0]), initial)


@check("moving_average_baseline looks only at returns before the sample's own")
@given(returns=samples(), later=tensors(5), start=integers(0, 4), decay=decays, examples=30)
def looks_back_only(submission, returns, later, start, decay):
    start = min(start, len(returns) - 1)
    changed = np.concatenate([returns[:start], later[start : len(returns)]])
    before = submission.moving_average_baseline(returns, decay=decay, initial=1.0)
    after = submission.moving_average_baseline(changed, decay=decay, initial=1.0)
    expect_shape("baseline", before, returns.shape)
    expect_shape("baseline", after, returns.shape)
    unmoved = slice(0, start + 1)
    expect_close("baseline before the first changed return", after[unmoved], before[unmoved])


@check("moving_average_baseline keeps `decay` of itself and takes the rest from each return")
@given(returns=samples(), decay=decays, initial=initials, examples=60)
def weighs_the_past(submission, returns, decay, initial):
    baseline = submission.moving_average_baseline(returns, decay=decay, initial=initial)
    expect_close("baseline", baseline, true_moving_average(returns, decay, initial))


@check("moving_average_baseline forgets what is long past: 400 samples leave no NaN")
@given(returns=tensors(400), decay=one_of(0.1, 0.05), initial=initials, examples=2)
def forgets_the_distant_past(submission, returns, decay, initial):
    baseline = submission.moving_average_baseline(returns, decay=decay, initial=initial)
    expect_close("baseline", baseline, true_moving_average(returns, decay, initial))


@check("moving_average_baseline leaves the expected gradient as it is")
@given(bandit=bandits(), decay=decays, initial=initials, examples=10)
def moving_average_is_unbiased(submission, bandit, decay, initial):
    gradient = expected_gradient(
        bandit,
        lambda returns: submission.moving_average_baseline(returns, decay=decay, initial=initial),
    )
    expect_close("expected gradient", gradient, bandit.gradient)


# batch_mean_baseline


@check("batch_mean_baseline gives every sample the mean of all")
@given(returns=samples(), examples=40)
def gives_the_mean(submission, returns):
    expect_close("baseline", submission.batch_mean_baseline(returns), true_batch_mean(returns))


@check("batch_mean_baseline scales the expected gradient by 1 - 1/N, for the own return is in it")
@given(bandit=bandits(), examples=10)
def own_sample_shrinks_the_gradient(submission, bandit):
    gradient = expected_gradient(bandit, submission.batch_mean_baseline)
    expect_close("expected gradient", gradient, bandit.gradient * (1 - 1 / bandit.samples))


@check("batch_mean_baseline over the steps of one episode leaves nothing where only the end pays")
@given(
    steps=integers(1, 5),
    reward=one_of(1.0, -1.0, 0.9, 3.0),
    scores=tensors(5, 2),
    examples=20,
)
def time_mean_learns_nothing(submission, steps, reward, scores):
    returns = np.full(steps, reward, dtype=np.float32)  # with discount 1, the same from every step
    baseline = submission.batch_mean_baseline(returns)
    expect_shape("baseline", baseline, returns.shape)
    gradient = (returns - baseline.astype("float64")) @ scores[:steps]
    expect_close("gradient of the episode", gradient, np.zeros(2))


# leave_one_out_baseline


@check("leave_one_out_baseline gives every sample the mean of the others")
@given(returns=samples(least=2), examples=40)
def gives_the_mean_of_the_others(submission, returns):
    baseline = submission.leave_one_out_baseline(returns)
    expect_close("baseline", baseline, true_leave_one_out(returns))


@check("leave_one_out_baseline of a single sample is 0")
@given(returns=tensors(1), examples=10)
def no_others_no_baseline(submission, returns):
    expect_close("baseline", submission.leave_one_out_baseline(returns), np.zeros(1))


@check("leave_one_out_baseline leaves the expected gradient as it is")
@given(bandit=bandits(), examples=10)
def leave_one_out_is_unbiased(submission, bandit):
    gradient = expected_gradient(bandit, submission.leave_one_out_baseline)
    expect_close("expected gradient", gradient, bandit.gradient)


# value_baseline_loss


@check("value_baseline_loss is half the mean squared error")
@given(steps=regressions(masked=False), examples=30)
def half_the_squared_error(submission, steps):
    loss = submission.value_baseline_loss(**vars(steps))
    expect_close("loss", loss, true_value_loss(**vars(steps)))


@check("value_baseline_loss averages over the counted steps of the whole batch")
@given(steps=regressions(masked=True), examples=60)
def averages_counted_steps(submission, steps):
    loss = submission.value_baseline_loss(**vars(steps))
    expect_close("loss", loss, true_value_loss(**vars(steps)))


@check("value_baseline_loss pulls each counted value towards its return, and no other")
@given(steps=regressions(masked=True), examples=40)
def pulls_values(submission, steps):
    answer = submission.value_baseline_loss.gradients("values", **vars(steps))
    errors = np.where(steps.mask, steps.values.astype("float64") - steps.returns, 0.0)
    gradient = answer.gradients["values"]
    if gradient is None:
        gradient = np.zeros_like(steps.values)
    expect_close("gradient of values", gradient, errors / steps.mask.sum())


@check("value_baseline_loss sends no gradient into the returns")
@given(steps=regressions(masked=False), examples=20)
def returns_are_a_target(submission, steps):
    answer = submission.value_baseline_loss.gradients("values", "returns", **vars(steps))
    expect_no_gradient("returns", answer.gradients["returns"])


@check("value_baseline_loss is 0 with gradient 0 where no step counts")
@given(steps=regressions(masked=False).map(lambda s: replace(s, mask=s.mask & False)), examples=10)
def nothing_counts_in_the_loss(submission, steps):
    answer = submission.value_baseline_loss.gradients("values", **vars(steps))
    expect_close("loss", answer.value, 0.0)
    expect(
        answer.carries_gradient,
        "the loss should still be one that backward() can be called on; yours has no graph",
    )
    expect_close("gradient of values", answer.gradients["values"], np.zeros(steps.values.shape))


# variance_minimising_baseline


@check("variance_minimising_baseline weighs each return by the squared length of its score")
@given(samples=scored(), examples=60)
def weighs_by_squared_scores(submission, samples):
    baseline = submission.variance_minimising_baseline(samples.scores, samples.returns)
    expected = true_variance_minimiser(samples.scores, samples.returns)
    expect_close("baseline", baseline, expected, scale=float(np.abs(samples.returns).max()))


@check("variance_minimising_baseline leaves less variance than any other number")
@given(bandit=bandits(), examples=30)
def beats_every_other_number(submission, bandit):
    population = bandit.population
    scores = bandit.scores[population].astype(np.float32)
    baseline = submission.variance_minimising_baseline(scores, bandit.returns[population])
    expect_shape("baseline", baseline, ())
    best = float(baseline)
    value = float(bandit.probabilities @ bandit.returns)
    steps = np.array([0.01, 0.05, 0.3, 1.0, 4.0])
    candidates = np.concatenate([[best, 0.0, value], best + steps, best - steps])
    least, *variances = bandit.variances(candidates)
    for other, variance in zip(candidates[1:], variances, strict=True):
        expect(
            least <= variance + 1e-5,
            f"with your baseline {best:.4g} the gradient has the variance {least:.4g}; "
            f"with {other:.4g} it is {variance:.4g}",
            "the variance",
        )


@check("the baselines reproduce the variances .1254, .0806 and .0277 of the softmax bandit")
def reproduces_the_bandit(submission):
    population = THE_BANDIT.population
    returns = THE_BANDIT.returns[population]
    scores = THE_BANDIT.scores[population].astype(np.float32)
    nothing = submission.moving_average_baseline(returns, decay=0.9)
    value = submission.batch_mean_baseline(returns)
    optimal = submission.variance_minimising_baseline(scores, returns)
    expect_shape("moving_average_baseline", nothing, returns.shape)
    expect_shape("batch_mean_baseline", value, returns.shape)
    expect_shape("variance_minimising_baseline", optimal, ())
    table = [
        ("variance without a baseline", nothing[0], 0.1254),
        ("variance with the mean return as baseline", value[0], 0.0806),
        ("variance with the variance-minimising baseline", optimal, 0.0277),
    ]
    for name, baseline, variance in table:
        expect_close(name, THE_BANDIT.variance(float(baseline)), variance, rtol=0.0, atol=5e-5)


@check("variance_minimising_baseline does not depend on the unit of the scores")
@given(bandit=bandits(), factor=one_of(2.0**-10, 2.0**10, -1.0, 2.0**-20, 2.0**-40), examples=30)
def unit_of_scores_does_not_matter(submission, bandit, factor):
    population = bandit.population
    scores = (factor * bandit.scores[population]).astype(np.float32)
    baseline = submission.variance_minimising_baseline(scores, bandit.returns[population])
    expected = true_variance_minimiser(scores, bandit.returns[population])
    expect_close("baseline", baseline, expected, scale=float(np.abs(bandit.returns).max()))


@check("variance_minimising_baseline is 0 where all scores are 0")
@given(returns=samples(), examples=10)
def zero_scores(submission, returns):
    scores = np.zeros((len(returns), 2 if len(returns) != 2 else 3), dtype=np.float32)
    expect_close("baseline", submission.variance_minimising_baseline(scores, returns), 0.0)


# normalise_advantages


@check("normalise_advantages gives the whole batch mean 0 and standard deviation 1")
@given(batch=advantage_batches(masked=False), examples=40)
def normalises_the_batch(submission, batch):
    normalised = submission.normalise_advantages(batch.advantages, batch.mask)
    expect_close("normalised", normalised, true_normalised(**vars(batch)))


@check("normalise_advantages lets only counted steps count, and gives the others 0")
@given(batch=advantage_batches(masked=True), examples=50)
def normalises_counted_steps(submission, batch):
    normalised = submission.normalise_advantages(batch.advantages, batch.mask)
    expect_shape("normalised", normalised, batch.advantages.shape)
    expect_close("normalised", normalised, true_normalised(**vars(batch)))
    expect_equal("masked entries", normalised[~batch.mask], np.zeros((~batch.mask).sum()))


@check("normalise_advantages adds eps to the standard deviation")
@given(batch=damped(), examples=40)
def adds_eps(submission, batch):
    normalised = submission.normalise_advantages(**vars(batch))
    expect_close("normalised", normalised, true_normalised(**vars(batch)))


@check("normalise_advantages gives a single counted step 0, and none at all no NaN")
@given(batch=nearly_all_masked(), examples=50)
def few_counted_steps(submission, batch):
    normalised = submission.normalise_advantages(batch.advantages, batch.mask)
    expect_shape("normalised", normalised, batch.advantages.shape)
    expect_equal("normalised", normalised, np.zeros(batch.mask.shape))


@check("normalise_advantages gives equal advantages exactly 0, whatever their sum is rounded to")
@given(batch=tied(), examples=30)
def ties_give_zero(submission, batch):
    normalised = submission.normalise_advantages(batch.advantages, batch.mask)
    expect_shape("normalised", normalised, batch.advantages.shape)
    expect_equal("normalised", normalised, np.zeros(batch.mask.shape))


@check("normalise_advantages tells advantages apart that are only nearly equal")
@given(batch=nearly_tied(), examples=20)
def near_ties_are_no_ties(submission, batch):
    normalised = submission.normalise_advantages(batch.advantages, batch.mask)
    # A mean in float32 is off by some 2^-24 of the offset: here up to a tenth of the spread.
    expect_close("normalised", normalised, true_normalised(**vars(batch)), rtol=0.0, atol=0.25)


@check("normalise_advantages is unmoved by a number added to all advantages")
@given(batch=advantage_batches(masked=True, high=3), shift=one_of(1000.0, -2000.0), examples=40)
def shift_changes_nothing(submission, batch, shift):
    shifted = with_garbage(batch.advantages + np.float32(shift), batch.mask)
    normalised = submission.normalise_advantages(shifted, batch.mask)
    expect_close("normalised", normalised, true_normalised(**vars(batch)), rtol=2e-3, scale=1.0)


@check("normalise_advantages is unmoved by the unit of the advantages, with the default eps")
@given(batch=advantage_batches(masked=True, high=3), unit=one_of(2.0**-10, 2.0**-14), examples=40)
def unit_changes_nothing(submission, batch, unit):
    small = with_garbage(batch.advantages * np.float32(unit), batch.mask)
    normalised = submission.normalise_advantages(small, batch.mask)
    expect_close("normalised", normalised, true_normalised(small, batch.mask), rtol=5e-4)


# All of them


@check("integer returns are worked with as floats")
@given(
    call=calls(*OF_SAMPLES, "value_baseline_loss", "variance_minimising_baseline", kind="int64"),
    examples=80,
)
def integer_returns(submission, call):
    expect_dtype(call.function, expect_the_truth(submission, call), "float32")


@check("float64 is answered with float64, to more digits than float32 has")
@given(call=calls(kind="float64"), examples=90)
def float64_stays(submission, call):
    # Room for a count with 1e-8 added to it, a common habit, but not for float32.
    answer = expect_the_truth(submission, call, rtol=3e-8, atol=1e-9)
    expect_dtype(call.function, answer, "float64")


@check("tensors with gaps in memory are answered like any other")
@given(call=calls(), examples=70)
def gaps_in_memory(submission, call):
    arguments = arguments_of(call)
    gaps = {
        name: np.repeat(arguments[name], 2, axis=-1)[..., ::2]
        for name in TENSORS
        if name in arguments
    }
    expected = ORACLES[call.function](**arguments)
    expect_close(call.function, answer_to(submission, call, **gaps), expected)


@check("inputs are left as they were")
@given(call=calls(few=True), examples=90)
def inputs_stay(submission, call):
    inputs = arguments_of(call)
    _, after = getattr(submission, call.function).arguments_after(**inputs)
    for name in TENSORS:
        if name in inputs:
            expect_equal(f"the caller's {name}", after[name], inputs[name])


@check("baselines and normalised advantages carry no gradient")
@given(call=calls(*(name for name in ARGUMENTS if name != "value_baseline_loss")), examples=80)
def no_gradient(submission, call):
    sources = [name for name in ("scores", "returns", "advantages") if hasattr(call, name)]
    answer = getattr(submission, call.function).gradients(*sources, **arguments_of(call))
    expected = ORACLES[call.function](**arguments_of(call))
    expect_shape(call.function, answer.value, np.shape(expected))
    expect(not answer.carries_gradient, f"the result of {call.function} should be detached")


@check("a wrong shape is refused with a ValueError that names the argument")
@given(misfit=misfits(), examples=100)
def shapes_are_checked(submission, misfit):
    shapes = misfit.shapes_of_the_others | {misfit.argument: misfit.shape}
    arguments = {
        name: np.ones(shape, bool if name == "mask" else np.float32)
        for name, shape in shapes.items()
    }
    options = {"decay": 0.5} if misfit.function == "moving_average_baseline" else {}
    with expect_raises(ValueError, naming=misfit.argument):
        getattr(submission, misfit.function)(**arguments, **options)


# What is measured on samples


@check(
    "measured on sampled gradients, leave-one-out cuts the variance as exactly computed",
    needs="gives_the_mean_of_the_others",
)
@training(
    goal=0.9,
    null=0.0,
    unit="agreement with the exact ratio of variances",
    budget=20_000,
    likely={
        "flat": "a baseline that takes out too little, or that depends on a sample's own return",
        "slow": "a baseline that is near the mean of the others, but not it",
    },
)
def cuts_the_measured_variance(submission, attempt):
    random = attempt.random
    returns = random.permutation([2.0, 1.5, 1.0]) + random.uniform(0.0, 1.0)
    probabilities = random.dirichlet([5.0, 5.0, 5.0])
    batches = np.array(list(itertools.product(range(3), repeat=4)))
    chances = probabilities[batches].prod(axis=1)
    scores = np.eye(3) - probabilities
    yours = np.stack([_baselines_of(submission, returns[batch]) for batch in batches])
    others = np.stack([true_leave_one_out(returns[batch]) for batch in batches])

    def gradients(baselines):
        weights = returns[batches] - baselines
        return (weights[:, :, None] * scores[batches]).mean(axis=1)

    def variance(estimates, weights):
        mean = weights @ estimates
        return float(weights @ ((estimates - mean) ** 2).sum(axis=1))

    exact = variance(gradients(others), chances) / variance(gradients(0.0 * others), chances)
    drawn = random.choice(len(batches), size=attempt.goal.budget, p=chances)
    even = np.full(len(drawn), 1 / len(drawn))
    measured = variance(gradients(yours)[drawn], even) / variance(
        gradients(0.0 * others)[drawn], even
    )
    agreement = 1.0 - abs(measured / exact - 1.0)
    attempt.point(attempt.goal.budget, agreement)
    if not agreement >= attempt.goal.score:
        raise attempt.not_learned(agreement)


def _baselines_of(submission, returns):
    baselines = submission.leave_one_out_baseline(returns.astype(np.float32))
    expect_shape("baselines", baselines, returns.shape)
    return baselines.astype(np.float64)
