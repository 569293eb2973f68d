"""Reference numbers for the items on baselines and RLOO; conventions of exercise 3, no torch."""

from __future__ import annotations

import math


def moving_average(returns: list[float], decay: float, initial: float) -> list[float]:
    """b[0] = initial, b[i+1] = decay b[i] + (1 - decay) R[i]; b[i] precedes R[i]."""
    baseline, average = [], initial
    for outcome in returns:
        baseline.append(average)
        average = decay * average + (1.0 - decay) * outcome
    return baseline


def moving_average_included(returns: list[float], decay: float, initial: float) -> list[float]:
    """The same, but each entry has already seen its own return."""
    return [*moving_average(returns, decay, initial), _after(returns, decay, initial)][1:]


def _after(returns: list[float], decay: float, initial: float) -> float:
    """The average after the last return."""
    for outcome in returns:
        initial = decay * initial + (1.0 - decay) * outcome
    return initial


def moving_average_swapped(returns: list[float], decay: float, initial: float) -> list[float]:
    """Decay and 1 - decay exchanged."""
    return moving_average(returns, 1.0 - decay, initial)


def leave_one_out(returns: list[float], index: int) -> float:
    """The advantage R[i] less the mean of the others."""
    others = sum(returns) - returns[index]
    return returns[index] - others / (len(returns) - 1)


def own_mean(returns: list[float], index: int) -> float:
    """The advantage R[i] less the mean of all."""
    return returns[index] - sum(returns) / len(returns)


def standardised(returns: list[float], index: int) -> float:
    """The advantage divided by the standard deviation as well (divisor n)."""
    mean = sum(returns) / len(returns)
    std = math.sqrt(sum((r - mean) ** 2 for r in returns) / len(returns))
    return (returns[index] - mean) / (std + 1e-12)


def others_sum_over_n(returns: list[float], index: int) -> float:
    """The sum of the others divided by N, not by N - 1."""
    return returns[index] - (sum(returns) - returns[index]) / len(returns)


def tied(returns: list[float], **_: object) -> bool:
    """Whether all returns are equal, so that every advantage is 0."""
    return max(returns) == min(returns)


def rloo_from_grpo(centred: float, group: int) -> float:
    """The leave-one-out advantage from the mean-centred one: G / (G - 1) times it."""
    return centred * group / (group - 1)


def rloo_inverse(centred: float, group: int) -> float:
    """The factor upside down."""
    return centred * (group - 1) / group


def rloo_minus(centred: float, group: int) -> float:
    """A term 1 / (G - 1) added, where a factor belongs."""
    return centred + 1 / (group - 1)


def score_norms(probabilities: list[float]) -> list[float]:
    """|e_a - p|^2 of each action of a softmax policy."""
    square = sum(p * p for p in probabilities)
    return [1.0 - 2.0 * p + square for p in probabilities]


def value(probabilities: list[float], rewards: list[float]) -> float:
    """The expected reward."""
    return sum(p * r for p, r in zip(probabilities, rewards, strict=True))


def best_baseline(probabilities: list[float], rewards: list[float]) -> float:
    """E[|score|^2 R] / E[|score|^2], the constant with the least variance."""
    weights = [p * n for p, n in zip(probabilities, score_norms(probabilities), strict=True)]
    return value(weights, rewards) / sum(weights)


def unweighted_mean(probabilities: list[float], rewards: list[float]) -> float:
    """The mean reward over actions, as if they were equally likely."""
    return sum(rewards) / len(rewards)


def norm_weighted_only(probabilities: list[float], rewards: list[float]) -> float:
    """Score norms as weights, the probabilities forgotten."""
    norms = score_norms(probabilities)
    return value(norms, rewards) / sum(norms)


def gradient_variance(probabilities: list[float], rewards: list[float], baseline: float) -> float:
    """Trace of the covariance of score * (R - b), by enumeration."""
    pairs = list(zip(probabilities, rewards, strict=True))
    norms = score_norms(probabilities)
    second = sum(p * n * (r - baseline) ** 2 for (p, r), n in zip(pairs, norms, strict=True))
    centre = value(probabilities, rewards)
    return second - sum((p * (r - centre)) ** 2 for p, r in pairs)


def least_variance_of(probabilities: list[float], rewards: list[float]) -> list[str]:
    """The ids of three baselines, the one with the least variance first."""
    choices = {
        "none": 0.0,
        "value": value(probabilities, rewards),
        "weighted": best_baseline(probabilities, rewards),
    }
    ranked = sorted(choices, key=lambda k: gradient_variance(probabilities, rewards, choices[k]))
    return ranked[:1]


def shrink(group: int) -> float:
    """What the own sample in the mean does to the expected gradient: 1 - 1/N."""
    return 1.0 - 1.0 / group


def measured_gradient(gradient: float, group: int) -> float:
    """The expected estimate when the true gradient is known and the own mean is subtracted."""
    return gradient * shrink(group)


def inflated_gradient(gradient: float, group: int) -> float:
    """The factor applied the wrong way round."""
    return gradient / shrink(group)


def over_group(gradient: float, group: int) -> float:
    """Divided by the group once more, although the estimate is a mean already."""
    return gradient / group


def illegal_gradient(p: float, reward: float, other: float, slope: float) -> float:
    """E[score * (R - b(a))] in the logit of action 1, with b(a) = slope * R(a)."""
    return (1 - slope) * p * (1 - p) * (reward - other)


def legal_gradient(p: float, reward: float, other: float, slope: float) -> float:
    """The true gradient p (1 - p) (R1 - R0)."""
    return p * (1 - p) * (reward - other)


def subtracted_only(p: float, reward: float, other: float, slope: float) -> float:
    """The part that the illegal baseline takes away."""
    return slope * p * (1 - p) * (reward - other)


def control_remaining(variance_f: float, correlation: float) -> float:
    """Variance left with the best coefficient: (1 - rho^2) Var f."""
    return variance_f * (1 - correlation**2)


def control_linear(variance_f: float, correlation: float) -> float:
    """The correlation not squared."""
    return variance_f * (1 - correlation)


def control_added(variance_f: float, correlation: float) -> float:
    """rho^2 Var f: the part that is removed."""
    return variance_f * correlation**2


def samples_for_error(one_sample_std: float, wanted_std: float) -> float:
    """How many independent samples bring the standard error down to the wanted one."""
    return (one_sample_std / wanted_std) ** 2


def legal_baselines() -> list[str]:
    """The ids of the baselines that leave the expected gradient unchanged, by enumeration.

    Two prompts, two actions each, two samples a prompt; the estimate of the gradient in the logit
    of action 1 of prompt 0 is compared with the truth for each candidate.
    """
    p, rewards = 0.7, (1.0, 0.25)
    truth = legal_gradient(p, *rewards, 0.0)
    totals = dict.fromkeys(
        ("constant", "sibling", "previous", "own", "group", "greedy", "max"), 0.0
    )
    for first in (0, 1):
        for second in (0, 1):
            weight = (p if first == 0 else 1 - p) * (p if second == 0 else 1 - p)
            score = 1 - p if first == 0 else -p
            mine, sibling = rewards[first], rewards[second]
            baselines = {
                "constant": 0.6,
                "sibling": sibling,
                "previous": 0.4,
                "own": 0.5 * mine,
                "group": (mine + sibling) / 2,
                "greedy": rewards[0],
                "max": max(mine, sibling),
            }
            for name, baseline in baselines.items():
                totals[name] += weight * score * (mine - baseline)
    return [name for name, total in totals.items() if abs(total - truth) < 1e-12]


def entry(value: float) -> float:
    """The number itself."""
    return value


def three_probabilities(random: object) -> list[float]:
    """Probabilities of three actions in steps of 0.1, each at least 0.1."""
    draw = random.random  # type: ignore[attr-defined]
    first = 1 + int(draw() * 8)
    second = 1 + int(draw() * (9 - first))
    return [round(0.1 * part, 1) for part in (first, second, 10 - first - second)]


def three_rewards(random: object) -> list[float]:
    """Three rewards from 0 to 4 in steps of one half."""
    draw = random.random  # type: ignore[attr-defined]
    return [int(draw() * 9) / 2 for _ in range(3)]


def four_rewards(random: object) -> list[float]:
    """Four rewards from 0 to 3 in steps of a tenth."""
    draw = random.random  # type: ignore[attr-defined]
    return [int(draw() * 31) / 10 for _ in range(4)]


def best_weak(answer: float, probabilities: list[float], rewards: list[float]) -> bool:
    """Whether a slip would give nearly the same baseline."""
    slips = (value, unweighted_mean, norm_weighted_only)
    return any(abs(answer - slip(probabilities, rewards)) < 0.03 for slip in slips)


def rloo_weak(answer: float, returns: list[float]) -> bool:
    """Whether a slip would give nearly the same advantage."""
    slips = (own_mean, standardised, others_sum_over_n)
    return tied(returns) or any(abs(answer - slip(returns, 0)) < 0.03 for slip in slips)


def moving_weak(answer: float, returns: list[float], decay: float) -> bool:
    """Whether a slip would give nearly the same average."""
    slips = (moving_average_included, moving_average_swapped)
    return any(abs(answer - slip(returns, decay, 0.0)[2]) < 0.02 for slip in slips)


def equal_precision(samples: float, variance: float, other_variance: float) -> float:
    """How many samples of the second estimator are as precise as so many of the first."""
    return samples * other_variance / variance


def rescaled_noise(variance: float, factor: float, other: float) -> list[str]:
    """The id of how a variance compares with another once the factor in its mean is undone."""
    ratio = variance / factor**2 / other
    return ["larger" if 1.15 < ratio < 1.25 else "other"]
