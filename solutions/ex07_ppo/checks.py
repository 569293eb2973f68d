"""The promises of ex07_ppo, from the rollout to the whole loop.

Environments follow a script and note what they are asked; policies are linear, so what they should
say is a product of two matrices. In the checks of `ppo_update` every step has a one-hot
observation of its own: the rows of a gradient then show which steps a minibatch had, and what each
contributed. The oracles are closed forms in float64.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rlgrade.author import (
    Array,
    Attempt,
    Draw,
    Generator,
    Refused,
    Rollout,
    Strategy,
    check,
    described,
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
    one_of,
    permutations,
    rollouts,
    strategy,
    tensors,
    training,
)

OF_ROLLOUT = {
    "observations": "float32",
    "actions": "int64",
    "log_probs": "float32",
    "rewards": "float32",
    "values": "float32",
    "next_values": "float32",
    "terminated": "bool",
    "truncated": "bool",
}
OF_ADVANTAGES = ("rewards", "values", "next_values", "terminated", "truncated")
OF_LOSS = ("actions", "log_probs", "advantages", "targets")
DIAGNOSTICS = ("approximate_kl", "clip_fraction", "loss")
EPSILONS = one_of(0.2, 0.1, 0.3)
# Log-ratios on both sides of each clip, none of them near an edge.
LOG_RATIOS = np.array([0, 0.5, -0.8, 0.05, -0.05, 1.5, -2.0, 0.4, -0.5], np.float32)
SIGNED = np.array([1, -1, 2, -2, 0.5, -0.5, 1.5, -0.75], np.float32)
WIDE_LOG_RATIOS = np.array([6, -6, 13, -13, 21, 0.5, -0.8, 0], np.float32)
WIDE = np.array([8, -8, 30, -30, 1, -1], np.float32)
UNCLIPPED = 1e6  # a norm that no gradient reaches


def chosen(table: Array, *shape: int) -> Strategy[Array]:
    """Entries of a table."""
    return integer_tensors(*shape, low=0, high=len(table) - 1).map(table.take)


# Scripted environments.


@dataclass(frozen=True)
class Script:
    """What B environments show and pay in T steps, whatever is done; and a linear policy.

    Where an episode ends, `shown` holds the first observation of the next one.
    """

    shown: Array  # [B, T + 1, O]
    final: Array  # [B, T, O], the last observation of an episode where one ends
    rewards: Array  # [B, T]
    terminated: Array
    truncated: Array
    policy: Array  # [O, A]
    value: Array  # [O]
    seed: int

    @property
    def steps(self) -> int:
        """T."""
        return self.rewards.shape[1]

    @property
    def ended(self) -> Array:
        """bool [B, T]."""
        return self.terminated | self.truncated

    @property
    def led_to(self) -> Array:
        """[B, T, O]: the observation that each transition led to."""
        return np.where(self.ended[..., None], self.final, self.shown[:, 1:])


class Scripted:
    """Environments that follow a script, and note what they are asked."""

    def __init__(self, script: Script, *, begun: bool = True) -> None:
        self.count, _, self.observation_size = script.shown.shape
        self.actions = script.policy.shape[1]
        self.script = script
        self.begun = begun
        self.resets = 0
        self.noted: list[Array] = []

    def reset(self) -> Array:
        """The beginning of the script; a reset in the middle shows what is nowhere else in it."""
        again, self.begun = self.begun, True
        self.resets += 1
        return self.script.final[:, -1] + 1 if again else self.script.shown[:, 0]

    def step(self, actions: Any) -> tuple[Array, Array, Array, Array, Array | None]:
        """The next line of the script."""
        t = len(self.noted)
        if not self.begun:
            raise Refused("reset the environments before the first step")
        if t == self.script.steps:
            raise Refused(f"no more than {t} steps are asked for here")
        if not isinstance(actions, np.ndarray) or actions.shape != (self.count,):
            shape = list(actions.shape) if isinstance(actions, np.ndarray) else "something else"
            raise Refused(f"actions should have shape [{self.count}], got {shape}")
        if actions.dtype.kind not in "iu":
            raise Refused("actions should be whole numbers")
        if not ((actions >= 0) & (actions < self.actions)).all():
            raise Refused(f"actions should be from 0 to {self.actions - 1}")
        self.noted.append(actions.astype(np.int64))
        script = self.script
        ended = script.ended[:, t]
        final = np.where(ended[:, None], script.final[:, t], 0) if ended.any() else None
        return (
            script.shown[:, t + 1],
            script.rewards[:, t],
            script.terminated[:, t],
            script.truncated[:, t],
            final,
        )

    @property
    def taken(self) -> Array:
        """int64 [B, T]: the actions."""
        return np.stack(self.noted, axis=1)


@strategy
def scripts(
    draw: Draw,
    *,
    ends: bool = True,
    steps: tuple[int, int] = (1, 4),
    units: tuple[float, ...] = (1.0,),
) -> Script:
    """Scripts with episode ends of both kinds, or of none; B, T, O and A all differ."""
    b, t, o, a = draw(distinct_sizes((1, 3), steps, (2, 3), (2, 3)))
    flags = draw(integer_tensors(b, t, low=0, high=5)) * ends
    unit = np.float32(draw(one_of(*units)))
    return Script(
        shown=draw(tensors(b, t + 1, o, low=-2.0, high=2.0)) * unit,
        final=draw(tensors(b, t, o, low=-2.0, high=2.0)) * unit,
        rewards=draw(tensors(b, t)) * unit,
        terminated=(flags == 1) | (flags == 3),
        truncated=(flags == 2) | (flags == 3),
        policy=draw(tensors(o, a, low=-1.0, high=1.0)),
        value=draw(tensors(o, low=-2.0, high=2.0)),
        seed=draw(integers(0, 999)),
    )


@strategy
def scripts_with_ends(draw: Draw, *, kind: str) -> Script:
    """Scripts in which some episode ends by termination, or by truncation, and none otherwise."""
    script = draw(scripts(ends=False))
    count = script.rewards.size
    where = (draw(permutations(count)) < draw(integers(1, count))).reshape(script.rewards.shape)
    return replace(script, **{kind: where})


@strategy
def float64_scripts(draw: Draw) -> Script:
    """Scripts whose observations and rewards are float64, as Gymnasium's rewards are."""
    script = draw(scripts())
    wide = {name: getattr(script, name).astype(float) for name in ("shown", "final", "rewards")}
    return replace(script, **wide)


def policy_of(submission: Any, case: Any) -> Any:
    """The policy of a script or of an update, in the worker."""
    return submission.tools.linear_policy_and_value(case.policy, case.value)


def rolled_out(submission: Any, script: Script) -> tuple[dict[str, Array], Array, Scripted]:
    """What the submission's rollout holds, what is shown afterwards, and the environments."""
    envs = Scripted(script)
    answer = submission.collect_rollout(
        submission.lend_environments(envs),
        policy_of(submission, script),
        script.shown[:, 0].astype(np.float32),
        steps=script.steps,
        generator=Generator(script.seed),
    )
    rollout, following = parts_of(answer)
    taken = len(envs.noted)
    expect(
        taken == script.steps,
        f"each environment should take {script.steps} steps; yours took {taken}",
        "steps",
    )
    return rollout, following, envs


def parts_of(answer: Any) -> tuple[dict[str, Array], Array]:
    """The rollout and the observations after it."""
    pair = isinstance(answer, (tuple, list)) and len(answer) == 2 and isinstance(answer[0], dict)
    wanted = "collect_rollout should return a tuple of a dict and a tensor"
    expect(pair, f"{wanted}; yours is {described(answer)}", wanted)
    rollout, following = answer
    missing = [name for name in OF_ROLLOUT if name not in rollout]
    expect(not missing, f"the rollout should have {missing}", "the keys of the rollout")
    return rollout, following


def log_softmax(logits: Array) -> Array:
    """Log-probabilities, in float64."""
    exact = logits.astype(float)
    return exact - np.logaddexp.reduce(exact, axis=-1, keepdims=True)


def pick(table: Array, actions: Array) -> Array:
    """[...]: the entry of each action in [..., A]."""
    picked: Array = (np.eye(table.shape[-1])[actions] * table).sum(axis=-1)
    return picked


# collect_rollout.


@check("collect_rollout gives tensors [B, T], time last, of the dtypes that its docstring says")
@given(script=float64_scripts(), examples=5, lends=True)
def rollout_has_its_form(submission, script):
    rollout, following, _ = rolled_out(submission, script)
    b, t = script.rewards.shape
    o = script.shown.shape[-1]
    for name, dtype in OF_ROLLOUT.items():
        expect_shape(name, rollout[name], (b, t, o) if name == "observations" else (b, t))
        expect_dtype(name, rollout[name], dtype)
    expect_shape("the observations afterwards", following, (b, o))
    expect_dtype("the observations afterwards", following, "float32")


@check(
    "collect_rollout notes what was seen before each action, and what followed",
    needs="rollout_has_its_form",
)
@given(script=scripts(units=(1.0, 64.0)), examples=12, lends=True)
def notes_what_happened(submission, script):
    rollout, _, envs = rolled_out(submission, script)
    expect_equal("actions", rollout["actions"], envs.taken)
    expect_close("observations", rollout["observations"], script.shown[:, :-1])
    expect_close("rewards", rollout["rewards"], script.rewards)
    expect_equal("terminated", rollout["terminated"], script.terminated)
    expect_equal("truncated", rollout["truncated"], script.truncated)


@check(
    "collect_rollout gives the log-probs of the actions taken, under the policy that took them",
    needs="notes_what_happened",
)
@given(script=scripts(), examples=10, lends=True)
def log_probs_of_the_actor(submission, script):
    rollout, _, envs = rolled_out(submission, script)
    log_probs = log_softmax(script.shown[:, :-1] @ script.policy)
    expect_close("log_probs", rollout["log_probs"], pick(log_probs, envs.taken))


@check(
    "collect_rollout gives V(s[t]), and V(s[t + 1]) also at the last step",
    needs="rollout_has_its_form",
)
@given(script=scripts(ends=False), examples=6, lends=True)
def values_within_an_episode(submission, script):
    rollout, _, _ = rolled_out(submission, script)
    expect_close("values", rollout["values"], script.shown[:, :-1] @ script.value)
    expect_close("next_values", rollout["next_values"], script.shown[:, 1:] @ script.value)


@check(
    "collect_rollout takes next_values of the final observation where an episode is truncated",
    needs="values_within_an_episode",
)
@given(script=scripts_with_ends(kind="truncated"), examples=6, lends=True)
def value_of_the_final_observation(submission, script):
    rollout, _, _ = rolled_out(submission, script)
    expect_close("next_values", rollout["next_values"], script.led_to @ script.value)


@check(
    "collect_rollout takes next_values of the final observation where an episode terminates",
    needs="values_within_an_episode",
)
@given(script=scripts_with_ends(kind="terminated"), examples=6, lends=True)
def value_of_the_terminal_observation(submission, script):
    rollout, _, _ = rolled_out(submission, script)
    expect_close("next_values", rollout["next_values"], script.led_to @ script.value)


@check(
    "collect_rollout resets nothing, and returns what the environments show afterwards",
    needs="rollout_has_its_form",
)
@given(script=scripts(), examples=8, lends=True)
def goes_on_from_what_is_shown(submission, script):
    _, following, envs = rolled_out(submission, script)
    expect_equal("the number of resets", envs.resets, 0)
    expect_close("the observations afterwards", following, script.shown[:, -1])


@check("collect_rollout samples each action with the policy's probability")
@given(seed=integers(0, 10**6), likely=one_of(2, 0, 1), examples=2, lends=True)
def samples_by_probability(submission, seed, likely):
    b, t = 40, 15
    probabilities = np.roll(np.array([0.1, 0.2, 0.7]), likely - 2)
    shown = np.ones((b, t + 1, 1), np.float32)
    nothing = np.zeros((b, t), bool)
    logits = np.log(probabilities)[None].astype(np.float32)
    script = Script(
        shown,
        shown[:, 1:],
        np.ones((b, t), np.float32),
        nothing,
        nothing,
        logits,
        shown[0, 0],
        seed,
    )
    _, _, envs = rolled_out(submission, script)
    shares = np.bincount(envs.taken.ravel(), minlength=3) / (b * t)
    for action, (share, wanted) in enumerate(zip(shares, probabilities, strict=True)):
        # six standard deviations: one right answer in 10^9 is outside
        expect(
            abs(share - wanted) < 6 * np.sqrt(wanted * (1 - wanted) / (b * t)),
            f"action {action} has probability {wanted:.1f} and was taken in {share:.1%} of 600 "
            "steps",
            "the actions",
        )


@check(
    "collect_rollout draws from the generator: the same seed gives the same actions", seconds=10.0
)
@given(seed=integers(0, 10**6), examples=2, lends=True)
def draws_from_the_generator(submission, seed):
    b, t = 5, 12
    shown = np.ones((b, t + 1, 1), np.float32)
    nothing = np.zeros((b, t), bool)
    weights = np.zeros((1, 2), np.float32)
    script = Script(
        shown,
        shown[:, 1:],
        np.ones((b, t), np.float32),
        nothing,
        nothing,
        weights,
        shown[0, 0],
        seed,
    )
    first, second = (rolled_out(submission, script)[2].taken for _ in range(2))
    expect_equal("the actions with the same seed", second, first)
    going_on = submission.tools.attribute(Generator(seed), "manual_seed")(seed)
    runs = []
    for _ in range(2):
        envs = Scripted(script)
        submission.collect_rollout(
            submission.lend_environments(envs),
            policy_of(submission, script),
            shown[:, 0],
            steps=t,
            generator=going_on,
        )
        runs.append(np.stack(envs.noted))
    expect(
        runs[0].shape != runs[1].shape or bool((runs[0] != runs[1]).any()),
        "a second rollout with the same generator should draw other actions",
        "the generator",
    )


@check("collect_rollout leaves no gradient in what it returns", needs="rollout_has_its_form")
@given(script=scripts(), examples=5, lends=True)
def rollout_carries_no_gradient(submission, script):
    answer = submission.collect_rollout.gradients(
        "policy",
        envs=submission.lend_environments(Scripted(script)),
        policy=policy_of(submission, script),
        observations=script.shown[:, 0],
        steps=script.steps,
        generator=Generator(script.seed),
    )
    expect(not answer.carries_gradient, "no tensor of the rollout should carry gradient")


@check("collect_rollout leaves the observations that it is given as they were")
@given(script=scripts(), examples=4, lends=True)
def observations_stay(submission, script):
    given_to_it = script.shown[:, 0]
    args, _ = submission.collect_rollout.arguments_after(
        submission.lend_environments(Scripted(script)),
        policy_of(submission, script),
        given_to_it,
        steps=script.steps,
        generator=Generator(script.seed),
    )
    expect_equal("the caller's observations", args[2], given_to_it)


@check("collect_rollout refuses fewer than one step with a ValueError that names `steps`")
@given(script=scripts(), steps=one_of(0, -1), examples=4, lends=True)
def refuses_no_steps(submission, script, steps):
    with expect_raises(ValueError, naming="steps"):
        submission.collect_rollout(
            submission.lend_environments(Scripted(script)),
            policy_of(submission, script),
            script.shown[:, 0],
            steps=steps,
            generator=Generator(script.seed),
        )


# advantages_and_targets.


def true_advantages(rollout: Any, discount: float, lam: float) -> Array:
    """Sums of TD errors, each as far as its episode goes: no recursion."""
    exact = {name: np.asarray(getattr(rollout, name), float) for name in OF_ADVANTAGES[:3]}
    bootstrap = np.where(rollout.terminated, 0.0, exact["next_values"])
    deltas = exact["rewards"] + discount * bootstrap - exact["values"]
    cut = rollout.terminated | rollout.truncated
    weights = (discount * lam) ** np.arange(deltas.shape[1])
    advantages = np.zeros_like(deltas)
    for b, t in np.ndindex(*deltas.shape):
        ends = np.flatnonzero(cut[b, t:])
        episode = deltas[b, t:][: ends[0] + 1 if ends.size else None]
        advantages[b, t] = weights[: len(episode)] @ episode
    return advantages


@strategy
def long_rollouts(draw: Draw) -> Rollout:
    """Rollouts of hundreds of steps: two environments, or many with rare ends of both kinds."""
    b, t = draw(one_of((2, 260), (12, 130)))
    generator = np.random.default_rng(draw(integers(0, 10_000)))
    numbers = generator.normal(size=(3, b, t)).round(2).astype(np.float32)
    ends = generator.random((2, b, t)) < (0.004 if b > 2 else 0.0)
    return Rollout(*numbers, *ends)


def estimates(submission: Any, rollout: Any, discount: float, lam: float) -> tuple[Array, Array]:
    """The submission's advantages and targets."""
    answer = submission.advantages_and_targets(vars(rollout), discount=discount, lam=lam)
    wanted = "advantages_and_targets should return a tuple of two tensors"
    pair = isinstance(answer, (tuple, list)) and len(answer) == 2
    expect(pair, f"{wanted}; yours is {described(answer)}", wanted)
    expect_shape("advantages", answer[0], rollout.rewards.shape)
    expect_shape("targets", answer[1], rollout.rewards.shape)
    return answer[0], answer[1]


def without(rollout: Any, *flags: str) -> Any:
    """The same rollout, none of its steps flagged so."""
    return replace(rollout, **{flag: np.zeros_like(rollout.terminated) for flag in flags})


@check("advantages_and_targets adds up the discounted TD errors of an episode")
@given(rollout=rollouts(batch=(1, 3)), discount=discounts(), lam=lambdas(), examples=30)
def adds_up_td_errors(submission, rollout, discount, lam):
    rollout = without(rollout, "terminated", "truncated")
    advantages, _ = estimates(submission, rollout, discount, lam)
    expect_close("advantages", advantages, true_advantages(rollout, discount, lam))


@check("advantages_and_targets bootstraps nothing after termination", needs="adds_up_td_errors")
@given(rollout=rollouts(batch=(1, 3)), discount=discounts(), lam=lambdas(), examples=50)
def nothing_after_termination(submission, rollout, discount, lam):
    rollout = without(rollout, "truncated")
    advantages, _ = estimates(submission, rollout, discount, lam)
    expect_close("advantages", advantages, true_advantages(rollout, discount, lam))


@check(
    "advantages_and_targets bootstraps from next_values at a truncation, and stops there",
    needs="nothing_after_termination",
)
@given(rollout=rollouts(batch=(1, 3)), discount=discounts(), lam=lambdas(), examples=60)
def stops_at_truncation(submission, rollout, discount, lam):
    advantages, _ = estimates(submission, rollout, discount, lam)
    expect_close("advantages", advantages, true_advantages(rollout, discount, lam))


@check(
    "advantages_and_targets reaches over hundreds of steps, in every row",
    needs="adds_up_td_errors",
    seconds=20.0,
)
@given(rollout=long_rollouts(), examples=3)
def reaches_far(submission, rollout):
    for discount, lam in ((1.0, 1.0), (0.1, 0.95)):
        advantages, targets = estimates(submission, rollout, discount, lam)
        expected = true_advantages(rollout, discount, lam)
        expect_close("advantages", advantages, expected, rtol=1e-3, atol=1e-3)
        expect_close("targets", targets, expected + rollout.values, rtol=1e-3, atol=1e-3)


@check("targets are the advantages, as they are, plus the values", needs="stops_at_truncation")
@given(rollout=rollouts(batch=(1, 3)), discount=discounts(), lam=lambdas(), examples=25)
def targets_are_lambda_returns(submission, rollout, discount, lam):
    _, targets = estimates(submission, rollout, discount, lam)
    expect_close("targets", targets, true_advantages(rollout, discount, lam) + rollout.values)


@check("advantages_and_targets gives no gradient, whatever hangs on the rollout")
@given(rollout=rollouts(batch=(1, 3)), examples=5)
def estimates_carry_no_gradient(submission, rollout):
    answer = submission.advantages_and_targets.gradients(
        "rollout", rollout=vars(rollout), discount=0.5, lam=0.5
    )
    expect(not answer.carries_gradient, "advantages and targets should be detached")


@check("advantages_and_targets refuses another shape with a ValueError that names the key")
@given(
    key=one_of(*OF_ADVANTAGES[1:]),
    shape=one_of([2, 1], [1, 3], [3], [3, 2]),
    examples=20,
)
def rollout_shapes_are_checked(submission, key, shape):
    rollout: dict[str, Array] = {name: np.zeros((2, 3), np.float32) for name in OF_ADVANTAGES[:3]}
    rollout |= {name: np.zeros((2, 3), bool) for name in OF_ADVANTAGES[3:]}
    rollout[key] = np.zeros(shape, rollout[key].dtype)
    with expect_raises(ValueError, naming=key):
        submission.advantages_and_targets(rollout, discount=0.5, lam=0.5)


# ppo_loss.


@dataclass(frozen=True)
class Minibatch:
    """What `ppo_loss` is called with."""

    logits: Array
    values: Array
    actions: Array
    log_probs: Array
    advantages: Array
    targets: Array
    epsilon: float
    value_coefficient: float
    entropy_coefficient: float

    def call(self, function: Any, *wrt: str) -> Any:
        """Ask for the loss, with gradients if `wrt` names any of logits and values."""
        arguments = {
            "logits": self.logits,
            "values": self.values,
            "batch": {name: getattr(self, name) for name in OF_LOSS},
            "epsilon": self.epsilon,
            "value_coefficient": self.value_coefficient,
            "entropy_coefficient": self.entropy_coefficient,
        }
        return function.gradients(*wrt, **arguments) if wrt else function(**arguments)


@strategy
def minibatches(
    draw: Draw,
    *,
    value_coefficients: tuple[float, ...] = (0.0,),
    entropy_coefficients: tuple[float, ...] = (0.0,),
    no_advantages: bool = False,
    log_ratios: Array = LOG_RATIOS,
    signed: Array = SIGNED,
    errors: Array | None = None,
) -> Minibatch:
    """Minibatches with ratios below, inside and above the clip, and advantages of both signs."""
    n, a = draw(distinct_sizes((1, 6), (2, 4)))
    logits = draw(tensors(n, a, low=-2.0, high=2.0))
    actions = draw(integer_tensors(n, low=0, high=a - 1))
    new = pick(log_softmax(logits), actions)
    advantages = draw(chosen(signed, n)) * np.float32(not no_advantages)
    values = draw(tensors(n))
    return Minibatch(
        logits=logits,
        values=values,
        actions=actions,
        log_probs=(new - draw(chosen(log_ratios, n))).astype(np.float32),
        advantages=advantages,
        targets=draw(tensors(n)) if errors is None else values - draw(chosen(errors, n)),
        epsilon=draw(EPSILONS),
        value_coefficient=draw(one_of(*value_coefficients)),
        entropy_coefficient=draw(one_of(*entropy_coefficients)),
    )


@dataclass(frozen=True)
class Loss:
    """A loss, its gradients, the log-ratios, and how near a ratio comes to an edge of the clip."""

    value: float
    logits: Array
    values: Array
    log_ratios: Array
    margin: float


def true_loss(batch: Any) -> Loss:
    """The loss of a `Minibatch` in closed form, without a minimum in it."""
    n = len(batch.actions)
    log_probs = log_softmax(batch.logits)
    probabilities = np.exp(log_probs)
    log_ratios = pick(log_probs, batch.actions) - batch.log_probs.astype(float)
    ratios, advantages = np.exp(log_ratios), batch.advantages.astype(float)
    edges = np.where(advantages > 0, 1 + batch.epsilon, 1 - batch.epsilon)
    beyond = (ratios - edges) * np.sign(advantages) > 0
    entropies = -(probabilities * log_probs).sum(axis=-1)
    errors = batch.values.astype(float) - batch.targets.astype(float)
    surrogate = np.where(beyond, edges, ratios) * advantages
    score = np.eye(probabilities.shape[-1])[batch.actions] - probabilities
    of_entropy = -probabilities * (log_probs + entropies[:, None])
    pull = np.where(beyond, 0.0, ratios * advantages)[:, None] * score
    return Loss(
        value=float(
            -surrogate.mean()
            + batch.value_coefficient * (errors**2).mean() / 2
            - batch.entropy_coefficient * entropies.mean()
        ),
        logits=-(pull + batch.entropy_coefficient * of_entropy) / n,
        values=batch.value_coefficient * errors / n,
        log_ratios=log_ratios,
        margin=float(np.abs(np.abs(ratios - 1) - batch.epsilon).min()),
    )


def expect_true_loss(submission: Any, batch: Minibatch, scale: float | None = None) -> None:
    """Value and gradients are the oracle's."""
    answer = batch.call(submission.ppo_loss, "logits", "values")
    expect_shape("the loss", answer.value, ())
    truth = true_loss(batch)
    expect_close("the loss", answer.value, truth.value, scale=scale)
    for name, wanted in {"logits": truth.logits, "values": truth.values}.items():
        gradient = answer.gradients[name]
        gradient = np.zeros(wanted.shape) if gradient is None else gradient
        expect_close(f"the gradient of {name}", gradient, wanted, scale=scale)


@check("ppo_loss clips in the six cases of advantage and ratio, value and gradient")
@given(batch=minibatches(), examples=50)
def clips_in_six_cases(submission, batch):
    expect_true_loss(submission, batch)


@check("ppo_loss takes every ratio, advantage and error as it is, however large")
@given(
    batch=minibatches(
        value_coefficients=(0.5,), log_ratios=WIDE_LOG_RATIOS, signed=WIDE, errors=WIDE
    ),
    examples=40,
)
def takes_large_numbers_as_they_are(submission, batch):
    # What is clipped may come out as the difference of two numbers as large as ratio times A.
    terms = np.exp(true_loss(batch).log_ratios) * batch.advantages
    expect_true_loss(submission, batch, scale=max(1.0, float(np.abs(terms).max()) / len(terms)))


@check("ppo_loss adds half the mean squared error of the values, times its coefficient")
@given(batch=minibatches(value_coefficients=(1.0, 0.5, 2.0), no_advantages=True), examples=25)
def adds_the_critic(submission, batch):
    expect_true_loss(submission, batch)


@check("ppo_loss subtracts the mean entropy, times its coefficient")
@given(batch=minibatches(entropy_coefficients=(1.0, 0.5, 0.01), no_advantages=True), examples=25)
def rewards_entropy(submission, batch):
    expect_true_loss(submission, batch)


@check("ppo_loss adds up its three terms", needs="clips_in_six_cases")
@given(
    batch=minibatches(value_coefficients=(0.5, 2.0), entropy_coefficients=(0.1, 1.0)), examples=25
)
def three_terms(submission, batch):
    expect_true_loss(submission, batch)


@check("ppo_loss is right, value and gradient, for logits of plus or minus 200")
@given(batch=minibatches(value_coefficients=(0.5,), entropy_coefficients=(0.1,)), examples=15)
def survives_large_logits(submission, batch):
    logits = batch.logits * np.float32(100)
    new = pick(log_softmax(logits), batch.actions).astype(np.float32)
    expect_true_loss(submission, replace(batch, logits=logits, log_probs=new), scale=10.0)


@check("ppo_loss sends gradient to logits and values alone, whatever hangs on the batch")
@given(batch=minibatches(value_coefficients=(0.5,)), examples=6)
def batch_gets_no_gradient(submission, batch):
    answer = batch.call(submission.ppo_loss, "logits", "values", "batch")
    expect(answer.gradients["logits"] is not None, "gradient should reach the logits", "logits")
    expect(answer.gradients["values"] is not None, "gradient should reach the values", "values")
    expect_no_gradient("batch", answer.gradients["batch"])


@check("advantages_and_targets and ppo_loss leave the tensors that they are given as they were")
@given(rollout=rollouts(batch=(1, 3)), batch=minibatches(value_coefficients=(0.5,)), examples=6)
def tensors_stay(submission, rollout, batch):
    args, _ = submission.advantages_and_targets.arguments_after(
        vars(rollout), discount=DISCOUNT, lam=LAM
    )
    for name in OF_ADVANTAGES:
        expect_equal(f"rollout[{name!r}]", args[0].get(name), getattr(rollout, name))
    _, after = batch.call(submission.ppo_loss.arguments_after)
    for name in ("logits", "values"):
        expect_equal(name, after[name], getattr(batch, name))
    for name in OF_LOSS:
        expect_equal(f"batch[{name!r}]", after["batch"].get(name), getattr(batch, name))


@check("ppo_loss refuses another shape than [N] with a ValueError that names the argument")
@given(
    batch=minibatches(),
    name=one_of("values", *OF_LOSS),
    form=one_of("[N, 1]", "[1, N]", "[N + 1]"),
    examples=30,
)
def loss_shapes_are_checked(submission, batch, name, form):
    array = getattr(batch, name)
    odd = {
        "[N, 1]": array[:, None],
        "[1, N]": array[None],
        "[N + 1]": array.repeat(2)[: len(array) + 1],
    }
    with expect_raises(ValueError, naming=name):
        replace(batch, **{name: odd[form]}).call(submission.ppo_loss)


# ppo_update.


@dataclass(frozen=True)
class Update:
    """A rollout [B, T], each step with a one-hot observation of its own, and a policy to improve.

    The advantages of the rollout are `advantages`; the rewards are what makes them so.
    """

    advantages: Array
    rewards: Array
    values: Array
    next_values: Array
    terminated: Array
    truncated: Array
    actions: Array
    log_probs: Array
    policy: Array  # [B * T, A]
    value: Array  # [B * T], nowhere near its target
    seed: int

    @property
    def count(self) -> int:
        """N = B * T."""
        return self.rewards.size

    @property
    def rollout(self) -> dict[str, Array]:
        """What the submission gets."""
        observations = np.eye(self.count, dtype=np.float32).reshape(*self.rewards.shape, -1)
        names = [name for name in OF_ROLLOUT if name != "observations"]
        return {"observations": observations, **{name: getattr(self, name) for name in names}}

    def part(self, rows: Array, policy: Array, value: Array, options: dict[str, float]) -> Any:
        """What `ppo_loss` should see of some steps, advantages normalised."""
        advantages = self.advantages.astype(float).ravel()
        mine = advantages[rows]
        return Minibatch(
            logits=policy[rows],
            values=value[rows],
            actions=self.actions.ravel()[rows],
            log_probs=self.log_probs.ravel()[rows],
            advantages=(mine - mine.mean()) / (mine.std(ddof=1) + 1e-8),
            targets=(advantages + self.values.astype(float).ravel())[rows],
            epsilon=options["epsilon"],
            value_coefficient=options["value_coefficient"],
            entropy_coefficient=options["entropy_coefficient"],
        )


DISCOUNT, LAM = 0.5, 0.75
OPTIONS: dict[str, Any] = {
    "discount": DISCOUNT,
    "lam": LAM,
    "epsilon": 0.2,
    "value_coefficient": 0.5,
    "entropy_coefficient": 0.25,
    "largest_norm": UNCLIPPED,
}


@strategy
def updates(draw: Draw, *sizes: tuple[int, int]) -> Update:
    """Updates of B * T steps; no two steps have the same advantage."""
    b, t = draw(one_of(*(sizes or ((2, 3), (3, 2), (2, 4), (3, 4)))))
    n, a = b * t, draw(one_of(2, 3))
    unit = draw(one_of(1.0, 1.0, 2.0**-14))  # of the rewards; in the small one, every eps shows
    advantages = (draw(permutations(n)).reshape(b, t) * 0.75 - draw(one_of(1.0, 0.0, 4.0))) * unit
    drawn = draw(rollouts(steps=(t, t), batch=(b, b)))
    scaled = {name: getattr(drawn, name) * np.float32(unit) for name in ("values", "next_values")}
    drawn = replace(drawn, **scaled)
    cut = drawn.terminated | drawn.truncated
    following = np.concatenate([advantages[:, 1:], np.zeros((b, 1))], axis=1)
    bootstrap = np.where(drawn.terminated, 0.0, drawn.next_values)
    rewards = (
        advantages - DISCOUNT * LAM * np.where(cut, 0.0, following) - DISCOUNT * bootstrap
    ) + drawn.values
    policy = draw(tensors(n, a, low=-1.0, high=1.0))
    actions = draw(integer_tensors(b, t, low=0, high=a - 1))
    new = pick(log_softmax(policy), actions.ravel()).reshape(b, t)
    targets = (advantages + drawn.values).ravel()
    return Update(
        advantages=advantages,
        rewards=rewards.astype(np.float32),
        values=drawn.values,
        next_values=drawn.next_values,
        terminated=drawn.terminated,
        truncated=drawn.truncated,
        actions=actions,
        log_probs=(new - draw(chosen(LOG_RATIOS, b, t))).astype(np.float32),
        policy=policy,
        value=(targets + draw(chosen(SIGNED, n))).astype(np.float32),
        seed=draw(integers(0, 999)),
    )


@dataclass(frozen=True)
class Improved:
    """What an update did: the gradients of each step, the parameters after it, the diagnostics."""

    policy: Array  # [steps, N, A]
    value: Array  # [steps, N]
    parameters: dict[str, Array]
    diagnostics: Any

    def members(self, parts: int) -> Array:
        """bool [steps, N]: which steps of the rollout each gradient has something of.

        Unmet unless each of them has one of `parts` equal parts.
        """
        members: Array = self.value != 0
        wanted = members.shape[1] // parts
        for step, size in enumerate(members.sum(axis=1)):
            expect(
                size == wanted,
                f"minibatch {step} should have {wanted} different steps of the rollout; yours has "
                f"{size}",
                "the size of a minibatch",
            )
        return members


def improved(
    submission: Any, update: Update, *, rate: float = 0.0, left: bool = False, **options: Any
) -> Improved:
    """Run the submission's update; `left` leaves gradients in the parameters beforehand."""
    policy = policy_of(submission, update)
    optimizer = submission.tools.noting_sgd(policy, rate)
    if left:
        submission.tools.leave_gradients(policy)
    generator = options.pop("generator", Generator(update.seed))
    diagnostics = submission.ppo_update(
        policy, optimizer, update.rollout, generator=generator, **options
    )
    gradients = noted(submission, optimizer)
    return Improved(*gradients, submission.tools.parameters(policy), diagnostics)


def noted(submission: Any, optimizer: Any) -> tuple[Array, Array]:
    """The gradients of policy and value at each step of an optimizer: [steps, ...] each."""
    steps = submission.tools.noted_gradients(optimizer)
    expect(len(steps) > 0, "the optimizer should take a step; yours took none", "the steps")
    wanted = "every parameter should have a gradient when the optimizer takes a step"
    for step in steps:
        expect(all(isinstance(step[name], np.ndarray) for name in step), wanted, wanted)
    return np.stack([s["policy"] for s in steps]), np.stack([s["value"] for s in steps])


def expect_steps(result: Improved, epochs: int, parts: int) -> None:
    """The optimizer took one step for each minibatch of each epoch."""
    taken = len(result.value)
    expect(
        taken == epochs * parts,
        f"{epochs} epochs of {parts} minibatches should make {epochs * parts} optimizer steps; "
        f"yours made {taken}",
        "the number of optimizer steps",
    )


def clipped_to(largest: float, *gradients: Array) -> list[Array]:
    """Gradients whose joint norm is at most `largest`."""
    norm = np.sqrt(sum((gradient**2).sum() for gradient in gradients))
    return [gradient * min(1.0, largest / (norm + 1e-6)) for gradient in gradients]


def parts_from(update: Update) -> Strategy[int]:
    """Numbers of minibatches that divide the steps into two and more each."""
    return one_of(*(m for m in range(1, update.count // 2 + 1) if update.count % m == 0))


@strategy
def dealt(draw: Draw) -> tuple[Update, int, int]:
    """An update, a number of epochs and a number of minibatches."""
    update = draw(updates())
    return update, draw(integers(1, 3)), draw(parts_from(update))


@check("ppo_update takes the gradient of the loss of a whole rollout")
@given(
    update=updates(),
    epsilon=EPSILONS,
    value_coefficient=one_of(0.5, 1.0),
    entropy_coefficient=one_of(0.0, 0.25),
    examples=30,
)
def gradient_of_the_rollout(submission, update, epsilon, value_coefficient, entropy_coefficient):
    options = OPTIONS | {
        "epsilon": epsilon,
        "value_coefficient": value_coefficient,
        "entropy_coefficient": entropy_coefficient,
    }
    result = improved(submission, update, rate=0.25, epochs=1, minibatches=1, **options)
    expect_steps(result, 1, 1)
    truth = true_loss(update.part(np.arange(update.count), update.policy, update.value, options))
    expect_close("the gradient of the value weights", result.value[0], truth.values)
    expect_close("the gradient of the policy weights", result.policy[0], truth.logits)
    moved = update.policy - 0.25 * truth.logits
    expect_close("the policy's weights afterwards", result.parameters["policy"], moved)


@check("ppo_update uses every step exactly once an epoch, in minibatches of equal size")
@given(case=dealt(), examples=25)
def every_step_once_an_epoch(submission, case):
    update, epochs, parts = case
    result = improved(submission, update, epochs=epochs, minibatches=parts, **OPTIONS)
    expect_steps(result, epochs, parts)
    members = result.members(parts).reshape(epochs, parts, update.count)
    for epoch, times in enumerate(members.sum(axis=1)):
        expect_equal(f"how often each step is used in epoch {epoch}", times, np.ones_like(times))


@check(
    "ppo_update normalises the advantages within each minibatch, by the std that divides by N - 1",
    needs="every_step_once_an_epoch",
)
@given(case=dealt(), examples=25)
def normalises_each_minibatch(submission, case):
    update, epochs, parts = case
    result = improved(submission, update, epochs=epochs, minibatches=parts, **OPTIONS)
    expect_steps(result, epochs, parts)
    for step, members in enumerate(result.members(parts)):
        rows = np.flatnonzero(members)
        truth = true_loss(update.part(rows, update.policy, update.value, OPTIONS))
        expect_close(f"the value gradient of step {step}", result.value[step][rows], truth.values)
        yours = result.policy[step][rows]
        expect_close(f"the policy gradient of step {step}", yours, truth.logits)


@check(
    "ppo_update keeps log_probs, advantages and targets of the rollout through all epochs",
    needs="gradient_of_the_rollout",
)
@given(update=updates(), epochs=integers(2, 4), rate=one_of(1.0, 0.5), examples=30)
def what_is_old_stays(submission, update, epochs, rate):
    result = improved(submission, update, rate=rate, epochs=epochs, minibatches=1, **OPTIONS)
    expect_steps(result, epochs, 1)
    rows = np.arange(update.count)
    policy, value = update.policy.astype(float), update.value.astype(float)
    for epoch in range(epochs):
        truth = true_loss(update.part(rows, policy, value, OPTIONS))
        if truth.margin < 1e-3:
            return  # rounding decides on which side of the kink it is
        expect_close(f"the policy gradient of epoch {epoch}", result.policy[epoch], truth.logits)
        expect_close(f"the value gradient of epoch {epoch}", result.value[epoch], truth.values)
        policy, value = policy - rate * truth.logits, value - rate * truth.values


@check(
    "ppo_update clips the norm of the gradient over all parameters together",
    needs="gradient_of_the_rollout",
)
@given(update=updates(), share=one_of(0.5, 0.9, 1.5, 0.1), examples=25)
def clips_the_joint_norm(submission, update, share):
    whole = np.arange(update.count)
    truth = true_loss(update.part(whole, update.policy, update.value, OPTIONS))
    norm = np.sqrt((truth.logits**2).sum() + (truth.values**2).sum())
    options = OPTIONS | {"largest_norm": float(share * norm)}
    result = improved(submission, update, epochs=1, minibatches=1, **options)
    policy, value = clipped_to(options["largest_norm"], truth.logits, truth.values)
    expect_close("the gradient of the policy weights", result.policy[0], policy, rtol=1e-3)
    expect_close("the gradient of the value weights", result.value[0], value, rtol=1e-3)


@check(
    "ppo_update clips all parameters together where the optimizer has them in several groups, too",
    needs="clips_the_joint_norm",
)
@given(update=updates((2, 3), (3, 2)), share=one_of(0.5, 0.1), examples=3)
def clips_across_groups(submission, update, share):
    network = submission.tools.policy_and_value(update.count, update.policy.shape[1], 2)
    before = submission.tools.parameters(network)

    def gradients(largest_norm: float) -> dict[str, Array]:
        submission.tools.set_parameters(network, before)
        optimizer = submission.tools.sgd(network.get("policy"), 1.0)
        optimizer.add_param_group({"params": network.get("value").parameters()})
        options = OPTIONS | {"epochs": 1, "minibatches": 1, "largest_norm": largest_norm}
        generator = Generator(update.seed)
        submission.ppo_update(network, optimizer, update.rollout, generator=generator, **options)
        after = submission.tools.parameters(network)
        return {name: before[name].astype(float) - after[name] for name in before}

    whole = gradients(UNCLIPPED)
    largest = share * float(np.sqrt(sum((gradient**2).sum() for gradient in whole.values())))
    yours = gradients(largest)
    for name, wanted in zip(whole, clipped_to(largest, *whole.values()), strict=True):
        expect_close(f"the gradient of {name}", yours[name], wanted, rtol=1e-3)


@check(
    "ppo_update forgets the gradients that were there before, and those of the last minibatch",
    needs="gradient_of_the_rollout",
)
@given(update=updates(), epochs=integers(1, 2), examples=12)
def forgets_old_gradients(submission, update, epochs):
    result = improved(submission, update, left=True, epochs=epochs, minibatches=1, **OPTIONS)
    expect_steps(result, epochs, 1)
    truth = true_loss(update.part(np.arange(update.count), update.policy, update.value, OPTIONS))
    for epoch in range(epochs):
        expect_close(f"the policy gradient of epoch {epoch}", result.policy[epoch], truth.logits)


@check("ppo_update deals the steps out anew in each epoch, by the generator")
@given(update=updates((4, 6)), examples=3)
def deals_by_the_generator(submission, update):
    def dealt_out(generator: Any) -> Array:
        options = OPTIONS | {"epochs": 2, "minibatches": 4, "generator": generator}
        result = improved(submission, update, **options)
        expect_steps(result, 2, 4)
        return result.members(4).reshape(2, 4, -1)

    first = dealt_out(Generator(update.seed))
    expect(bool((first[0] != first[1]).any()), "the second epoch should be dealt anew", "epochs")
    in_order = np.repeat(np.eye(4, dtype=bool), 6, axis=1)
    expect(bool((first[0] != in_order).any()), "the steps should be dealt at random", "order")
    again = dealt_out(Generator(update.seed))
    expect_equal("the minibatches with the same seed", again, first)
    other = dealt_out(Generator(update.seed + 1))
    expect(bool((other != first).any()), "another seed should deal otherwise", "seeds")


@check(
    "ppo_update reports loss, approximate_kl and clip_fraction of the last epoch",
    needs="what_is_old_stays",
)
@given(
    update=updates(),
    epochs=integers(1, 3),
    parts=one_of(1, 2),
    rate=one_of(0.0, 0.5),
    epsilon=EPSILONS,
    examples=30,
)
def reports_the_last_epoch(submission, update, epochs, parts, rate, epsilon):
    parts = parts if update.count % 2 == 0 else 1
    options = OPTIONS | {"epsilon": epsilon}
    result = improved(submission, update, rate=rate, epochs=epochs, minibatches=parts, **options)
    expect_steps(result, epochs, parts)
    expect_diagnostics(result.diagnostics)
    policy, value = update.policy.astype(float), update.value.astype(float)
    seen: list[Loss] = []
    for members in result.members(parts):
        rows = np.flatnonzero(members)
        truth = true_loss(update.part(rows, policy, value, options))
        if truth.margin < 1e-3:
            return  # rounding decides on which side of the clip it is
        seen.append(truth)
        policy[rows] -= rate * truth.logits
        value[rows] -= rate * truth.values
    last = seen[-parts:]
    log_ratios = np.concatenate([truth.log_ratios for truth in last])
    kl = np.exp(log_ratios) - 1 - log_ratios
    outside = np.abs(np.exp(log_ratios) - 1) > epsilon
    yours = result.diagnostics
    expect_close("loss", yours["loss"], float(np.mean([truth.value for truth in last])))
    expect_close("approximate_kl", yours["approximate_kl"], float(kl.mean()))
    expect_close("clip_fraction", yours["clip_fraction"], float(outside.mean()))


def expect_diagnostics(diagnostics: Any, who: str = "ppo_update should return a dict with") -> None:
    """A dict with three floats."""
    wanted = f"{who} the keys " + ", ".join(DIAGNOSTICS)
    keys = sorted(diagnostics) if isinstance(diagnostics, dict) else None
    expect(
        keys is not None and set(DIAGNOSTICS) <= set(keys),
        f"{wanted}; yours is {keys or described(diagnostics)}",
        wanted,
    )
    for name in DIAGNOSTICS:
        value = diagnostics[name]
        expect(type(value) is float, f"{name} should be a float; yours is {described(value)}", name)


@check("ppo_update has the default settings of its signature")
@given(update=updates((2, 4), (4, 2)), examples=6)
def defaults(submission, update):
    result = improved(submission, update, rate=0.1)
    said = {
        "discount": 0.99,
        "lam": 0.95,
        "epochs": 4,
        "minibatches": 4,
        "epsilon": 0.2,
        "value_coefficient": 0.5,
        "entropy_coefficient": 0.0,
        "largest_norm": 0.5,
    }
    explicit = improved(submission, update, rate=0.1, **said)
    expect_steps(result, 4, 4)
    for name in ("policy", "value"):
        mine, wanted = getattr(result, name), getattr(explicit, name)
        expect_close(f"the gradients of the {name} weights", mine, wanted.astype(float))


@check("ppo_update leaves the rollout as it was")
@given(case=dealt(), examples=5)
def rollout_stays(submission, case):
    update, _, parts = case
    policy = policy_of(submission, update)
    args, _ = submission.ppo_update.arguments_after(
        policy,
        submission.tools.noting_sgd(policy, 0.5),
        update.rollout,
        generator=Generator(update.seed),
        minibatches=parts,
    )
    for name, array in update.rollout.items():
        expect_equal(f"rollout[{name!r}]", args[2].get(name), array)


@check("ppo_update refuses minibatches that are unequal or of one step, naming `minibatches`")
@given(update=updates((2, 3), (3, 2)), minibatches=one_of(6, 4, 5, 7), examples=24)
def refuses_odd_minibatches(submission, update, minibatches):
    with expect_raises(ValueError, naming="minibatches"):
        improved(submission, update, minibatches=minibatches)


# train_ppo.


@dataclass(frozen=True)
class Course:
    """Two environments that show a one-hot observation of their own at every step.

    updates: how many rollouts of 4 steps fit into `total_steps`; there would be time for one more.
    """

    script: Script
    updates: int
    total_steps: int


STEPS = 4


@strategy
def courses(draw: Draw, *, updates: tuple[int, int] = (1, 3)) -> Course:
    """Courses in which episodes end now and then."""
    number = draw(integers(*updates))
    b, t = 2, STEPS * (number + 1)
    flags = draw(integer_tensors(b, t, low=0, high=5))
    names = np.eye(b * (2 * t + 1), dtype=np.float32)
    script = Script(
        shown=names[: b * (t + 1)].reshape(b, t + 1, -1),
        final=names[b * (t + 1) :].reshape(b, t, -1),
        rewards=draw(chosen(SIGNED, b, t)),
        terminated=flags == 1,
        truncated=flags == 2,
        policy=draw(tensors(len(names), 2, low=-1.0, high=1.0)),
        value=draw(tensors(len(names), low=1.0, high=2.0)),
        seed=draw(integers(0, 999)),
    )
    return Course(script, number, number * b * STEPS + draw(integers(0, b * STEPS - 1)))


@dataclass(frozen=True)
class Trained:
    """What happened in a training: steps, resets, calls of `on_update`, gradients, and so on."""

    envs: Scripted
    calls: list[tuple[Any, ...]]
    policy: Array  # [optimizer steps, O, A], gradients
    value: Array  # [optimizer steps, O], gradients
    rates: list[Any]  # at each call of `on_update`, and after the training

    @property
    def used(self) -> Array:
        """bool [optimizer steps, O]: whose rows have a gradient."""
        used: Array = (self.value != 0) | (self.policy != 0).any(axis=-1)
        return used


def trained(
    submission: Any,
    course: Course,
    *,
    stop_after: int = 99,
    rate: float = 0.0,
    strict: bool = False,
    rated: bool = False,
) -> Trained:
    """Run the submission's loop.

    `strict` stops it where `on_update` hears no diagnostics; `rated` asks for the learning rates.
    """
    envs = Scripted(course.script, begun=False)
    policy = policy_of(submission, course.script)
    optimizer = submission.tools.noting_sgd(policy, rate)
    calls: list[tuple[Any, ...]] = []
    rates: list[Any] = []

    def note_rate() -> None:
        if rated:
            rates.append(submission.tools.attribute(optimizer, "param_groups")[0]["lr"])

    def on_update(*args: Any) -> bool:
        calls.append(args)
        note_rate()
        return len(calls) < stop_after and (told(args) or not strict)

    submission.train_ppo(
        submission.lend_environments(envs),
        policy,
        optimizer,
        total_steps=course.total_steps,
        steps=STEPS,
        on_update=submission.lend_function(on_update),
        generator=Generator(course.script.seed),
    )
    note_rate()
    return Trained(envs, calls, *noted(submission, optimizer), rates)


def told(args: tuple[Any, ...]) -> bool:
    """Whether these are the arguments of an `on_update` that is told of an update."""
    return len(args) == 1 and isinstance(args[0], dict) and set(DIAGNOSTICS) <= set(args[0])


def expect_rollouts(result: Trained, number: int) -> None:
    """So many rollouts of `STEPS` steps were taken."""
    taken = len(result.envs.noted)
    expect(
        taken == number * STEPS,
        f"{number} rollouts of {STEPS} steps should take {number * STEPS} steps of each "
        f"environment; yours took {taken}",
        "the steps",
    )


@check(
    "train_ppo takes as many whole rollouts as total_steps allows, and no step more", seconds=10.0
)
@given(course=courses(), examples=4, lends=True)
def keeps_to_total_steps(submission, course):
    result = trained(submission, course)
    expect_rollouts(result, course.updates)
    expect_equal("how often on_update is called", len(result.calls), course.updates)


@check("train_ppo stops when on_update returns False", seconds=10.0)
@given(course=courses(updates=(2, 4)), stop_after=one_of(1, 2), examples=3, lends=True)
def stops_when_told(submission, course, stop_after):
    stop_after = min(stop_after, course.updates - 1)
    result = trained(submission, course, stop_after=stop_after)
    expect_equal("how often on_update is called", len(result.calls), stop_after)
    expect_rollouts(result, stop_after)


@check("train_ppo resets once, and each rollout goes on where the last one ended", seconds=10.0)
@given(course=courses(updates=(2, 3)), examples=3, lends=True)
def goes_on_where_it_ended(submission, course):
    result = trained(submission, course)
    expect_equal("the number of resets", result.envs.resets, 1)
    expect_rollouts(result, course.updates)
    used = result.used
    expect_equal("the number of optimizer steps", len(used), 16 * course.updates)
    places = course.script.shown.argmax(axis=-1)  # [B, T + 1]
    for number, rows in enumerate(used.reshape(course.updates, 16, -1).any(axis=1)):
        wanted = np.sort(places[:, number * STEPS : (number + 1) * STEPS].ravel())
        text = f"update {number} should use the observations {wanted}; yours used "
        expect(
            np.array_equal(np.flatnonzero(rows), wanted),
            text + str(np.flatnonzero(rows)),
            "updates",
        )


@check(
    "train_ppo makes one update of each rollout, and tells on_update what it returned", seconds=10.0
)
@given(course=courses(updates=(2, 3)), rate=one_of(0.0, 0.5), examples=4, lends=True)
def tells_of_each_update(submission, course, rate):
    result = trained(submission, course, rate=rate, strict=True)
    for args in result.calls:
        expect(len(args) == 1, "on_update should be called with one argument", "on_update")
        expect_diagnostics(args[0], "on_update should be called with a dict that has")
        expect(
            (args[0]["approximate_kl"] > 1e-6) == (rate > 0),
            "approximate_kl should be 0 where the policy stands still, and positive where it moves",
            "approximate_kl",
        )
    expect_equal("the number of optimizer steps", len(result.used), 16 * course.updates)


DEFAULTS = {"epsilon": 0.2, "value_coefficient": 0.5, "entropy_coefficient": 0.0}
LARGEST_NORM = 0.5


def batch_of(course: Course, actions: Array) -> dict[str, Array]:
    """[B * T] each: what a rollout from the beginning holds, but for the advantages' scale."""
    script, steps = course.script, actions.shape[1]
    shown, led_to = script.shown[:, :steps].astype(float), script.led_to[:, :steps].astype(float)
    rollout = Rollout(
        script.rewards[:, :steps],
        shown @ script.value,
        led_to @ script.value,
        script.terminated[:, :steps],
        script.truncated[:, :steps],
    )
    advantages = true_advantages(rollout, 0.99, 0.95)
    batch = {
        "places": shown.argmax(axis=-1),
        "actions": actions,
        "log_probs": pick(log_softmax(shown @ script.policy), actions),
        "advantages": advantages,
        "targets": advantages + rollout.values,
    }
    return {name: array.ravel() for name, array in batch.items()}


@check(
    "train_ppo makes its updates with the default settings of ppo_update",
    needs="tells_of_each_update",
    seconds=10.0,
)
@given(course=courses(updates=(1, 1)), rate=one_of(0.5, 3.0), examples=6, lends=True)
def updates_by_default(submission, course, rate):
    result = trained(submission, course, rate=rate)
    expect_rollouts(result, 1)
    expect_equal("the number of optimizer steps", len(result.used), 16)
    batch = batch_of(course, result.envs.taken)
    weights = [course.script.policy.astype(float), course.script.value.astype(float)]
    for step, used in enumerate(result.used):
        rows = np.flatnonzero(used[batch["places"]])
        expect(len(rows) <= 2, f"minibatch {step} should have 2 steps; yours has {len(rows)}")
        if len(rows) < 2:
            return  # one has no gradient at all
        part = {name: array[rows] for name, array in batch.items()}
        places, advantages = part.pop("places"), part["advantages"]
        if np.ptp(advantages) < 1e-2:
            return  # their std is that of their rounding
        part["advantages"] = (advantages - advantages.mean()) / advantages.std(ddof=1)
        logits, values = (weight[places] for weight in weights)
        truth = true_loss(Minibatch(logits=logits, values=values, **part, **DEFAULTS))
        if truth.margin < 1e-3:
            return  # rounding decides on which side of the clip it is
        wanted = clipped_to(LARGEST_NORM, truth.logits, truth.values)
        for name, yours, gradient, weight in zip(
            ("policy", "value"), (result.policy, result.value), wanted, weights, strict=True
        ):
            expect_close(f"the {name} gradient of step {step}", yours[step][places], gradient)
            weight[places] -= rate * gradient


@check("train_ppo leaves the learning rate of the optimizer as it is", seconds=10.0)
@given(course=courses(updates=(2, 3)), rate=one_of(0.5, 0.25), examples=2, lends=True)
def keeps_the_learning_rate(submission, course, rate):
    result = trained(submission, course, rate=rate, rated=True)
    for call, found in enumerate(result.rates[:-1]):
        expect_equal(f"the learning rate after update {call}", found, rate)
    expect_equal("the learning rate after the training", result.rates[-1], rate)


@check("train_ppo takes all its randomness from the generator", seconds=10.0)
@given(course=courses(updates=(2, 3)), examples=2, lends=True)
def repeats_itself(submission, course):
    first, second = (trained(submission, course, rate=0.5) for _ in range(2))
    for result in (first, second):
        expect_rollouts(result, course.updates)
    taken = [result.envs.taken for result in (first, second)]
    expect_equal("the actions with the same seed", taken[1], taken[0])
    expect_equal("the minibatches with the same seed", second.used, first.used)
    script = course.script
    other = replace(course, script=replace(script, seed=script.seed + 1))
    third = trained(submission, other, rate=0.5)
    expect(
        not np.array_equal(third.used, first.used), "another seed should deal otherwise", "seeds"
    )


@check(
    "solves CartPole: a mean return of 475 over 100 fresh episodes",
    needs="tells_of_each_update",
    weight=4,
)
@training(
    goal=475.0,
    null=22.0,
    unit="mean return",
    budget=100_000,
    alive_by=(40_000, 60.0),
    wins=2,
    likely={
        "flat": "a loss whose gradient does not depend on the advantages, log_probs that belong to "
        "other actions, or minibatches whose parts do not belong together",
        "worse": "a policy term of the wrong sign",
        "collapse": "a maximum where the minimum should be, or a critic's term of the wrong sign",
        "slow": "advantages that ignore where episodes end",
        "not finite": "a ratio without a difference of log-probs",
    },
)
def solves_cartpole(submission, attempt: Attempt):
    from rlgrade.trainer.cartpole import CartPoles, Relabelling, evaluate

    relabelling = Relabelling(attempt.random)
    poles = CartPoles(8, relabelling, attempt.seed, budget=attempt.goal.budget)
    policy = submission.tools.policy_and_value(4, 2, 64)
    optimizer = submission.tools.adam(policy, 1e-2)
    solved, evaluated = 0.0, 0

    def on_update(*args):
        nonlocal solved, evaluated
        score = poles.mean_return
        if score >= 400.0 and poles.steps - evaluated >= 1000:  # once a rollout
            evaluated = poles.steps
            weights = weights_of(submission, policy)
            score = evaluate(lambda o: logits_of(weights, o), relabelling, attempt.random)
            solved = score
        attempt.point(poles.steps, score)
        return bool(solved < attempt.goal.score)

    submission.train_ppo(
        submission.lend_environments(poles),
        policy,
        optimizer,
        total_steps=attempt.goal.budget,
        on_update=submission.lend_function(on_update),
        generator=Generator(attempt.seed),
    )
    if solved < attempt.goal.score:
        raise attempt.not_learned(poles.mean_return)


def weights_of(submission: Any, policy: Any) -> dict[str, Array]:
    """The parameters of the network that we lent, of the shapes that we gave them."""
    weights = submission.tools.parameters(policy)
    layers = {"policy.0": (64, 4), "policy.2": (2, 64)}
    for layer, shape in layers.items():
        expect_shape("a weight of the policy", weights.get(f"{layer}.weight"), shape)
        expect_shape("a bias of the policy", weights.get(f"{layer}.bias"), shape[:1])
    return weights  # type: ignore[no-any-return]


def logits_of(weights: dict[str, Array], observations: Array) -> Array:
    """The policy's logits [B, 2], computed by us from the trained parameters."""
    hidden = np.tanh(observations @ weights["policy.0.weight"].T + weights["policy.0.bias"])
    logits: Array = hidden @ weights["policy.2.weight"].T + weights["policy.2.bias"]
    return logits
