"""What the functions of exercise 1 promise: sums first, then episode ends, then laws.

The oracle is the definition: forward sums in plain Python floats, one row and one step at a time.
What is drawn is what the functions are called with, so that a counterexample can be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rlgrade.author import (
    Array,
    Draw,
    check,
    expect,
    expect_close,
    expect_dtype,
    expect_equal,
    expect_raises,
    expect_shape,
    given,
    integers,
    long_tables,
    one_of,
    rollouts,
    strategy,
    tensors,
)

FIELDS = ("rewards", "next_values", "terminated", "truncated")
TERMINATED, TRUNCATED, BOTH, NEITHER = (True, False), (False, True), (True, True), (False, False)
WITHOUT_LIMIT = 10**6


# What is drawn


@dataclass(frozen=True)
class Steps:
    """What the functions on rollouts are called with: four times [T] or [B, T]."""

    rewards: Array
    next_values: Array
    terminated: Array
    truncated: Array

    def arguments(self) -> dict[str, Array]:
        """The arguments by name."""
        return {name: getattr(self, name) for name in FIELDS}

    def part(self, index: Any) -> Steps:
        """Some of the steps, or some of the rows of a batch."""
        return Steps(*(array[index] for array in self.arguments().values()))

    def flagged(self, step: int, flags: tuple[bool, bool]) -> Steps:
        """The same with these flags, terminated and truncated, at one step."""
        terminated, truncated = self.terminated.copy(), self.truncated.copy()
        terminated[..., step], truncated[..., step] = flags
        return replace(self, terminated=terminated, truncated=truncated)


@dataclass(frozen=True)
class StepsAround(Steps):
    """Steps, and the one that a law is about."""

    step: int

    @property
    def reach(self) -> list[int]:
        """The steps of the same episode up to `step`, the last first."""
        cut = self.terminated | self.truncated
        steps = [self.step]
        while steps[-1] > 0 and not cut[steps[-1] - 1]:
            steps.append(steps[-1] - 1)
        return steps


discounts = one_of(1.0, 0.5, 0.9, 0.25, 0.99, 0.75, 0.83)  # 0 has a check of its own
look_aheads = one_of(2, 1, 3, 4, 6)
far_discounts = one_of(1.0, 0.5, 0.9, 0.1, 0.99)  # weights that last, and that vanish
vanishing_discounts = one_of(0.001, 0.01)  # float64 holds their powers for some 100 steps
crooked_discounts = one_of(0.9, 0.83, 0.99, 0.7)  # float32 holds none of them


@strategy
def reward_rows(draw: Draw) -> Array:
    """float32 [T]."""
    rewards: Array = draw(tensors(draw(integers(1, 6))))
    return rewards


@strategy
def reward_batches(draw: Draw) -> Array:
    """float32 [B, T], B and T different."""
    rewards: Array = draw(tensors(*draw(one_of((2, 1), (1, 2), (2, 3), (3, 2), (3, 5)))))
    return rewards


@strategy
def some_steps(
    draw: Draw, *, zero: tuple[str, ...] = (), length: tuple[int, int] = (1, 6), batch: bool = False
) -> Steps:
    """Steps of one rollout or of a batch; the fields in `zero` are zero throughout.

    No step has both flags: what holds then has a check of its own.
    """
    rollout = draw(rollouts(steps=length, batch=(1, 3) if batch else None))
    truncated = rollout.truncated & ~rollout.terminated
    steps = Steps(rollout.rewards, rollout.next_values, rollout.terminated, truncated)
    return replace(steps, **{name: np.zeros_like(getattr(steps, name)) for name in zero})


@strategy
def ending(draw: Draw, *flags: tuple[bool, bool], zero: tuple[str, ...] = ()) -> Steps:
    """Steps of which at least one ends an episode in one of the given ways.

    The values after terminated steps, which mean nothing, are ordinary ones, or all enormous.
    """
    steps = draw(some_steps(zero=zero))
    steps = steps.flagged(draw(integers(0, len(steps.rewards) - 1)), draw(one_of(*flags)))
    enormous = draw(one_of(None, 1e10, -1e20))
    if enormous is None:
        return steps
    values = np.where(steps.terminated, np.float32(enormous), steps.next_values)
    return replace(steps, next_values=values)


@strategy
def around(draw: Draw, *flags: tuple[bool, bool], inner: bool = False) -> StepsAround:
    """Steps and one of them, with one of the given ways to end there; `inner` is never the last."""
    steps = draw(some_steps(length=(2, 6) if inner else (1, 6)))
    step = draw(integers(0, len(steps.rewards) - (2 if inner else 1)))
    if flags:
        steps = steps.flagged(step, draw(one_of(*flags)))
    return StepsAround(**steps.arguments(), step=step)


@strategy
def single_steps(draw: Draw) -> Steps:
    """Rollouts of one step, alone and in a batch."""
    return draw(some_steps(length=(1, 1), batch=draw(one_of(False, True))))


@strategy
def long_steps(
    draw: Draw, *, length: tuple[int, int], rows: tuple[int, int] | None = None
) -> Steps:
    """Many steps, with up to three episode ends; the rows of a batch have at least one."""
    numbers, flags = draw(long_tables(2, steps=length, batch=rows))
    steps = Steps(*numbers, *flags)
    return steps if rows else steps.part(0)


@strategy
def mixed_steps(draw: Draw) -> Steps:
    """Steps whose rewards have another dtype than their values."""
    steps = draw(some_steps())
    ours, theirs = draw(
        one_of(("float64", "float32"), ("float32", "float64"), ("int64", "float64"))
    )
    rewards = steps.rewards.round() if ours == "int64" else steps.rewards
    values = steps.next_values.astype(theirs)
    return replace(steps, rewards=rewards.astype(ours), next_values=values)


def with_whole_rewards(steps: Steps) -> Steps:
    """The same with rewards in int64."""
    return replace(steps, rewards=steps.rewards.round().astype(np.int64))


# The definition


def discounted_sum(rewards: Array, discount: float) -> float:
    """Reward t counts discount^t."""
    return float(sum(discount**t * reward for t, reward in enumerate(rewards.tolist())))


def definition(steps: Steps, discount: float, n: int = WITHOUT_LIMIT) -> Array:
    """Every step's return, each summed forwards on its own."""
    if steps.rewards.ndim == 2:
        return np.array([definition(steps.part(b), discount, n) for b in range(len(steps.rewards))])
    rewards, values = steps.rewards.tolist(), steps.next_values.tolist()
    terminated, truncated = steps.terminated.tolist(), steps.truncated.tolist()
    returns = []
    for start in range(len(rewards)):
        last = min(start + n, len(rewards)) - 1
        total, weight = 0.0, 1.0
        for t in range(start, last + 1):
            total += weight * rewards[t]
            weight *= discount
            if terminated[t]:
                break
            if truncated[t] or t == last:
                total += weight * values[t]
                break
        returns.append(total)
    return np.array(returns)


def definition_by_episodes(steps: Steps, discount: float, n: int = WITHOUT_LIMIT) -> Array:
    """The same sums as one convolution for each episode, for as many steps as one likes."""
    if steps.rewards.ndim == 2:
        rows = [steps.part(b) for b in range(len(steps.rewards))]
        return np.array([definition_by_episodes(row, discount, n) for row in rows])
    ends = np.flatnonzero(steps.terminated | steps.truncated) + 1
    parts = [np.split(array, ends) for array in steps.arguments().values()]
    episodes = (Steps(*arrays) for arrays in zip(*parts, strict=True) if len(arrays[0]))
    return np.concatenate([of_one_episode(episode, discount, n) for episode in episodes])


def of_one_episode(steps: Steps, discount: float, n: int) -> Array:
    """Every step's return where no episode ends before the last step."""
    size = len(steps.rewards)
    counted = np.minimum(n, size - np.arange(size))
    weights = float(discount) ** np.arange(min(n, size))
    sums = np.convolve(steps.rewards[::-1].astype(np.float64), weights)[:size][::-1]
    after = np.where(steps.terminated, 0.0, steps.next_values)[np.arange(size) + counted - 1]
    returns: Array = sums + float(discount) ** counted * after
    return returns


# Calls


def to_go(submission: Any, steps: Steps, discount: float) -> Any:
    """The answer of rewards_to_go, its shape checked."""
    returns = submission.rewards_to_go(**steps.arguments(), discount=discount)
    expect_shape("returns", returns, steps.rewards.shape)
    return returns


def n_step(submission: Any, steps: Steps, discount: float, n: int) -> Any:
    """The answer of n_step_returns, its shape checked."""
    returns = submission.n_step_returns(**steps.arguments(), discount=discount, n=n)
    expect_shape("returns", returns, steps.rewards.shape)
    return returns


def calls(
    submission: Any, steps: Steps, discount: float, n: int
) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Each function's name, the function, and what to call it with."""
    yield (
        "discounted_return",
        submission.discounted_return,
        {"rewards": steps.rewards, "discount": discount},
    )
    yield "rewards_to_go", submission.rewards_to_go, steps.arguments() | {"discount": discount}
    options = {"discount": discount, "n": n}
    yield "n_step_returns", submission.n_step_returns, steps.arguments() | options


def expect_the_definition(
    submission: Any,
    steps: Steps,
    discount: float,
    n: int = 2,
    *,
    dtype: str | None = None,
    oracle: Callable[..., Array] = definition,
    where: str = "",
) -> None:
    """Every function answers as defined, in this dtype if one is given, and to all its digits.

    A failure begins with `where`, which tells what the example leaves open.
    """
    tolerance = {"rtol": 1e-9, "atol": 1e-9} if dtype == "float64" else {}
    totals = [discounted_sum(row, discount) for row in np.atleast_2d(steps.rewards)]
    expected = {
        "discounted_return": np.array(totals).reshape(steps.rewards.shape[:-1]),
        "rewards_to_go": oracle(steps, discount),
        "n_step_returns": oracle(steps, discount, n),
    }
    for name, function, arguments in calls(submission, steps, discount, n):
        answer = function(**arguments)
        expect_shape(name, answer, expected[name].shape)
        if dtype is not None:
            expect_dtype(name, answer, dtype)
        expect_close(where + name, answer, expected[name], **tolerance)


# discounted_return


@check("discounted_return weighs reward t by discount^t and adds up")
@given(rewards=reward_rows(), discount=discounts, examples=60)
def weighs_by_time(submission: Any, rewards: Array, discount: float) -> None:
    total = submission.discounted_return(rewards, discount=discount)
    expect_shape("the return", total, ())
    expect_close("the return", total, discounted_sum(rewards, discount))


@check("discounted_return gives one number for every row of a batch")
@given(rewards=reward_batches(), discount=discounts, examples=40)
def gives_one_number_a_row(submission: Any, rewards: Array, discount: float) -> None:
    totals = submission.discounted_return(rewards, discount=discount)
    expect_shape("returns", totals, rewards.shape[:1])
    expect_close("returns", totals, [discounted_sum(row, discount) for row in rewards])


# rewards_to_go


@check("rewards_to_go counts the rewards from each step on, as seen from that step")
@given(steps=some_steps(zero=("next_values", "terminated", "truncated")), discount=discounts)
def counts_from_each_step_on(submission: Any, steps: Steps, discount: float) -> None:
    expect_close("returns", to_go(submission, steps, discount), definition(steps, discount))


@check("rewards_to_go adds next_values of the last step where the rollout stops mid-episode")
@given(steps=some_steps(zero=("terminated", "truncated")), discount=discounts)
def bootstraps_after_the_last_step(submission: Any, steps: Steps, discount: float) -> None:
    expect_close("returns", to_go(submission, steps, discount), definition(steps, discount))


@check("rewards_to_go adds nothing after a terminated step")
@given(steps=ending(TERMINATED, zero=("truncated",)), discount=discounts)
def stops_at_terminated(submission: Any, steps: Steps, discount: float) -> None:
    expect_close("returns", to_go(submission, steps, discount), definition(steps, discount))


@check("rewards_to_go adds next_values of a truncated step and nothing after it")
@given(steps=ending(TRUNCATED, zero=("terminated",)), discount=discounts)
def bootstraps_at_truncated(submission: Any, steps: Steps, discount: float) -> None:
    expect_close("returns", to_go(submission, steps, discount), definition(steps, discount))


@check("rewards_to_go lets terminated win where both flags are set")
@given(steps=ending(BOTH), discount=discounts, examples=40)
def lets_terminated_win(submission: Any, steps: Steps, discount: float) -> None:
    expect_close("returns", to_go(submission, steps, discount), definition(steps, discount))


@check("rewards_to_go treats each row of a batch as if it stood alone, in any order of the rows")
@given(steps=some_steps(batch=True), discount=discounts, examples=40)
def keeps_rows_apart(submission: Any, steps: Steps, discount: float) -> None:
    returns = to_go(submission, steps, discount)
    expect_close("returns", returns, definition(steps, discount))
    order = np.arange(len(steps.rewards))[::-1]
    reordered = to_go(submission, steps.part(order), discount)
    expect_close("returns of the rows in reverse order", reordered, returns[order])


@check("rewards_to_go gives two episodes in a row what it gives each alone")
@given(steps=around(TERMINATED, TRUNCATED, inner=True), discount=discounts, examples=50)
def joins_episodes(submission: Any, steps: StepsAround, discount: float) -> None:
    alone = [steps.part(slice(steps.step + 1)), steps.part(slice(steps.step + 1, None))]
    expected = np.concatenate([definition(episode, discount) for episode in alone])
    expect_close("returns", to_go(submission, steps, discount), expected)


@check("rewards_to_go credits a reward to its own and earlier steps of its episode, to no other")
@given(steps=around(), change=one_of(1.0, -2.0), discount=discounts, examples=50)
def credits_no_later_step(
    submission: Any, steps: StepsAround, change: float, discount: float
) -> None:
    changed = steps.rewards.copy()
    changed[steps.step] += change
    before = to_go(submission, steps, discount)
    after = to_go(submission, replace(steps, rewards=changed), discount)
    expected = np.zeros(len(changed))
    expected[steps.reach] = [change * discount**k for k in range(len(steps.reach))]
    scale = float(np.abs(before).max() + abs(change))
    expect_close("the change in returns", after - before, expected, scale=scale)


@check("rewards_to_go tells a truncated from a terminated step by discount * next_values there")
@given(steps=around(TERMINATED), discount=discounts, examples=50)
def differs_by_the_final_value(submission: Any, steps: StepsAround, discount: float) -> None:
    terminated = to_go(submission, steps, discount)
    truncated = to_go(submission, steps.flagged(steps.step, TRUNCATED), discount)
    value = float(steps.next_values[steps.step])
    expected = np.zeros(len(steps.rewards))
    expected[steps.reach] = [discount ** (k + 1) * value for k in range(len(steps.reach))]
    scale = float(np.abs(terminated).max() + abs(value))
    gain = truncated - terminated
    expect_close("truncated minus terminated returns", gain, expected, scale=scale)


@check("rewards_to_go agrees with itself when a rollout is split where the episode goes on")
@given(steps=around(NEITHER, inner=True), discount=discounts, examples=30)
def agrees_when_split(submission: Any, steps: StepsAround, discount: float) -> None:
    late = to_go(submission, steps.part(slice(steps.step + 1, None)), discount)
    early = steps.part(slice(steps.step + 1))
    values = early.next_values.copy()
    values[-1] = late[0]
    parts = [to_go(submission, replace(early, next_values=values), discount), late]
    whole = definition(steps, discount)
    expect_close("returns of the two parts", np.concatenate(parts), whole)


@check("rewards_to_go is linear in the rewards: returns add up as rewards do")
@given(steps=some_steps(), discount=discounts, examples=30)
def is_linear(submission: Any, steps: Steps, discount: float) -> None:
    backwards = replace(steps, rewards=steps.rewards[::-1].copy())
    both = replace(steps, rewards=steps.rewards + backwards.rewards)
    no_values = {"next_values": np.zeros_like(steps.next_values)}
    one = to_go(submission, steps, discount)
    two = to_go(submission, replace(backwards, **no_values), discount)
    together = to_go(submission, both, discount)
    scale = float(np.abs(one).max() + np.abs(two).max())
    expect_close("returns of rewards + rewards[::-1]", together, one + two, scale=scale)


# n_step_returns


@check("n_step_returns with n = 1 is the reward plus the discounted next value")
@given(steps=some_steps(), discount=discounts, examples=40)
def takes_one_step(submission: Any, steps: Steps, discount: float) -> None:
    expected = steps.rewards + discount * np.where(steps.terminated, 0.0, steps.next_values)
    expect_close("returns", n_step(submission, steps, discount, 1), expected)


@check("n_step_returns counts n rewards, then discount^n times the value after them")
@given(steps=some_steps(zero=("terminated", "truncated")), discount=discounts, n=look_aheads)
def counts_n_rewards(submission: Any, steps: Steps, discount: float, n: int) -> None:
    expect_close("returns", n_step(submission, steps, discount, n), definition(steps, discount, n))


@check("n_step_returns stops counting at an episode end, with a value only where truncated")
@given(steps=ending(TERMINATED, TRUNCATED, BOTH), discount=discounts, n=look_aheads)
def stops_n_steps_early(submission: Any, steps: Steps, discount: float, n: int) -> None:
    expect_close("returns", n_step(submission, steps, discount, n), definition(steps, discount, n))


@check("n_step_returns with n of T or more is rewards_to_go")
@given(steps=some_steps(), discount=discounts, beyond=one_of(0, 1, 3), examples=40)
def looks_to_the_end(submission: Any, steps: Steps, discount: float, beyond: int) -> None:
    returns = n_step(submission, steps, discount, n=len(steps.rewards) + beyond)
    expect_close("returns", returns, definition(steps, discount))


@check("n_step_returns treats each row of a batch as if it stood alone")
@given(steps=some_steps(batch=True), discount=discounts, n=look_aheads, examples=40)
def keeps_n_step_rows_apart(submission: Any, steps: Steps, discount: float, n: int) -> None:
    expect_close("returns", n_step(submission, steps, discount, n), definition(steps, discount, n))


@check("n_step_returns refuses an n below 1")
@given(n=one_of(0, -1, -3))
def refuses_small_n(submission: Any, n: int) -> None:
    three = np.ones(3, dtype=np.float32)
    flags = np.zeros(3, dtype=bool)
    with expect_raises(ValueError, naming="n"):
        submission.n_step_returns(three, three, flags, flags, discount=0.5, n=n)


# All three


@check("all three hold over hundreds of steps, at any discount", seconds=20.0)
@given(
    steps=long_steps(length=(1, 300)),
    discount=far_discounts,
    small=vanishing_discounts,
    n=integers(1, 100),
    examples=8,
)
def holds_over_hundreds_of_steps(
    submission: Any, steps: Steps, discount: float, small: float, n: int
) -> None:
    for each in (discount, small):
        where = f"at discount {each}, "
        expect_the_definition(
            submission, steps, each, n, oracle=definition_by_episodes, where=where
        )


@check("all three hold for a batch of many rows and many steps", seconds=10.0)
@given(
    steps=long_steps(length=(1, 100), rows=(1, 16)),
    discount=far_discounts,
    n=integers(1, 100),
    examples=9,
)
def holds_for_many_rows(submission: Any, steps: Steps, discount: float, n: int) -> None:
    expect_the_definition(submission, steps, discount, n, oracle=definition_by_episodes)


@check("all three leave only the rewards themselves at discount 0")
@given(steps=some_steps(), n=look_aheads, examples=15)
def works_at_discount_zero(submission: Any, steps: Steps, n: int) -> None:
    expect_the_definition(submission, steps, 0.0, n)


@check("all three work on a rollout of a single step")
@given(steps=single_steps(), discount=discounts, n=look_aheads, examples=15)
def works_on_one_step(submission: Any, steps: Steps, discount: float, n: int) -> None:
    expect_the_definition(submission, steps, discount, n)


@check("all three work on tensors that are not contiguous in memory")
@given(steps=some_steps(length=(2, 4), batch=True), discount=discounts, examples=15)
def works_on_gaps(submission: Any, steps: Steps, discount: float) -> None:
    gaps = Steps(*(np.repeat(a, 2, axis=-1)[..., ::2] for a in steps.arguments().values()))
    expect_the_definition(submission, gaps, discount)


@check("all three take integer rewards and answer in floats")
@given(steps=some_steps().map(with_whole_rewards), discount=discounts, examples=15)
def takes_integer_rewards(submission: Any, steps: Steps, discount: float) -> None:
    expect_the_definition(submission, steps, discount, dtype="float32")


@check("all three answer float32 with float32, and float64 with float64 to all its digits")
@given(steps=some_steps(), discount=crooked_discounts, n=look_aheads, examples=8)
def keeps_the_dtype(submission: Any, steps: Steps, discount: float, n: int) -> None:
    for dtype in ("float64", "float32"):
        rewards, next_values = (x.astype(dtype) / 3 for x in (steps.rewards, steps.next_values))
        thirds = replace(steps, rewards=rewards, next_values=next_values)
        expect_the_definition(submission, thirds, discount, n, dtype=dtype)


@check("rewards_to_go and n_step_returns answer in the dtype of next_values where rewards differ")
@given(steps=mixed_steps(), discount=discounts, n=look_aheads, examples=10)
def answers_in_the_dtype_of_values(submission: Any, steps: Steps, discount: float, n: int) -> None:
    for name, function, arguments in calls(submission, steps, discount, n):
        if name != "discounted_return":
            answer = function(**arguments)
            expect_shape(name, answer, steps.rewards.shape)
            expect_dtype(name, answer, steps.next_values.dtype.name)
            limit = n if name == "n_step_returns" else WITHOUT_LIMIT
            expect_close(name, answer, definition(steps, discount, limit))


@check("all three leave their inputs as they were")
@given(steps=ending(TERMINATED, TRUNCATED), discount=discounts, examples=10)
def leaves_inputs_alone(submission: Any, steps: Steps, discount: float) -> None:
    for name, function, arguments in calls(submission, steps, discount, 2):
        _, after = function.arguments_after(**arguments)
        for field in FIELDS:
            if field in arguments:
                expect_equal(f"after {name}, {field}", after[field], arguments[field])


@check("all three answer without gradient, whatever the inputs require")
@given(steps=some_steps(batch=True), discount=discounts, examples=6)
def carries_no_gradient(submission: Any, steps: Steps, discount: float) -> None:
    attached = {}
    for part, n in ((steps.part(0), 2), (steps, 2), (steps, 1)):
        for name, function, arguments in calls(submission, part, discount, n):
            inputs = [field for field in ("rewards", "next_values") if field in arguments]
            if function.gradients(*inputs, **arguments).carries_gradient:
                place = f"{name} on {list(part.rewards.shape)}"
                attached.setdefault(name, place + f" with n = {n}" * ("n" in arguments))
    found = ", ".join(attached.values())
    message = f"no answer should carry gradient; yours does in {found}"
    expect(not attached, message, ", ".join(attached))


@check("rewards_to_go and n_step_returns refuse a shape unlike that of rewards, and say both")
@given(
    function=one_of("rewards_to_go", "n_step_returns"),
    argument=one_of(*FIELDS[1:]),
    shape_of_rewards=one_of([3], [2, 3]),
    shape_of_argument=one_of([4], [1], [], [1, 3], [3, 2], [5, 4]),
    examples=40,
)
def refuses_other_shapes(
    submission: Any,
    function: str,
    argument: str,
    shape_of_rewards: list[int],
    shape_of_argument: list[int],
) -> None:
    ones, flags = np.ones(shape_of_rewards, np.float32), np.zeros(shape_of_rewards, bool)
    arguments = Steps(ones, ones, flags, flags).arguments()
    arguments[argument] = np.ones(shape_of_argument, arguments[argument].dtype)
    options = {"n": 2} if function == "n_step_returns" else {}
    with expect_raises(ValueError, naming=argument, shapes=(shape_of_rewards, shape_of_argument)):
        getattr(submission, function)(**arguments, discount=0.5, **options)
