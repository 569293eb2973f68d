"""Numbers about decision processes: discounts, shaped returns, small grids."""

from __future__ import annotations

import math
from itertools import permutations
from random import Random


def discounted_final_reward(discount: float, length: int) -> float:
    """The return of the first of `length` tokens if the last alone earns a reward, of 1."""
    return discount ** (length - 1)


def linear_decay(discount: float, length: int) -> float:
    """What is left if each step took away the same amount, 1 - discount, and not a share."""
    return 1 - (1 - discount) * (length - 1)


def sum_of_weights(discount: float, length: int) -> float:
    """The sum of all discount weights, as if every token earned a reward of 1."""
    return sum(discount**t for t in range(length))


def inverse_horizon(discount: float, length: int) -> float:
    """One over the effective horizon, 1 - discount, whatever the length."""
    return 1 - discount


def random_log_ratios(random: Random, length: int) -> list[float]:
    """Log-ratios log π − log π_ref of some tokens, of either sign."""
    return [round(0.8 * random.random() - 0.3, 2) for _ in range(length)]


def shaped_return(score: float, beta: float, log_ratios: list[float]) -> float:
    """The undiscounted return of a completion: its score less β times the sum of log-ratios."""
    return score - beta * sum(log_ratios)


def shaped_return_of_mean(score: float, beta: float, log_ratios: list[float]) -> float:
    """The same with the mean of the log-ratios for their sum."""
    return score - beta * sum(log_ratios) / len(log_ratios)


def log_ratios_too_even(beta: float, log_ratios: list[float]) -> bool:
    """Whether the penalty is too small to tell the slips apart."""
    return abs(beta * sum(log_ratios)) < 0.03 or abs(sum(log_ratios[:-1])) < 0.15


def rewards_to_go(
    rewards: list[float], final_value: float, discount: float, truncated: bool = True
) -> list[float]:
    """Returns from every step of one episode that ends with its last reward.

    Truncated: `final_value`, V of the final observation, stands in for the rest. Terminated: 0.
    """
    after = final_value if truncated else 0.0
    returns = []
    for reward in reversed(rewards):
        after = reward + discount * after
        returns.append(after)
    return returns[::-1]


def undiscounted_bootstrap(rewards: list[float], final_value: float, discount: float) -> float:
    """The return from the first step if the bootstrap value is added without its discount."""
    return rewards_to_go(rewards, 0.0, discount)[0] + final_value


def weighted_tokens(rewards: list[float], discount: float, letters: str) -> list[str]:
    """The letters of the tokens whose reward-to-go is not zero."""
    returns = rewards_to_go(rewards, 0.0, discount)
    return [letter for letter, value in zip(letters, returns, strict=True) if value != 0]


def count_of_weighted_tokens(length: int, discount: float, options: dict[str, int]) -> list[str]:
    """The option that names how many tokens have a weight if the last alone is rewarded."""
    count = sum(value != 0 for value in rewards_to_go([0.0] * (length - 1) + [1.0], 0.0, discount))
    return [letter for letter, number in options.items() if number == count]


def mean_reward_change(easy: float, hard: float, share_before: float, share_after: float) -> float:
    """By how much the mean pass rate moves if the share of easy prompts changes."""
    return (share_after - share_before) * (easy - hard)


def grid_return(size: int, penalty: float, goal: float) -> float:
    """The best undiscounted return on a square grid from one corner to the opposite one.

    Every move costs `penalty`, but for the last one, which earns `goal` in its place.
    """
    return goal - (2 * (size - 1) - 1) * penalty


def grid_return_all_moves(size: int, penalty: float, goal: float) -> float:
    """The same if the last move cost the penalty, too."""
    return goal - 2 * (size - 1) * penalty


def grid_return_by_cells(size: int, penalty: float, goal: float) -> float:
    """The same for somebody who counts one move for each cell of a side, twice."""
    return goal - 2 * size * penalty


def pairs_a_score_can_order(options: dict[str, int]) -> list[str]:
    """The option that names how many of A > B, B > C, C > A a ranking can satisfy at best."""
    wanted = [("A", "B"), ("B", "C"), ("C", "A")]
    best = max(
        sum(ranking.index(x) < ranking.index(y) for x, y in wanted)
        for ranking in permutations("ABC")
    )
    return [letter for letter, number in options.items() if number == best]


def discounted_final_reward_is_small(discount: float, length: int) -> bool:
    """Whether so little is left of the reward that the slips can no longer be told apart."""
    return discounted_final_reward(discount, length) < 0.08


def first_well_credited(discount: float, length: int, options: dict[str, int]) -> list[str]:
    """The option that names the first token that gets more than half of a final reward of 1."""
    first = next(t for t in range(1, length + 1) if discount ** (length - t) > 0.5)
    return [letter for letter, number in options.items() if number == first]


def least_discount(length: int, share: float, options: dict[str, float]) -> list[str]:
    """The option with the least discount that leaves the first token this share of the reward."""
    good = {a: x for a, x in options.items() if discounted_final_reward(x, length) >= share}
    return [letter for letter, number in good.items() if number == min(good.values())]


def best_goal(penalty: float, goals: dict[str, list[float]]) -> list[str]:
    """The goal (worth, moves) with the best return if each move but the last costs the penalty."""
    returns = {letter: worth - (moves - 1) * penalty for letter, (worth, moves) in goals.items()}
    return [letter for letter, value in returns.items() if value == max(returns.values())]


def likeliest_sequence(first: dict[str, float], second: dict[str, dict[str, float]]) -> list[str]:
    """The letter of the likeliest two-token text; `second` maps first tokens to texts' letters."""
    chances = {letter: p * q for token, p in first.items() for letter, q in second[token].items()}
    return [letter for letter, chance in chances.items() if chance == max(chances.values())]


def chance_of_first(gap: float, temperature: float) -> float:
    """The probability of the first of two tokens whose logit is greater by `gap`."""
    return 1 / (1 + math.exp(-gap / temperature))


def sampler_weight(gap: float, temperature: float) -> float:
    """The importance weight of the first token: probability at 1 over that at the temperature."""
    return chance_of_first(gap, 1.0) / chance_of_first(gap, temperature)


def sampler_weight_inverse(gap: float, temperature: float) -> float:
    """The weight upside down."""
    return 1 / sampler_weight(gap, temperature)


def no_weight(gap: float, temperature: float) -> float:
    """The weight for somebody who compares the trainer with itself."""
    return 1.0


def digits_of_power(base: int, exponent: int) -> int:
    """How many decimal digits base^exponent has."""
    return len(str(base**exponent))
