"""What the functions of exercise 2 promise: one policy, one loss, one step, and the exact gradient.

The oracles are float64 sums over the odds exp(logits[b] - logits[a]), plain loops over episodes,
and a tiny MDP: there the batch holds every trajectory, and the gradient of J comes from backward
induction in complex numbers, which knows nothing of log-probabilities.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rlgrade.author import (
    Array,
    Attempt,
    Draw,
    Generator,
    Strategy,
    SubmissionRaised,
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
from rlgrade.trainer.gridworld import BEST_RETURN, World, grid_world, probes, roll_out

GARBAGE = 1e6
PROBE_UPDATES = 400  # at most, for each probe
ON_LOGITS = ("action_log_probs", "sample_actions", "policy_entropy")
# Shapes of logits, and how many calls of each give sequences that never agree by chance.
CALLS = {(400,): 5, (120, 4): 1, (3, 400): 2, (5, 12, 4): 1, (2, 3, 10, 4): 1}
EXACTLY = {"rtol": 1e-9, "atol": 1e-9}


# What is drawn


@dataclass(frozen=True)
class Choices:
    """Rows of logits, and one action for each."""

    logits: Array
    actions: Array


@dataclass(frozen=True)
class Episodes:
    """The arguments of reinforce_loss, [B, T] each."""

    log_probs: Array
    returns: Array
    mask: Array

    def with_garbage(self, size: float) -> Episodes:
        """The same with numbers of this size, of either sign, wherever a step does not count."""
        junk = np.where(np.indices(self.mask.shape).sum(axis=0) % 2, -size, size)
        log_probs = np.where(self.mask, self.log_probs, junk).astype(self.log_probs.dtype)
        returns = np.where(self.mask, self.returns, -junk).astype(self.returns.dtype)
        return replace(self, log_probs=log_probs, returns=returns)


@dataclass(frozen=True)
class Update:
    """A linear policy, a learning rate, and a batch."""

    weight: Array
    bias: Array
    learning_rate: float
    observations: Array
    actions: Array
    returns: Array
    mask: Array

    def batch(self) -> dict[str, Array]:
        """The batch as reinforce_update gets it."""
        names = ("observations", "actions", "returns", "mask")
        return {name: getattr(self, name) for name in names}

    def in_float64(self) -> Update:
        """The same divided by 3, so that float32 holds none of the numbers."""
        names = ("weight", "bias", "observations", "returns")
        return replace(self, **{name: getattr(self, name).astype(np.float64) / 3 for name in names})

    def as_remembered(self, *, training: bool) -> Update:
        """The same with the observations that rlgrade's policy with memory comes down to."""
        so_far = self.observations.astype(np.float64).cumsum(axis=1)
        return replace(self, observations=so_far - training * so_far.mean(axis=(0, 1)))


@dataclass(frozen=True)
class Mdp:
    """A tiny MDP that begins in state 0, and a tabular policy.

    `transitions[s, a]` are the probabilities of the next state; the last entry ends the episode.
    """

    logits: Array
    rewards: Array
    transitions: Array
    horizon: int


@dataclass(frozen=True)
class Misfit:
    """One argument of a function has another shape than the rest."""

    function: str
    argument: str
    shape: list[int]
    shape_of_the_others: list[int]


def logit_rows(*, low: float = -3.0, high: float = 3.0) -> Strategy[Array]:
    """Logits [B, A] or [B, T, A], all sizes different."""

    @strategy
    def rows(draw: Draw) -> Array:
        a, *axes = draw(distinct_sizes((2, 4), (1, 3), (2, 3)))
        return draw(tensors(*axes[: draw(integers(1, 2))], a, low=low, high=high))

    return rows()


@strategy
def choices(draw: Draw) -> Choices:
    """Logits of moderate size, with actions."""
    logits = draw(logit_rows())
    return Choices(logits, draw(actions_for(logits)))


@strategy
def extreme_choices(draw: Draw) -> Choices:
    """Logits of which most are 100 or -100, with actions; no row has all its logits equal."""
    a, rows = draw(distinct_sizes((2, 4), (1, 3)))
    sizes = np.array([-100.0, 100.0, 0.0, 99.0], dtype=np.float32)
    logits = sizes[draw(integer_tensors(rows, a, low=0, high=3))]
    logits[:, 0] = np.where(logits[:, 1] == 100.0, -100.0, 100.0)
    return Choices(logits, draw(actions_for(logits)))


def uneven_rows() -> Strategy[Array]:
    """Logits [2, 4] of two policies that are never uniform, nor like each other."""
    uneven = np.array([[2, 0, -1, -2], [-1, 0, 1, 0.5]], dtype=np.float32)
    return tensors(2, 4, low=-0.5, high=0.5).map(lambda noise: uneven + noise)


def one_likely_action() -> Strategy[Array]:
    """Logits [1, 20] of a policy that takes one action 92 times in 100, each other 0.4 times."""
    likely = np.where(np.arange(20) == 0, 5.5, 0.0).astype(np.float32)
    return tensors(1, 20, low=-0.1, high=0.1).map(lambda noise: likely + noise)


def actions_for(logits: Array) -> Strategy[Array]:
    """One action for each row of logits."""
    return integer_tensors(*logits.shape[:-1], low=0, high=logits.shape[-1] - 1)


@strategy
def choices_of_any_shape(draw: Draw) -> Choices:
    """Logits with none to three leading axes, some of size 1; also a single action."""
    shape = draw(
        one_of(
            *((3,), (4, 3), (2, 4, 3), (1, 4), (4, 1, 3)),
            *((1, 2, 1, 3), (2, 3, 4, 5), (3, 2, 4), (1,)),
        )
    )
    logits = draw(tensors(*shape, low=-3, high=3))
    return Choices(logits, draw(actions_for(logits)))


def episodes(mask: str = "full") -> Strategy[Episodes]:
    """Episodes with returns of both signs, small or large; `mask` is full, prefix or any.

    A row of an `any` mask may be empty.
    """

    @strategy
    def drawn(draw: Draw) -> Episodes:
        t, b = draw(distinct_sizes((1, 4), (1, 3)))
        log_probs, returns = draw(tensors(b, t, low=-4.25, high=-0.25)), draw(tensors(b, t))
        stretch = np.float32(draw(one_of(1.0, 20.0)))  # nothing may be clipped
        counts = np.ones((b, t), dtype=bool)
        if mask == "prefix":
            counts = draw(prefix_masks(b, t))
        elif mask == "any":
            counts = draw(masks(b, t)) & (np.arange(b) != draw(integers(0, 3)))[:, None]
        return Episodes(log_probs * stretch, returns * stretch, counts)

    return drawn()


def updates(*stretches: float, observed: bool = False) -> Strategy[Update]:
    """Updates with returns stretched by one of the factors, and at least one step in each row.

    Garbage stands wherever a step does not count; with `observed`, not in the observations.
    """

    @strategy
    def drawn(draw: Draw) -> Update:
        t, b, o, a = draw(distinct_sizes((1, 3), (1, 3), (1, 3), (2, 3)))
        mask = draw(masks(b, t))
        observations = draw(tensors(b, t, o, low=-2, high=2))
        returns = draw(tensors(b, t)) * np.float32(draw(one_of(*stretches)))
        return Update(
            weight=draw(tensors(a, o, low=-1, high=1)),
            bias=draw(tensors(a, low=-1, high=1)),
            learning_rate=draw(one_of(1.0, 0.5, 0.25)),
            observations=np.where(mask[..., None] | observed, observations, np.float32(50.0)),
            actions=draw(integer_tensors(b, t, low=0, high=a - 1)),
            returns=np.where(mask, returns, np.float32(-50.0)),
            mask=mask,
        )

    return drawn()


@strategy
def mdps(draw: Draw) -> Mdp:
    """MDPs of 2 or 3 states and 2 or 3 actions, deterministic here and there, horizon 2 or 3."""
    states, actions, horizon = draw(one_of((2, 2, 2), (3, 2, 2), (2, 3, 2), (2, 2, 3)))
    odds = draw(integer_tensors(states, actions, states + 1, low=0, high=3)).astype(np.float64)
    odds[..., 0] += odds.sum(axis=-1) == 0
    return Mdp(
        logits=draw(tensors(states, actions, low=-2, high=2)),
        rewards=draw(tensors(states, actions)),
        transitions=odds / odds.sum(axis=-1, keepdims=True),
        horizon=horizon,
    )


@strategy
def misfits(draw: Draw) -> Misfit:
    """Misfits, most of which broadcasting or gathering would let through."""
    b, t = draw(distinct_sizes((2, 3), (2, 4)))
    function, argument = draw(
        one_of(
            ("action_log_probs", "actions"),
            ("reinforce_loss", "returns"),
            ("reinforce_loss", "mask"),
            ("reinforce_loss", "log_probs"),
            ("reinforce_update", "actions"),
            ("reinforce_update", "returns"),
            ("reinforce_update", "mask"),
        )
    )
    shapes = [[t], [b, t, 1], [b, 1], [1, t], [b, t - 1]]
    if argument == "log_probs":  # the others agree with it, but none is [B, T]
        shape = draw(one_of(*shapes[:2]))
        return Misfit(function, argument, shape, shape)
    return Misfit(function, argument, draw(one_of(*shapes)), [b, t])


# The definitions


def odds_against(logits: Array) -> Array:
    """1 / pi(a): the sum over b of exp(logits[b] - logits[a])."""
    exact = logits.astype(np.float64)
    return np.exp(exact[..., None, :] - exact[..., :, None]).sum(axis=-1)


def probabilities(logits: Array) -> Array:
    """pi(a) for every action."""
    return 1.0 / odds_against(logits)


def true_log_probs(choice: Choices) -> Array:
    """log pi of the chosen actions."""
    chosen = choice.actions[..., None]
    return -np.log(np.take_along_axis(odds_against(choice.logits), chosen, axis=-1)[..., 0])


def true_entropy(logits: Array) -> Array:
    """The expectation of log (1 / pi(a))."""
    against = odds_against(logits)
    return (np.log(against) / against).sum(axis=-1)


def entropy_slope(logits: Array) -> Array:
    """The derivative of the entropy: pi(a) * (log (1 / pi(a)) - H)."""
    against = odds_against(logits)
    return (np.log(against) - true_entropy(logits)[..., None]) / against


def chosen(choice: Choices) -> Array:
    """e_a: one where the action was chosen."""
    return np.eye(choice.logits.shape[-1])[choice.actions]


def terms(episode: Episodes) -> Iterator[tuple[int, int, float]]:
    """Row, step and log_prob * return of each step that counts."""
    for b, t in np.argwhere(episode.mask).tolist():
        yield b, t, float(episode.log_probs[b, t]) * float(episode.returns[b, t])


def true_loss(episode: Episodes) -> float:
    """The definition, step by step."""
    return -math.fsum(term for _, _, term in terms(episode)) / len(episode.mask)


def size_of_terms(episode: Episodes) -> float:
    """What rounding errors of the loss are relative to."""
    return math.fsum(abs(term) for _, _, term in terms(episode)) / len(episode.mask)


def true_slopes(update: Update) -> dict[str, Array]:
    """The gradient of the loss in the parameters: minus the mean of G (e_a - pi) x."""
    policy = probabilities(logits_of(update))
    score = np.eye(len(update.bias))[update.actions] - policy
    weights = np.where(update.mask, update.returns, 0.0) / len(update.mask)
    pull = weights[..., None] * score
    exact = update.observations.astype(np.float64)
    return {"weight": -np.einsum("bta,bto->ao", pull, exact), "bias": -pull.sum(axis=(0, 1))}


def logits_of(update: Update) -> Array:
    """What the linear policy says of each step that counts; zero elsewhere."""
    exact = np.where(update.mask[..., None], update.observations.astype(np.float64), 0.0)
    return exact @ update.weight.T.astype(np.float64) + update.bias


def loss_of(update: Update) -> Episodes:
    """The arguments of the loss that an update's batch comes down to."""
    log_probs = true_log_probs(Choices(logits_of(update), update.actions))
    return Episodes(log_probs, update.returns, update.mask)


def after_a_step(update: Update) -> Update:
    """The same with the parameters moved once."""
    slopes = true_slopes(update)
    rate = update.learning_rate
    return replace(
        update,
        weight=update.weight - rate * slopes["weight"],
        bias=update.bias - rate * slopes["bias"],
    )


def exact_gradient(mdp: Mdp) -> Array:
    """dJ / dlogits, [S, A], by backward induction on logits with an imaginary step of 1e-30.

    J(x + i h) = J(x) + i h J'(x) + ..., so the imaginary part over h has no rounding error.
    """
    step = 1e-30
    size = mdp.logits.size
    moved = mdp.logits + 1j * step * np.eye(size).reshape(size, *mdp.logits.shape)
    policy = np.exp(moved) / np.exp(moved).sum(axis=-1, keepdims=True)
    values = np.zeros((size, len(mdp.logits)), dtype=complex)
    for _ in range(mdp.horizon):
        following = np.einsum("sax,kx->ksa", mdp.transitions[..., :-1], values)
        values = (policy * (mdp.rewards + following)).sum(axis=-1)
    return values[:, 0].imag.reshape(mdp.logits.shape) / step


@dataclass(frozen=True)
class AllTrajectories:
    """Every trajectory as one row, its returns weighed so that a mean over rows is exact."""

    states: Array
    actions: Array
    returns: Array
    mask: Array


def all_trajectories(mdp: Mdp) -> AllTrajectories:
    """The enumeration. Where the MDP ends early, state 0 and a return of 9 fill the row."""
    policy = probabilities(mdp.logits)
    rows: list[tuple[float, list[tuple[int, int]]]] = []

    def follow(state: int, probability: float, steps: list[tuple[int, int]]) -> None:
        for action, taken in enumerate(policy[state]):
            walked = [*steps, (state, action)]
            if len(walked) == mdp.horizon:
                rows.append((probability * taken, walked))
                continue
            for following, reached in enumerate(mdp.transitions[state, action]):
                path = probability * taken * reached
                if reached and following == len(policy):
                    rows.append((path, walked))
                elif reached:
                    follow(following, path, walked)

    follow(0, 1.0, [])
    shape = (len(rows), mdp.horizon)
    states, actions = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    returns, mask = np.full(shape, 9.0), np.zeros(shape, dtype=bool)
    for row, (probability, walked) in enumerate(rows):
        to_go = 0.0
        for t, (state, action) in reversed(list(enumerate(walked))):
            to_go += float(mdp.rewards[state, action])
            states[row, t], actions[row, t], mask[row, t] = state, action, True
            returns[row, t] = len(rows) * probability * to_go
    return AllTrajectories(states, actions, returns, mask)


# Calls


def expect_parameters(parameters: dict[str, Array], update: Update, moment: str) -> None:
    """The policy in the worker has the parameters of `update`."""
    pull = float(np.abs(update.returns[update.mask]).max(initial=0.0))  # errors grow with it
    for name in ("weight", "bias"):
        expected = getattr(update, name)
        scale = pull + float(np.abs(expected).max())
        expect_close(f"the policy's {name} {moment}", parameters[name], expected, scale=scale)


def on_logits(submission: Any, function: str, choice: Choices, seed: int = 0) -> Any:
    """What one of the three functions on logits answers."""
    if function == "action_log_probs":
        return submission.action_log_probs(choice.logits, choice.actions)
    if function == "sample_actions":
        return submission.sample_actions(choice.logits, generator=Generator(seed))
    return submission.policy_entropy(choice.logits)


def expect_the_definition(function: str, answer: Any, choice: Choices, **tolerance: float) -> None:
    """The answer of a function on logits has its shape, and its values where they are fixed."""
    expect_shape(function, answer, choice.actions.shape)
    if function == "sample_actions":
        expect_dtype("actions", answer, "int64")
        actions = choice.logits.shape[-1]
        inside = bool(np.all((answer >= 0) & (answer < actions)))
        expect(inside, f"an action should be from 0 to {actions - 1}", "the actions")
    elif function == "action_log_probs":
        expect_close("log-probs", answer, true_log_probs(choice), **tolerance)
    else:
        expect_close("entropy", answer, true_entropy(choice.logits), **tolerance)


def with_gaps(array: Array) -> Array:
    """The same numbers, which the submission gets with gaps in memory if there is an axis."""
    return np.stack([array, array], axis=-1)[..., 0] if array.ndim else array


def living_generator(submission: Any, seed: int) -> Any:
    """A torch.Generator that stays in the worker, so that two calls share it."""
    return submission.tools.attribute(Generator(seed), "manual_seed")(seed)


def draws_in_a_row(submission: Any, logits: Array, generators: Iterable[Any]) -> Array:
    """The actions of several calls, as many as tell two sequences of this shape apart."""
    rows = []
    for generator in itertools.islice(generators, CALLS[logits.shape]):
        rows.append(submission.sample_actions(logits, generator=generator))
        expect_shape(f"actions of logits {list(logits.shape)}", rows[-1], logits.shape[:-1])
    return np.stack(rows)


def logits_of_every_shape(four: Array) -> Iterator[Array]:
    """Four logits over and over, without a leading axis and with up to three, also many a row."""
    for shape in CALLS:
        yield np.broadcast_to(np.tile(four, shape[-1] // 4), shape).copy()


def margin(probability: float, draws: int) -> float:
    """How far a frequency may be off: more happens once in 10^10 times (Bernstein's inequality)."""
    nats = math.log(2e10) / draws
    return nats / 3 + math.sqrt((nats / 3) ** 2 + 2 * nats * probability * (1 - probability))


def expect_frequency(what: str, frequency: float, probability: float, draws: int) -> None:
    """A frequency among so many draws agrees with its probability."""
    expect(
        abs(frequency - probability) <= margin(probability, draws),
        f"{what} in about {probability:.1%} of {draws} draws; yours in {frequency:.1%}",
        what,
    )


# action_log_probs


@check("action_log_probs gives log softmax(logits) of each action, in nats")
@given(choice=choices(), examples=30)
def log_prob_of_the_action(submission: Any, choice: Choices) -> None:
    log_probs = submission.action_log_probs(choice.logits, choice.actions)
    expect_close("log-probs", log_probs, true_log_probs(choice))


@check("action_log_probs has the gradient e_a - pi in the logits")
@given(choice=choices(), examples=20)
def has_the_score_as_gradient(submission: Any, choice: Choices) -> None:
    answer = submission.action_log_probs.gradients(
        "logits", logits=choice.logits, actions=choice.actions
    )
    expect(answer.carries_gradient, "log-probs should carry gradient to the logits")
    score = chosen(choice) - probabilities(choice.logits)
    expect_close("gradient of logits", answer.gradients["logits"], score)


@check("action_log_probs and policy_entropy stay as they are when a number is added to every logit")
@given(choice=choices(), shift=one_of(1.0, -3.0, 20.0, -100.0, 100.0), examples=15)
def shifts_change_nothing(submission: Any, choice: Choices, shift: float) -> None:
    higher = replace(choice, logits=choice.logits + np.float32(shift))
    for function in ("action_log_probs", "policy_entropy"):
        before = on_logits(submission, function, choice)
        expect_shape(function, before, choice.actions.shape)
        after = on_logits(submission, function, higher)
        expect_close(f"{function} of the higher logits", after, before, atol=1e-4)


@check("action_log_probs is right and finite at logits of 100 and -100, with its gradient")
@given(choice=extreme_choices(), examples=20)
def stays_finite(submission: Any, choice: Choices) -> None:
    answer = submission.action_log_probs.gradients(
        "logits", logits=choice.logits, actions=choice.actions
    )
    expect_close("log-probs", answer.value, true_log_probs(choice))
    score = chosen(choice) - probabilities(choice.logits)
    expect_close("gradient of logits", answer.gradients["logits"], score)


# sample_actions


@check("sample_actions draws each action as often as its probability says", seconds=20)
@given(
    logits=uneven_rows(),
    rare=one_likely_action(),
    height=one_of(100.0, -100.0, 1000.0),
    seed=integers(0, 9999),
    examples=3,
)
def samples_by_probability(
    submission: Any, logits: Array, rare: Array, height: float, seed: int
) -> None:
    draws = 3000
    raised = logits + np.float32(height)  # the same policies, up to the last digits of float32
    for name, policies in (("logits", logits), ("rare", rare), ("raised logits", raised)):
        many = np.repeat(policies[:, None, :], draws, axis=1)
        actions = submission.sample_actions(many, generator=Generator(seed))
        expect_shape("actions", actions, (len(policies), draws))
        for row, by_action in enumerate(probabilities(policies)):
            for action, probability in enumerate(by_action):
                frequency = float((actions[row] == action).mean())
                what = f"action {action} of {name}[{row}] should be drawn"
                expect_frequency(what, frequency, float(probability), draws)


@check("sample_actions draws every entry independently of the others", seconds=20)
@given(logits=tensors(3, low=-1, high=1), seed=integers(0, 9999), examples=2)
def draws_entries_independently(submission: Any, logits: Array, seed: int) -> None:
    alike = float((probabilities(logits) ** 2).sum())
    for shape in ((2, 1500), (1500,), (2, 2, 400)):
        many = np.broadcast_to(logits, (*shape, 3)).copy()
        actions = submission.sample_actions(many, generator=Generator(seed))
        expect_shape("actions", actions, shape)
        for axis in range(len(shape)):
            in_turn = np.moveaxis(actions, axis, 0)
            same = in_turn[::2] == in_turn[1::2]
            what = f"neighbours along axis {axis} of {list(shape)} should draw the same action"
            expect_frequency(what, float(same.mean()), alike, same.size)


@check("sample_actions gives the same actions for the same seed, others for another")
@given(four=tensors(4, low=-1, high=1), seed=integers(0, 9999), examples=2)
def draws_from_the_generator(submission: Any, four: Array, seed: int) -> None:
    for logits in logits_of_every_shape(four):
        first, again, other = [
            draws_in_a_row(submission, logits, map(Generator, itertools.count(start)))
            for start in (seed, seed, seed + 100)
        ]
        whose = f"of logits {list(logits.shape)}"
        expect_equal(f"actions {whose}, drawn again with the same seeds,", again, first)
        different = bool(np.any(other != first))
        expect(different, f"other seeds should give other actions {whose}", "other seeds")


@check("sample_actions moves the generator on, so that the next call draws anew")
@given(four=tensors(4, low=-1, high=1), seed=integers(0, 9999), examples=2)
def moves_the_generator_on(submission: Any, four: Array, seed: int) -> None:
    always = itertools.repeat(living_generator(submission, seed))
    for logits in logits_of_every_shape(four):
        first, second = [draws_in_a_row(submission, logits, always) for _ in range(2)]
        whose = f"of logits {list(logits.shape)}"
        anew = bool(np.any(second != first))
        expect(
            anew, f"later calls should not repeat the first ones' actions {whose}", "later calls"
        )


@check("sample_actions picks the sure action at logits of 100 against -100")
@given(sure=integer_tensors(3, low=0, high=4), seed=integers(0, 9999), examples=15)
def samples_at_extreme_logits(submission: Any, sure: Array, seed: int) -> None:
    logits = np.where(np.eye(5)[sure] == 1, 100.0, -100.0).astype(np.float32)
    actions = submission.sample_actions(np.tile(logits, (20, 1)), generator=Generator(seed))
    expect_shape("actions", actions, (60,))
    hits = float((actions == np.tile(sure, 20)).mean())  # a draw of exactly 0 may miss: 2^-24
    expect(hits > 0.9, f"the sure action should always be drawn; yours is in {hits:.0%} of draws")


# policy_entropy


@check("policy_entropy is the mean of -log pi(a) under pi, in nats")
@given(logits=logit_rows(), examples=30)
def entropy_of_the_policy(submission: Any, logits: Array) -> None:
    expect_close("entropy", submission.policy_entropy(logits), true_entropy(logits))


@check("policy_entropy is log A where all logits are equal, and less where one stands out")
@given(
    actions=integers(2, 6),
    height=one_of(0.0, 1.0, -2.5, 100.0, -100.0),
    rise=one_of(1.0, 0.5, 2.0),
    examples=20,
)
def is_greatest_when_equal(submission: Any, actions: int, height: float, rise: float) -> None:
    logits = np.full((1, actions), height, dtype=np.float32)
    greatest = submission.policy_entropy(logits)
    expect_close("entropy of equal logits", greatest, np.array([math.log(actions)]))
    logits[0, -1] += rise
    lower = submission.policy_entropy(logits)
    expect_close("entropy with one logit raised", lower, true_entropy(logits))


@check("policy_entropy does not depend on the order of the actions")
@given(logits=tensors(3, 5, low=-3, high=3), order=permutations(5), examples=15)
def order_does_not_matter(submission: Any, logits: Array, order: Array) -> None:
    entropy = submission.policy_entropy(logits)
    expect_shape("entropy", entropy, (3,))
    reordered = submission.policy_entropy(logits[:, order].copy())
    expect_close("entropy of the reordered actions", reordered, entropy)


@check("policy_entropy carries its gradient to the logits")
@given(logits=logit_rows(), examples=20)
def entropy_has_a_gradient(submission: Any, logits: Array) -> None:
    answer = submission.policy_entropy.gradients("logits", logits=logits)
    expect(answer.carries_gradient, "the entropy should carry gradient to the logits")
    expect_close("gradient of logits", answer.gradients["logits"], entropy_slope(logits))


@check("policy_entropy and its gradient stay finite where a probability underflows to 0")
@given(choice=extreme_choices(), examples=20)
def entropy_survives_underflow(submission: Any, choice: Choices) -> None:
    answer = submission.policy_entropy.gradients("logits", logits=choice.logits)
    expect_close("entropy", answer.value, true_entropy(choice.logits))
    slope = entropy_slope(choice.logits)
    expect_close("gradient of logits", answer.gradients["logits"], slope)


# reinforce_loss


@check("reinforce_loss is minus log_prob * return, summed over steps, averaged over episodes")
@given(episode=episodes(), examples=30)
def sums_over_steps(submission: Any, episode: Episodes) -> None:
    loss = submission.reinforce_loss(**vars(episode))
    scale = size_of_terms(episode)
    expect_close("loss", loss, true_loss(episode), rtol=1e-5, scale=scale)


@check("reinforce_loss averages over episodes, not over steps, when lengths differ")
@given(episode=episodes("prefix").map(lambda e: e.with_garbage(0.0)), examples=30)
def averages_over_episodes(submission: Any, episode: Episodes) -> None:
    loss = submission.reinforce_loss(**vars(episode))
    scale = size_of_terms(episode)
    expect_close("loss", loss, true_loss(episode), rtol=1e-5, scale=scale)


@check("reinforce_loss counts no masked step, whatever stands there")
@given(episode=episodes("any").map(lambda e: e.with_garbage(GARBAGE)), examples=30)
def ignores_masked_steps(submission: Any, episode: Episodes) -> None:
    loss = submission.reinforce_loss(**vars(episode))
    scale = size_of_terms(episode)
    expect_close("loss", loss, true_loss(episode), rtol=1e-5, scale=scale)


@check("reinforce_loss pulls each counted log_prob by -return / B, and no other")
@given(episode=episodes("any").map(lambda e: e.with_garbage(GARBAGE)), examples=25)
def credits_each_step(submission: Any, episode: Episodes) -> None:
    apart = {name: with_gaps(array) for name, array in vars(episode).items()}
    answer = submission.reinforce_loss.gradients("log_probs", **apart)
    expect(answer.carries_gradient, "the loss should carry gradient to log_probs")
    weights = np.where(episode.mask, episode.returns, 0.0)
    expected = -weights.astype(np.float64) / len(weights)
    expect_close("gradient of log_probs", answer.gradients["log_probs"], expected)


@check("reinforce_loss lets no gradient reach the returns")
@given(episode=episodes(), examples=15)
def returns_are_constants(submission: Any, episode: Episodes) -> None:
    answer = submission.reinforce_loss.gradients("log_probs", "returns", **vars(episode))
    expect_shape("loss", answer.value, ())
    expect_no_gradient("returns", answer.gradients["returns"])


@check("log-probs and loss together have the exact gradient of -J on an enumerated MDP")
@given(mdp=mdps(), examples=15)
def has_the_exact_gradient(submission: Any, mdp: Mdp) -> None:
    paths = all_trajectories(mdp)
    arguments = {"logits": mdp.logits[paths.states], "actions": paths.actions}
    log_probs = submission.action_log_probs(**arguments)
    expect_shape("log-probs", log_probs, paths.actions.shape)
    loss = submission.reinforce_loss.gradients(
        "log_probs",
        log_probs=log_probs,
        returns=paths.returns.astype(np.float32),
        mask=paths.mask,
    )
    pull = loss.gradients["log_probs"]
    expect(pull is not None, "the loss should carry gradient to log_probs")
    back = submission.action_log_probs.gradients("logits", cotangent=pull, **arguments)
    expect(back.carries_gradient, "log-probs should carry gradient to the logits")
    by_state = np.zeros(mdp.logits.shape)
    np.add.at(by_state, paths.states, back.gradients["logits"].astype(np.float64))
    expect_close("gradient of the tabular logits", by_state, -exact_gradient(mdp), atol=3e-5)


# reinforce_update


@check("reinforce_update moves the policy one step down the gradient of the batch's loss")
@given(update=updates(1.0, 50.0), examples=15)
def takes_one_step(submission: Any, update: Update) -> None:
    policy = submission.tools.linear(update.weight, update.bias)
    optimizer = submission.tools.sgd(policy, update.learning_rate)
    apart = {name: with_gaps(array) for name, array in update.batch().items()}
    submission.reinforce_update(policy, optimizer, apart)
    parameters = submission.tools.parameters(policy)
    expect_parameters(parameters, after_a_step(update), "after the update")


@check("reinforce_update calls the policy once, on the whole batch of observations")
@given(update=updates(1.0, observed=True), examples=6)
def shows_the_whole_batch(submission: Any, update: Update) -> None:
    policy = submission.tools.episode_policy(update.weight, update.bias)
    optimizer = submission.tools.sgd(policy, update.learning_rate)
    loss = submission.reinforce_update(policy, optimizer, update.batch())
    seen = update.as_remembered(training=True)
    episode = loss_of(seen)
    what = "loss of a policy that sees whole batches"
    expect_close(what, loss, true_loss(episode), scale=size_of_terms(episode))
    parameters = submission.tools.parameters(policy)
    expect_parameters(parameters, after_a_step(seen), "which sees whole batches, after the update")
    calls = policy.get("calls")
    expect(calls == 1, f"the policy should be called once; yours is called {calls} times", "calls")


@check(
    "reinforce_update leaves the policy in training or evaluation mode, as it was",
    needs="shows_the_whole_batch",
)
@given(update=updates(1.0, observed=True), training=one_of(False, True), examples=4)
def mode_stays(submission: Any, update: Update, training: bool) -> None:
    policy = submission.tools.episode_policy(update.weight, update.bias)
    policy.train(training)
    optimizer = submission.tools.sgd(policy, update.learning_rate)
    submission.reinforce_update(policy, optimizer, update.batch())
    expect_equal("the policy's attribute `training`", policy.get("training"), training)
    expected = after_a_step(update.as_remembered(training=training))
    parameters = submission.tools.parameters(policy)
    expect_parameters(parameters, expected, f"with training={training}, after the update")


@check("reinforce_update calls optimizer.step() once, also if no step of the batch counts")
@given(update=updates(1.0), empty=one_of(True, False), examples=4)
def steps_once(submission: Any, update: Update, empty: bool) -> None:
    if empty:
        update = replace(update, mask=np.zeros_like(update.mask))
    policy = submission.tools.linear(update.weight, update.bias)
    optimizer = submission.tools.noting_sgd(policy, update.learning_rate)
    submission.reinforce_update(policy, optimizer, update.batch())
    steps = len(submission.tools.noted_gradients(optimizer))
    expect(
        steps == 1, f"optimizer.step() should be called once; yours calls it {steps} times", "steps"
    )
    parameters = submission.tools.parameters(policy)
    expect_parameters(parameters, after_a_step(update), "after the update")


@check("reinforce_update lets no gradient from before into its step")
@given(
    update=updates(1.0),
    before=one_of("an update with another policy's optimizer", "an update that broke off"),
    examples=8,
)
def forgets_old_gradients(submission: Any, update: Update, before: str) -> None:
    policy = submission.tools.linear(update.weight, update.bias)
    bystander = submission.tools.linear(update.weight, update.bias)
    if before == "an update that broke off":
        try:  # it has no step(), so what backward() left behind stays there
            submission.reinforce_update(policy, bystander, update.batch())
        except SubmissionRaised as raised:
            if raised.unwritten:
                raise
    else:
        optimizer = submission.tools.sgd(bystander, update.learning_rate)
        submission.reinforce_update(policy, optimizer, update.batch())
    optimizer = submission.tools.sgd(policy, update.learning_rate)
    found = []
    for _ in range(2):
        submission.reinforce_update(policy, optimizer, update.batch())
        found.append(submission.tools.parameters(policy))
    once = after_a_step(update)
    expect_parameters(found[0], once, "after the update")
    expect_parameters(found[1], after_a_step(once), "after the next update")


@check("reinforce_update returns the loss before the step, as a float")
@given(update=updates(1.0), examples=6)
def returns_the_loss(submission: Any, update: Update) -> None:
    exact = {"rtol": 1e-12, "atol": 1e-12}
    for dtype, same, digits in (("float32", update, {}), ("float64", update.in_float64(), exact)):
        policy = submission.tools.linear(same.weight, same.bias)
        optimizer = submission.tools.sgd(policy, same.learning_rate)
        loss = submission.reinforce_update(policy, optimizer, same.batch())
        expect(type(loss) is float, "the loss should come back as a Python float", "the type")
        what, episode = f"loss of a {dtype} batch", loss_of(same)
        expect_close(what, loss, true_loss(episode), scale=size_of_terms(episode), **digits)


@check("reinforce_update climbs J, to all digits, on a float64 batch of all trajectories")
@given(mdp=mdps(), learning_rate=one_of(1.0, 0.25), examples=10)
def climbs_the_objective(submission: Any, mdp: Mdp, learning_rate: float) -> None:
    paths = all_trajectories(mdp)
    policy = submission.tools.linear(mdp.logits.T.astype(np.float64))
    optimizer = submission.tools.sgd(policy, learning_rate)
    batch = {name: getattr(paths, name) for name in ("actions", "returns", "mask")}
    batch["observations"] = np.eye(len(mdp.logits))[paths.states]
    submission.reinforce_update(policy, optimizer, batch)
    weight = submission.tools.parameters(policy)["weight"]
    climbed = mdp.logits + learning_rate * exact_gradient(mdp)
    expect_close("the tabular logits after the update", weight.T, climbed, **EXACTLY)


# All of them


@check("the functions on logits keep the leading axes, none or several, also of size 1")
@given(choice=choices_of_any_shape(), examples=20)
def keeps_leading_axes(submission: Any, choice: Choices) -> None:
    apart = Choices(with_gaps(choice.logits), with_gaps(choice.actions))
    for function in ON_LOGITS:
        expect_the_definition(function, on_logits(submission, function, apart), choice)


@check("reinforce_loss takes returns of any dtype, and answers in that of the log_probs")
@given(episode=episodes("any"), examples=4)
def takes_returns_of_any_dtype(submission: Any, episode: Episodes) -> None:
    for dtype, of_returns in itertools.product(("float32", "float64"), ("int64", "float64")):
        returns = np.round(episode.returns * 4) / (1 if of_returns == "int64" else 3)
        mixed = Episodes(episode.log_probs.astype(dtype), returns.astype(of_returns), episode.mask)
        answer = submission.reinforce_loss.gradients("log_probs", **vars(mixed))
        what = f"loss of {dtype} log_probs and {of_returns} returns"
        expect_dtype(what, answer.value, dtype)
        expect_close(what, answer.value, true_loss(mixed), scale=size_of_terms(mixed))
        expected = -np.where(mixed.mask, mixed.returns, 0.0) / len(mixed.mask)
        expect_close("gradient of log_probs", answer.gradients["log_probs"], expected)


@check("the functions answer float64 with float64, to all its digits")
@given(choice=choices(), episode=episodes("any"), examples=10)
def float64_stays(submission: Any, choice: Choices, episode: Episodes) -> None:
    choice = replace(choice, logits=choice.logits.astype(np.float64) / 3)
    for function in ("action_log_probs", "policy_entropy"):
        answer = on_logits(submission, function, choice)
        expect_dtype(function, answer, "float64")
        expect_the_definition(function, answer, choice, **EXACTLY)
    log_probs, returns = (x.astype(np.float64) / 3 for x in (episode.log_probs, episode.returns))
    episode = Episodes(log_probs, returns, episode.mask)
    loss = submission.reinforce_loss(**vars(episode))
    expect_dtype("reinforce_loss", loss, "float64")
    expect_close("loss", loss, true_loss(episode), **EXACTLY)


@check("the functions leave their arguments as they were")
@given(choice=choices(), episode=episodes("any"), examples=8)
def inputs_stay(submission: Any, choice: Choices, episode: Episodes) -> None:
    logits, actions = choice.logits, choice.actions
    _, after = submission.action_log_probs.arguments_after(logits=logits, actions=actions)
    expect_equal("the caller's logits", after["logits"], logits)
    expect_equal("the caller's actions", after["actions"], actions)
    _, after = submission.sample_actions.arguments_after(logits=logits, generator=Generator(0))
    expect_equal("the caller's logits", after["logits"], logits)
    _, after = submission.policy_entropy.arguments_after(logits=logits)
    expect_equal("the caller's logits", after["logits"], logits)
    _, after = submission.reinforce_loss.arguments_after(**vars(episode))
    for name, tensor in vars(episode).items():
        expect_equal(f"the caller's {name}", after[name], tensor)


@check("reinforce_update leaves the batch as it was")
@given(update=updates(1.0), examples=8)
def batch_stays(submission: Any, update: Update) -> None:
    policy = submission.tools.linear(update.weight, update.bias)
    optimizer = submission.tools.sgd(policy, update.learning_rate)
    (_, _, batch), _ = submission.reinforce_update.arguments_after(
        policy, optimizer, update.batch()
    )
    for name, tensor in update.batch().items():
        expect(name in batch, f"the batch should still hold its {name}", "the batch")
        expect_equal(f"the batch's {name}", batch[name], tensor)


@check("sample_actions takes logits that require gradient")
@given(choice=choices(), seed=integers(0, 9999), examples=10)
def samples_from_a_live_policy(submission: Any, choice: Choices, seed: int) -> None:
    answer = submission.sample_actions.gradients(
        "logits", logits=choice.logits, generator=Generator(seed)
    )
    expect_the_definition("sample_actions", answer.value, choice)


@check("a wrong shape is a ValueError that names the argument")
@given(misfit=misfits(), examples=120)
def shapes_are_checked(submission: Any, misfit: Misfit) -> None:
    shape = dict.fromkeys(("log_probs", "actions", "returns", "mask"), misfit.shape_of_the_others)
    shape[misfit.argument] = misfit.shape
    dtypes = {"log_probs": np.float32, "actions": np.int64, "returns": np.float32, "mask": bool}
    made = {name: np.zeros(shape[name], dtype=dtype) for name, dtype in dtypes.items()}
    with expect_raises(ValueError, naming=misfit.argument):
        if misfit.function == "action_log_probs":
            logits = np.zeros((*misfit.shape_of_the_others, 5), dtype=np.float32)
            submission.action_log_probs(logits, made["actions"])
        elif misfit.function == "reinforce_loss":
            submission.reinforce_loss(made["log_probs"], made["returns"], made["mask"])
        else:
            policy = submission.tools.linear(np.ones((5, 6), dtype=np.float32))
            optimizer = submission.tools.sgd(policy, 1.0)
            observations = np.ones((*misfit.shape_of_the_others, 6), dtype=np.float32)
            made.pop("log_probs")
            submission.reinforce_update(policy, optimizer, {"observations": observations, **made})


# What is trained


def improve_by_reinforce(
    submission: Any,
    attempt: Attempt,
    world: World,
    *,
    episodes: int,
    learning_rate: float,
    baseline: bool,
    updates: int,
) -> Iterator[tuple[int, Array]]:
    """Train a table of logits by the submission's functions: the update, the policy [S, A].

    States and actions go by other names in each attempt, so that nothing can be known of them.
    """
    states, actions = (
        attempt.random.permutation(world.states),
        attempt.random.permutation(world.actions),
    )
    policy = submission.tools.linear(np.zeros((world.actions, world.states), dtype=np.float32))
    optimizer = submission.tools.adam(policy, learning_rate)
    generator = living_generator(submission, attempt.seed)
    renamed = np.empty_like(actions)
    renamed[actions] = np.arange(world.actions)
    for update in range(1, updates + 1):
        logits = submission.tools.parameters(policy)["weight"].T

        def choose(here: Array, logits: Array = logits) -> Array:
            drawn = submission.sample_actions(logits[states[here]], generator=generator)
            expect_shape("actions", drawn, here.shape)
            expect("int" in drawn.dtype.name, "sample_actions should give whole numbers", "actions")
            expect(bool(((drawn >= 0) & (drawn < world.actions)).all()), "there is no such action")
            return renamed[drawn]

        seen = roll_out(world, choose, episodes, attempt.random)
        returns = seen.returns()
        if baseline:
            returns -= (returns * seen.mask).sum() / seen.mask.sum()
        submission.reinforce_update(
            policy,
            optimizer,
            {
                "observations": np.eye(world.states, dtype=np.float32)[states[seen.states]],
                "actions": actions[seen.actions],
                "returns": returns.astype(np.float32),
                "mask": seen.mask,
            },
        )
        logits = submission.tools.parameters(policy)["weight"].T[states]
        expect(bool(np.isfinite(logits).all()), "the policy's parameters became infinite or nan")
        yield update, probabilities(logits.astype(np.float64))[:, actions]


@check(
    "learns probes of one or two steps, whose best action is known, to a probability of 0.998",
    needs="takes_one_step",
    weight=2,
)
@training(
    goal=0.998,
    null=0.5,
    unit="probability of the best actions",
    budget=len(probes()) * PROBE_UPDATES,
)
def learns_the_probes(submission: Any, attempt: Attempt) -> None:
    worlds = list(probes().values())
    for number, world in enumerate(worlds):
        best = 0.0
        for update, policy in improve_by_reinforce(  # noqa: B007
            submission,
            attempt,
            world,
            episodes=32,
            learning_rate=0.2,
            baseline=False,
            updates=PROBE_UPDATES,
        ):
            best = world.chance_of_best(policy)
            if best >= attempt.goal.score:
                break
        learned = number == len(worlds) - 1 or best < attempt.goal.score
        # until the last probe is learned, the least probability over all of them is that of chance
        attempt.point(number * PROBE_UPDATES + update, best if learned else attempt.goal.null)
        if best < attempt.goal.score:
            raise attempt.not_learned(best)


@check("learns the 4 x 4 grid world to 95 % of the best return", needs="takes_one_step", weight=2)
@training(
    goal=0.95 * BEST_RETURN,
    null=0.14,
    unit="expected return",
    budget=200,
    likely={
        "flat": "a loss whose gradient does not depend on the returns, or no step at all",
        "worse": "a loss of the wrong sign",
        "collapse": "gradients that are left over from one update to the next",
    },
)
def learns_the_grid_world(submission: Any, attempt: Attempt) -> None:
    world = grid_world()
    reached = 0.0
    for update, policy in improve_by_reinforce(
        submission,
        attempt,
        world,
        episodes=32,
        learning_rate=0.1,
        baseline=True,
        updates=attempt.goal.budget,
    ):
        reached = world.expected_return(policy)
        attempt.point(update, reached)
        if reached >= attempt.goal.score:
            return
    raise attempt.not_learned(reached)
