"""What a lab is, and what one measures. Data, and the few sums that all labs need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
BAND = (0.1, 0.9)  # the quantiles over seeds between which a band lies


@dataclass(frozen=True)
class Series:
    """One curve of each seed. x: [N] float. rows: [S, N] float, S seeds."""

    x: Array
    rows: Array

    @property
    def middle(self) -> Array:
        """[N] the median over seeds."""
        return _quantile(self.rows, 0.5)

    @property
    def low(self) -> Array:
        """[N] the lower edge of the band."""
        return _quantile(self.rows, BAND[0])

    @property
    def high(self) -> Array:
        """[N] the upper edge of the band."""
        return _quantile(self.rows, BAND[1])


Measured = dict[str, dict[str, Series]]  # by panel, then by variant
Figures = dict[str, float]


@dataclass(frozen=True)
class Panel:
    """One chart. `logarithmic`: of the vertical axis. `limits`: what it shows at least."""

    key: str
    title: str
    x: str
    y: str
    logarithmic: bool = False
    limits: tuple[float, float] | None = None


@dataclass(frozen=True)
class Question:
    """What the learner predicts before anything is shown; `answer` is an index into `options`."""

    text: str
    options: tuple[str, ...]
    answer: int


@dataclass(frozen=True)
class Lab:
    """Something broken beside the same thing intact.

    Args:
        title: a few words, for the list of labs.
        setting: what is about to be run.
        question: the prediction.
        panels: the charts, in order.
        trial: runs all variants on some seeds; `small` asks for a run of about a second.
        figures: the numbers that matter, of what was measured.
        holds: whether the figures show what the lab is there to show.
        explanation: paragraphs; figures stand in it by name, as in `str.format`.
        exercises: where the learner implements this.
        together: whether one process runs all seeds side by side.
        seeds: how many there are, unless told otherwise.
    """

    title: str
    setting: str
    question: Question
    panels: tuple[Panel, ...]
    trial: Callable[[Sequence[int], bool], Measured]
    figures: Callable[[Measured], Figures]
    holds: Callable[[Figures], bool]
    explanation: str
    exercises: tuple[str, ...] = ()
    together: bool = False
    seeds: int = 8


def merged(parts: Sequence[Measured]) -> Measured:
    """The measurements of several groups of seeds as one."""
    return {
        panel: {
            variant: Series(one.x, np.concatenate([part[panel][variant].rows for part in parts]))
            for variant, one in variants.items()
        }
        for panel, variants in parts[0].items()
    }


def first_reached(series: Series, level: float) -> float:
    """The median over seeds of the x at which a curve first reaches `level`; infinity if never."""
    reached = series.rows >= level
    where = np.where(reached.any(axis=1), series.x[reached.argmax(axis=1)], np.inf)
    return float(np.median(where))


def last(series: Series) -> float:
    """The median over seeds of the last point."""
    return float(np.median(series.rows[:, -1]))


def tail(series: Series, share: float = 0.2) -> float:
    """The median over seeds of the mean of the last part of the curve."""
    count = max(1, round(share * series.rows.shape[1]))
    return float(np.median(series.rows[:, -count:].mean(axis=1)))


def _quantile(rows: Array, share: float) -> Array:
    """As numpy's, but of the finite entries only; NaN where there is none."""
    columns = [column[np.isfinite(column)] for column in rows.T]
    return np.array([np.quantile(c, share) if len(c) else np.nan for c in columns])
