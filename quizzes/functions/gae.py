"""Reference numbers for the items on GAE; conventions of exercise 5, no torch."""

from __future__ import annotations

import math
import random as random_module


def numbers(
    random: random_module.Random, count: int, low: float = 0.0, high: float = 1.0
) -> list[float]:
    """So many numbers with one digit after the point."""
    width = round((high - low) * 10) + 1
    return [round(low + int(random.random() * width) / 10, 1) for _ in range(count)]


def deltas(rewards: list[float], values: list[float], last: float, discount: float) -> list[float]:
    """TD errors of one unbroken piece; `last` is the value after the last step."""
    following = [*values[1:], last]
    return [r + discount * n - v for r, v, n in zip(rewards, values, following, strict=True)]


def advantages(
    rewards: list[float], values: list[float], last: float, discount: float, lam: float
) -> list[float]:
    """A[t] = delta[t] + discount lam A[t+1]."""
    result: list[float] = []
    after = 0.0
    for delta in reversed(deltas(rewards, values, last, discount)):
        after = delta + discount * lam * after
        result.insert(0, after)
    return result


def first(
    rewards: list[float], values: list[float], last: float, discount: float, lam: float
) -> float:
    """The advantage of the first step."""
    return advantages(rewards, values, last, discount, lam)[0]


def first_target(
    rewards: list[float], values: list[float], last: float, discount: float, lam: float
) -> float:
    """A[0] + V[0], the lambda-return."""
    return first(rewards, values, last, discount, lam) + values[0]


def first_without_gamma(
    rewards: list[float], values: list[float], last: float, discount: float, lam: float
) -> float:
    """Later TD errors weighed by lam^l instead of (discount lam)^l."""
    return sum(lam**k * d for k, d in enumerate(deltas(rewards, values, last, discount)))


def first_one_step(
    rewards: list[float], values: list[float], last: float, discount: float, lam: float
) -> float:
    """The first TD error alone."""
    return deltas(rewards, values, last, discount)[0]


def first_no_baseline(
    rewards: list[float], values: list[float], last: float, discount: float, lam: float
) -> float:
    """The discounted return without V(s[0]) taken off."""
    total = sum(discount**k * r for k, r in enumerate(rewards))
    return total + discount ** len(rewards) * last


def first_monte_carlo(
    rewards: list[float], values: list[float], last: float, discount: float, lam: float
) -> float:
    """The lam = 1 answer."""
    return first_no_baseline(rewards, values, last, discount, lam) - values[0]


def first_repeats_value(
    rewards: list[float], values: list[float], last: float, discount: float, lam: float
) -> float:
    """The value of the last state used once more where 0 belongs."""
    return first(rewards, values, values[-1], discount, lam)


def weak(
    rewards: list[float], values: list[float], last: float, discount: float, lam: float
) -> bool:
    """Whether two of the slips above would give nearly the same number."""
    arguments = (rewards, values, last, discount, lam)
    slips = (
        first,
        first_one_step,
        first_no_baseline,
        first_monte_carlo,
        first_repeats_value,
        first_target,
        first_without_gamma,
    )
    found = [slip(*arguments) for slip in slips]
    return any(abs(found[0] - other) < 0.02 for other in found[1:])


def target_weak(rewards: list[float], values: list[float], lam: float) -> bool:
    """Whether a slip would give nearly the same target."""
    answer = first_target(rewards, values, 0.0, 1.0, lam)
    slips = (first, first_no_baseline)
    return any(abs(answer - slip(rewards, values, 0.0, 1.0, lam)) < 0.04 for slip in slips)


def truncated_weak(
    rewards: list[float], values: list[float], final: float, discount: float, lam: float
) -> bool:
    """Whether a slip would give nearly the same advantage."""
    answer = first(rewards, values, final, discount, lam)
    one_step = first_one_step(rewards, values, final, discount, lam)
    as_end = truncated_as_terminal(rewards, values, final, discount, lam)
    return abs(answer - one_step) < 0.04 or abs(answer - as_end) < 0.04


def half_life(lam: float) -> float:
    """How many steps later a TD error weighs one half, at discount 1."""
    return math.log(0.5) / math.log(lam)


def horizon(lam: float) -> float:
    """The mean number of TD errors that count, 1 / (1 - lam)."""
    return 1 / (1 - lam)


def half_horizon(lam: float) -> float:
    """Half of the mean horizon."""
    return horizon(lam) / 2


def log10_weight(lam: float, distance: int) -> float:
    """The power of ten of lam^distance, without its sign."""
    return -distance * math.log10(lam)


def mixture_weight(lam: float, k: int, steps: int) -> float:
    """The weight of the k-step advantage in GAE with so many steps left."""
    return (1 - lam) * lam ** (k - 1) if k < steps else lam ** (steps - 1)


def mixture_naive(lam: float, k: int, steps: int) -> float:
    """The weight of an inner k given to the last one, and the other way round."""
    return lam ** (k - 1) if k < steps else (1 - lam) * lam ** (k - 1)


def mixture_shifted(lam: float, k: int, steps: int) -> float:
    """The exponent off by one."""
    return (1 - lam) * lam**k if k < steps else lam**steps


def constant_error_bias(error: float, discount: float, lam: float, steps: int) -> float:
    """The shift of E[A[0]] from the true advantage when V is everywhere too high by `error`.

    Each delta but the last is off by error * (discount - 1), the last, before a terminal state,
    by -error.
    """
    shifts = [error * (discount - 1)] * (steps - 1) + [-error]
    return sum((discount * lam) ** k * shift for k, shift in enumerate(shifts))


def bias_of_baseline(error: float, discount: float, lam: float, steps: int) -> float:
    """As if the error entered through the baseline -V(s[0]) alone."""
    return -error


def bias_telescoped_wrongly(error: float, discount: float, lam: float, steps: int) -> float:
    """The errors of all deltas taken for -error each."""
    return sum((discount * lam) ** k * -error for k in range(steps))


def one_value_wrong(error: float, discount: float, lam: float) -> float:
    """The shift of A[t] when only V(s[t+1]) is too high by `error`."""
    return discount * error * (1 - lam)


def one_value_wrong_delta(error: float, discount: float, lam: float) -> float:
    """The same for lam = 0."""
    return discount * error


def one_value_wrong_lam(error: float, discount: float, lam: float) -> float:
    """lam where 1 - lam belongs."""
    return discount * error * lam


def length_adaptive(length: int, alpha: float) -> float:
    """VAPO's lambda, 1 - 1 / (alpha * length)."""
    return 1 - 1 / (alpha * length)


def length_adaptive_fixed(length: int, alpha: float) -> float:
    """1 - alpha: the length has no part."""
    return 1 - alpha


def length_adaptive_product(length: int, alpha: float) -> float:
    """1 - 1/length: alpha has no part."""
    return 1 - 1 / length


def token_rewards(beta: float, log_ratios: list[float], score: float) -> list[float]:
    """-beta * log-ratio on each token, and the score on the last."""
    rewards = [-beta * ratio for ratio in log_ratios]
    rewards[-1] += score
    return rewards


def kl_first(
    beta: float, log_ratios: list[float], score: float, values: list[float], lam: float
) -> float:
    """The first advantage with KL-shaped rewards, discount 1."""
    return first(token_rewards(beta, log_ratios, score), values, 0.0, 1.0, lam)


def kl_first_unshaped(
    beta: float, log_ratios: list[float], score: float, values: list[float], lam: float
) -> float:
    """The penalty forgotten."""
    return kl_first(0.0, log_ratios, score, values, lam)


def kl_first_flipped(
    beta: float, log_ratios: list[float], score: float, values: list[float], lam: float
) -> float:
    """The penalty added."""
    return kl_first(-beta, log_ratios, score, values, lam)


def kl_weak(
    answer: float,
    beta: float,
    log_ratios: list[float],
    score: float,
    values: list[float],
    lam: float,
) -> bool:
    """Whether the penalty is too small to show."""
    return abs(answer - kl_first_unshaped(beta, log_ratios, score, values, lam)) < 0.01


def truncated_first(
    rewards: list[float], values: list[float], final: float, discount: float, lam: float
) -> float:
    """The first advantage of an episode cut by a time limit: bootstrap from the final value."""
    return first(rewards, values, final, discount, lam)


def truncated_as_terminal(
    rewards: list[float], values: list[float], final: float, discount: float, lam: float
) -> float:
    """The same without the bootstrap."""
    return first(rewards, values, 0.0, discount, lam)


def who_gets_signal(lam: float, critic: str) -> list[str]:
    """Which tokens of a 4-token answer with terminal reward 1 have a nonzero advantage."""
    values = [0.0] * 4 if critic == "zero" else [0.2, 0.4, 0.6, 0.8]
    found = advantages([0.0, 0.0, 0.0, 1.0], values, 0.0, 1.0, lam)
    nonzero = [abs(a) > 1e-12 for a in found]
    if all(nonzero):
        return ["all"]
    return ["last"] if nonzero == [False, False, False, True] else ["other"]


def minibatch_weights(advantages: list[float]) -> list[str]:
    """The id of what standardising these few advantages by themselves makes of them."""
    count = len(advantages)
    mean = sum(advantages) / count
    std = math.sqrt(sum((a - mean) ** 2 for a in advantages) / (count - 1))
    weights = [(a - mean) / std for a in advantages]
    negative = sum(weight < 0 for weight in weights)
    return ["two-negative"] if negative == 2 and abs(weights[0] + 1.16) < 0.01 else ["other"]
