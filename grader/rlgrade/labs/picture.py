"""A lab's charts as PNG and SVG, where matplotlib is there."""

from __future__ import annotations

import importlib.util
import logging
import math
from pathlib import Path

from rlgrade.labs.result import LabResult, Numbers

COLOURS = ("#1a7f37", "#cf222e", "#0969da", "#9a6700")


def can_draw() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def save_pictures(result: LabResult, folder: Path) -> list[Path]:
    """Write NAME.png and NAME.svg; the paths.

    Raises:
        OSError: they cannot be written.
    """
    # Where the home cannot be written, matplotlib makes a temporary cache and says so at length.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    from matplotlib.figure import Figure

    count = len(result.charts)
    figure = Figure(figsize=(5.2 * count, 3.6), layout="constrained")
    for axes, chart in zip(figure.subplots(1, count, squeeze=False)[0], result.charts, strict=True):
        for colour, curve in zip(COLOURS, chart.curves, strict=False):
            x, low, high = _gaps(curve.x), _gaps(curve.low), _gaps(curve.high)
            axes.plot(x, _gaps(curve.middle), color=colour, label=curve.variant)
            axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
        axes.set(title=chart.title, xlabel=chart.x, ylabel=chart.y)
        axes.title.set_size(10)
        if chart.logarithmic:
            axes.set_yscale("log")
        if chart.limits is not None and not chart.logarithmic:
            axes.set_ylim(*_wider(*chart.limits))
        axes.grid(alpha=0.25)
        axes.legend(fontsize=8)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{result.lab}.{kind}" for kind in ("png", "svg")]
    for path in paths:
        figure.savefig(path, dpi=130)
    return paths


def _gaps(values: Numbers) -> list[float]:
    return [math.nan if value is None else value for value in values]


def _wider(low: float, high: float) -> tuple[float, float]:
    rim = 0.03 * (high - low)
    return low - rim, high + rim
