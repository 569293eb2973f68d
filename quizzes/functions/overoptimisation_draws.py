"""What the items on over-optimisation draw again."""

from math import exp


def near_one(alpha, beta):
    """Whether d = sqrt(KL) at the best-of-n peak is so near 1 that d and KL look alike."""
    return abs(alpha / (2 * beta) - 1) < 0.1


def rl_near_one(alpha, beta):
    """The same at the peak of RL."""
    return abs(exp(alpha / beta - 1) - 1) < 0.1
