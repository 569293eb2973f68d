"""The promises of ex04_actor_critic.

The oracles are closed forms in float64: softmax scores, backpropagation by hand, and a small MDP
whose values and advantages are solved for.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, make_dataclass, replace
from functools import cache
from typing import Any, Self

import numpy as np

from rlgrade.author import (
    Array,
    Draw,
    Strategy,
    SubmissionRaised,
    Unmet,
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
    one_of,
    rollouts,
    strategy,
    tensors,
    training,
)

ARGUMENTS = {
    "td_targets": ("rewards", "next_values", "terminated"),
    "td_errors": ("rewards", "values", "next_values", "terminated"),
    "actor_loss": ("log_probs", "advantages"),
    "critic_loss": ("values", "targets"),
    "actor_critic_loss": ("logits", "actions", "values", "targets"),
}
OPTIONS = {
    "td_targets": {"discount": 0.5},
    "td_errors": {"discount": 0.5},
    "actor_loss": {},
    "critic_loss": {},
    "actor_critic_loss": {"value_coefficient": 2.0, "entropy_coefficient": 0.5},
}
WITHOUT_GRADIENT = ("terminated", "actions")  # bool and int64
TD_FUNCTIONS = ("td_targets", "td_errors")
LOSSES = ("actor_loss", "critic_loss", "actor_critic_loss")
GAINS = {"trunk": np.sqrt(2.0), "actor head": 0.01, "critic head": 1.0}


# What the functions should return.


def true_targets(rewards: Array, next_values: Array, terminated: Array, discount: float) -> Array:
    """r[t] + discount * V(s[t + 1]), or r[t] alone after termination."""
    going_on = rewards.astype(float) + discount * next_values.astype(float)
    return np.where(terminated, rewards.astype(float), going_on)


def scores(logits: Array, actions: Array) -> tuple[Array, Array]:
    """[...]: log pi(a), and [..., A]: its gradient, e_a - p."""
    exact = logits.astype(float)
    log_total = np.logaddexp.reduce(exact, axis=-1, keepdims=True)
    chosen = np.eye(exact.shape[-1])[actions]
    return (chosen * exact).sum(axis=-1) - log_total[..., 0], chosen - np.exp(exact - log_total)


def entropies(logits: Array) -> tuple[Array, Array]:
    """[...]: H = log Z - E[z], and [..., A]: its gradient, -p * (z - E[z])."""
    exact = logits.astype(float)
    log_total = np.logaddexp.reduce(exact, axis=-1, keepdims=True)
    probs = np.exp(exact - log_total)
    mean = (probs * exact).sum(axis=-1, keepdims=True)
    return (log_total - mean)[..., 0], -probs * (exact - mean)


@dataclass(frozen=True)
class Loss:
    """A combined loss, its gradients, and the sizes of what cancels in the loss and in `logits`."""

    value: float
    logits: Array
    values: Array
    size: float
    size_of_logits: float


def true_loss(batch: Any, value_coefficient: float, entropy_coefficient: float) -> Loss:
    """The combined loss of a batch in closed form."""
    steps = batch.actions.size
    errors = batch.targets.astype(float) - batch.values.astype(float)
    log_probs, of_log_probs = scores(batch.logits, batch.actions)
    entropy, of_entropy = entropies(batch.logits)
    weighed = errors * log_probs
    squared = value_coefficient * errors**2 / 2
    return Loss(
        value=(squared - weighed - entropy_coefficient * entropy).sum() / steps,
        logits=-(errors[..., None] * of_log_probs + entropy_coefficient * of_entropy) / steps,
        values=0.0 - value_coefficient * errors / steps,
        size=(np.abs(weighed) + squared).max() + entropy_coefficient * np.abs(batch.logits).max(),
        size_of_logits=(np.abs(errors).max() + entropy_coefficient) / steps,
    )


def expect_loss(submission: Any, batch: Any, *coefficients: float) -> None:
    """The combined loss has the right value, and the right gradients of logits and values."""
    loss = differentiated_loss(submission, batch, *coefficients)
    truth = true_loss(batch, *coefficients)
    expect_close("actor_critic_loss", loss.value, truth.value, scale=truth.size)
    expect_gradient("logits", loss.gradients["logits"], truth.logits, truth.size_of_logits)
    expect_gradient("values", loss.gradients["values"], truth.values)


def ask_the_part(submission: Any, function: str, **arguments: Array) -> None:
    """Ask a simple loss and judge nothing: a diagnosis then knows which loss is wrong."""
    with suppress(SubmissionRaised, Unmet):
        getattr(submission, function).gradients(*arguments, **arguments)


def differentiated_loss(submission: Any, batch: Any, *coefficients: float) -> Any:
    """The submission's combined loss, with the gradients of logits and values."""
    return submission.actor_critic_loss.gradients(
        "logits",
        "values",
        **vars(batch),
        value_coefficient=coefficients[0],
        entropy_coefficient=coefficients[1],
    )


def expect_gradient(name: str, gradient: Any, truth: Array, size: float | None = None) -> None:
    """The gradient is the oracle's, to rounding of numbers of this size. None counts as zero."""
    if gradient is None:
        gradient = np.zeros(truth.shape)
    expect_close(f"the gradient of {name}", gradient, truth, scale=size)


# Batches of steps.


def tensor_of(name: str, lead: tuple[int, ...], actions: int) -> Strategy[Array]:
    """One argument of the functions, by its name."""
    if name == "logits":
        return tensors(*lead, actions)
    if name == "actions":
        return integer_tensors(*lead, low=0, high=actions - 1)
    if name == "terminated":
        return integer_tensors(*lead, low=0, high=2).map(lambda octets: octets == 1)
    return tensors(*lead, high=0.0) if name == "log_probs" else tensors(*lead)


@cache
def steps_of(*names: str) -> Any:
    """A dataclass with these fields."""
    return make_dataclass("Steps", names, frozen=True)


@strategy
def steps_for(draw: Draw, *functions: str) -> Any:
    """What some functions take, of shape [T] or [B, T], with B, T and A all different.

    Tensors of shape [B, T] have gaps in memory.
    """
    actions, t, b = draw(distinct_sizes((2, 4), (1, 4), (1, 3)))
    lead = draw(one_of((t,), (b, t)))
    names = dict.fromkeys(name for function in functions for name in ARGUMENTS[function])
    drawn = {name: draw(tensor_of(name, lead, actions)) for name in names}
    return steps_of(*names)(*map(np.asfortranarray, drawn.values()))


def going_on(steps: Any) -> Any:
    """The same steps, none of them terminated."""
    return replace(steps, terminated=np.zeros_like(steps.terminated))


def counted(steps: Any) -> Any:
    """The same steps with rewards of an integer dtype."""
    return replace(steps, rewards=np.asfortranarray(np.round(steps.rewards).astype(np.int64)))


def crooked(steps: Any) -> Any:
    """The same steps in float64, with numbers that float32 cannot hold."""
    thirds = {
        name: np.asfortranarray(array.astype(float) / 3)
        for name, array in vars(steps).items()
        if name not in WITHOUT_GRADIENT
    }
    return replace(steps, **thirds)


def extreme(steps: Any) -> Any:
    """The same steps with logits fifty times as large."""
    return replace(steps, logits=np.asfortranarray(steps.logits * np.float32(50.0)))


def without_errors(steps: Any) -> Any:
    """The same steps where the critic is right."""
    return replace(steps, targets=steps.values)


def arguments_of(function: str, steps: Any, **options: float) -> dict[str, Any]:
    """The keyword arguments of a function."""
    fields = {name: getattr(steps, name) for name in ARGUMENTS[function]}
    return fields | OPTIONS[function] | options


def answers_of(submission: Any, functions: Iterable[str], steps: Any, **options: float) -> Any:
    """What each function answers. All are asked before any is judged."""
    return {
        name: getattr(submission, name)(**arguments_of(name, steps, **options))
        for name in functions
    }


def truth_of(function: str, steps: Any, **options: float) -> Any:
    """What a function should return for `arguments_of` the same."""
    if function == "actor_loss":
        return -np.mean(steps.log_probs.astype(float) * steps.advantages.astype(float))
    if function == "critic_loss":
        return np.mean((steps.values.astype(float) - steps.targets.astype(float)) ** 2) / 2
    if function == "actor_critic_loss":
        return true_loss(steps, *OPTIONS[function].values()).value
    discount = options.get("discount", OPTIONS[function]["discount"])
    targets = true_targets(steps.rewards, steps.next_values, steps.terminated, discount)
    return targets - steps.values if function == "td_errors" else targets


# Networks.


@dataclass(frozen=True)
class Network:
    """The parameters of an ActorCritic and what it looks at."""

    observations: Array
    trunk_weight: Array
    trunk_bias: Array
    actor_weight: Array
    actor_bias: Array
    critic_weight: Array
    critic_bias: Array

    @property
    def parameters(self) -> dict[str, Array]:
        """The parameters, by the names of the layers."""
        return {
            f"{layer}'s {part}": getattr(self, f"{layer.partition(' ')[0]}_{part}")
            for layer in GAINS
            for part in ("weight", "bias")
        }

    @property
    def hidden(self) -> Array:
        """[..., H]: what the heads read."""
        exact = self.observations.astype(float)
        return np.tanh(exact @ self.trunk_weight.T + self.trunk_bias)

    @property
    def outputs(self) -> tuple[Array, Array]:
        """[..., A] logits and [...] values."""
        logits = self.hidden @ self.actor_weight.T + self.actor_bias
        return logits, self.hidden @ self.critic_weight[0] + self.critic_bias[0]

    def backward(self, of_logits: Array, of_values: Array) -> dict[str, Array]:
        """The gradients of the parameters, from those of both outputs: [..., A] and [...]."""
        rows = self.observations.astype(float).reshape(-1, self.observations.shape[-1])
        hidden = self.hidden.reshape(len(rows), -1)
        of_logits = of_logits.reshape(len(rows), -1)
        of_values = of_values.reshape(len(rows), 1)
        of_hidden = of_logits @ self.actor_weight + of_values @ self.critic_weight
        of_sums = of_hidden * (1 - hidden**2)
        return {
            "trunk's weight": of_sums.T @ rows,
            "trunk's bias": of_sums.sum(axis=0),
            "actor head's weight": of_logits.T @ hidden,
            "actor head's bias": of_logits.sum(axis=0),
            "critic head's weight": of_values.T @ hidden,
            "critic head's bias": of_values.sum(axis=0),
        }


LEADS = one_of("", "T", "1", "BT", "1T", "B1", "BT", "BT")  # only in BT must a view merge axes


@strategy
def networks(draw: Draw, leads: Strategy[str] = LEADS) -> Network:
    """Networks with drawn parameters and observations; O, A, H, B and T are all different.

    Observations may be large, with trunk weights as much smaller; or hundreds, with weights as they
    are, so that tanh saturates. With two axes or more they have gaps in memory.
    """
    o, a, h, t, b = draw(distinct_sizes((1, 3), (2, 3), (2, 4), (2, 3), (2, 3)))
    lead = tuple({"B": b, "T": t, "1": 1}[axis] for axis in draw(leads))
    small = {"low": -1.0, "high": 1.0}
    unit, steepness = map(np.float32, draw(one_of((1, 1), (256, 256), (32, 1), (256, 256))))
    observations = unit * draw(tensors(*lead, o, low=-2.0, high=2.0))
    trunk_weight = steepness / unit * draw(tensors(h, o, **small))
    trunk_bias = draw(tensors(h, **small))
    if steepness > 1:  # sums that float32 holds, or rounding would decide what tanh is
        observations, trunk_weight, trunk_bias = (
            np.round(array * np.float32(64)) / np.float32(64)
            for array in (observations, trunk_weight, trunk_bias)
        )
    return Network(
        observations=np.asfortranarray(observations),
        trunk_weight=trunk_weight,
        trunk_bias=trunk_bias,
        actor_weight=draw(tensors(a, h, **small)),
        actor_bias=draw(tensors(a, **small)),
        critic_weight=draw(tensors(1, h, **small)),
        critic_bias=draw(tensors(1, **small)),
    )


def in_float64(network: Network) -> Network:
    """The same network in float64, with numbers that float32 cannot hold."""
    thirds = {
        name: np.asfortranarray(array.astype(float) / 3) for name, array in vars(network).items()
    }
    return replace(network, **thirds)


def fresh(submission: Any, o: int, a: int, h: int) -> Any:
    """A new network of the submission."""
    return submission.ActorCritic(o, a, hidden_size=h)


def outputs_of(model: Any, observations: Array) -> tuple[Array, Array]:
    """Logits and values of the submission's network."""
    answer = model(observations)
    wanted = "ActorCritic should return a tuple (logits, values)"
    pair = isinstance(answer, (tuple, list)) and len(answer) == 2
    expect(pair, f"{wanted}; yours is {described(answer)}", wanted)
    return answer[0], answer[1]


def layers_of(submission: Any, model: Any, o: int, a: int, h: int) -> dict[str, str]:
    """The submission's own name of each layer's weight and bias, found by its shape."""
    wanted = {
        "trunk's weight": (h, o),
        "trunk's bias": (h,),
        "actor head's weight": (a, h),
        "actor head's bias": (a,),
        "critic head's weight": (1, h),
        "critic head's bias": (1,),
    }
    shapes = {name: array.shape for name, array in parameters_of(submission, model).items()}
    expect(
        sorted(shapes.values()) == sorted(wanted.values()),
        "the parameters should be the weights [out, in] and biases [out] of three linear layers, "
        f"{listed(wanted.values())}; yours have the shapes {listed(shapes.values())}",
        "the parameters",
    )
    by_shape = {shape: name for name, shape in shapes.items()}
    return {layer: by_shape[shape] for layer, shape in wanted.items()}


def listed(shapes: Any) -> str:
    """Shapes in words."""
    return ", ".join(str(list(shape)) for shape in sorted(shapes)) or "none"


def parameters_of(submission: Any, model: Any) -> dict[str, Array]:
    """A copy of the parameters, by the submission's own names."""
    return submission.tools.parameters(model)


def built(submission: Any, network: Network) -> tuple[Any, dict[str, str]]:
    """The submission's network with the drawn parameters, and its names for them.

    With float64 parameters the network is turned to float64 first.
    """
    o, a, h = network.observations.shape[-1], len(network.actor_bias), len(network.trunk_bias)
    model = fresh(submission, o, a, h)
    if network.trunk_weight.dtype == np.float64:
        model.double()
    names = layers_of(submission, model, o, a, h)
    values = {names[layer]: value for layer, value in network.parameters.items()}
    submission.tools.set_parameters(model, values)
    return model, names


def sizes() -> Strategy[tuple[int, ...]]:
    """O, A and H, all different, with O above and below H."""
    return distinct_sizes((2, 6), (2, 4), (3, 5))


# The network.


@check("gives logits [..., A] and values [...], without a trailing axis of 1")
@given(network=networks(), examples=20)
def shapes_of_the_outputs(submission, network):
    lead, a = network.observations.shape[:-1], len(network.actor_bias)
    model = fresh(submission, network.observations.shape[-1], a, len(network.trunk_bias))
    logits, values = outputs_of(model, network.observations)
    expect_shape("logits", logits, (*lead, a))
    expect_shape("values", values, lead)


@check("reads logits and values off one shared tanh layer", needs="shapes_of_the_outputs")
@given(network=networks(), examples=15)
def two_heads_on_one_trunk(submission, network):
    model, _ = built(submission, network)
    logits, values = outputs_of(model, network.observations)
    true_logits, true_values = network.outputs
    expect_close("logits", logits, true_logits)
    expect_close("values", values, true_values)


@check("starts with all biases at zero")
@given(sizes=sizes(), examples=8)
def biases_start_at_zero(submission, sizes):
    model = fresh(submission, *sizes)
    names = layers_of(submission, model, *sizes)
    parameters = parameters_of(submission, model)
    for layer in GAINS:
        bias = parameters[names[f"{layer}'s bias"]]
        expect_equal(f"the {layer}'s bias", bias, np.zeros(bias.shape))


@check("starts with orthogonal weights: gain sqrt(2), 0.01 for the actor, 1 for the critic")
@given(sizes=sizes(), examples=10)
def weights_start_orthogonal(submission, sizes):
    model = fresh(submission, *sizes)
    names = layers_of(submission, model, *sizes)
    parameters = parameters_of(submission, model)
    for layer, gain in GAINS.items():
        weight = parameters[names[f"{layer}'s weight"]].astype(float)
        singular = np.linalg.svd(weight, compute_uv=False)
        wanted = np.full(singular.shape, gain)
        expect_close(f"singular values of the {layer}'s weight", singular, wanted, atol=1e-7)


@check("draws new weights for every new network", needs="weights_start_orthogonal")
@given(sizes=sizes(), examples=6)
def weights_start_random(submission, sizes):
    one = parameters_of(submission, fresh(submission, *sizes))
    other = parameters_of(submission, fresh(submission, *sizes))
    same = [name for name in one if one[name].ndim == 2 and np.array_equal(one[name], other[name])]
    expect(not same, f"two new networks should differ; yours have the same {', '.join(same)}")


# Targets and errors.


@check("aims at the reward plus the discounted next value")
@given(steps=steps_for("td_targets").map(going_on), discount=discounts(), examples=35)
def target_of_a_step(submission, steps, discount):
    targets = submission.td_targets(**vars(steps), discount=discount)
    expect_close("td_targets", targets, truth_of("td_targets", steps, discount=discount))


@check("measures the TD error from the value to the target")
@given(steps=steps_for("td_errors").map(going_on), discount=discounts(), examples=35)
def error_of_a_step(submission, steps, discount):
    errors = submission.td_errors(**vars(steps), discount=discount)
    expect_close("td_errors", errors, truth_of("td_errors", steps, discount=discount))


@check("gives a terminal state the value 0, whatever stands in next_values")
@given(
    steps=steps_for("td_errors"), garbage=one_of(1.0, 1e6, -1e6), discount=discounts(), examples=30
)
def terminal_states_are_worth_nothing(submission, steps, garbage, discount):
    next_values = np.where(steps.terminated, np.float32(garbage), steps.next_values)
    steps = replace(steps, next_values=next_values)
    answers = answers_of(submission, TD_FUNCTIONS, steps, discount=discount)
    for function, answer in answers.items():
        expect_close(function, answer, truth_of(function, steps, discount=discount))


@check("keeps the value of the final observation where a rollout was cut off")
@given(rollout=rollouts(batch=(1, 3)), discount=discounts(), examples=30)
def truncation_keeps_the_final_value(submission, rollout, discount):
    answers = answers_of(submission, TD_FUNCTIONS, rollout, discount=discount)
    for function, answer in answers.items():
        expect_close(function, answer, truth_of(function, rollout, discount=discount))


@dataclass(frozen=True)
class Process:
    """A Markov decision process and a policy. Outcome k < S is state k, outcome S is the end."""

    rewards: Array  # [S, A, S + 1]
    outcome_probs: Array  # [S, A, S + 1]
    policy: Array  # [S, A]
    discount: float

    @property
    def action_values(self) -> Array:
        """[S, A]: the expected return of every action, solved for over state-action pairs."""
        states, actions = self.policy.shape
        pairs = states * actions
        followed = self.outcome_probs[..., :-1, None] * self.policy
        expected = (self.outcome_probs * self.rewards).sum(axis=-1)
        matrix = np.eye(pairs) - self.discount * followed.reshape(pairs, pairs)
        return np.linalg.solve(matrix, expected.reshape(pairs)).reshape(states, actions)


@strategy
def processes(draw: Draw) -> Process:
    """Processes in which every action may end the episode."""
    s, a = draw(distinct_sizes((2, 3), (2, 3)))
    odds = draw(integer_tensors(s, a, s + 1, low=0, high=3))
    odds[..., -1] += 1
    preferences = 1 + draw(integer_tensors(s, a, low=0, high=3))
    return Process(
        rewards=draw(tensors(s, a, s + 1)),
        outcome_probs=odds / odds.sum(axis=-1, keepdims=True),
        policy=preferences / preferences.sum(axis=-1, keepdims=True),
        discount=draw(discounts()),
    )


@check("has the advantage as its mean TD error where the critic is right")
@given(process=processes(), examples=25)
def true_values_give_advantages(submission, process):
    action_values = process.action_values
    values = (process.policy * action_values).sum(axis=-1)
    shape = process.rewards.shape
    ends = np.broadcast_to(np.arange(shape[-1]) == shape[-1] - 1, shape)
    next_values = np.broadcast_to(np.append(values, 7.0), shape)
    here = np.broadcast_to(values[:, None, None], shape)
    flat = (shape[0] * shape[1], shape[2])
    errors = submission.td_errors(
        rewards=process.rewards.reshape(flat),
        values=here.astype(np.float32).reshape(flat),
        next_values=next_values.astype(np.float32).reshape(flat),
        terminated=ends.reshape(flat),
        discount=process.discount,
    )
    expect_shape("td_errors", errors, flat)
    mean = (process.outcome_probs * errors.reshape(shape)).sum(axis=-1)
    size = float(np.abs(values).max() + np.abs(process.rewards).max())
    expect_close("mean TD error", mean, action_values - values[:, None], rtol=1e-5, scale=size)


@check("returns targets and TD errors that carry no gradient")
@given(steps=steps_for("td_errors"), examples=12)
def targets_carry_no_gradient(submission, steps):
    answers = {}
    for function in TD_FUNCTIONS:
        sources = [name for name in ARGUMENTS[function] if name not in WITHOUT_GRADIENT]
        answers[function] = getattr(submission, function).gradients(
            *sources, **arguments_of(function, steps)
        )
    for function, answer in answers.items():
        expect_shape(function, answer.value, steps.rewards.shape)
        expect(not answer.carries_gradient, f"the result of {function} should be detached")


# The losses of actor and critic.


@check("weighs log-probs by advantages: minus the mean of their products")
@given(steps=steps_for("actor_loss"), examples=30)
def actor_loss_weighs_log_probs(submission, steps):
    loss = submission.actor_loss.gradients("log_probs", "advantages", **vars(steps))
    log_probs, advantages = steps.log_probs.astype(float), steps.advantages.astype(float)
    size = float(np.abs(log_probs * advantages).max())
    expect_close("actor_loss", loss.value, -np.mean(log_probs * advantages), scale=size)
    expect_gradient("log_probs", loss.gradients["log_probs"], -advantages / advantages.size)


@check("takes half the mean squared error as the critic's loss")
@given(steps=steps_for("critic_loss"), examples=30)
def critic_loss_is_half_the_squared_error(submission, steps):
    loss = submission.critic_loss.gradients("values", "targets", **vars(steps))
    errors = steps.values.astype(float) - steps.targets.astype(float)
    expect_close("critic_loss", loss.value, np.mean(errors**2) / 2)
    expect_gradient("values", loss.gradients["values"], errors / errors.size)


@check("lets no gradient through advantages and targets")
@given(steps=steps_for(*LOSSES), examples=12)
def constants_stay_constant(submission, steps):
    answers = {}
    for function in LOSSES:
        *_, constant = ARGUMENTS[function]
        answers[function, constant] = getattr(submission, function).gradients(
            constant, **arguments_of(function, steps)
        )
    for (function, constant), answer in answers.items():
        expect_shape(function, answer.value, ())
        expect_no_gradient(f"the {constant} of {function}", answer.gradients[constant])


# The combined loss.


@check("trains the actor by target minus value, and moves no value by it")
@given(batch=steps_for("actor_critic_loss"), examples=20)
def actor_term(submission, batch):
    log_probs = scores(batch.logits, batch.actions)[0].astype(batch.logits.dtype)
    advantages = batch.targets - batch.values
    ask_the_part(submission, "actor_loss", log_probs=log_probs, advantages=advantages)
    expect_loss(submission, batch, 0.0, 0.0)


@check("weighs the critic's term by value_coefficient")
@given(batch=steps_for("actor_critic_loss"), weight=one_of(1.0, 0.5, 2.0, 0.25), examples=25)
def critic_term(submission, batch, weight):
    ask_the_part(submission, "critic_loss", values=batch.values, targets=batch.targets)
    expect_loss(submission, batch, weight, 0.0)


@check("lowers the loss of a policy with more entropy")
@given(
    batch=steps_for("actor_critic_loss").map(without_errors),  # so that only the entropy counts
    weight=one_of(1.0, 0.5, 2.0, 0.25),
    examples=30,
)
def entropy_is_rewarded(submission, batch, weight):
    expect_loss(submission, batch, 0.0, weight)


@check("adds up all three terms")
@given(
    batch=steps_for("actor_critic_loss"),
    value_coefficient=one_of(1.0, 0.5, 0.3),
    entropy_coefficient=one_of(1.0, 0.5, 0.2),
    examples=30,
)
def terms_add_up(submission, batch, value_coefficient, entropy_coefficient):
    expect_loss(submission, batch, value_coefficient, entropy_coefficient)


@check("has the defaults of its signatures: 64, 0.5 and 0.01")
@given(batch=steps_for("actor_critic_loss"), examples=6)
def defaults(submission, batch):
    layers_of(submission, submission.ActorCritic(3, 2), 3, 2, 64)
    for each in (batch, without_errors(batch)):
        loss = submission.actor_critic_loss(**vars(each))
        truth = true_loss(each, 0.5, 0.01)
        expect_close("actor_critic_loss", loss, truth.value, scale=truth.size)


@check("stays finite and exact for logits of plus and minus 200")
@given(batch=steps_for("actor_critic_loss").map(extreme), examples=20)
def large_logits(submission, batch):
    expect_loss(submission, batch, 0.5, 0.25)


# Which parameters learn from which term.


@dataclass(frozen=True)
class Learner(Network):
    """A network, the actions it took at what it saw, and the targets of its values."""

    actions: Array
    targets: Array


@strategy
def learners(draw: Draw) -> Learner:
    """Networks with actions and targets for [T] or [B, T] observations."""
    network = draw(networks(one_of("T", "BT")))
    lead, a = network.observations.shape[:-1], len(network.actor_bias)
    parts = {name: draw(tensor_of(name, lead, a)) for name in ("actions", "targets")}
    return Learner(**vars(network), **parts)


def parameter_gradients(
    submission: Any, model: Any, learner: Learner, part: int, of_output: Array | None
) -> dict[str, Array]:
    """What reaches each parameter through one output, given the loss's gradient of that output."""
    nothing = np.zeros((), np.float32)
    flow = submission.tools.part_of_output.gradients(
        "module",
        module=model,
        inputs=learner.observations,
        part=part,
        cotangent=nothing if of_output is None else of_output,
    )
    return flow.gradients["module"]


def expect_flow(
    term: str, yours: Any, names: dict[str, str], learner: Learner, truth: dict[str, Array]
) -> None:
    """Every parameter gets the gradient that backpropagation by hand gives it."""
    for layer, gradient in truth.items():
        # the trunk's weight gets products with observations, the other parameters with 1 at most
        unit = float(np.abs(learner.observations).max()) if layer == "trunk's weight" else 1.0
        size = max(1.0, unit, float(np.abs(gradient).max()))
        expect_gradient(f"the {layer} in the {term}", yours[names[layer]], gradient, size)


@check("trains trunk and actor head by the actor's terms, never the critic head")
@given(learner=learners(), examples=10)
def actor_terms_reach_the_actor(submission, learner):
    model, names = built(submission, learner)
    logits, values = outputs_of(model, learner.observations)
    expect_shape("values", values, learner.actions.shape)
    batch = steps_of(*ARGUMENTS["actor_critic_loss"])(
        logits, learner.actions, values, learner.targets
    )
    loss = differentiated_loss(submission, batch, 0.0, 0.5)
    yours = parameter_gradients(submission, model, learner, 0, loss.gradients["logits"])
    truth = true_loss(batch, 0.0, 0.5)
    expect_flow("actor's loss", yours, names, learner, learner.backward(truth.logits, truth.values))


@check("trains trunk and critic head by the critic's term, never the actor head")
@given(learner=learners(), examples=12)
def critic_term_reaches_the_critic(submission, learner):
    model, names = built(submission, learner)
    logits, values = outputs_of(model, learner.observations)
    expect_shape("logits", logits, (*learner.actions.shape, len(learner.actor_bias)))
    loss = submission.critic_loss.gradients("values", values=values, targets=learner.targets)
    yours = parameter_gradients(submission, model, learner, 1, loss.gradients["values"])
    of_values = (values.astype(float) - learner.targets) / values.size
    truth = learner.backward(logits * 0.0, of_values)
    expect_flow("critic's loss", yours, names, learner, truth)


# Tensors.


@check("takes integer rewards")
@given(steps=steps_for("td_errors").map(counted), discount=discounts(), examples=10)
def integer_rewards(submission, steps, discount):
    both = (discount, 0.0)  # with 0 the rewards themselves are the targets, but as floats
    answers = [answers_of(submission, TD_FUNCTIONS, steps, discount=each) for each in both]
    for each, of_functions in zip(both, answers, strict=True):
        for function, answer in of_functions.items():
            expect_close(function, answer, truth_of(function, steps, discount=each))
            expect_dtype(function, answer, "float32")


@check("answers float64 with float64, to all its digits, the network after double()")
@given(steps=steps_for(*ARGUMENTS).map(crooked), network=networks().map(in_float64), examples=12)
def float64_stays(submission, steps, network):
    answers = answers_of(submission, ARGUMENTS, steps)
    for function, answer in answers.items():
        expect_dtype(function, answer, "float64")
        expect_close(function, answer, truth_of(function, steps), rtol=1e-9, atol=1e-9)
    model, _ = built(submission, network)
    logits, values = outputs_of(model, network.observations)
    for name, output, truth in zip(
        ("logits", "values"), (logits, values), network.outputs, strict=True
    ):
        expect_dtype(name, output, "float64")
        expect_close(name, output, truth, rtol=1e-9, atol=1e-9)


@check("leaves its inputs as they were")
@given(steps=steps_for(*ARGUMENTS), examples=12)
def inputs_stay(submission, steps):
    after = {
        function: getattr(submission, function).arguments_after(**arguments_of(function, steps))[1]
        for function in ARGUMENTS
    }
    for function, names in ARGUMENTS.items():
        for name in names:
            expected = getattr(steps, name)
            expect_equal(f"the caller's {name} after {function}", after[function][name], expected)


@dataclass(frozen=True)
class Misfit:
    """One argument has another shape than the others."""

    shape: tuple[int, ...]
    shape_of_the_others: tuple[int, ...]


@strategy
def misfits(draw: Draw) -> Misfit:
    """Misfits, most of which broadcasting would let through."""
    b, t = draw(distinct_sizes((2, 3), (2, 4)))
    of_rows = one_of((b, 1), (1, b), (1,), (), (b + 1,))
    of_batches = one_of((b, t, 1), (b, 1), (t,), (1, t), (1, b, t), (t, b), ())
    expected, shapes = draw(one_of(((b,), of_rows), ((b, t), of_batches)))
    return Misfit(draw(shapes), expected)


@check("broadcasts nothing: another shape is a ValueError that names the argument")
@given(misfit=misfits(), examples=100)
def shapes_are_checked(submission, misfit):
    failures = []
    for function, (_, *others) in ARGUMENTS.items():
        for argument in others:
            inputs = misfitting(function, argument, misfit)
            try:
                with expect_raises(ValueError, naming=argument):
                    getattr(submission, function)(**inputs, **OPTIONS[function])
            except Unmet as failure:
                message = f"{function}, {argument} of shape {list(misfit.shape)}: {failure}"
                failures.append(Unmet(message, function))
            except SubmissionRaised as failure:
                failures.append(failure)
    if failures:
        raise failures[0]


def misfitting(function: str, argument: str, misfit: Misfit) -> dict[str, Array]:
    """Arguments of which one has the odd shape."""
    shapes = dict.fromkeys(ARGUMENTS[function], misfit.shape_of_the_others)
    if "logits" in shapes:
        shapes["logits"] = (*misfit.shape_of_the_others, 5)
    shapes[argument] = misfit.shape
    dtypes = {"terminated": np.bool_, "actions": np.int64}
    return {name: np.zeros(shape, dtypes.get(name, np.float32)) for name, shape in shapes.items()}


@check("refuses observations of another size with a ValueError")
@given(sizes=sizes(), lead=one_of((), (2,), (3, 1)), more=one_of(1, -1), examples=8)
def observations_are_checked(submission, sizes, lead, more):
    model = fresh(submission, *sizes)
    with expect_raises(ValueError, naming="observations"):
        model(np.zeros((*lead, sizes[0] + more), np.float32))


# What is trained


@dataclass(frozen=True)
class ValueProbe:
    """Transitions [N] that repeat for ever."""

    states: Array
    rewards: Array
    following: Array
    terminated: Array
    discount: float

    @property
    def values(self) -> Array:
        """[S] the exact value of each state: v = r + discount * P v, solved."""
        count = int(self.states.max()) + 1
        reward, onward, visits = np.zeros(count), np.zeros((count, count)), np.zeros(count)
        for n, state in enumerate(self.states):
            visits[state] += 1
            reward[state] += self.rewards[n]
            onward[state, self.following[n]] += not self.terminated[n]
        share = self.discount * onward / visits[:, None]
        return np.linalg.solve(np.eye(count) - share, reward / visits)

    def disguised(self, random: np.random.Generator) -> Self:
        """The same probe with other names, other pay and another discount."""
        names = random.permutation(int(self.states.max()) + 1)
        pay = random.choice([-1.0, 1.0]) * random.uniform(0.5, 2.0)
        rewards = (self.rewards + random.uniform(-0.5, 0.5)) * pay
        return replace(
            self,
            states=names[self.states],
            rewards=rewards.astype(np.float32),
            following=names[self.following],
            discount=float(random.uniform(0.3, 0.7)),
        )


PROBE_UPDATES = 400  # at most, for each probe
VALUE_PROBES = {
    "a step that always pays 1": ValueProbe(
        np.array([0]), np.array([1.0]), np.array([0]), np.array([True]), 0.9
    ),
    "a state that pays 1 and one that costs 1": ValueProbe(
        np.array([0, 1]), np.array([1.0, -1.0]), np.array([0, 1]), np.array([True, True]), 0.9
    ),
    "two steps, of which the second pays 1": ValueProbe(
        np.array([0, 1]), np.array([0.0, 1.0]), np.array([1, 0]), np.array([False, True]), 0.5
    ),
    "a step that pays 0 or 1, as it comes": ValueProbe(
        np.array([0, 0]), np.array([0.0, 1.0]), np.array([0, 0]), np.array([True, True]), 0.9
    ),
    "a loop that pays 1 and never ends, cut now and then": ValueProbe(
        np.array([0]), np.array([1.0]), np.array([0]), np.array([False]), 0.5
    ),
}


@check(
    "the critic learns probes of one or two steps to within 0.001 of their exact values",
    needs="terminal_states_are_worth_nothing",
    weight=2,
)
@training(
    goal=-1e-3,
    null=-1.0,
    unit="largest error of a value, with a minus sign,",
    budget=len(VALUE_PROBES) * PROBE_UPDATES,
    likely={
        "flat": "a critic's loss that carries no gradient to the values",
        "worse": "a critic's loss of the wrong sign, or a bootstrap from a terminal state",
    },
)
def critic_learns_the_probes(submission, attempt):
    for number, plain in enumerate(VALUE_PROBES.values()):
        probe = plain.disguised(attempt.random)
        table = attempt.random.normal(size=len(probe.values)).astype(np.float32)
        error = np.inf
        updates = 0
        while updates < PROBE_UPDATES and not error <= 1e-3:
            updates += 1
            targets = submission.td_targets(
                probe.rewards.astype(np.float32),
                table[probe.following],
                probe.terminated,
                discount=probe.discount,
            )
            expect_shape("targets", targets, probe.rewards.shape)
            answer = submission.critic_loss.gradients(
                "values", values=table[probe.states], targets=targets
            )
            expect(answer.gradients["values"] is not None, "critic_loss carries no gradient")
            step = np.zeros_like(table)
            np.add.at(step, probe.states, answer.gradients["values"] * len(probe.states))
            table = np.clip(table - 0.2 * step, -1e6, 1e6)
            error = float(np.abs(table - probe.values).max())
        learned = number == len(VALUE_PROBES) - 1 or not error <= 1e-3
        # until the last probe is learned, the largest error is that of a value that is not
        attempt.point(number * PROBE_UPDATES + updates, -error if learned else attempt.goal.null)
        if not error <= 1e-3:
            raise attempt.not_learned(-error)


@check(
    "learns CartPole: a mean return of 195 over 100 fresh episodes",
    needs="error_of_a_step",
    weight=2,
)
@training(
    goal=195.0,
    null=22.0,
    unit="mean return",
    budget=300_000,
    alive_by=(150_000, 60.0),
    likely={
        "flat": "an actor's loss whose gradient has the wrong sign, or does not depend on the "
        "advantages",
        "worse": "an actor's loss of the wrong sign",
        "collapse": "a critic's loss of the wrong sign, or TD errors without a bootstrap",
        "slow": "TD errors that ignore `terminated`, or advantages that are plain values",
    },
)
def learns_cartpole(submission, attempt):
    from rlgrade.trainer.actor_critic import CartPoleActorCritic
    from rlgrade.trainer.remote import as_array, remote_loss

    learner = CartPoleActorCritic(attempt)
    while learner.has_steps_left:
        seen = learner.roll_out()
        for _ in range(4):
            targets = submission.td_targets(
                seen.rewards, learner.values(seen.following), seen.terminated, discount=0.98
            )
            expect_shape("targets", targets, seen.rewards.shape)
            values = learner.values_with_graph(seen)
            learner.improve_critic(
                remote_loss(submission.critic_loss, {"values": values}, targets=targets)
            )
        errors = submission.td_errors(
            seen.rewards,
            learner.values(seen.observations),
            learner.values(seen.following),
            seen.terminated,
            discount=0.98,
        )
        expect_shape("td_errors", errors, seen.rewards.shape)
        log_probs = learner.log_probs_with_graph(seen)
        scaled = errors / (errors.std() + 1e-6)
        learner.improve_actor(
            remote_loss(
                submission.actor_loss, {"log_probs": log_probs}, advantages=as_array(scaled)
            )
        )
        if learner.evaluate() >= attempt.goal.score:
            return
    raise attempt.not_learned(learner.poles.mean_return)
