"""Reward over-optimisation and verifier noise, in plain numbers."""

from math import exp, log, sqrt


def best_of_n_peak(alpha, beta):
    """KL at which d (alpha - beta d) is largest, with d = sqrt(KL)."""
    return (alpha / (2 * beta)) ** 2


def best_of_n_root(alpha, beta):
    """The slip of taking the root of that curve instead of its peak."""
    return (alpha / beta) ** 2


def best_of_n_distance(alpha, beta):
    """The slip of reporting d instead of KL = d^2."""
    return alpha / (2 * beta)


def rl_peak(alpha, beta):
    """KL at which d (alpha - beta log d) is largest, with d = sqrt(KL)."""
    return exp(alpha / beta - 1) ** 2


def rl_root(alpha, beta):
    """The slip of taking the root of that curve instead of its peak."""
    return exp(alpha / beta) ** 2


def rl_distance(alpha, beta):
    """The slip of reporting d instead of KL = d^2."""
    return exp(alpha / beta - 1)


def shrunk(proxy, gold_sd, noise_sd):
    """E[gold | proxy] for independent normal gold and noise of mean zero."""
    return proxy * gold_sd**2 / (gold_sd**2 + noise_sd**2)


def shrunk_by_sd(proxy, gold_sd, noise_sd):
    """The slip of weighing standard deviations instead of variances."""
    return proxy * gold_sd / (gold_sd + noise_sd)


def identity(x):
    """The number itself."""
    return x


def binary_kl(p, q):
    """KL of a coin with probability p from one with probability q, in nats."""
    return p * log(p / q) + (1 - p) * log((1 - p) / (1 - q))


def first_term(p, q):
    """The slip of keeping p log(p / q) only, in nats."""
    return p * log(p / q)


def reverse_kl(p, q):
    """The slip of taking the divergence in the other direction."""
    return binary_kl(q, p)


def true_share(pass_rate, false_positive, false_negative):
    """Which share of the accepted answers is right."""
    right = pass_rate * (1 - false_negative)
    return right / (right + (1 - pass_rate) * false_positive)


def percent_true(pass_percent, positive_percent, negative_percent):
    """The same with all numbers in percent."""
    return 100 * true_share(pass_percent / 100, positive_percent / 100, negative_percent / 100)


def percent_specific(pass_percent, positive_percent, negative_percent):
    """The slip of reading the share of wrong answers that are rejected."""
    return 100 - positive_percent


def percent_sensitive(pass_percent, positive_percent, negative_percent):
    """The slip of reading the share of right answers that are accepted."""
    return 100 - negative_percent


def near_slip(pass_percent, positive_percent, negative_percent):
    """Whether a slip lands near the right share."""
    right = percent_true(pass_percent, positive_percent, negative_percent)
    return min(abs(right - 100 + positive_percent), abs(right - 100 + negative_percent)) < 2


def labels_for(half_width):
    """Comparisons for a 95 % interval of so many points around a win rate near one half."""
    return (1.96 * 0.5 / (half_width / 100)) ** 2


def peaks(options, alpha, beta):
    """The ids of the options closest to the KL where best-of-n peaks."""
    right = best_of_n_peak(alpha, beta)
    least = min(abs(number - right) for number in options.values())
    return [name for name, number in options.items() if abs(number - right) == least]


def robust(options, scores):
    """The ids of the options that name the answer with the largest worst score."""
    best = max(scores, key=lambda answer: min(scores[answer]))
    return [name for name, answer in options.items() if answer == best]


def spread(values):
    """The standard deviation of a few numbers (population)."""
    mean = sum(values) / len(values)
    return sqrt(sum((v - mean) ** 2 for v in values) / len(values))


def uncertainty_weighted(scores, weight):
    """Mean of an ensemble less `weight` times its variance."""
    return sum(scores) / len(scores) - weight * spread(scores) ** 2


def mean_less_sd(scores, weight):
    """The slip of using the standard deviation."""
    return sum(scores) / len(scores) - weight * spread(scores)


def mean_of(scores):
    """Their mean."""
    return sum(scores) / len(scores)


def ensemble(random, count):
    """Scores of one answer by the members of an ensemble."""
    return [round(random.uniform(-1, 3), 1) for _ in range(count)]


def flat(scores, weight):
    """Whether the ensemble agrees too well to tell variance from standard deviation."""
    deviation = spread(scores)
    return deviation < 0.3 or abs(deviation**2 - deviation) * weight < 0.05
