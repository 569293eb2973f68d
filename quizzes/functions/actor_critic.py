"""Reference numbers for the items on actor-critic methods; conventions of exercise 4, no torch."""

from __future__ import annotations

import math


def td_target(reward: float, next_value: float, discount: float, ended: str) -> float:
    """r + discount V(s'), the second term only where the step did not terminate."""
    return reward + discount * next_value * (ended != "terminated")


def td_error(reward: float, value: float, next_value: float, discount: float, ended: str) -> float:
    """The target less V(s)."""
    return td_target(reward, next_value, discount, ended) - value


def opposite_cut(
    reward: float, value: float, next_value: float, discount: float, ended: str
) -> float:
    """A bootstrap past a terminal state, or none at a step that goes on."""
    return reward + discount * next_value * (ended == "terminated") - value


def undiscounted_or_reward(
    reward: float, value: float, next_value: float, discount: float, ended: str
) -> float:
    """The discount forgotten; after a terminal step, V(s) forgotten."""
    if ended == "terminated":
        return reward
    return reward + next_value - value


def td_weak(
    answer: float, reward: float, value: float, next_value: float, discount: float, ended: str
) -> bool:
    """Whether a slip would give nearly the same TD error."""
    slips = (opposite_cut, undiscounted_or_reward)
    found = [slip(reward, value, next_value, discount, ended) for slip in slips]
    return any(abs(answer - other) < 0.05 for other in found)


def semi_gradient(
    weight: float, feature: float, next_feature: float, reward: float, discount: float
) -> float:
    """d/dw of 1/2 (V - target)^2 with the target held fixed, V(s) = w * feature."""
    delta = reward + discount * weight * next_feature - weight * feature
    return -delta * feature


def residual_gradient(
    weight: float, feature: float, next_feature: float, reward: float, discount: float
) -> float:
    """The same with the target differentiated too."""
    delta = reward + discount * weight * next_feature - weight * feature
    return -delta * (feature - discount * next_feature)


def negated_semi_gradient(
    weight: float, feature: float, next_feature: float, reward: float, discount: float
) -> float:
    """The direction of the update, not of the loss."""
    return -semi_gradient(weight, feature, next_feature, reward, discount)


def close(answer: float, least: float) -> bool:
    """Whether the answer is too near to zero to tell slips apart."""
    return abs(answer) < least


def explained_variance(returns: list[float], values: list[float]) -> float:
    """1 - Var(returns - values) / Var(returns); nan where the returns do not vary."""
    if variance(returns) == 0.0:
        return math.nan
    errors = [g - v for g, v in zip(returns, values, strict=True)]
    return 1.0 - variance(errors) / variance(returns)


def variance(numbers: list[float]) -> float:
    """The variance, divisor n."""
    mean = sum(numbers) / len(numbers)
    return sum((x - mean) ** 2 for x in numbers) / len(numbers)


def r_squared(returns: list[float], values: list[float]) -> float:
    """1 - mean squared error / variance: it also sees a constant offset."""
    mean = sum((g - v) ** 2 for g, v in zip(returns, values, strict=True)) / len(returns)
    return 1.0 - mean / variance(returns)


def unexplained(returns: list[float], values: list[float]) -> float:
    """The share that is left."""
    return 1.0 - explained_variance(returns, values)


def spread_returns(random: object) -> list[float]:
    """Four returns from 0 to 4."""
    draw = random.random  # type: ignore[attr-defined]
    return [float(int(draw() * 5)) for _ in range(4)]


def rough_values(random: object) -> list[float]:
    """Four predictions from 0 to 4 in steps of one half."""
    draw = random.random  # type: ignore[attr-defined]
    return [int(draw() * 9) / 2 for _ in range(4)]


def health_weak(answer: float, returns: list[float], values: list[float]) -> bool:
    """Whether the figure is extreme, or a slip would give nearly the same one."""
    if not -2.0 < answer < 0.99 or variance(returns) < 0.5:
        return True
    slips = (r_squared(returns, values), unexplained(returns, values))
    return any(abs(answer - slip) < 0.05 for slip in slips)


def clipped_value_loss(value: float, old: float, target: float, eps: float) -> float:
    """1/2 max((V - R)^2, (clip(V, old - eps, old + eps) - R)^2)."""
    clipped = min(max(value, old - eps), old + eps)
    return 0.5 * max((value - target) ** 2, (clipped - target) ** 2)


def unclipped_value_loss(value: float, old: float, target: float, eps: float) -> float:
    """Half the squared error of the value itself."""
    return 0.5 * (value - target) ** 2


def min_value_loss(value: float, old: float, target: float, eps: float) -> float:
    """The minimum of the two instead of the maximum."""
    clipped = min(max(value, old - eps), old + eps)
    return 0.5 * min((value - target) ** 2, (clipped - target) ** 2)


def clip_weak(answer: float, value: float, old: float, target: float, eps: float) -> bool:
    """Whether a slip would give nearly the same loss: the clipped error has to be the larger."""
    slips = (unclipped_value_loss, min_value_loss)
    return any(abs(answer - slip(value, old, target, eps)) < 0.02 for slip in slips)


def advantage_sign_of_shared_bug() -> list[str]:
    """What the critic learns when the advantage is not detached in -log pi * (target - V).

    The actor's term is then + log pi * V, plus constants: its gradient in V is log pi < 0, so
    descent raises V of every visited state, whatever the target.
    """
    log_prob = math.log(0.3)
    return ["raises" if -log_prob > 0 else "lowers"]


def trained_gigabytes(parameters: float, bytes_each: float) -> float:
    """Gigabytes of weights, gradients and optimiser state of a trained copy."""
    return parameters * bytes_each / 1e9


def one_step_loss(p: float, value: float, target: float) -> float:
    """The loss of exercise 4 for one step and two actions, the one with probability p taken."""
    entropy = -p * math.log(p) - (1 - p) * math.log(1 - p)
    actor = -math.log(p) * (target - value)
    return actor + 0.5 * 0.5 * (value - target) ** 2 - 0.01 * entropy


def one_step_loss_unhalved(p: float, value: float, target: float) -> float:
    """The half inside the critic's loss forgotten."""
    return one_step_loss(p, value, target) + 0.25 * (value - target) ** 2


def one_step_loss_flipped(p: float, value: float, target: float) -> float:
    """The actor's term with the wrong sign."""
    return one_step_loss(p, value, target) + 2 * math.log(p) * (target - value)


def loss_weak(p: float, value: float, target: float) -> bool:
    """Whether advantage or surprise are too small to tell slips apart."""
    return abs(target - value) < 0.3
