"""How attempts become a mark: due dates, lateness, and which attempt counts. A small TOML file.

[due]
all = 2026-03-01T23:59:00+01:00      # or one line for an exercise: ex05 = ...

[late]
percent_per_day = 10                 # of what the attempt earned, for each day begun
at_most = 50                         # percent
grace_minutes = 15
tokens = 3                           # late days that cost nothing, used where they help first

[attempts]
count = "best"                       # or "last", or "any": each check from its best attempt

[missing]
score = "blank"                      # or "zero"
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from rlgrade.outcome import UsageError

FILE = "policy.toml"
COUNTS = ("best", "last", "any")
NUMBERS = {
    "percent_per_day": (0.0, 100.0),
    "at_most": (0.0, 100.0),
    "grace_minutes": (0.0, 1e6),
    "tokens": (0, 1000),
}


@dataclass(frozen=True)
class Policy:
    """The rules of one class."""

    due: Mapping[str, datetime] = field(default_factory=dict)
    percent_per_day: float = 0.0
    at_most: float = 100.0
    grace_minutes: float = 0.0
    tokens: int = 0
    count: str = "best"
    missing: str = "blank"

    def due_of(self, exercise: str) -> datetime | None:
        """When an exercise is due, if ever: by its name, its number, or `all`."""
        names = (exercise, exercise.partition("_")[0], "all")
        return next((self.due[name] for name in names if name in self.due), None)

    def order(self, exercise: str) -> tuple[float, str]:
        """Where an exercise stands in the order of due dates; those without one come last."""
        due = self.due_of(exercise)
        return (due.timestamp() if due else math.inf, exercise)

    def days_late(self, exercise: str, submitted_at: datetime | None) -> int:
        """Days begun after the due date and the grace; 0 where either moment is not known."""
        due = self.due_of(exercise)
        if due is None or submitted_at is None:
            return 0
        seconds = (submitted_at - due).total_seconds() - 60 * self.grace_minutes
        return max(0, math.ceil(seconds / 86_400))

    def share_kept(self, days: int) -> float:
        """What is left of the points of an attempt so many days late."""
        return 1.0 - min(self.percent_per_day * days, self.at_most) / 100.0


def read_policy(path: Path | None) -> Policy:
    """The policy in a file; without one, the best attempt counts and nothing is ever late.

    Raises:
        UsageError: the file says something that is no rule; it is named.
    """
    if path is None:
        return Policy()
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {error}") from None
    problem = _problem(table)
    if problem:
        raise UsageError(f"{path}: {problem}")
    late = table.get("late", {})
    return Policy(
        due=table.get("due", {}),
        count=table.get("attempts", {}).get("count", "best"),
        missing=table.get("missing", {}).get("score", "blank"),
        **late,
    )


def _problem(table: dict[str, Any]) -> str:
    known = {"due": None, "late": set(NUMBERS), "attempts": {"count"}, "missing": {"score"}}
    for name, entries in table.items():
        if name not in known or not isinstance(entries, dict):
            return f"[{name}] is no part of a policy; the parts are {', '.join(known)}"
        names = known[name]
        unknown = [entry for entry in entries if names is not None and entry not in names]
        if unknown:
            return f"[{name}] has no {unknown[0]!r}; it has {', '.join(sorted(names or ()))}"
    for name, moment in table.get("due", {}).items():
        if not isinstance(moment, datetime) or moment.tzinfo is None:
            return f"due.{name} should be a time with an offset, such as 2026-03-01T23:59:00+01:00"
    for name, number in table.get("late", {}).items():
        low, high = NUMBERS[name]
        kinds = (int,) if name == "tokens" else (int, float)
        if type(number) not in kinds or not low <= number <= high:
            return f"late.{name} should be a number from {low:g} to {high:g}, not {number!r}"
    if table.get("attempts", {}).get("count", "best") not in COUNTS:
        return f"attempts.count should be one of {', '.join(COUNTS)}"
    if table.get("missing", {}).get("score", "blank") not in ("blank", "zero"):
        return "missing.score should be blank or zero"
    return ""
