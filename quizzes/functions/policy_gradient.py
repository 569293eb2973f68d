"""Reference numbers for the items on policy gradients and REINFORCE: small, exact, no torch."""

from __future__ import annotations

import math
import random as random_module


def softmax(logits: list[float]) -> list[float]:
    """The probabilities of a softmax policy."""
    top = max(logits)
    weights = [math.exp(logit - top) for logit in logits]
    return [weight / sum(weights) for weight in weights]


def grid(
    random: random_module.Random, low: float, high: float, step: float, count: int
) -> list[float]:
    """So many numbers from a grid, both ends included."""
    points = round((high - low) / step) + 1
    return [round(low + step * int(random.random() * points), 6) for _ in range(count)]


def three_probabilities(random: random_module.Random) -> list[float]:
    """Probabilities of three actions in steps of 0.05, each at least 0.1."""
    first = 2 + int(random.random() * 9)
    second = 2 + int(random.random() * (17 - first))
    return [round(0.05 * part, 2) for part in (first, second, 20 - first - second)]


def reward_to_go(rewards: list[float], discount: float, step: int) -> float:
    """G[t], the discounted sum from step t on, as in exercise 1."""
    return sum(discount**k * reward for k, reward in enumerate(rewards[step:]))


def whole_return(rewards: list[float], discount: float) -> float:
    """The return of the episode, whichever step it weighs."""
    return reward_to_go(rewards, discount, 0)


def future_only(rewards: list[float], discount: float, step: int) -> float:
    """The return after the step's own reward was left out."""
    return reward_to_go(rewards, discount, step + 1)


def absolute_time(rewards: list[float], discount: float, step: int) -> float:
    """gamma^t * G[t]: the weight in the exact gradient of the discounted objective."""
    return discount**step * reward_to_go(rewards, discount, step)


def score_entry(probabilities: list[float], action: int, entry: int, weight: float = 1.0) -> float:
    """One entry of weight * (e_action - p), the weighted score of a softmax in its logits."""
    return weight * (float(action == entry) - probabilities[entry])


def probability_entry(
    probabilities: list[float], action: int, entry: int, weight: float = 1.0
) -> float:
    """One entry of weight * gradient of pi(action): the score times pi(action)."""
    return probabilities[action] * score_entry(probabilities, action, entry, weight)


def expected_gradient(probabilities: list[float], rewards: list[float], entry: int) -> float:
    """d J / d logit[entry] of a softmax bandit, by enumeration."""
    return sum(
        p * score_entry(probabilities, action, entry, reward)
        for action, (p, reward) in enumerate(zip(probabilities, rewards, strict=True))
    )


def twice_weighted_gradient(probabilities: list[float], rewards: list[float], entry: int) -> float:
    """What differentiating pi * G on samples of pi estimates: each action counts pi twice."""
    return sum(
        p * probability_entry(probabilities, action, entry, reward)
        for action, (p, reward) in enumerate(zip(probabilities, rewards, strict=True))
    )


def signs(probabilities: list[float], rewards: list[float], entry: int) -> list[str]:
    """The id of the statement about the signs of the true and the twice-weighted gradient."""
    true = expected_gradient(probabilities, rewards, entry)
    twice = twice_weighted_gradient(probabilities, rewards, entry)
    return [f"{'rises' if twice > 0 else 'falls'}-{'rises' if true > 0 else 'falls'}"]


def after_step(
    probabilities: list[float], action: int, reward: float, rate: float, entry: int
) -> float:
    """The probability of `entry` after one REINFORCE step on the logits from one sample."""
    logits = [
        math.log(p) + rate * score_entry(probabilities, action, index, reward)
        for index, p in enumerate(probabilities)
    ]
    return softmax(logits)[entry]


def after_step_linear(
    probabilities: list[float], action: int, reward: float, rate: float, entry: int
) -> float:
    """The step added to the probability instead of to the logit."""
    return probabilities[entry] + rate * score_entry(probabilities, action, entry, reward)


def only_sampled_moves(
    probabilities: list[float], action: int, reward: float, rate: float, entry: int
) -> float:
    """Only the sampled logit moved, without the -p of the others."""
    logits = [math.log(p) for p in probabilities]
    logits[action] += rate * reward
    return softmax(logits)[entry]


def entry_of(values: list[float], entry: int) -> float:
    """One of the values."""
    return values[entry]


def estimator_variance(p: float, reward: float, other: float) -> float:
    """Variance of the one-sample gradient in the logit of action 1 of two actions."""
    samples = [(p, (1 - p) * reward), (1 - p, -p * other)]
    mean = sum(weight * value for weight, value in samples)
    return sum(weight * value**2 for weight, value in samples) - mean**2


def estimator_second_moment(p: float, reward: float, other: float) -> float:
    """The same without the square of the mean taken off."""
    return p * ((1 - p) * reward) ** 2 + (1 - p) * (p * other) ** 2


def reward_variance(p: float, reward: float, other: float) -> float:
    """The variance of the reward alone."""
    return p * (1 - p) * (reward - other) ** 2


def own_mean_weight(score: float, discount: float, length: int, step: int) -> float:
    """Return-to-go less the mean return of the same episode, the reward on the last token."""
    returns = [score * discount ** (length - 1 - t) for t in range(length)]
    return returns[step] - sum(returns) / length


def undiminished_weight(score: float, discount: float, length: int, step: int) -> float:
    """The return-to-go itself."""
    return score * discount ** (length - 1 - step)


def mean_of_rewards_weight(score: float, discount: float, length: int, step: int) -> float:
    """Return-to-go less the mean of the rewards, not of the returns."""
    return score * discount ** (length - 1 - step) - score / length


def own_mean_signs(discount: float, length: int) -> list[str]:
    """Which id describes the signs of these weights for a successful answer."""
    weights = [own_mean_weight(1.0, discount, length, t) for t in range(length)]
    if all(abs(weight) < 1e-12 for weight in weights):
        return ["zero"]
    return ["early-negative" if weights[0] < 0 < weights[-1] else "other"]


def probabilities_as_logits(p: float) -> float:
    """The probability that two actions get when (p, 1 - p) is taken for logits."""
    return 1 / (1 + math.exp(1 - 2 * p))


def one_logit(p: float) -> float:
    """p taken for the one logit of a sigmoid."""
    return 1 / (1 + math.exp(-p))


def token_weight(reward: float, length: int, batch: int) -> float:
    """The weight of one token's log-prob when each sequence's mean log-prob is used."""
    return reward / length / batch


def token_weight_summed(reward: float, length: int, batch: int) -> float:
    """The weight when the sequence's log-prob is the sum over tokens."""
    return reward / batch


def token_weight_squared(reward: float, length: int, batch: int) -> float:
    """Divided by the batch and twice by the length."""
    return reward / length**2 / batch


def zero() -> float:
    """Nothing."""
    return 0.0


def togo_weak(rewards: list[float], discount: float) -> bool:
    """Whether a slip at step 1 would give nearly the same number."""
    answer = reward_to_go(rewards, discount, 1)
    slips = [whole_return(rewards, discount), future_only(rewards, discount, 1)]
    slips += [absolute_time(rewards, discount, 1)] if discount < 1 else []
    return any(abs(answer - slip) < 0.05 for slip in slips)


def gamma_weak(rewards: list[float], discount: float) -> bool:
    """Whether a slip at step 2 would give nearly the same number."""
    answer = absolute_time(rewards, discount, 2)
    slips = (reward_to_go(rewards, discount, 2), whole_return(rewards, discount))
    return any(abs(answer - slip) < 0.05 for slip in slips)


def step_weak(answer: float, probs: list[float], reward: float, rate: float) -> bool:
    """Whether a slip about the step would give nearly the same probability."""
    slips = (
        probs[2],
        after_step_linear(probs, 0, reward, rate, 2),
        only_sampled_moves(probs, 0, reward, rate, 2),
    )
    return any(abs(answer - slip) < 0.008 for slip in slips)


def shift_weak(answer: float, p: float, r1: float, r0: float) -> bool:
    """Whether a slip would give nearly the same variance."""
    slips = (estimator_second_moment(p, r1, r0), reward_variance(p, r1, r0))
    return any(abs(answer - slip) < 0.02 for slip in slips)


def length_factor(shorter: int, longer: int) -> list[str]:
    """The id of the factor by which the spread of a sum of uncorrelated terms grows."""
    factors = {"two": 2.0, "four": 4.0, "half": 0.5, "sixteen": 16.0}
    grown = math.sqrt(longer / shorter)
    return [name for name, factor in factors.items() if abs(factor - grown) < 1e-9]


def plain_and_natural(p: float, rate: float) -> list[str]:
    """The id of the steps in one logit along the plain and the natural gradient, gap 1."""
    fisher = p * (1 - p)
    plain, natural = rate * fisher, rate * fisher / fisher
    if abs(natural - 0.1) > 1e-9:
        return ["neither"]
    return ["small-large" if abs(plain - 0.001) < 2e-5 else "neither"]
