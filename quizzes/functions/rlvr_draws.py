"""What the items on verifiable rewards draw again."""

from math import exp


def missed_near(solve, rollouts):
    """Whether being missed is about as probable as being found."""
    missed = (1 - solve / 100) ** rollouts
    return abs(missed - 0.5) < 0.02


def ceiling_near(h1, r1, h2, r2):
    """Whether a straight line in H ends near the right ceiling."""
    slope = (r2 - r1) / (exp(h1) - exp(h2))
    right = r1 + slope * (exp(h1) - 1)
    return abs(right - r2 - (r2 - r1) / (h1 - h2) * h2) < 0.01
