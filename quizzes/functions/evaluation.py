"""Numbers about evaluating runs: standard errors, seeds, paired comparisons, selection."""

from __future__ import annotations

import math
from random import Random
from statistics import NormalDist, mean, pstdev, stdev


def standard_error_points(percent: float, problems: int) -> float:
    """The standard error, in points, of a pass rate measured once on so many problems."""
    share = percent / 100
    return 100 * math.sqrt(share * (1 - share) / problems)


def spread_points(percent: float, problems: int) -> float:
    """The spread of a single outcome, in points: the slip of not dividing by √n."""
    return standard_error_points(percent, 1)


def error_divided_by_count(percent: float, problems: int) -> float:
    """The slip of dividing the spread by n in place of √n."""
    return standard_error_points(percent, 1) / problems


def problems_needed(percent: float, error: float) -> float:
    """How many problems each model needs for a difference with this standard error, in points.

    Both models are near the same pass rate, and their outcomes are independent.
    """
    share = percent / 100
    return 2 * share * (1 - share) / (error / 100) ** 2


def error_of_mean(results: list[float]) -> float:
    """The standard error of the mean of some runs, with divisor n - 1 in the variance."""
    return stdev(results) / math.sqrt(len(results))


def spread_of_runs(results: list[float]) -> float:
    """The standard deviation between runs."""
    return stdev(results)


def error_with_population(results: list[float]) -> float:
    """The standard error with divisor n in the variance."""
    return pstdev(results) / math.sqrt(len(results))


def paired_z(wins: int, losses: int) -> float:
    """McNemar's z: problems that one model alone solves against those that the other alone does."""
    return (wins - losses) / math.sqrt(wins + losses)


def paired_z_all(wins: int, losses: int, problems: int) -> float:
    """The slip of dividing by the root of all problems."""
    return (wins - losses) / math.sqrt(problems)


def difference_z(first: list[float], second: list[float]) -> float:
    """The difference of two means of runs over its standard error."""
    error = math.hypot(error_of_mean(first), error_of_mean(second))
    return (mean(second) - mean(first)) / error


def difference_over_spread(first: list[float], second: list[float]) -> float:
    """The slip of dividing by the spread of single runs."""
    return (mean(second) - mean(first)) / math.hypot(stdev(first), stdev(second))


def best_of_equals(count: int, error: float) -> float:
    """By how much the best of equally good, noisily measured checkpoints overstates, on average.

    The mean of the maximum of `count` normal variables with that standard deviation.
    """
    normal, steps = NormalDist(), 20_000
    grid = [-6 + 12 * (i + 0.5) / steps for i in range(steps)]
    density = (count * normal.pdf(x) * normal.cdf(x) ** (count - 1) for x in grid)
    return error * sum(x * d for x, d in zip(grid, density, strict=True)) * 12 / steps


def length_of_pass(percents: dict[str, float], problems: int, width: float) -> list[str]:
    """The options whose distance from 50 % is more than `width` standard errors."""
    error = standard_error_points(50, problems)
    return [letter for letter, x in percents.items() if abs(x - 50) > width * error]


def repeated_sampling_error(shares: list[float], samples: int) -> float:
    """The sampling error, in points, of the mean over fixed problems with so many samples each."""
    variance = sum(p * (1 - p) / samples for p in shares) / len(shares) ** 2
    return 100 * math.sqrt(variance)


def runs_meet(results: list[float]) -> bool:
    """Whether the runs are so close together that the slips cannot be told apart."""
    return stdev(results) < 0.8


def pair_is_even(wins: int, losses: int) -> bool:
    """Whether the two counts are so close, or so far apart, that the slips meet."""
    return wins - losses < 3


def paired_z_difference(wins: int, losses: int) -> float:
    """The slip of dividing by the root of the difference."""
    return (wins - losses) / math.sqrt(wins - losses)


def random_results(random: Random) -> list[int]:
    """Final results, in points, of three to five runs that differ by several points."""
    level, count = 20 + int(50 * random.random()), 3 + int(3 * random.random())
    return [level + int(13 * random.random()) - 6 for _ in range(count)]


def first_beyond(problems: int, width: float, options: dict[str, int]) -> list[str]:
    """The option with the lowest pass rate more than `width` standard errors above 50 %."""
    far = length_of_pass({a: float(x) for a, x in options.items() if x > 50}, problems, width)
    return [letter for letter in far if options[letter] == min(options[a] for a in far)]


def seeds_for(factor: float, seeds: int, options: dict[str, int]) -> list[str]:
    """The option naming how many seeds divide the error of the mean by the factor."""
    return [letter for letter, number in options.items() if number == seeds * factor**2]


def format_share(strict: float, lenient: float, trained: float) -> float:
    """Which part, in percent, of a gain was there before training, under another format."""
    return 100 * (lenient - strict) / (trained - strict)


def format_points(strict: float, lenient: float, trained: float) -> float:
    """The same in points: the slip of not dividing by the gain."""
    return lenient - strict


def solved_share(strict: float, lenient: float, trained: float) -> float:
    """The other part, in percent."""
    return 100 - format_share(strict, lenient, trained)


def mixed_win_rate(longer: float, equal: float, share: float) -> float:
    """The win rate over all pairs, if this share of them has a longer new answer, in percent."""
    return share * longer + (1 - share) * equal


def mixed_win_rate_even(longer: float, equal: float, share: float) -> float:
    """The slip of averaging both groups of pairs alike."""
    return (longer + equal) / 2


def win_rates_meet(longer: float, equal: float, share: float) -> bool:
    """Whether the slips come too close to the right rate."""
    return abs(share - 0.5) < 0.05 or longer - equal < 5


def format_is_half(strict: float, lenient: float, trained: float) -> bool:
    """Whether the share is close to a half, or to the points."""
    share = format_share(strict, lenient, trained)
    return abs(share - 50) < 2 or abs(share - (lenient - strict)) < 2
