"""What a run found, as data. `docs/report-schema.json` describes the JSON form."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

from rlgrade.outcome import ExitCode, Outcome

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Evidence:
    """What the report does not print: the smallest failing arguments, and a program with them."""

    arguments: dict[str, Any]
    replay: str


@dataclass(frozen=True)
class CheckResult:
    """How one check ended, and what the learner should know of it."""

    check: str
    promise: str
    outcome: Outcome
    points: float
    max_points: float
    seconds: float = 0.0
    examples: int = 0
    message: str = ""
    line: int | None = None
    counterexample: dict[str, str] = field(default_factory=dict)
    diagnosis: list[str] = field(default_factory=list)
    traceback: list[str] = field(default_factory=list)
    printed: str = ""
    training: dict[str, Any] | None = None  # the learning curves, and what they should reach
    evidence: Evidence | None = None


@dataclass(frozen=True)
class Report:
    """One submission, graded."""

    exercise: str
    exercise_version: int
    file: str
    submission_sha256: str
    seed: int
    engine_version: str
    sandbox: str
    seconds: float
    checks: list[CheckResult]
    problem: str = ""  # why nothing could be run, in one sentence

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return bool(self.checks) and all(c.outcome is Outcome.PASS for c in self.checks)

    @property
    def points(self) -> float:
        """The points reached."""
        return round(sum(check.points for check in self.checks), 6)

    @property
    def max_points(self) -> float:
        """The points that could be reached."""
        return round(sum(check.max_points for check in self.checks), 6)

    @property
    def exit_code(self) -> ExitCode:
        """What a command tells the shell of this report."""
        if self.passed:
            return ExitCode.PASSED
        wrong = {c.outcome for c in self.checks} - {Outcome.PASS, Outcome.SKIPPED}
        return ExitCode.BROKEN if wrong == {Outcome.BROKEN} else ExitCode.NOT_YET


UNWRITTEN = "is not written yet"


def is_unwritten(result: CheckResult) -> bool:
    """Whether a check failed only because a function is still as in the stub."""
    return result.outcome is Outcome.ERROR and result.message.endswith(UNWRITTEN)


def of_file(result: CheckResult, graded: str, name: str) -> CheckResult:
    """The result as it reads for a file of another name than the exercise's.

    What the judge says of a file begins with the file's name.
    """
    if name == graded:
        return result

    def renamed(text: str) -> str:
        rest = text.removeprefix(graded)
        return name + rest if rest != text and rest[:1] in (":", " ") else text

    frames = [renamed(frame) for frame in result.traceback]
    return replace(result, message=renamed(result.message), traceback=frames)


def harmless(text: str) -> str:
    """Text of a learner's making without what a terminal or a reader's eye would obey.

    Escape sequences, other control characters, marks that turn the direction of writing and halves
    of surrogate pairs become a replacement character; line breaks and tabs stay.
    """
    return "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def to_json(report: Report, *, blind: bool = False) -> str:
    """The report as one JSON object; `blind` leaves out all that a hidden case can be read from."""
    return json.dumps(as_plain(report, blind=blind), indent=2, ensure_ascii=False)


LEAKS = (
    *("message", "line", "counterexample", "diagnosis", "traceback", "printed"),
    *("seconds", "examples", "training"),  # a submission can choose them
)


def as_plain(report: Report, *, blind: bool = False) -> dict[str, Any]:
    """The report in JSON's types, without the evidence."""
    empty = CheckResult("", "", Outcome.PASS, 0.0, 0.0)
    checks = []
    for check in report.checks:
        plain = {name: value for name, value in vars(check).items() if name != "evidence"}
        plain["outcome"] = check.outcome.value
        if blind:
            plain |= {name: getattr(empty, name) for name in LEAKS}
        checks.append(plain)
    whole = {key: value for key, value in vars(report).items() if key != "checks"}
    if blind:
        whole["seconds"] = 0.0
    return {
        "schema_version": SCHEMA_VERSION,
        **whole,
        "passed": report.passed,
        "points": report.points,
        "max_points": report.max_points,
        "checks": checks,
    }
