"""Reward models and the RLHF pipeline, in plain numbers."""

from itertools import combinations, pairwise
from math import exp, log


def sigmoid(x):
    """1 / (1 + e^-x)."""
    return 1 / (1 + exp(-x))


def preference(chosen, rejected):
    """Bradley-Terry: how probably the first of two scored completions is preferred."""
    return sigmoid(chosen - rejected)


def score_share(chosen, rejected):
    """The slip of taking the scores themselves for strengths: r_a / (r_a + r_b)."""
    return chosen / (chosen + rejected)


def pair_loss(chosen, rejected, margin=0.0):
    """-log sigma(r_chosen - r_rejected - margin)."""
    return -log(sigmoid(chosen - rejected - margin))


def ranking_loss(scores):
    """The mean pair loss over all pairs of a ranking, best first."""
    pairs = list(combinations(scores, 2))
    return sum(pair_loss(better, worse) for better, worse in pairs) / len(pairs)


def ranking_loss_sum(scores):
    """The same without the division by the number of pairs."""
    return ranking_loss(scores) * len(list(combinations(scores, 2)))


def neighbour_loss(scores):
    """The slip of using neighbouring ranks only."""
    pairs = list(pairwise(scores))
    return sum(pair_loss(better, worse) for better, worse in pairs) / len(pairs)


def falling_scores(random, count):
    """Scores of a ranking, best first, but not always in the right order."""
    return [round(random.uniform(-1, 1) - 0.8 * i, 1) for i in range(count)]


def logit(p):
    """log(p / (1 - p))."""
    return log(p / (1 - p))


def identity(x):
    """The number itself."""
    return x


def product(x, y):
    """x times y."""
    return x * y


def quotient(x, y):
    """x divided by y."""
    return x / y


def both_orders(first, second):
    """The win rate of A over two orders, given as first-position and second-position win rates."""
    return (first + second) / 2


def larger(x, y):
    """The larger of two numbers."""
    return max(x, y)


def best_of_n_kl(n):
    """log n - (n - 1) / n, in nats."""
    return log(n) - (n - 1) / n


def samples_for(kl):
    """The least n whose best-of-n spends so many nats by that formula."""
    n = 1
    while best_of_n_kl(n) < kl:
        n += 1
    return n


def nearest(options, value):
    """The ids of the options whose number is closest to `value`."""
    least = min(abs(number - value) for number in options.values())
    return [name for name, number in options.items() if abs(number - value) == least]


def nearest_logit(options, share):
    """The ids of the options closest to the score gap that fits a share of votes."""
    return nearest(options, logit(share))


CHANGES = {
    "prompt shift": lambda r, prompt, response: r + 3.0 * prompt,
    "scale": lambda r, prompt, response: 2.0 * r,
    "response shift": lambda r, prompt, response: r + 0.3 * response,
    "square": lambda r, prompt, response: r * abs(r),
}


def unchanged_loss(options):
    """The ids of the changes that leave the pair loss alone for every pair of one prompt."""
    pairs = [((0.4, p, 5), (-0.7, p, 2)) for p in (1, 2)]
    return [name for name, change in options.items() if all(_same(change, *x) for x in pairs)]


def _same(change, chosen, rejected):
    """Whether one pair's loss stays."""
    turn = CHANGES[change]
    return abs(pair_loss(turn(*chosen), turn(*rejected)) - pair_loss(chosen[0], rejected[0])) < 1e-9
