"""Numbers about value functions: backups, chains, temporal differences, tables."""

from __future__ import annotations

import math
from functools import lru_cache


def advantage(q: list[float], policy: list[float], action: int) -> float:
    """Q of an action less the policy's mean of Q."""
    return q[action] - sum(p * x for p, x in zip(policy, q, strict=True))


def advantage_over_plain_mean(q: list[float], policy: list[float], action: int) -> float:
    """Q of an action less the mean of Q over actions, whatever the policy."""
    return q[action] - sum(q) / len(q)


def advantage_over_best(q: list[float], policy: list[float], action: int) -> float:
    """Q of an action less the greatest Q."""
    return q[action] - max(q)


def backup(
    policy: float,
    rewards: list[float],
    next_values: list[list[float]],
    chance: float,
    discount: float,
) -> float:
    """The Bellman expectation backup of a state with two actions.

    `policy` is the probability of the first; action i earns `rewards[i]` and leads to the first of
    `next_values[i]` with probability `chance`, else to the second.
    """
    q = [
        reward + discount * (chance * good + (1 - chance) * bad)
        for reward, (good, bad) in zip(rewards, next_values, strict=True)
    ]
    return policy * q[0] + (1 - policy) * q[1]


def optimal_backup(
    policy: float,
    rewards: list[float],
    next_values: list[list[float]],
    chance: float,
    discount: float,
) -> float:
    """The Bellman optimality backup of the same state: the better of the two actions."""
    return max(backup(p, rewards, next_values, chance, discount) for p in (0.0, 1.0))


def chain_value(
    stay: float, loop_reward: float, exit_reward: float, end_value: float, discount: float
) -> float:
    """V of a state that is kept with probability `stay` and left for one worth `end_value`."""
    immediate = stay * loop_reward + (1 - stay) * (exit_reward + discount * end_value)
    return immediate / (1 - discount * stay)


def chain_value_without_loop(
    stay: float, loop_reward: float, exit_reward: float, end_value: float, discount: float
) -> float:
    """The same for somebody who forgets that staying leads back to the state."""
    return stay * loop_reward + (1 - stay) * (exit_reward + discount * end_value)


def sweeps_needed(error: float, target: float, discount: float) -> int:
    """After how many sweeps of policy evaluation the bound γ^k·error is at most the target."""
    return math.ceil(math.log(target / error) / math.log(discount) - 1e-12)


def sweeps_linear(error: float, target: float, discount: float) -> int:
    """The same if each sweep took away (1 - discount) of the first error."""
    return math.ceil((error - target) / ((1 - discount) * error))


def td_update(
    value: float, reward: float, next_value: float, rate: float, discount: float
) -> float:
    """V(s) after one step of TD(0)."""
    return value + rate * (reward + discount * next_value - value)


def n_step_return(rewards: list[float], next_values: list[float], discount: float, n: int) -> float:
    """The n-step return from the first step; `next_values[t]` is V of the state behind step t."""
    total = sum(discount**t * reward for t, reward in enumerate(rewards[:n]))
    return total + discount**n * next_values[n - 1]


def batch_td_value(successes: int, episodes: int) -> float:
    """V(A) to which batch TD(0) converges.

    `episodes` episodes begin in B, `successes` of which earn 1; one more goes A, B and earns 0.
    V(A) = V(B), the mean over all visits of B.
    """
    return successes / (episodes + 1)


def sarsa_target(reward: float, q: list[float], action: int, discount: float) -> float:
    """What SARSA regresses on: the Q of the action that will be taken."""
    return reward + discount * q[action]


def expected_sarsa_target(reward: float, q: list[float], discount: float) -> float:
    """The same with the mean of Q under a uniform policy."""
    return reward + discount * sum(q) / len(q)


def best_sarsa_action(q: list[float], action: int) -> bool:
    """Whether the action taken is a greedy one, or Q has an exact tie with the mean."""
    return q[action] == max(q) or math.isclose(q[action], sum(q) / len(q))


def mean_of_maximum(noise: float, actions: int) -> float:
    """The mean of the largest of so many estimates, each noise or -noise with even chances."""
    return noise * (1 - 2 * 0.5**actions)


def prefix_advantage(chances: list[float], policy: list[float], chosen: int) -> float:
    """V of the prefix with the chosen token less V of the prefix, for a 0/1 reward at the end."""
    return advantage(chances, policy, chosen)


@lru_cache(maxsize=1)
def tic_tac_toe() -> tuple[int, int]:
    """How many positions of tic-tac-toe can be reached, and how many complete games there are."""
    lines = [(0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6)]
    games: dict[str, int] = {}

    def count(board: str, player: str) -> int:
        if board not in games:
            won = any(board[a] == board[b] == board[c] != "." for a, b, c in lines)
            free = [] if won else [i for i in range(9) if board[i] == "."]
            other = "o" if player == "x" else "x"
            games[board] = sum(count(board[:i] + player + board[i + 1 :], other) for i in free) or 1
        return games[board]

    total = count("." * 9, "x")
    return len(games), total


def tic_tac_toe_positions(options: dict[str, int]) -> list[str]:
    """The option that names the number of reachable positions."""
    return [letter for letter, number in options.items() if number == tic_tac_toe()[0]]


def worst_token(values: list[float], final_reward: float, letters: str) -> list[str]:
    """The letter of the token with the lowest TD error at γ = 1; `values` are those of prefixes."""
    after = [*values[1:], final_reward]
    errors = [later - now for now, later in zip(values, after, strict=True)]
    return [letters[errors.index(min(errors))]]


def td_error(reward: float, value: float, next_value: float, discount: float) -> float:
    """δ = r + γV(s') − V(s)."""
    return reward + discount * next_value - value


def telescoped(values: list[float], final_reward: float) -> float:
    """The sum of all TD errors of an answer at γ = 1 with its reward at the end."""
    return final_reward - values[0]


def standard_error(chance: float, samples: int) -> float:
    """The standard error of a success rate from so many independent rollouts."""
    return math.sqrt(chance * (1 - chance) / samples)


def q_learning_target(reward: float, q: list[float], discount: float) -> float:
    """What Q-learning regresses on: the best Q of the next state."""
    return reward + discount * max(q)


def advantage_slips_meet(q: list[float], policy: list[float]) -> bool:
    """Whether the first action's advantage is close to what one of the slips gives."""
    right = advantage(q, policy, 0)
    slips = (advantage_over_plain_mean(q, policy, 0), advantage_over_best(q, policy, 0))
    return any(abs(right - slip) < 0.02 for slip in slips)


def backup_is_even(
    policy: float,
    rewards: list[float],
    next_values: list[list[float]],
    chance: float,
    discount: float,
) -> bool:
    """Whether both actions are worth almost the same, so that weights do not matter."""
    first, second = (backup(p, rewards, next_values, chance, discount) for p in (1.0, 0.0))
    return abs(first - second) < 0.3


def sweeps_by_horizon(error: float, target: float, discount: float) -> float:
    """A guess by the effective horizon: error over target, times 1 - discount."""
    return error / target * (1 - discount)


def sweeps_near(error: float, target: float, discount: float) -> bool:
    """Whether the right number of sweeps is close to what one of the slips gives."""
    right = sweeps_needed(error, target, discount)
    slips = (sweeps_linear(error, target, discount), sweeps_by_horizon(error, target, discount))
    return any(abs(right - slip) < 2 for slip in slips)


def td_is_small(value: float, reward: float, next_value: float, discount: float) -> bool:
    """Whether the TD error is too small to tell the slips apart."""
    return abs(td_error(reward, value, next_value, discount)) < 0.3


def batch_is_odd(successes: int, episodes: int) -> bool:
    """Whether there would be more successes than episodes."""
    return successes > episodes


def batch_without_last(successes: int, episodes: int) -> float:
    """V(B) for somebody who leaves out the visit in the episode that began in A."""
    return successes / episodes


def n_steps_meet(rewards: list[float], next_values: list[float], discount: float) -> bool:
    """Whether the two-step return is close to the one-step or the full one."""
    one, two, full = (n_step_return(rewards, next_values, discount, n) for n in (1, 2, 4))
    return abs(one - two) < 0.05 or abs(full - two) < 0.05


def variance_of_mean(chance: float, samples: int) -> float:
    """The variance of a success rate from so many independent rollouts."""
    return chance * (1 - chance) / samples


def last_error(values: list[float], final_reward: float) -> float:
    """The last TD error of an answer with its reward at the end."""
    return final_reward - values[-1]


def over_all_values(values: list[float], final_reward: float) -> float:
    """The reward less the sum of all values."""
    return final_reward - sum(values)


def sweeps_of_chain(length: int, backwards: bool, options: dict[str, int]) -> list[str]:
    """The option naming how many sweeps make a chain with one final reward exact, from all zeros.

    In place, from the last state to the first, or (not backwards) all states at once from old ones.
    """
    values, sweeps = [0.0] * length, 0
    while values != [1.0] * length:
        old, sweeps = values[:], sweeps + 1
        for s in reversed(range(length)):
            source = values if backwards else old
            values[s] = 1.0 if s == length - 1 else source[s + 1]
    return [letter for letter, number in options.items() if number == sweeps]


def double_estimate(options: dict[str, float]) -> list[str]:
    """The option naming the mean of a double estimate: two worthless actions, estimates of ±1.

    One pair of estimates chooses (ties at even chances), an independent pair evaluates.
    """
    signs = (-1.0, 1.0)
    total = 0.0
    for a in signs:
        for b in signs:
            for c in signs:
                for d in signs:
                    total += (c + d) / 2 if a == b else (c if a > b else d)
    return [letter for letter, number in options.items() if number == total / 16]


def random_walk(states: int, start: int, options: dict[str, float]) -> list[str]:
    """The option nearest to V of a state of a fair random walk that pays 1 at its right end."""
    values = [0.0] * (states + 2)
    values[-1] = 1.0
    for _ in range(2000):
        for s in range(1, states + 1):
            values[s] = (values[s - 1] + values[s + 1]) / 2
    distance = {letter: abs(number - values[start]) for letter, number in options.items()}
    return [letter for letter, gap in distance.items() if gap == min(distance.values())]
