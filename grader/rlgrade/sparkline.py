"""A learning curve in one line of text."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII_BLOCKS = "_.-=+*#@"
WIDTH = 24


def sparkline(
    scores: Sequence[float],
    low: float,
    high: float,
    *,
    width: int = WIDTH,
    ascii_only: bool = False,
) -> str:
    """One sign for each stretch of the curve, between `low` and `high`; what is no number is `?`.

    Args:
        scores: the points, in order; stretches of equal length are averaged.
        low: at and below which the lowest sign stands.
        high: at and above which the highest sign stands.
        width: the most signs.
        ascii_only: whether the signs must be ASCII.
    """
    signs = ASCII_BLOCKS if ascii_only else BLOCKS
    count = min(width, len(scores))
    cuts = [round(part * len(scores) / count) for part in range(count + 1)] if count else []
    means = [sum(scores[a:b]) / (b - a) for a, b in itertools.pairwise(cuts)]
    return "".join(_sign((mean - low) / (high - low), signs) for mean in means)


def stretches(
    steps: Sequence[int], scores: Sequence[float], end: int, *, width: int = WIDTH
) -> list[float]:
    """The mean score in each stretch of `end / width` steps, as far as the curve goes.

    A stretch without a point repeats the one before. Curves of one `end` can stand one under
    another.
    """
    found: list[float] = []
    numbers = [min(width - 1, int(step / end * width)) for step in steps]
    for number in range(numbers[-1] + 1):
        inside = [score for at, score in zip(numbers, scores, strict=True) if at == number]
        if inside:
            found.append(sum(inside) / len(inside))
        else:
            found.append(found[-1] if found else scores[0])
    return found


def _sign(share: float, signs: str) -> str:
    if share != share:  # not a number
        return "?"
    return signs[min(len(signs) - 1, max(0, int(share * len(signs))))]
