"""A chart in characters: a sign a variant for the median, shading for the band."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rich.text import Text

from rlgrade.labs.result import Chart, Curve, Numbers

HEIGHT = 11
MARGIN = 9  # for the numbers at the left
COLOURS = ("green", "red", "cyan", "yellow")
SIGNS, ASCII_SIGNS = "●×○+", "ox*+"
SHADES, ASCII_SHADES = "░▒░▒", ".:.:"


@dataclass(frozen=True)
class Scale:
    """How a quantity is laid out over `cells` characters."""

    low: float
    high: float
    cells: int
    logarithmic: bool = False

    def cell(self, value: float | None) -> int | None:
        """Where a value stands; at the edge if it lies beyond it, None if it is no number."""
        if value is None:
            return None
        share = (self._at(value) - self._at(self.low)) / (self._at(self.high) - self._at(self.low))
        return min(self.cells - 1, max(0, round(share * (self.cells - 1))))

    def value(self, cell: int) -> float:
        """What a cell stands for."""
        share = cell / (self.cells - 1)
        at = self._at(self.low) + share * (self._at(self.high) - self._at(self.low))
        return 10**at if self.logarithmic else at

    def _at(self, value: float) -> float:
        return math.log10(max(value, self.low)) if self.logarithmic else value


def drawn(chart: Chart, width: int, *, ascii_only: bool = False) -> list[Text]:
    """The lines of a chart that is `width` characters wide, with its title and a legend."""
    across = max(16, width - MARGIN - 2)
    x = Scale(*x_range(chart), across)
    y = Scale(*y_range(chart), HEIGHT, chart.logarithmic)
    cells = [[(" ", "")] * across for _ in range(HEIGHT)]
    signs, shades = (ASCII_SIGNS, ASCII_SHADES) if ascii_only else (SIGNS, SHADES)
    for number, curve in enumerate(chart.curves):
        _shade(cells, curve, x, y, (shades[number % 4], f"{COLOURS[number % 4]} dim"))
    for number, curve in enumerate(chart.curves):
        _mark(cells, curve, x, y, (signs[number % 4], COLOURS[number % 4]))
    bar, corner, flat = ("|", "+", "-") if ascii_only else ("│", "└", "─")
    lines = [Text(f"{chart.title}  ({chart.y})", style="bold")]
    for row in reversed(range(HEIGHT)):
        label = short(y.value(row)) if row % 5 == 0 else ""
        line = Text(f"{label:>{MARGIN - 1}} {bar}", style="dim")
        for sign, style in cells[row]:
            line.append(sign, style=style or "not dim")
        line.rstrip()
        lines.append(line)
    lines.append(Text(" " * MARGIN + corner + flat * across, style="dim"))
    left, right = short(x.low), f"{chart.x} {short(x.high)}"
    gap = max(1, across - len(left) - len(right) + 1)
    lines.append(Text(" " * MARGIN + left + " " * gap + right, style="dim"))
    return [*lines, _legend(chart, signs)]


def x_range(chart: Chart) -> tuple[float, float]:
    """The ends of the horizontal axis."""
    found = [value for curve in chart.curves for value in curve.x if value is not None]
    low, high = min(found, default=0.0), max(found, default=0.0)
    return (low, high) if high > low else (low, low + 1)


def y_range(chart: Chart) -> tuple[float, float]:
    """The ends of the vertical axis: all medians and bands, and at least the chart's limits."""
    found = [
        value
        for curve in chart.curves
        for values in (curve.middle, curve.low, curve.high)
        for value in values
        if value is not None and (value > 0 or not chart.logarithmic)
    ]
    found += chart.limits or ()
    low, high = min(found, default=0.0), max(found, default=1.0)
    if chart.logarithmic:
        return max(low, high / 1e4), high * 1.01
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def short(value: float) -> str:
    """A number for an axis, of at most seven characters."""
    if abs(value) >= 10_000:
        return f"{value / 1000:.3g}k"
    if abs(value) >= 1000:
        return f"{value:.0f}"
    return f"{0.0 if abs(value) < 1e-9 else value:.3g}"


def _shade(
    cells: list[list[tuple[str, str]]], curve: Curve, x: Scale, y: Scale, sign: tuple[str, str]
) -> None:
    for column in range(x.cells):
        edges = [y.cell(at(curve.x, side, x.value(column))) for side in (curve.low, curve.high)]
        bottom, top = edges
        if bottom is None or top is None:
            continue
        for row in range(bottom, top + 1):
            if cells[row][column] == (" ", ""):
                cells[row][column] = sign


def _mark(
    cells: list[list[tuple[str, str]]], curve: Curve, x: Scale, y: Scale, sign: tuple[str, str]
) -> None:
    for column in range(x.cells):
        row = y.cell(at(curve.x, curve.middle, x.value(column)))
        if row is not None:
            cells[row][column] = sign


def at(xs: Numbers, ys: Numbers, x: float) -> float | None:
    """The height of a curve at x, on the straight line between two of its points."""
    known = [(a, b) for a, b in zip(xs, ys, strict=True) if a is not None and b is not None]
    before = [point for point in known if point[0] <= x]
    after = [point for point in known if point[0] >= x]
    if not before or not after:
        return None
    (x0, y0), (x1, y1) = before[-1], after[0]
    return y0 if x1 == x0 else y0 + (y1 - y0) * (x - x0) / (x1 - x0)


def _legend(chart: Chart, signs: str) -> Text:
    line = Text(" " * MARGIN)
    for number, curve in enumerate(chart.curves):
        line.append(f"{signs[number % 4]} {curve.variant}   ", style=COLOURS[number % 4])
    line.rstrip()
    return line
