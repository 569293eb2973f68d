"""Numbers about bandits: running means, selection rules, regret, group sampling."""

from __future__ import annotations

import math


def running_mean(mean: float, reward: float, count: int) -> float:
    """The mean of `count` rewards, the last of which is `reward` and the others of mean `mean`."""
    return mean + (reward - mean) / count


def constant_step(mean: float, reward: float, rate: float) -> float:
    """An estimate after one step of constant size towards a reward."""
    return mean + rate * (reward - mean)


def weight_of_old_reward(rate: float, ago: int) -> float:
    """The weight in a constant-step estimate of a reward that was seen so many pulls ago."""
    return rate * (1 - rate) ** ago


def epsilon_greedy(epsilon: float, arms: int) -> float:
    """The probability of the greedy arm if exploring draws from all arms alike."""
    return 1 - epsilon + epsilon / arms


def epsilon_single_other(epsilon: float, arms: int) -> float:
    """The probability of one given arm that is not greedy."""
    return epsilon / arms


def softmax(values: list[float], temperature: float) -> list[float]:
    """Selection probabilities in proportion to exp(value / temperature)."""
    top = max(values)
    weights = [math.exp((value - top) / temperature) for value in values]
    return [weight / sum(weights) for weight in weights]


def softmax_first(values: list[float], temperature: float) -> float:
    """The softmax probability of the first arm."""
    return softmax(values, temperature)[0]


def softmax_multiplied(values: list[float], temperature: float) -> float:
    """The same if the values were multiplied by the temperature."""
    return softmax(values, 1 / temperature)[0]


def ucb_index(mean: float, pulls: int, total: int, width: float) -> float:
    """UCB1's index: the mean and a bonus that shrinks with the pulls of the arm."""
    return mean + width * math.sqrt(math.log(total) / pulls)


def ucb_choice(means: list[float], pulls: list[int], width: float, letters: str) -> list[str]:
    """The letter of the arm that UCB1 pulls next."""
    total = sum(pulls)
    scores = [ucb_index(m, n, total, width) for m, n in zip(means, pulls, strict=True)]
    return [letters[scores.index(max(scores))]]


def regret(means: list[float], pulls: list[int]) -> float:
    """The expected reward lost against pulling the best arm every time."""
    return sum(n * (max(means) - m) for m, n in zip(means, pulls, strict=True))


def regret_per_pull(means: list[float], pulls: list[int]) -> float:
    """The same, divided by the number of pulls."""
    return regret(means, pulls) / sum(pulls)


def regret_without_counts(means: list[float], pulls: list[int]) -> float:
    """The sum of the gaps, as if each arm were pulled once."""
    return sum(max(means) - m for m in means)


def any_success(chance: float, samples: int) -> float:
    """The chance that at least one of so many independent samples is right."""
    return 1 - (1 - chance) ** samples


def expected_successes(chance: float, samples: int) -> float:
    """How many right samples are expected."""
    return chance * samples


def mixed_group(chance: float, samples: int) -> float:
    """The chance that a group holds both right and wrong samples."""
    return 1 - chance**samples - (1 - chance) ** samples


def mixed_is_any(chance: float, samples: int) -> bool:
    """Whether an all-right group is too rare to tell the slips apart."""
    return chance**samples < 0.02 or (1 - chance) ** samples < 0.02


def all_right(chance: float, samples: int) -> float:
    """The chance that all samples of a group are right, subtracted from one."""
    return 1 - chance**samples


def preference_step(probability: float, reward: float, baseline: float, rate: float) -> float:
    """By how much the gradient bandit moves the preference of the arm that was pulled."""
    return rate * (reward - baseline) * (1 - probability)


def preference_step_of_other(
    probability: float, reward: float, baseline: float, rate: float
) -> float:
    """By how much it moves an arm of that probability that was not pulled."""
    return -rate * (reward - baseline) * probability


def preference_step_without_score(
    probability: float, reward: float, baseline: float, rate: float
) -> float:
    """The step if the score 1 - π were forgotten."""
    return rate * (reward - baseline)


def samples_needed(chance: float, certainty: float) -> float:
    """How many samples are needed to see one success with the given certainty."""
    return math.log(1 - certainty) / math.log(1 - chance)


def best_of_n_share(ranks: int) -> float:
    """The mean percentile of the best of so many draws from a continuous distribution."""
    return ranks / (ranks + 1)


def running_mean_before(mean: float, reward: float, count: int) -> float:
    """The slip of dividing by the number of rewards before the new one."""
    return mean + (reward - mean) / (count - 1)


def means_meet(mean: float, reward: float, count: int) -> bool:
    """Whether the new reward is too close to the mean to tell the slips apart."""
    return abs(reward - mean) < 1


def decay_alone(rate: float, ago: int) -> float:
    """The share of an old estimate that is left after so many pulls."""
    return (1 - rate) ** ago


def weight_is_small(rate: float, ago: int) -> bool:
    """Whether the weight is too small to be asked for."""
    return weight_of_old_reward(rate, ago) < 0.004


def epsilon_slips_meet(epsilon: float, arms: int) -> bool:
    """Whether the greedy arm and another one are equally likely, or all but."""
    return abs(epsilon_greedy(epsilon, arms) - epsilon / arms) < 0.01


def softmax_pair(first: float, second: float, temperature: float) -> float:
    """The softmax probability of the first of two arms."""
    return softmax_first([first, second], temperature)


def softmax_pair_multiplied(first: float, second: float, temperature: float) -> float:
    """The same if values were multiplied by the temperature."""
    return softmax_multiplied([first, second], temperature)


def softmax_is_even(first: float, second: float, temperature: float) -> bool:
    """Whether the two probabilities are close to each other, or to 0 and 1."""
    right = softmax_pair(first, second, temperature)
    return not 0.02 < abs(right - 0.5) < 0.49 or (
        abs(right - softmax_pair_multiplied(first, second, temperature)) < 0.01
    )


def steps_meet(probability: float, reward: float, baseline: float, rate: float) -> bool:
    """Whether the step is too small to tell the slips apart."""
    return abs(preference_step(probability, reward, baseline, rate)) < 0.02


def no_success(chance: float, samples: int) -> float:
    """The chance that all samples fail."""
    return (1 - chance) ** samples


def any_is_odd(chance: float, samples: int) -> bool:
    """Whether the slips come too close to the right chance."""
    right = any_success(chance, samples)
    return abs(right - 0.5) < 0.01 or abs(right - chance * samples) < 0.01


def epsilon_over_others(epsilon: float, arms: int) -> float:
    """The slip of sharing the exploring draw among the other arms, and adding a share."""
    return 1 - epsilon + epsilon / (arms - 1)


def reward_per_step(means: list[float], epsilon: float, options: dict[str, float]) -> list[str]:
    """The option naming the mean reward of ε-greedy that knows the best arm."""
    mean = (1 - epsilon) * max(means) + epsilon * sum(means) / len(means)
    return [letter for letter, number in options.items() if math.isclose(number, mean)]


def temperature_for(gap: float, chance: float, options: dict[str, float]) -> list[str]:
    """The option naming the temperature at which the better of two tokens has this chance."""
    distance = {a: abs(softmax([gap, 0.0], t)[0] - chance) for a, t in options.items()}
    return [letter for letter, off in distance.items() if off == min(distance.values())]


def best_of_n_percentile(count: int, options: dict[str, float]) -> list[str]:
    """The option naming the mean percentile of the best of so many draws."""
    share = 100 * best_of_n_share(count)
    return [letter for letter, number in options.items() if math.isclose(number, share)]
