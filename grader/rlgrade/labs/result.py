"""What a run of a lab leaves behind: one JSON file in the state folder, for the report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from rlgrade.labs.lab import Array, Figures, Lab, Measured
from rlgrade.store import Record, Store

FOLDER = "labs"
Numbers = list[float | None]  # JSON has neither NaN nor infinity


class Curve(msgspec.Struct):
    """The median over seeds, and the band around it."""

    variant: str
    x: Numbers
    middle: Numbers
    low: Numbers
    high: Numbers


class Chart(msgspec.Struct):
    """One panel."""

    title: str
    x: str
    y: str
    logarithmic: bool
    limits: tuple[float, float] | None
    curves: list[Curve]


class LabResult(Record):
    """`.rlgrade/labs/NAME.json`, and what `rlgrade lab NAME --json` prints."""

    lab: str = ""
    title: str = ""
    at: datetime | None = None
    seeds: list[int] = msgspec.field(default_factory=list)
    seconds: float = 0.0
    question: str = ""
    options: list[str] = msgspec.field(default_factory=list)
    answer: int = 0
    predicted: int | None = None
    holds: bool = False  # whether these seeds show what the lab is there to show
    figures: dict[str, float | None] = msgspec.field(default_factory=dict)
    explanation: list[str] = msgspec.field(default_factory=list)
    charts: list[Chart] = msgspec.field(default_factory=list)

    @property
    def right(self) -> bool:
        """Whether it was predicted."""
        return self.predicted == self.answer

    @property
    def is_sound(self) -> bool:
        """Whether the file is one of ours that nobody edited into nonsense."""
        chosen = self.answer if self.predicted is None else self.predicted
        curves = [curve for chart in self.charts for curve in chart.curves]
        return (
            bool(self.lab and self.charts)
            and all(0 <= each < len(self.options) for each in (chosen, self.answer))
            and all(
                len(c.x) == len(c.middle) == len(c.low) == len(c.high) > 0 and None not in c.x
                for c in curves
            )
        )


def result_of(
    name: str,
    lab: Lab,
    measured: Measured,
    *,
    at: datetime,
    seeds: Sequence[int],
    seconds: float,
    predicted: int | None,
) -> LabResult:
    """A run as what is kept of it."""
    figures = lab.figures(measured)
    return LabResult(
        lab=name,
        title=lab.title,
        at=at,
        seeds=list(seeds),
        seconds=round(seconds, 2),
        question=lab.question.text,
        options=list(lab.question.options),
        answer=lab.question.answer,
        predicted=predicted,
        holds=bool(lab.holds(figures)),
        figures={key: _number(value) for key, value in figures.items()},
        explanation=explained(lab, figures),
        charts=[
            Chart(p.title, p.x, p.y, p.logarithmic, p.limits, _curves(measured, p.key))
            for p in lab.panels
        ],
    )


def explained(lab: Lab, figures: Figures) -> list[str]:
    """The paragraphs of the explanation, with the figures in them."""
    return lab.explanation.format(**figures).replace("inf", "∞").split("\n")


def keep(result: LabResult, state: Path) -> None:
    """Put a result into the state folder, in the place of the last one of the same lab.

    The first prediction stays: whoever runs a lab again has seen the answer.

    Raises:
        NotKept: it cannot be written.
    """
    with Store(state / FOLDER / f"{result.lab}.json", LabResult).change() as kept:
        predicted = kept.predicted if kept.question == result.question else None
        for name in LabResult.__struct_fields__:
            setattr(kept, name, getattr(result, name))
        kept.predicted = result.predicted if predicted is None else predicted


def kept_results(state: Path) -> list[LabResult]:
    """The last result of each lab that was run here."""
    paths = sorted((state / FOLDER).glob("*.json"))
    results = [Store(path, LabResult).read() for path in paths]
    return [result for result in results if result.is_sound]


def _curves(measured: Measured, panel: str) -> list[Curve]:
    return [
        Curve(
            variant,
            _numbers(series.x),
            _numbers(series.middle),
            _numbers(series.low),
            _numbers(series.high),
        )
        for variant, series in measured[panel].items()
    ]


def _numbers(values: Array) -> Numbers:
    return [_number(value) for value in values.tolist()]


def _number(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None
