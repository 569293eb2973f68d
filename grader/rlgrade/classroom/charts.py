"""Small charts as SVG: no script, no file, colours from the page's style, a text for each bar."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 640, 180
LEFT, BOTTOM, TOP = 34, 26, 16


def bars(values: Sequence[float], labels: Sequence[str], title: str, unit: str) -> str:
    """A bar for each value; the label of each stands below it where there is room."""
    most = max([*values, 1])
    step = (WIDTH - LEFT) / max(len(values), 1)
    every = max(1, -(-len(values) // 12))
    parts = []
    for number, (value, label) in enumerate(zip(values, labels, strict=True)):
        x, y = LEFT + number * step, _y(value, most)
        told = escape(f"{label}: {value:g} {unit}")
        parts.append(
            f'<rect class="bar" x="{x + 0.1 * step:.1f}" y="{y:.1f}" width="{0.8 * step:.1f}" '
            f'height="{HEIGHT - BOTTOM - y:.1f}"><title>{told}</title></rect>'
        )
        middle = x + step / 2
        if value and len(values) <= 24:
            parts.append(f'<text class="mid" x="{middle:.1f}" y="{y - 4:.1f}">{value:g}</text>')
        if number % every == 0:
            text = escape(label)
            parts.append(f'<text class="mid" x="{middle:.1f}" y="{HEIGHT - 8}">{text}</text>')
    return _svg(title, "".join(parts), most)


def line(values: Sequence[float], labels: Sequence[str], title: str, unit: str) -> str:
    """A line through the values, with a dot for each."""
    most = max([*values, 1])
    step = (WIDTH - LEFT) / max(len(values), 1)
    points = [(LEFT + (n + 0.5) * step, _y(value, most)) for n, value in enumerate(values)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    every = max(1, -(-len(values) // 8))
    parts = [f'<polyline class="line" points="{path}"/>']
    for number, ((x, y), value, label) in enumerate(zip(points, values, labels, strict=True)):
        told = escape(f"{label}: {value:g} {unit}")
        parts.append(
            f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3"><title>{told}</title></circle>'
        )
        if number % every == 0:
            parts.append(f'<text class="mid" x="{x:.1f}" y="{HEIGHT - 8}">{escape(label)}</text>')
    return _svg(title, "".join(parts), most)


def _y(value: float, most: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / most)


def _svg(title: str, inside: str, most: float) -> str:
    floor = HEIGHT - BOTTOM
    axis = f'<line class="axis" x1="{LEFT}" y1="{floor}" x2="{WIDTH}" y2="{floor}"/>'
    scale = f'<text class="end" x="{LEFT - 6}" y="{TOP + 4}">{most:g}</text>'
    scale += f'<text class="end" x="{LEFT - 6}" y="{floor}">0</text>'
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{axis}{scale}{inside}</svg>"
    )
