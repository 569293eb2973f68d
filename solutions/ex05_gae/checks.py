"""The promises of ex05_gae. The oracle sums TD errors by the definition, episode by episode."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rlgrade.author import (
    Array,
    Draw,
    Rollout,
    Strategy,
    check,
    discounts,
    distinct_sizes,
    expect,
    expect_close,
    expect_dtype,
    expect_equal,
    expect_raises,
    expect_shape,
    given,
    integers,
    lambdas,
    long_tables,
    one_of,
    permutations,
    rollouts,
    strategy,
)

ARGUMENTS = {
    "td_errors": ("rewards", "values", "next_values", "terminated"),
    "gae": ("rewards", "values", "next_values", "terminated", "truncated"),
    "value_targets": ("advantages", "values"),
}
NUMBERS = ("rewards", "values", "next_values")
FLAGS = ("terminated", "truncated")
FUNCTIONS = one_of(*ARGUMENTS)
CROOKED = one_of(0.9, 0.95, 0.83, 0.7)  # float32 holds none of them


def true_td_errors(rollout: Rollout, discount: float) -> Array:
    """delta[t] by its formula."""
    exact = rollout.astype("float64")
    bootstrap = np.where(exact.terminated, 0.0, exact.next_values)
    return exact.rewards + discount * bootstrap - exact.values


def credit(cut: Array, decay: float) -> Array:
    """[..., T, T]: decay^(s - t) where step s is step t or later in the same episode, else 0."""
    steps = np.arange(cut.shape[-1])
    lag = steps - steps[:, None]
    episode = np.cumsum(cut, axis=-1) - cut
    reaches = (lag >= 0) & (episode[..., :, None] == episode[..., None, :])
    return np.where(reaches, decay ** np.maximum(lag, 0), 0.0)


def true_advantages(rollout: Rollout, discount: float, lam: float) -> Array:
    """A[t]: the sum over s of credit[t, s] * delta[s]."""
    deltas = true_td_errors(rollout, discount)
    return (credit(rollout.cut, discount * lam) * deltas[..., None, :]).sum(axis=-1)


def advantages_by_episodes(rollout: Rollout, discount: float, lam: float) -> Array:
    """The same sums as one convolution for each episode, for as many steps as one likes."""
    deltas = true_td_errors(rollout, discount)
    weights = float(discount * lam) ** np.arange(deltas.shape[-1])
    rows = [
        np.concatenate(
            [
                np.convolve(episode[::-1], weights[: len(episode)])[: len(episode)][::-1]
                for episode in np.split(row, np.flatnonzero(cut) + 1)
                if len(episode)
            ]
        )
        for row, cut in zip(np.atleast_2d(deltas), np.atleast_2d(rollout.cut), strict=True)
    ]
    return np.array(rows).reshape(deltas.shape)


def true_returns(rollout: Rollout, discount: float) -> Array:
    """Discounted rewards up to the end of the episode or rollout, plus the bootstrap there."""
    exact = rollout.astype("float64")
    last = exact.cut.copy()
    last[..., -1] = True
    outcomes = exact.rewards + discount * exact.next_values * (last & ~exact.terminated)
    return (credit(exact.cut, discount) * outcomes[..., None, :]).sum(axis=-1)


def truth(function: str, rollout: Rollout, discount: float, lam: float) -> Array:
    """What a function should return for `arguments_of` the same."""
    if function == "td_errors":
        return true_td_errors(rollout, discount)
    if function == "gae":
        return true_advantages(rollout, discount, lam)
    return rollout.rewards.astype("float64") + rollout.values


def arguments_of(function: str, rollout: Rollout, discount: float, lam: float) -> dict[str, Any]:
    """The keyword arguments of a function. Rewards serve as advantages too."""
    fields = vars(rollout) | {"advantages": rollout.rewards}
    options = {"td_errors": {"discount": discount}, "gae": {"discount": discount, "lam": lam}}
    return {name: fields[name] for name in ARGUMENTS[function]} | options.get(function, {})


def advantages_of(submission: Any, rollout: Rollout, discount: float, lam: float) -> Array:
    """The submission's advantages, of the right shape."""
    advantages = submission.gae(**vars(rollout), discount=discount, lam=lam)
    expect_shape("advantages", advantages, rollout.rewards.shape)
    return advantages


def with_ends(rollout: Rollout, terminated: Array, truncated: Array) -> Rollout:
    """Other flags, and `next_values` that agree with `values` wherever the episode now goes on."""
    next_values = rollout.next_values.copy()
    goes_on = ~(terminated | truncated)[..., :-1]
    next_values[..., :-1][goes_on] = rollout.values[..., 1:][goes_on]
    return replace(rollout, next_values=next_values, terminated=terminated, truncated=truncated)


def stacked(*parts: Rollout) -> Rollout:
    """Rollouts [T] of equal length as the rows of one batch."""
    return Rollout(*map(np.stack, zip(*(vars(part).values() for part in parts), strict=True)))


def unbroken(steps: tuple[int, int] = (1, 6)) -> Strategy[Rollout]:
    """Rollouts in which no episode ends."""
    return rollouts(steps=steps).map(lambda r: with_ends(r, r.cut & False, r.cut & False))


@strategy
def terminating(draw: Draw) -> Rollout:
    """Rollouts in which every end is a termination.

    The values after the ends, which mean nothing, are ordinary ones, or all enormous.
    """
    rollout = draw(rollouts().map(lambda r: with_ends(r, r.cut, r.cut & False)))
    enormous = draw(one_of(None, 1e10, -1e20))
    if enormous is None:
        return rollout
    next_values = np.where(rollout.terminated, np.float32(enormous), rollout.next_values)
    return replace(rollout, next_values=next_values)


def truncating() -> Strategy[Rollout]:
    """Rollouts in which every end is a truncation."""
    return rollouts().map(lambda r: with_ends(r, r.cut & False, r.cut))


def ending_twice() -> Strategy[Rollout]:
    """Rollouts in which every end is a termination and a truncation at once."""
    return rollouts().map(lambda r: with_ends(r, r.cut, r.cut))


def counted() -> Strategy[Rollout]:
    """Rollouts with rewards of an integer dtype."""
    return unbroken().map(lambda r: replace(r, rewards=np.round(r.rewards).astype(np.int64)))


@strategy
def long_rollouts(
    draw: Draw, *, steps: tuple[int, int], batch: tuple[int, int] | None = None
) -> Rollout:
    """Long rollouts with up to three episode ends; the rows of a batch have at least one."""
    numbers, flags = draw(long_tables(3, steps=steps, batch=batch))
    rollout = with_ends(Rollout(*numbers, *flags), *flags)
    return rollout if batch else Rollout(*(array[0] for array in vars(rollout).values()))


def crooked() -> Strategy[Rollout]:
    """float64 rollouts whose numbers float32 cannot hold."""

    def thirds(rollout: Rollout) -> Rollout:
        exact = vars(rollout.astype("float64"))
        return replace(rollout, **{name: exact[name] / 3 for name in NUMBERS})

    return unbroken().map(thirds)


@dataclass(frozen=True)
class Misfit:
    """One argument of a function has another shape than the rest."""

    function: str
    argument: str
    shape: list[int]
    shape_of_the_others: list[int]


@strategy
def misfits(draw: Draw) -> Misfit:
    """Misfits, most of which broadcasting would let through."""
    names = [(function, name) for function, (_, *rest) in ARGUMENTS.items() for name in rest]
    function, argument = draw(one_of(*names))
    b, t = draw(distinct_sizes((2, 3), (2, 4)))
    shape = draw(one_of([t], [b, 1], [1, t], [1, b, t], [b, t + 1]))
    return Misfit(function, argument, shape, [b, t])


@check("computes the TD error of a step that goes on")
@given(rollout=unbroken(), discount=discounts(), examples=60)
def td_error_of_a_step(submission, rollout, discount):
    deltas = submission.td_errors(**arguments_of("td_errors", rollout, discount, 1.0))
    expect_close("td_errors", deltas, true_td_errors(rollout, discount))


@check("gives a terminal state the value 0")
@given(rollout=terminating(), discount=discounts(), examples=60)
def terminal_states_are_worth_nothing(submission, rollout, discount):
    deltas = submission.td_errors(**arguments_of("td_errors", rollout, discount, 1.0))
    expect_close("td_errors", deltas, true_td_errors(rollout, discount))


@check("gives the TD error as the advantage where a rollout has one step")
@given(rollout=unbroken(steps=(1, 1)), discount=discounts(), lam=lambdas(), examples=30)
def one_step(submission, rollout, discount, lam):
    advantages = submission.gae(**vars(rollout), discount=discount, lam=lam)
    expect_close("advantages", advantages, true_td_errors(rollout, discount))


@check("weighs the TD error of k steps later by (discount * lam)^k")
@given(rollout=unbroken(), discount=discounts(), lam=lambdas())
def weights_of_later_errors(submission, rollout, discount, lam):
    advantages = submission.gae(**vars(rollout), discount=discount, lam=lam)
    expect_close("advantages", advantages, true_advantages(rollout, discount, lam))


@check("treats every row of a batch by itself")
@given(
    rollout=rollouts(batch=(2, 4)),
    order=permutations(5),
    discount=discounts(),
    lam=lambdas(),
    examples=40,
)
def rows_are_separate(submission, rollout, order, discount, lam):
    order = order[order < len(rollout.rewards)]
    permuted = Rollout(*(field[order] for field in vars(rollout).values()))
    in_place = advantages_of(submission, rollout, discount, lam)
    reordered = advantages_of(submission, permuted, discount, lam)
    expect_close("reordered advantages", reordered, in_place[order])


@check("resets where an episode terminates")
@given(rollout=terminating(), discount=discounts(), lam=lambdas())
def resets_at_termination(submission, rollout, discount, lam):
    advantages = submission.gae(**vars(rollout), discount=discount, lam=lam)
    expect_close("advantages", advantages, true_advantages(rollout, discount, lam))


@check("keeps the value of the final observation at a truncation", needs="rows_are_separate")
@given(
    rollout=unbroken(),
    step=integers(0, 5),
    final_value=one_of(1.0, -2.0, 0.5, 3.0),
    discount=discounts(),
    lam=lambdas(),
    examples=60,
)
def truncation_keeps_the_final_value(submission, rollout, step, final_value, discount, lam):
    step = min(step, len(rollout.rewards) - 1)
    here = np.arange(len(rollout.rewards)) == step
    next_values = np.where(here, np.float32(final_value), rollout.next_values)
    truncated = replace(rollout, next_values=next_values, truncated=here)
    terminated = replace(rollout, next_values=next_values, terminated=here)
    kept, lost = advantages_of(submission, stacked(truncated, terminated), discount, lam)
    expect_close(
        "truncated minus terminated advantages",
        kept - lost,
        credit(here, discount * lam)[:, step] * discount * final_value,
        scale=float(np.abs(lost).max()),
    )


@check("resets where an episode is truncated")
@given(rollout=truncating(), discount=discounts(), lam=lambdas())
def resets_at_truncation(submission, rollout, discount, lam):
    advantages = submission.gae(**vars(rollout), discount=discount, lam=lam)
    expect_close("advantages", advantages, true_advantages(rollout, discount, lam))


@check("lets termination win where both flags are set")
@given(rollout=ending_twice(), discount=discounts(), lam=lambdas(), examples=60)
def termination_wins(submission, rollout, discount, lam):
    advantages = submission.gae(**vars(rollout), discount=discount, lam=lam)
    expect_close("advantages", advantages, true_advantages(rollout, discount, lam))


@check("stops at the end of the rollout as at a truncation")
@given(
    rollout=unbroken(steps=(2, 6)),
    split=integers(1, 5),
    discount=discounts(),
    lam=lambdas(),
    examples=40,
)
def end_of_the_rollout(submission, rollout, split, discount, lam):
    split = min(split, len(rollout.rewards) - 1)
    first = rollout.part(0, split)
    whole = replace(rollout, truncated=np.arange(len(rollout.rewards)) == split - 1)
    of_first = advantages_of(submission, first, discount, lam)
    of_whole = advantages_of(submission, whole, discount, lam)
    expect_close("the first part's advantages", of_first, true_advantages(first, discount, lam))
    expect_close("the whole's advantages", of_whole[:split], of_first)


@check("gives TD errors when lam is 0, returns minus values when lam is 1")
@given(rollout=rollouts(), discount=discounts(), lam=one_of(0.0, 1.0), examples=60)
def both_ends_of_lambda(submission, rollout, discount, lam):
    advantages = submission.gae(**vars(rollout), discount=discount, lam=lam)
    expected = true_td_errors(rollout, discount)
    if lam == 1.0:
        expected = true_returns(rollout, discount) - rollout.values
    expect_close("advantages", advantages, expected)


@check("credits a reward to no later step and no other episode", needs="rows_are_separate")
@given(rollout=rollouts(), step=integers(0, 5), discount=discounts(), lam=lambdas(), examples=60)
def credit_goes_back(submission, rollout, step, discount, lam):
    step = min(step, len(rollout.rewards) - 1)
    raised = rollout.rewards + np.eye(len(rollout.rewards), dtype=np.float32)[step]
    pair = stacked(rollout, replace(rollout, rewards=raised))
    before, after = advantages_of(submission, pair, discount, lam)
    unreached = credit(rollout.cut, 1.0)[:, step] == 0.0
    expect_close("unreached advantages", after, np.where(unreached, before, after))


@check("is linear in rewards and values", needs="rows_are_separate")
@given(rollout=rollouts(), discount=discounts(), lam=lambdas(), examples=60)
def linear(submission, rollout, discount, lam):
    nothing = rollout.rewards * 0.0
    of_rewards = replace(rollout, values=nothing, next_values=nothing)
    of_values = replace(rollout, rewards=nothing)
    both = stacked(rollout, of_rewards, of_values)
    whole, *parts = advantages_of(submission, both, discount, lam)
    expect_close("summed advantages", sum(parts), whole)


@check("agrees with the definition on any batch")
@given(rollout=rollouts(batch=(1, 3)), discount=discounts(), lam=lambdas())
def agrees_with_the_definition(submission, rollout, discount, lam):
    with_gaps = Rollout(*map(np.asfortranarray, vars(rollout).values()))
    advantages = submission.gae(**vars(with_gaps), discount=discount, lam=lam)
    expect_close("advantages", advantages, true_advantages(rollout, discount, lam))


@check("sums over hundreds of steps as over a few", seconds=20.0)
@given(
    rollout=long_rollouts(steps=(256, 512)),
    discount=one_of(1.0, 0.99, 0.5),
    lam=one_of(1.0, 0.95),
    examples=4,
)
def hundreds_of_steps(submission, rollout, discount, lam):
    advantages = submission.gae(**vars(rollout), discount=discount, lam=lam)
    expect_close("advantages", advantages, advantages_by_episodes(rollout, discount, lam))


@check("serves many rows and many steps, also where (discount * lam)^k vanishes", seconds=10.0)
@given(
    rollout=long_rollouts(steps=(1, 100), batch=(1, 32)),
    discount=discounts(),
    lam=lambdas(),
    examples=12,
)
def many_rows(submission, rollout, discount, lam):
    advantages = submission.gae(**vars(rollout), discount=discount, lam=lam)
    expect_close("advantages", advantages, advantages_by_episodes(rollout, discount, lam))


@check("aims the critic at the advantage plus the value")
@given(rollout=rollouts(batch=(1, 3)), examples=30)
def targets_add_the_value(submission, rollout):
    targets = submission.value_targets(advantages=rollout.rewards, values=rollout.values)
    expect_close("value_targets", targets, truth("value_targets", rollout, 1.0, 1.0))


@check("takes integer rewards, and answers in the dtype of the values")
@given(
    function=one_of("td_errors", "gae"),
    rollout=counted(),
    discount=discounts(),
    lam=lambdas(),
    examples=30,
)
def integer_rewards(submission, function, rollout, discount, lam):
    many = replace(rollout.astype("float64"), rewards=rollout.rewards * 123456789)
    answer = getattr(submission, function)(**arguments_of(function, many, discount, lam))
    name = f"with rewards * 123456789 beside float64, {function}"
    expect_dtype(name, answer, "float64")
    expect_close(name, answer, truth(function, many, discount, lam), rtol=1e-12)
    answer = getattr(submission, function)(**arguments_of(function, rollout, discount, lam))
    expect_dtype(function, answer, "float32")
    expect_close(function, answer, truth(function, rollout, discount, lam))


@check("answers float64 with float64, to all its digits, and float32 with float32")
@given(function=FUNCTIONS, rollout=crooked(), discount=CROOKED, lam=CROOKED, examples=30)
def float64_stays(submission, function, rollout, discount, lam):
    for dtype, tolerance in (("float64", 1e-9), ("float32", 1e-4)):
        numbers = rollout.astype(dtype)
        expected = truth(function, numbers, discount, lam)
        answer = getattr(submission, function)(**arguments_of(function, numbers, discount, lam))
        expect_dtype(function, answer, dtype)
        expect_close(function, answer, expected, rtol=tolerance, atol=tolerance)


@check("leaves its inputs as they were")
@given(function=FUNCTIONS, rollout=rollouts(), discount=discounts(), lam=lambdas(), examples=30)
def inputs_stay(submission, function, rollout, discount, lam):
    inputs = arguments_of(function, rollout, discount, lam)
    _, after = getattr(submission, function).arguments_after(**inputs)
    for name in ARGUMENTS[function]:
        expect_equal(f"the caller's {name}", after[name], inputs[name])


@check("returns tensors that carry no gradient")
@given(function=FUNCTIONS, rollout=rollouts(), discount=discounts(), lam=lambdas(), examples=30)
def no_gradient(submission, function, rollout, discount, lam):
    inputs = arguments_of(function, rollout, discount, lam)
    sources = [name for name in ARGUMENTS[function] if name not in FLAGS]
    answer = getattr(submission, function).gradients(*sources, **inputs)
    expect_shape(function, answer.value, rollout.rewards.shape)
    expect(not answer.carries_gradient, f"the result of {function} should be detached")


@check("refuses an argument of another shape with a ValueError that names it and both shapes")
@given(misfit=misfits(), examples=100)
def shapes_are_checked(submission, misfit):
    options = {"td_errors": {"discount": 0.5}, "gae": {"discount": 0.5, "lam": 0.5}}
    shapes = dict.fromkeys(ARGUMENTS[misfit.function], misfit.shape_of_the_others)
    shapes[misfit.argument] = misfit.shape
    tensors = {
        name: np.zeros(shape, bool if name in FLAGS else np.float32)
        for name, shape in shapes.items()
    }
    shapes = (misfit.shape_of_the_others, misfit.shape)
    with expect_raises(ValueError, naming=misfit.argument, shapes=shapes):
        getattr(submission, misfit.function)(**tensors, **options.get(misfit.function, {}))
