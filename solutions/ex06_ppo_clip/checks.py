"""The promises of ex06_ppo_clip: the ratio, the six cases of the clip, the mean, then the rest.

The oracle has no minimum and no maximum in it. It asks of each entry whether it has passed the
edge of the clip that its advantage points to, and says from a table what follows. What is drawn is
what the functions are called with; no ratio and no value lies on an edge.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from rlgrade.author import (
    Array,
    Draw,
    Generator,
    Strategy,
    check,
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
    strategy,
    tensors,
)

GARBAGE = (20.0, -20.0, 0.0, 12.0)  # far off, yet no ratio of two of them overflows
SHAPES = one_of((1,), (3,), (2, 3), (4, 2))
TABLES = one_of((2, 3), (3, 2), (3, 4))
EPSILONS = one_of(0.2, 0.1, 0.3, 0.25)
WIDE_TOO = one_of(0.2, 0.1, 0.3, 0.25, 1.0, 1.5)  # from 1 on there is nothing below the clip
DYADIC = one_of(0.25, 0.125)  # float32 holds them, so only the data can lose digits
ZONES = ("inside", "below", "above")
CASES = {  # the branch that is active, and whether its gradient is zero
    (1, "inside"): ("unclipped", False),
    (1, "below"): ("unclipped", False),
    (1, "above"): ("clipped", True),
    (-1, "inside"): ("unclipped", False),
    (-1, "below"): ("clipped", True),
    (-1, "above"): ("unclipped", False),
}
ARGUMENTS = {
    "probability_ratio": ("log_probs", "old_log_probs"),
    "ppo_clip_loss": ("log_probs", "old_log_probs", "advantages", "mask"),
    "clip_fraction": ("ratio", "mask"),
    "approximate_kl": ("log_probs", "old_log_probs", "mask"),
    "clipped_value_loss": ("values", "old_values", "returns", "mask"),
}
OPTIONS = {
    "probability_ratio": (),
    "ppo_clip_loss": ("epsilon",),
    "clip_fraction": ("epsilon",),
    "approximate_kl": (),
    "clipped_value_loss": ("epsilon",),
}


# What is drawn


@dataclass(frozen=True)
class Update:
    """What ppo_clip_loss is called with: four times [N] or [B, T]."""

    log_probs: Array
    old_log_probs: Array
    advantages: Array
    mask: Array
    epsilon: float

    @property
    def log_ratio(self) -> Array:
        """log r in float64; 0 where nothing counts."""
        difference = self.log_probs.astype("float64") - self.old_log_probs
        return np.where(self.mask, difference, 0.0)

    def arguments(self) -> dict[str, Any]:
        """What a policy loss is called with."""
        return dict(vars(self))


@dataclass(frozen=True)
class JointUpdate(Update):
    """The same with log-probs [N, D] or [B, T, D], for actions of D components."""

    @property
    def log_ratio(self) -> Array:
        """log r of whole actions."""
        difference = self.log_probs.astype("float64") - self.old_log_probs
        return np.where(self.mask, difference.sum(axis=-1), 0.0)

    def arguments(self) -> dict[str, Any]:
        """The same, and that the actions have components."""
        return super().arguments() | {"joint": True}


@dataclass(frozen=True)
class Predictions:
    """What clipped_value_loss is called with: four times [N] or [B, T]."""

    values: Array
    old_values: Array
    returns: Array
    mask: Array
    epsilon: float


@dataclass(frozen=True)
class Batch:
    """What all functions of tensors are called with, with one mask and one epsilon."""

    log_probs: Array
    old_log_probs: Array
    advantages: Array
    values: Array
    old_values: Array
    returns: Array
    mask: Array
    epsilon: float

    @property
    def update(self) -> Update:
        """The policy's part."""
        return Update(**{name: getattr(self, name) for name in names_of(Update)})

    @property
    def predictions(self) -> Predictions:
        """The critic's part."""
        return Predictions(**{name: getattr(self, name) for name in names_of(Predictions)})


@dataclass(frozen=True)
class ClipCase:
    """What clip_case is called with."""

    advantage: float
    ratio: float
    epsilon: float

    @property
    def zone(self) -> str:
        """Where the ratio lies."""
        if abs(self.ratio - 1) < self.epsilon:
            return "inside"
        return "above" if self.ratio > 1 else "below"


@dataclass(frozen=True)
class Probabilities:
    """Probabilities of the same actions under two policies; their logarithms are passed on."""

    new: Array
    old: Array


@dataclass(frozen=True)
class Policies:
    """How often the old policy took each action, its probabilities to a factor, and a new one."""

    times_taken: Array
    new_weights: Array


@dataclass(frozen=True)
class Misfit:
    """One argument of a function has another shape than it should."""

    function: str
    argument: str
    joint: bool
    shape: tuple[int, ...]
    shape_of_the_others: tuple[int, ...]


def log_ratios(zone: str, epsilon: float) -> list[float]:
    """Log-ratios in a zone of the clip, round where they can be, none on its edge.

    Two lie between log(1 +- epsilon) and +-epsilon, so that r and log r cannot be confused. With an
    epsilon of 1 or more the small ratios that would else lie below lie inside.
    """
    low, high = float(np.log(max(1 - epsilon, 0.01))), float(np.log(1 + epsilon))
    return {
        "inside": [
            round(high / 2, 2),
            round(low / 2, 2),
            round(high * 0.9, 2),
            (low - epsilon) / 2,
        ],
        "below": [-0.69, -0.41, -1.1, -2.3],
        "above": [x for x in (0.69, 0.41, 1.1, (high + epsilon) / 2, 2.3) if x > high],
        "far above": [1.61, 2.3, 3.0, 4.09],
        "far below": [-1.61, -2.3, -3.0, -4.09],
        "out of sight": [25.0, 30.0, 45.0, 60.0],
    }[zone]


@strategy
def updates(
    draw: Draw,
    zones: tuple[str, ...] = ZONES,
    sign: int = 0,
    shapes: Strategy[tuple[int, ...]] = SHAPES,
    epsilons: Strategy[float] = EPSILONS,
) -> Update:
    """Updates of which every entry counts and every ratio lies in one of the zones.

    `sign` is that of all advantages; 0 draws the sign of each.
    """
    shape, epsilon = draw(shapes), draw(epsilons)
    choices = np.array([x for zone in zones for x in log_ratios(zone, epsilon)])
    moves = choices[draw(integer_tensors(*shape, low=0, high=len(choices) - 1))]
    old_log_probs = draw(integer_tensors(*shape, low=5, high=16)) / -4
    sizes = draw(integer_tensors(*shape, low=2, high=12)) / 4
    signs = 1 - 2 * draw(integer_tensors(*shape, low=0, high=1)) if sign == 0 else sign
    return Update(
        (old_log_probs + moves).astype("float32"),
        old_log_probs.astype("float32"),
        (signs * sizes).astype("float32"),
        np.ones(shape, bool),
        epsilon,
    )


def one_sided(
    *directions: tuple[int, str], epsilons: Strategy[float] = EPSILONS
) -> Strategy[Update]:
    """Updates in which all advantages have one sign and all ratios lie in one zone."""
    kinds = [updates((zone,), sign, epsilons=epsilons) for sign, zone in directions]
    index = integers(0, len(kinds) - 1)
    return Strategy(lambda source: kinds[index.draw(source)].draw(source))


@strategy
def unequal_rows(draw: Draw, length: int) -> Array:
    """bool [B, T]: every row has True up to a length of its own, which may be 0."""
    lengths = draw(permutations(length + 1))[: draw(integers(2, 3))]
    return np.asarray(np.arange(length) < lengths[:, None])


@strategy
def ragged_updates(draw: Draw) -> Update:
    """Updates [B, T] whose rows have different lengths, one of them perhaps none."""
    mask = draw(unequal_rows(draw(integers(4, 5))))
    return replace(draw(updates(shapes=one_of(mask.shape))), mask=mask)


@strategy
def masked_updates(draw: Draw) -> Update:
    """Updates [B, T] with any mask, their tensors not contiguous in memory."""
    update = draw(updates(shapes=TABLES))
    return with_gaps(replace(update, mask=draw(masks(*update.mask.shape))))


@strategy
def joint_updates(draw: Draw) -> JointUpdate:
    """Updates whose actions have components; alone, these would often lie in another zone.

    Some have ratios too large or too small for float32, whose product is neither. All numbers are
    multiples of 1/1024, so that float32 adds them without rounding.
    """
    shape, components = draw(one_of(((3,), 2), ((4,), 3), ((2, 3), 4), ((3, 2), 4)))
    update = draw(updates(shapes=one_of(shape)))
    whole = update.log_ratio
    parts = draw(integer_tensors(*whole.shape, components - 1, low=-6, high=6)) / 8
    parts += draw(one_of(0, 100)) * (1 - 2 * (np.arange(components - 1) % 2))
    last = np.round(1024 * (whole - parts.sum(axis=-1))) / 1024
    moves = np.concatenate([parts, last[..., None]], axis=-1)
    old_log_probs = draw(integer_tensors(*moves.shape, low=5, high=12)) / -4
    mask = draw(masks(*whole.shape))
    new, old = (old_log_probs + moves).astype("float32"), old_log_probs.astype("float32")
    return JointUpdate(new, old, update.advantages, mask, update.epsilon)


@strategy
def some_without_advantage(draw: Draw) -> Update:
    """Updates of several entries, of which the first has the advantage 0."""
    update = draw(updates(shapes=one_of((2,), (3,), (2, 3))))
    advantages = update.advantages.copy()
    advantages[..., 0] = 0.0
    return replace(update, advantages=advantages)


@strategy
def predictions(
    draw: Draw,
    cases: tuple[str, ...] = ("inside", "ahead", "behind", "between"),
    shapes: Strategy[tuple[int, ...]] = SHAPES,
    epsilons: Strategy[float] = one_of(0.5, 0.2, 1.0, 0.25, 1.5),  # noqa: B008
) -> Predictions:
    """Predictions of which every entry counts and is one of the cases.

    inside: the value has moved by less than epsilon. Otherwise it has moved by more, and the
    return lies further on ("ahead"), back where it came from ("behind"), or between the edge of
    the clip and the value ("between").
    """
    shape, epsilon = draw(shapes), draw(epsilons)
    old_values = draw(tensors(*shape, low=-3, high=3))
    direction = 1 - 2 * draw(integer_tensors(*shape, low=0, high=1))
    which = draw(integer_tensors(*shape, low=0, high=len(cases) - 1))
    amount = np.array([0.5, 0.75, 1.0, 2.0])[draw(integer_tensors(*shape, low=0, high=3))]
    share = np.array([0.25, 0.75])[draw(integer_tensors(*shape, low=0, high=1))]
    move, offset = np.zeros(shape), np.zeros(shape)
    for number, case in enumerate(cases):
        moved, wanted = {
            "inside": (epsilon * share, np.where(share < 0.5, amount, -amount)),
            "ahead": (epsilon + amount, epsilon + 2 * amount),
            "behind": (epsilon + amount, -amount),
            "between": (epsilon + amount, epsilon + share * amount),
        }[case]
        move = np.where(which == number, moved, move)
        offset = np.where(which == number, wanted, offset)
    return Predictions(
        (old_values + direction * move).astype("float32"),
        old_values,
        (old_values + direction * offset).astype("float32"),
        np.ones(shape, bool),
        epsilon,
    )


@strategy
def masked_predictions(draw: Draw) -> Predictions:
    """Predictions [B, T] with any mask, or with rows of different lengths."""
    mask = draw(unequal_rows(draw(integers(4, 5))))
    if draw(one_of(True, False)):
        mask = draw(masks(*mask.shape))
    return with_gaps(replace(draw(predictions(shapes=one_of(mask.shape))), mask=mask))


@strategy
def batches(draw: Draw, epsilons: Strategy[float] = EPSILONS) -> Batch:
    """Batches of which every entry counts."""
    shape, epsilon = draw(SHAPES), draw(epsilons)
    same: dict[str, Any] = {"shapes": one_of(shape), "epsilons": one_of(epsilon)}
    return Batch(**vars(draw(updates(**same))) | vars(draw(predictions(**same))))


@strategy
def littered_batches(draw: Draw) -> Batch:
    """Batches [B, T] with garbage under the mask."""
    mask = draw(unequal_rows(draw(integers(4, 5))))
    same = {"shapes": one_of(mask.shape), "epsilons": EPSILONS}
    batch = Batch(**vars(draw(predictions(**same))) | vars(draw(updates(**same))))
    litter = draw(integer_tensors(*mask.shape, low=0, high=len(GARBAGE) - 1))
    changed: dict[str, Array] = {}
    for number, (name, value) in enumerate(vars(batch).items()):
        if name not in ("mask", "epsilon"):
            garbage = np.array(GARBAGE, "float32")[(litter + number) % len(GARBAGE)]
            changed[name] = np.where(mask, value, garbage)
    return replace(batch, **changed, mask=mask)


def names_of(kind: type) -> list[str]:
    """The names of a dataclass's fields."""
    return [field.name for field in fields(kind)]


def with_gaps(case: Any) -> Any:
    """The same, with tensors that are not contiguous in memory."""
    gaps = {
        name: np.asfortranarray(value) if isinstance(value, np.ndarray) else value
        for name, value in vars(case).items()
    }
    return replace(case, **gaps)


def crooked(case: Any) -> Any:
    """The same in float64, with numbers that float32 cannot hold."""
    exact = {
        name: np.asarray(value, "float64") + 1e-5 / 3
        for name, value in vars(case).items()
        if name not in ("mask", "epsilon")
    }
    return replace(case, **exact)


@strategy
def clip_cases(draw: Draw, advantages: tuple[float, ...]) -> ClipCase:
    """One of the advantages, and a ratio in any zone, also just inside or outside the clip."""
    epsilon = draw(WIDE_TOO)
    zone = draw(one_of(*ZONES, "far above", "far below", "at the edge"))
    if zone == "at the edge":
        edge = draw(one_of(1 + epsilon, 1 - epsilon) if epsilon < 1 else one_of(1 + epsilon))
        ratio = round(edge + draw(one_of(0.001, -0.001)), 3)
    else:
        ratio = round(float(np.exp(draw(one_of(*log_ratios(zone, epsilon))))), 3)
    return ClipCase(draw(one_of(*advantages)), ratio, epsilon)


@strategy
def probabilities(draw: Draw) -> Probabilities:
    """Two tensors of probabilities, none equal to its partner."""
    shape = draw(SHAPES)
    first = draw(integer_tensors(*shape, low=1, high=15))
    step = draw(integer_tensors(*shape, low=1, high=14))
    second = (first + step - 1) % 15 + 1
    return Probabilities(first / 16, second / 16)


@strategy
def policies(draw: Draw) -> Policies:
    """Two policies that differ."""
    actions = draw(integers(2, 4))
    counts = draw(integer_tensors(actions, low=1, high=5))
    weights = draw(integer_tensors(actions, low=1, high=5))
    weights[0] += 3 * counts[0]  # the first action has become likelier, whatever was drawn
    return Policies(counts, weights)


@strategy
def misfits(draw: Draw) -> Misfit:
    """Misfits, most of which broadcasting or indexing would let through."""
    names = [(function, name) for function, (_, *rest) in ARGUMENTS.items() for name in rest]
    names += [(function, name) for function, name in names if name == "mask"]
    function, argument = draw(one_of(*names))
    b, t = draw(one_of((2, 3), (4, 2)))
    joint = "log_probs" in ARGUMENTS[function] and draw(one_of(False, True))
    others = (b, t, 5) if joint else (b, t)
    wrong = [(b,), (t,), (b, 1), (1, t), (b, t + 1), (b, t, 5), ()]
    wrong += 2 * [(t, b), (b, t, 1), (b * t,)]  # as many entries as there should be
    if joint and argument == "old_log_probs":
        wrong = [(b, t), (b, t, 1), (1, t, 5), (b, t, 6), (t, 5), (t, b, 5), (b * t, 5)]
    return Misfit(function, argument, joint, draw(one_of(*wrong)), others)


# What is right


def true_ratio(update: Update) -> Array:
    """r in float64; 1 where nothing counts."""
    return np.asarray(np.exp(update.log_ratio))


def true_policy_loss(update: Update) -> tuple[float, Array, float]:
    """The loss, its gradient for whole actions, and the size of the largest entry.

    Each entry is judged by the one edge of the clip that its advantage points to.
    """
    ratio = true_ratio(update)
    advantages = np.where(update.mask, update.advantages.astype("float64"), 0.0)
    edge = np.where(advantages > 0, 1 + update.epsilon, 1 - update.epsilon)
    past = np.where(advantages > 0, ratio > edge, ratio < edge)
    objective = np.where(past, edge, ratio) * advantages
    counted = max(int(update.mask.sum()), 1)
    gradient = np.where(past, 0.0, -ratio * advantages) / counted
    return -objective.sum() / counted, gradient, float(np.abs(objective).max())


def true_value_loss(case: Predictions) -> tuple[float, Array, float]:
    """The loss, its gradient, and the size of the largest entry.

    A move beyond epsilon is judged by which of the two, the value and the edge, is nearer to the
    return.
    """
    values, old_values, returns = (
        np.where(case.mask, array.astype("float64"), 0.0)
        for array in (case.values, case.old_values, case.returns)
    )
    move = values - old_values
    edge = old_values + np.sign(move) * case.epsilon
    nearer = np.sign(move) * (values + edge - 2 * returns) < 0
    past = (np.abs(move) > case.epsilon) & nearer
    errors = np.where(past, edge, values) - returns
    counted = max(int(case.mask.sum()), 1)
    gradient = np.where(past, 0.0, errors) / counted
    return 0.5 * (errors**2).sum() / counted, gradient, float((errors**2).max())


def true_kl(update: Update) -> float:
    """The mean of (r - 1) - log r over counted entries."""
    entries = true_ratio(update) - 1 - update.log_ratio
    return float(entries.sum() / max(int(update.mask.sum()), 1))


def true_share(update: Update) -> float:
    """The share of counted entries outside the clip."""
    ratio = true_ratio(update)
    outside = (ratio < 1 - update.epsilon) | (ratio > 1 + update.epsilon)
    return float((outside & update.mask).sum() / max(int(update.mask.sum()), 1))


# Calls


def expect_loss(
    function: Any, wrt: str, arguments: dict[str, Any], truth: tuple[float, Array, float]
) -> None:
    """The function gives this loss and this gradient with respect to the argument `wrt`."""
    loss, gradient, scale = truth
    answer = function.gradients(wrt, **arguments)
    expect_close("loss", answer.value, loss, scale=scale)
    expect(
        answer.carries_gradient,
        f"the loss should lead back to {wrt}, also where the gradient is 0: "
        "backward() fails on yours",
    )
    found = answer.gradients[wrt]
    if found is None:  # nothing flows
        found = np.zeros(gradient.shape)
    expect_close(f"gradient of {wrt}", found, gradient, scale=scale / gradient.size)


def expect_policy_loss(submission: Any, update: Update) -> None:
    """The policy loss and its gradient are right."""
    loss, gradient, scale = true_policy_loss(update)
    if isinstance(update, JointUpdate):
        gradient = np.repeat(gradient[..., None], update.log_probs.shape[-1], axis=-1)
    truth = (loss, gradient, scale)
    expect_loss(submission.ppo_clip_loss, "log_probs", update.arguments(), truth)


def expect_value_loss(submission: Any, case: Predictions) -> None:
    """The value loss and its gradient are right."""
    expect_loss(submission.clipped_value_loss, "values", vars(case), true_value_loss(case))


def expect_case(submission: Any, case: ClipCase, branch: str, is_flat: bool) -> None:
    """clip_case gives this branch, and says this of its slope."""
    answer = submission.clip_case(case.advantage, case.ratio, epsilon=case.epsilon)
    expect(
        isinstance(answer, tuple) and len(answer) == 2,
        "clip_case should return a branch and whether its slope is 0, as a tuple",
    )
    expect_equal("the branch", answer[0], branch)
    expect_equal("whether the slope is 0", answer[1], is_flat)


def kl_of(submission: Any, update: Update) -> Any:
    """The submission's estimate, as a scalar."""
    kl = submission.approximate_kl(
        log_probs=update.log_probs, old_log_probs=update.old_log_probs, mask=update.mask
    )
    expect_shape("approximate_kl", kl, ())
    return kl


def finite_ratio(case: Update | Batch) -> Array:
    """The ratio in the dtype of the log-probs; a large number where it overflows."""
    log_ratio = np.clip(case.log_probs - case.old_log_probs, -14, 14)
    return np.asfortranarray(np.exp(log_ratio))


def share_of(submission: Any, update: Update) -> Any:
    """The submission's clip fraction, as a scalar, of the true ratio."""
    share = submission.clip_fraction(
        ratio=finite_ratio(update), mask=update.mask, epsilon=update.epsilon
    )
    expect_shape("clip_fraction", share, ())
    return share


def epoch(submission: Any, count: int, minibatch_size: int, generator: Any) -> list[Array]:
    """The minibatches of one epoch, each an int64 tensor with one axis."""
    minibatches = submission.minibatch_indices(count, minibatch_size, generator=generator)
    expect(
        isinstance(minibatches, (list, tuple)) and len(minibatches) > 0,
        "minibatch_indices should return a list of tensors",
    )
    for minibatch in minibatches:
        expect_dtype("a minibatch", minibatch, "int64")
        expect_shape("a minibatch", minibatch, (minibatch.size,))
    return list(minibatches)


def calls(submission: Any, batch: Batch) -> list[tuple[str, Any, dict[str, Any]]]:
    """Each function of tensors, by name, with what to call it with."""
    known = vars(batch) | {"ratio": finite_ratio(batch)}
    return [
        (name, getattr(submission, name), {key: known[key] for key in (*names, *OPTIONS[name])})
        for name, names in ARGUMENTS.items()
    ]


# The ratio


@check("divides the new probability of an action by the old one")
@given(probability=probabilities(), examples=30)
def divides_new_by_old(submission, probability):
    ratio = submission.probability_ratio(
        log_probs=np.log(probability.new).astype("float32"),
        old_log_probs=np.log(probability.old).astype("float32"),
    )
    expect_close("ratio", ratio, probability.new / probability.old)


@check("finds the ratio of actions whose probabilities are too small for float32")
@given(update=updates(), depth=one_of(150, 200, 400), examples=25)
def survives_unlikely_actions(submission, update, depth):
    new = np.round(4 * (update.log_probs - depth)) / 4
    old = update.old_log_probs - np.float32(depth)
    ratio = submission.probability_ratio(log_probs=new, old_log_probs=old)
    expect_close("ratio", ratio, np.exp(new.astype("float64") - old))


@check("differentiates the ratio with respect to the new policy alone")
@given(update=updates(), examples=25)
def differentiates_the_new_policy(submission, update):
    answer = submission.probability_ratio.gradients(
        "log_probs",
        "old_log_probs",
        cotangent=update.advantages,
        log_probs=update.log_probs,
        old_log_probs=update.old_log_probs,
    )
    found = answer.gradients["log_probs"]
    expected = true_ratio(update) * update.advantages
    expect_close("gradient of log_probs", np.zeros(1) if found is None else found, expected)
    expect_no_gradient("old_log_probs", answer.gradients["old_log_probs"])


@check("takes the components of one action together", needs="divides_new_by_old")
@given(update=joint_updates(), examples=25)
def multiplies_components(submission, update):
    everywhere = replace(update, mask=update.mask | True)
    answer = submission.probability_ratio.gradients(
        "old_log_probs",
        log_probs=update.log_probs,
        old_log_probs=update.old_log_probs,
        joint=True,
    )
    expect_close("ratio", answer.value, true_ratio(everywhere))
    expect_no_gradient("old_log_probs", answer.gradients["old_log_probs"])


# The clip


@check("has the policy gradient where the policy has not moved yet")
@given(update=updates(("inside",)), examples=25)
def is_the_policy_gradient_at_first(submission, update):
    expect_policy_loss(submission, replace(update, log_probs=update.old_log_probs))


@check("follows the ratio inside the clip")
@given(update=one_sided((1, "inside"), (-1, "inside"), epsilons=WIDE_TOO), examples=25)
def follows_the_ratio_inside(submission, update):
    expect_policy_loss(submission, update)


@check("stops where a good action is likely enough, or a bad one unlikely enough")
@given(update=one_sided((1, "above"), (-1, "below")), examples=25)
def stops_past_the_clip(submission, update):
    expect_policy_loss(submission, update)


@check("pulls back where a good action has become unlikely, or a bad one likely")
@given(update=one_sided((1, "below"), (-1, "above")), examples=25)
def pulls_back(submission, update):
    expect_policy_loss(submission, update)


@check("pushes with the whole ratio against a bad action that is many times likelier")
@given(update=one_sided((-1, "far above")), examples=20)
def pushes_against_a_bad_action(submission, update):
    expect_policy_loss(submission, update)


@check("bounds no ratio, however large it is", needs="pushes_against_a_bad_action")
@given(update=updates(("out of sight",), -1), examples=8)
def bounds_no_ratio(submission, update):
    logs = {"log_probs": update.log_probs, "old_log_probs": update.old_log_probs}
    answer = submission.probability_ratio.gradients("log_probs", **logs)
    expect_close("ratio", answer.value, true_ratio(update))
    expect_close("gradient of log_probs", answer.gradients["log_probs"], true_ratio(update))
    expect_policy_loss(submission, update)
    back = replace(update, log_probs=update.old_log_probs, old_log_probs=update.log_probs)
    for direction in (update, back):
        expect_close("approximate_kl", kl_of(submission, direction), true_kl(direction))


@check("decides for each entry by itself")
@given(update=updates(shapes=one_of((2,), (5,), (2, 3), (4, 2)), epsilons=WIDE_TOO), examples=30)
def decides_for_each_entry(submission, update):
    expect_policy_loss(submission, update)


@check("averages over all counted entries alike, however long their rows are")
@given(update=ragged_updates(), examples=30)
def averages_counted_entries(submission, update):
    expect_policy_loss(submission, update)


@check("is right under any mask, also for tensors with gaps in memory")
@given(update=masked_updates(), examples=16)
def is_right_under_any_mask(submission, update):
    expect_policy_loss(submission, update)
    expect_close("approximate_kl", kl_of(submission, update), true_kl(update))
    expect_close("clip_fraction", share_of(submission, update), true_share(update))


@check("counts entries with the advantage 0, which add nothing")
@given(update=some_without_advantage(), examples=20)
def counts_zero_advantages(submission, update):
    expect_policy_loss(submission, update)


@check("clips the ratio of the whole action, not of its components", needs="multiplies_components")
@given(update=joint_updates(), examples=20)
def clips_whole_actions(submission, update):
    expect_policy_loss(submission, update)
    arguments = update.arguments()
    loss = submission.ppo_clip_loss.gradients("old_log_probs", **arguments)
    expect_no_gradient("old_log_probs", loss.gradients["old_log_probs"])
    del arguments["advantages"], arguments["epsilon"]
    kl = submission.approximate_kl.gradients("log_probs", **arguments)
    expect_close("approximate_kl", kl.value, true_kl(update))
    expect(not kl.carries_gradient, "the result of approximate_kl should be detached")


@check("names the active branch, and whether it teaches nothing")
@given(case=clip_cases((1.0, -1.0, 0.5, 1e-9, -1e-9, 3.0, -3.0, -0.02)), examples=80)
def names_the_case(submission, case):
    expect_case(submission, case, *CASES[int(np.sign(case.advantage)), case.zone])


@check("says of an advantage of 0 that it teaches nothing")
@given(case=clip_cases((0.0,)), examples=20)
def nothing_to_learn_from_zero(submission, case):
    expect_case(submission, case, "unclipped", True)


# The diagnostics


@check("counts the ratios that are outside the clip on either side")
@given(update=updates(shapes=one_of((1,), (3,), (5,), (2, 3)), epsilons=WIDE_TOO), examples=30)
def counts_both_sides(submission, update):
    expect_close("clip_fraction", share_of(submission, update), true_share(update))


@check("estimates KL(pi_old || pi), in this direction")
@given(policy=policies(), examples=30)
def estimates_the_kl(submission, policy):
    old = policy.times_taken / policy.times_taken.sum()
    new = policy.new_weights / policy.new_weights.sum()
    actions = np.repeat(np.arange(len(old)), policy.times_taken)
    kl = submission.approximate_kl(
        log_probs=np.log(new[actions]).astype("float32"),
        old_log_probs=np.log(old[actions]).astype("float32"),
        mask=np.ones(len(actions), bool),
    )
    expect_close("approximate_kl", kl, float((old * np.log(old / new)).sum()))


@check("adds (r - 1) - log r for each action, so that no entry is negative")
@given(update=updates(), examples=30)
def every_entry_is_positive(submission, update):
    expect_close("approximate_kl", kl_of(submission, update), true_kl(update))


# The critic


@check("is half the squared error while a value has moved by less than epsilon")
@given(case=predictions(("inside",)), examples=20)
def is_a_squared_error_inside(submission, case):
    expect_value_loss(submission, case)


@check("pays nothing more for a value that has moved further than epsilon to its return")
@given(case=predictions(("ahead",)), examples=20)
def stops_paying_the_critic(submission, case):
    expect_value_loss(submission, case)


@check("pulls a value back that has moved further than epsilon the wrong way")
@given(case=predictions(("behind",)), examples=20)
def pulls_the_critic_back(submission, case):
    expect_value_loss(submission, case)


@check("takes the larger of the two errors of each value by itself, and averages counted ones")
@given(case=masked_predictions(), examples=25)
def judges_each_value(submission, case):
    expect_value_loss(submission, case)


# Masks and gradients


@check("is not touched by what stands under the mask")
@given(batch=littered_batches(), examples=15)
def ignores_what_is_masked(submission, batch):
    expect_policy_loss(submission, batch.update)
    expect_close("approximate_kl", kl_of(submission, batch.update), true_kl(batch.update))
    expect_close("clip_fraction", share_of(submission, batch.update), true_share(batch.update))
    expect_value_loss(submission, batch.predictions)


@check("gives 0, with a gradient of 0, where nothing counts")
@given(batch=batches().map(lambda b: replace(b, mask=b.mask & False)), examples=5)
def gives_zero_for_nothing(submission, batch):
    expect_policy_loss(submission, batch.update)
    expect_close("approximate_kl", kl_of(submission, batch.update), 0.0)
    expect_close("clip_fraction", share_of(submission, batch.update), 0.0)
    expect_value_loss(submission, batch.predictions)


@check("sends gradient to the new policy and the new values alone")
@given(batch=batches(), examples=10)
def detaches(submission, batch):
    for name, function, arguments in calls(submission, batch):
        sources = [argument for argument in ARGUMENTS[name] if argument != "mask"]
        answer = function.gradients(*sources, **arguments)
        for source in sources:
            if source not in ("log_probs", "values"):
                expect_no_gradient(f"the {source} of {name}", answer.gradients[source])
        if name in ("clip_fraction", "approximate_kl"):
            expect(not answer.carries_gradient, f"the result of {name} should be detached")


# Minibatches


@check("deals every index exactly once, in minibatches of which only the last may be smaller")
@given(count=integers(1, 13), minibatch_size=integers(1, 16), seed=integers(0, 999), examples=50)
def deals_every_index_once(submission, count, minibatch_size, seed):
    minibatches = epoch(submission, count, minibatch_size, Generator(seed))
    sizes = [minibatch.size for minibatch in minibatches]
    whole, rest = divmod(count, minibatch_size)
    wanted = [minibatch_size] * whole + [rest] * (rest > 0)
    expect(
        sizes == wanted,
        f"{count} indices should come in minibatches of {wanted}; yours are of {sizes}",
        "the sizes",
    )
    expect_equal("all indices, sorted", np.sort(np.concatenate(minibatches)), np.arange(count))


@check("shuffles, so that neighbours meet in a minibatch no more often than others")
@given(first_seed=integers(0, 10**6), examples=2)
def shuffles(submission, first_seed):
    count, size, epochs = 24, 4, 40
    met = 0
    for seed in range(first_seed, first_seed + epochs):
        minibatches = epoch(submission, count, size, Generator(seed))
        expect(len(minibatches) == count // size, "24 indices make 6 minibatches of 4")
        home = np.argsort(np.concatenate(minibatches), kind="stable") // size
        met += int((home[1:] == home[:-1]).sum())
    # 23 pairs of neighbours meet with probability 3/23: 120 in 40 epochs, 10 more or less
    expect(met < 190, f"neighbours met {met} times in 40 epochs; by chance it is about 120")
    expect(met > 50, f"neighbours met {met} times in 40 epochs; by chance it is about 120")


@check("deals in every order alike, which is more than shuffling", needs="shuffles")
@given(seed=integers(0, 10**6), examples=1)
def every_order_is_as_likely(submission, seed):
    count, epochs = 4096, 3
    generator = submission.tools.attribute(Generator(seed), "manual_seed")(seed)
    drifts, cycles = np.zeros(4), 0
    for _ in range(epochs):
        order = np.concatenate(epoch(submission, count, 1024, generator))
        expect_equal("all indices, sorted", np.sort(order), np.arange(count))
        drifts += drifts_of_swaps(order)
        cycles += cycles_of(order)
    # each drift is 0, give or take 1; three runs of careless swaps come to 13
    expect(
        float(np.abs(drifts).max()) / np.sqrt(epochs) < 6.5,
        "some orders come more often than others: an index lands near certain places too often",
    )
    # 27 cycles, give or take 4.7; fewer than 6 once in 10^9
    expect(
        cycles > 5,
        f"{epochs} orders of {count} indices have {cycles} cycles; by chance they have about 27",
    )


def drifts_of_swaps(order: Array) -> Array:
    """How much an order looks like careless swaps, in standard deviations.

    Who swaps each index in turn with any other, not with one of those that are left, gets some
    orders more often than others. The four numbers are for swaps upwards and downwards, of the
    order and of its inverse.
    """
    cells = 64
    spread = np.eye(cells)  # where an index is that began at each place, in cells
    for k in range(cells):
        spread = spread * (1 - 1 / cells) + spread[:, [k]] / cells
        spread[:, k] = 1 / cells
    bias = spread - 1 / cells
    begin = np.arange(len(order)) * cells // len(order)
    end = order * cells // len(order)
    deviation = np.sqrt(np.square(bias).mean() * len(order))
    pairs = [(begin, end), (end, begin), (~begin, ~end), (~end, ~begin)]
    return np.array([bias[pair].sum() for pair in pairs]) / deviation


def cycles_of(order: Array) -> int:
    """Into how many cycles a permutation falls."""
    left = set(order.tolist())
    count = 0
    while left:
        count += 1
        at = next(iter(left))
        while at in left:
            left.remove(at)
            at = int(order[at])
    return count


@check("gives each epoch another order, and the same epochs for the same seed")
@given(seed=integers(0, 10**6), examples=6)
def shuffles_anew(submission, seed):
    generator = submission.tools.attribute(Generator(seed), "manual_seed")(seed)
    first, second = (np.concatenate(epoch(submission, 30, 7, generator)) for _ in range(2))
    again = np.concatenate(epoch(submission, 30, 7, Generator(seed)))
    expect(bool((first != second).any()), "the second epoch should have an order of its own")
    expect_equal("the first epoch with the same seed", again, first)


@check("refuses to deal no indices, or minibatches of none")
@given(count=integers(1, 5), wrong=one_of(0, -1, -4), which=one_of(0, 1), examples=20)
def refuses_empty_minibatches(submission, count, wrong, which):
    name, sizes = [("count", (wrong, count)), ("minibatch_size", (count, wrong))][which]
    with expect_raises(ValueError, naming=name):
        submission.minibatch_indices(*sizes, generator=Generator(0))


# Tensors


@check("answers float64 with float64, to all its digits")
@given(batch=batches(epsilons=DYADIC).map(crooked), examples=10)
def float64_stays(submission, batch):
    truths = {
        "probability_ratio": true_ratio(batch.update),
        "ppo_clip_loss": true_policy_loss(batch.update)[0],
        "clip_fraction": true_share(batch.update),
        "approximate_kl": true_kl(batch.update),
        "clipped_value_loss": true_value_loss(batch.predictions)[0],
    }
    answers = [(name, f(**arguments)) for name, f, arguments in calls(submission, batch)]
    nothing = replace(batch, mask=batch.mask & False)
    zeros = [(name, f(**arguments)) for name, f, arguments in calls(submission, nothing)]
    for name, answer in answers:
        expect_dtype(name, answer, "float64")
        expect_close(name, answer, truths[name], rtol=1e-9, atol=1e-9)
    for name, zero in zeros:
        expect_dtype(f"{name} where nothing counts", zero, "float64")


@check("leaves its inputs as they were")
@given(batch=littered_batches(), examples=8)
def inputs_stay(submission, batch):
    for name, function, arguments in calls(submission, batch):
        _, after = function.arguments_after(**arguments)
        for argument in ARGUMENTS[name]:
            expect_equal(f"the {argument} given to {name}", after[argument], arguments[argument])


@check("refuses an argument of another shape with a ValueError that names it")
@given(misfit=misfits(), examples=100)
def shapes_are_checked(submission, misfit):
    shapes = dict.fromkeys(ARGUMENTS[misfit.function], misfit.shape_of_the_others)
    if misfit.joint:
        entries = misfit.shape_of_the_others[:-1]
        shapes |= {name: entries for name in ("advantages", "mask") if name in shapes}
    shapes[misfit.argument] = misfit.shape
    arguments: dict[str, Any] = {
        name: np.ones(shape, bool if name == "mask" else np.float32)
        for name, shape in shapes.items()
    }
    if misfit.joint:
        arguments["joint"] = True
    if "epsilon" in OPTIONS[misfit.function]:
        arguments["epsilon"] = 0.25
    with expect_raises(ValueError, naming=misfit.argument):
        getattr(submission, misfit.function)(**arguments)
