"""How far a training is, in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rlgrade.author.declare import Check
    from rlgrade.judge.training import Verdict

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 24


def progress_line(check: Check, verdict: Verdict, seconds: float) -> str:
    """The promise, the attempt, the curve so far, and the last score beside the goal."""
    curve, goal = verdict.curves[-1], verdict.training.goal
    attempt = f"attempt {len(verdict.curves)} of {verdict.training.attempts}"
    if not curve.steps:
        return f"... {check.promise}: {attempt}"
    share = min(1.0, curve.steps[-1] / goal.budget)
    drawn = sparkline(curve.scores, goal.null, goal.score)
    return (
        f"... {drawn} {share:4.0%}  {goal.unit} {curve.scores[-1]:g}, goal {goal.score:g}  "
        f"{attempt}  {seconds:.0f} s  {check.promise}"
    )


def sparkline(scores: list[float], low: float, high: float) -> str:
    """The curve as blocks from `low` to `high`, the newest last, at most `WIDTH` of them."""
    step = max(1, -(-len(scores) // WIDTH))
    groups = [scores[start : start + step] for start in range(0, len(scores), step)]
    means = [sum(group) / len(group) for group in groups]
    span = (high - low) or 1.0
    return "".join(_block((mean - low) / span) for mean in means)


def _block(share: float) -> str:
    if share != share:  # no number: it has diverged
        return "x"
    return BARS[round(min(max(share, 0.0), 1.0) * (len(BARS) - 1))]
