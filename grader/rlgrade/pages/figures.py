"""Charts as SVG for the page: no script, colours of the page's style, whatever is drawn escaped."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from rlgrade.labs.drawing import Scale, short, x_range, y_range
from rlgrade.labs.result import Chart, Curve, Numbers
from rlgrade.pages.contents import Training

WIDTH, HEIGHT = 360, 220
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 18, 34
TICKS = 4
MOST_POINTS = 300
RIGHT_CODE = "right code"  # a curve to compare with, in a colour that is nobody's own


def chart_svg(chart: Chart, levels: Sequence[tuple[str, float]] = ()) -> Markup:
    """A chart with bands; `levels` are named horizontal lines."""
    x_low, x_high = x_range(chart)
    y_low, y_high = y_range(chart)
    heights = [value for _, value in levels]
    y_low, y_high = min([y_low, *heights]), max([y_high, *heights])
    x = Scale(x_low, x_high, WIDTH - LEFT - RIGHT + 1)
    y = Scale(y_low, y_high, HEIGHT - TOP - BOTTOM + 1, chart.logarithmic)
    parts = [*_axes(chart, x, y), *_levels(levels, y)]
    styles = [
        "right" if curve.variant == RIGHT_CODE else f"s{number % 4}"
        for number, curve in enumerate(chart.curves)
    ]
    for curve, style in zip(chart.curves, styles, strict=True):
        parts.append(_band(_thinned(curve), x, y, style))
    for curve, style in zip(chart.curves, styles, strict=True):
        parts += _line(_thinned(curve), x, y, style)
    names = ", ".join(curve.variant for curve in chart.curves)
    return Markup(
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}: {}" xmlns="http://www.w3.org/2000/svg">'
        "{}</svg>"
    ).format(WIDTH, HEIGHT, chart.title, names, Markup("").join(parts))


def training_chart(training: Training) -> Chart:
    """The attempts of a training check, and after them right code with its band."""
    curves = []
    for number, attempt in enumerate(training.attempts, 1):
        xs: Numbers = [float(step) for step in attempt.steps]
        ys: Numbers = list(attempt.scores)
        if xs:
            curves.append(Curve(f"attempt {number}", xs, ys, [None] * len(xs), [None] * len(xs)))
    if curves and training.band:
        band = training.band
        sides: list[Numbers] = [
            [float(value) for value in side] for side in (band.middle, band.low, band.high)
        ]
        curves.append(Curve(RIGHT_CODE, [float(step) for step in band.steps], *sides))
    return Chart("Learning curve", "steps", training.unit, False, None, curves)


def training_svg(training: Training) -> Markup:
    """A learning curve between what never learns and the goal; empty if there is no point."""
    chart = training_chart(training)
    if not chart.curves:
        return Markup("")
    return chart_svg(chart, [("goal", training.goal), ("never learns", training.null)])


def _place(scale: Scale, value: float | None) -> float | None:
    cell = scale.cell(value)
    return None if cell is None else float(cell)


def _axes(chart: Chart, x: Scale, y: Scale) -> list[Markup]:
    floor = HEIGHT - BOTTOM
    parts = [
        Markup('<text x="{}" y="{}" class="axis" text-anchor="middle">{}</text>').format(
            (LEFT + WIDTH - RIGHT) // 2, HEIGHT - 4, chart.x
        )
    ]
    for tick in range(TICKS + 1):
        cell = round(tick * (y.cells - 1) / TICKS)
        parts.append(
            Markup(
                '<line x1="{}" x2="{}" y1="{}" y2="{}" class="grid"/>'
                '<text x="{}" y="{}" class="axis" text-anchor="end">{}</text>'
            ).format(
                *(LEFT, WIDTH - RIGHT, floor - cell, floor - cell),
                *(LEFT - 5, floor - cell + 4, short(y.value(cell))),
            )
        )
    for tick in (0, TICKS // 2, TICKS):
        cell = round(tick * (x.cells - 1) / TICKS)
        anchor = ("start", "middle", "end")[2 * tick // TICKS]
        parts.append(
            Markup('<text x="{}" y="{}" class="axis" text-anchor="{}">{}</text>').format(
                LEFT + cell, floor + 15, anchor, short(x.value(cell))
            )
        )
    return parts


def _levels(levels: Sequence[tuple[str, float]], y: Scale) -> list[Markup]:
    parts = []
    for name, value in levels:
        at = HEIGHT - BOTTOM - (_place(y, value) or 0.0)
        parts.append(
            Markup(
                '<line x1="{}" x2="{}" y1="{:g}" y2="{:g}" class="level"/>'
                '<text x="{}" y="{:g}" class="axis" text-anchor="end">{} {}</text>'
            ).format(*(LEFT, WIDTH - RIGHT, at, at), WIDTH - RIGHT, at - 3, name, short(value))
        )
    return parts


def _points(xs: Numbers, ys: Numbers, x: Scale, y: Scale) -> list[list[str]]:
    """The stretches without a gap, each point as it stands in a path."""
    stretches: list[list[str]] = [[]]
    for a, b in zip(xs, ys, strict=True):
        across, up = _place(x, a), _place(y, b)
        if across is None or up is None:
            stretches.append([])
        else:
            stretches[-1].append(f"{LEFT + across:g},{HEIGHT - BOTTOM - up:g}")
    return [stretch for stretch in stretches if stretch]


def _line(curve: Curve, x: Scale, y: Scale, style: str) -> list[Markup]:
    return [
        Markup('<polyline points="{}" class="line {}"/>').format(
            " ".join(stretch if len(stretch) > 1 else stretch * 2), style
        )
        for stretch in _points(curve.x, curve.middle, x, y)
    ]


def _band(curve: Curve, x: Scale, y: Scale, style: str) -> Markup:
    upper = _points(curve.x, curve.high, x, y)
    lower = _points(curve.x, curve.low, x, y)
    if len(upper) != 1 or len(lower) != 1:
        return Markup("")
    outline = " ".join([*upper[0], *reversed(lower[0])])
    return Markup('<polygon points="{}" class="band {}"/>').format(outline, style)


def _thinned(curve: Curve) -> Curve:
    """At most so many points, the last among them."""
    step = -(-len(curve.x) // MOST_POINTS)
    if step <= 1:
        return curve
    keep = sorted({*range(0, len(curve.x), step), len(curve.x) - 1})
    return Curve(
        curve.variant,
        *([side[i] for i in keep] for side in (curve.x, curve.middle, curve.low, curve.high)),
    )
