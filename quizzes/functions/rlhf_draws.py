"""What the items on reward models draw and reject."""

from math import exp, log, sqrt


def close(x, y):
    """Whether two scores are too close to tell a right answer from a slip."""
    return abs(x - y) < 0.25 or abs(x) < 0.05


def share_close(x, y):
    """Whether r_a / (r_a + r_b) or sigma(r_a) lies near the right probability."""
    right = 1 / (1 + exp(y - x))
    slips = (x / (x + y), 1 / (1 + exp(-x)), 1 - right)
    return any(abs(right - slip) < 0.03 for slip in slips)


def margin_added(chosen, rejected, margin):
    """The slip of adding the margin to the difference."""
    return log(1 + exp(-(chosen - rejected + margin)))


def ranking_close(scores):
    """Whether the pairs of neighbours give about the same mean as all pairs."""
    pairs = [(0, 1), (1, 2), (0, 2)]
    losses = [log(1 + exp(scores[j] - scores[i])) for i, j in pairs]
    return abs(sum(losses) / 3 - sum(losses[:2]) / 2) < 0.05


def ceiling_percent(percent):
    """100 (1 + sqrt(2 A - 1)) / 2 for an agreement A in percent."""
    return 50 * (1 + sqrt(percent / 50 - 1))


def root_percent(percent):
    """The slip of taking the square root of the agreement."""
    return 100 * sqrt(percent / 100)


def temperature(gap, percent):
    """By what to divide a gap so that its logistic is the observed share."""
    return gap / log(percent / (100 - percent))


def inverse_temperature(gap, percent):
    """The slip of turning that fraction round."""
    return 1 / temperature(gap, percent)


def share_ratio(gap, percent):
    """The slip of dividing the predicted by the observed share."""
    return 100 / (1 + exp(-gap)) / percent


def bad_temperature(gap, percent):
    """Whether a slip lands near the right temperature."""
    right = temperature(gap, percent)
    return abs(right - 1 / right) < 0.1 or abs(right - share_ratio(gap, percent)) < 0.1


def half_gap(x, y):
    """Half the distance of two numbers."""
    return abs(x - y) / 2
