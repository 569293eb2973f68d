"""What a student is told of a check: as much as the teacher reveals, and no more."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from rlgrade.outcome import Outcome


class Reveal(IntEnum):
    """Each step tells what the one before it does, and more."""

    PROMISE = 1  # which promise is broken, and how it ended
    COUNTEREXAMPLE = 2  # the numbers, the smallest case, the line, what was printed
    DIAGNOSIS = 3  # which known mistake it looks like
    SOLUTION = 4  # the solution, once the exercise is due


REASONS = {
    Outcome.FAIL: "your answer is not as promised",
    Outcome.ERROR: "your code did not answer",
    Outcome.TIMEOUT: "your code took too long",
    Outcome.MEMORY: "your code used too much memory",
    Outcome.SKIPPED: "not tried: it needs another check to pass",
    Outcome.UNCERTAIN: "the evidence did not decide it",
    Outcome.BROKEN: "the grader itself failed here; this costs you nothing",
}
WORDS = {
    Outcome.PASS: "passed",
    Outcome.FAIL: "not yet",
    Outcome.ERROR: "error",
    Outcome.TIMEOUT: "too slow",
    Outcome.MEMORY: "memory",
    Outcome.SKIPPED: "skipped",
    Outcome.UNCERTAIN: "undecided",
    Outcome.BROKEN: "grader fault",
}


def told(check: dict[str, Any], reveal: Reveal) -> list[tuple[str, str]]:
    """Label and text of each line that explains a check; nothing for one that passed."""
    outcome = Outcome(check["outcome"])
    if outcome is Outcome.PASS:
        return []
    if reveal < Reveal.COUNTEREXAMPLE or outcome is Outcome.SKIPPED:
        return [("what", REASONS[outcome])]
    lines = [("what", check["message"] or REASONS[outcome])]
    if check["line"]:
        lines.append(("where", f"line {check['line']}"))
    lines += [("", frame) for frame in check["traceback"]]
    if check["counterexample"]:
        case = "  ".join(f"{name} {value}" for name, value in check["counterexample"].items())
        lines.append(("smallest case", case))
    if check["printed"].strip():
        lines.append(("it printed", check["printed"].strip()))
    if reveal >= Reveal.DIAGNOSIS and check["diagnosis"]:
        lines.append(("looks like", " or ".join(check["diagnosis"])))
    return lines


def as_text(check: dict[str, Any], reveal: Reveal) -> str:
    """The same as plain lines."""
    return "\n".join(f"{label}: {text}" if label else text for label, text in told(check, reveal))
