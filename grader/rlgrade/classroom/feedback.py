"""What each student gets: one page, as HTML and as Markdown, with what the teacher reveals."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rlgrade.classroom.export import file_name
from rlgrade.classroom.marks import Mark, Standing
from rlgrade.classroom.names import Identity
from rlgrade.classroom.policy import Policy
from rlgrade.classroom.telling import WORDS, Reveal, told
from rlgrade.courses import Course
from rlgrade.outcome import Outcome, UsageError

TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class Part:
    """One exercise in a student's feedback."""

    mark: Mark
    title: str
    score: str
    passed: int | None
    checks: list[dict[str, Any]]
    notes: list[str]
    solution: str = ""
    walkthrough: str = ""


@dataclass(frozen=True)
class Telling:
    """What is told, and until when what is not."""

    course: Course
    policy: Policy
    reveal: Reveal
    now: datetime

    def may_show_solution(self, exercise: str) -> bool:
        """Whether the solution is wanted, and the exercise is due."""
        due = self.policy.due_of(exercise)
        return self.reveal >= Reveal.SOLUTION and due is not None and due <= self.now


def feedback_files(standing: Standing, telling: Telling) -> Iterator[tuple[str, str]]:
    """Name and text of each file: `<student>.html` and `<student>.md`.

    Raises:
        UsageError: solutions are to be shown, and no exercise has a due date.
    """
    due = [telling.policy.due_of(exercise) for exercise in standing.exercises]
    if telling.reveal >= Reveal.SOLUTION and not any(due):
        raise UsageError(
            "solutions are shown after the due date, and the policy has none; "
            "add [due] to policy.toml"
        )
    templates = environment()
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    for who in standing.students:
        parts = [_part(standing.of(who, exercise), telling) for exercise in standing.exercises]
        shown = [part for part in parts if part.mark.attempts or part.mark.override]
        for kind in ("html", "md"):
            text = templates.get_template(f"feedback.{kind}.j2").render(
                who=who, course=telling.course.title, parts=shown, style=style
            )
            yield f"{file_name(who)}.{kind}", _tidy(text) if kind == "md" else text


def environment() -> Any:
    """The templates; what goes into HTML is escaped."""
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
    except ImportError:
        raise UsageError("this needs more: pip install 'rlgrade[class]'") from None
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(("html.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    templates.filters |= {"md": plain_markdown, "indented": indented}
    return templates


def plain_markdown(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    line = " ".join(text.split())
    return re.sub(r"([\\`*_{}\[\]<>#+!|&~-])", r"\\\1", line)


def indented(text: str, spaces: int = 6) -> str:
    """Text as a code block, by indentation, which no text can end."""
    return "\n".join(" " * spaces + line for line in text.splitlines())


def _part(mark: Mark, telling: Telling) -> Part:
    exercise = telling.course.find(mark.exercise)
    report = mark.counted.report if mark.counted is not None else None
    checks = [_check(check, telling.reveal) for check in report["checks"]] if report else []
    solution = walkthrough = ""
    if telling.may_show_solution(mark.exercise):
        solution = exercise.solution.read_text(encoding="utf-8")
        path = exercise.hidden / "walkthrough.md"
        walkthrough = path.read_text(encoding="utf-8") if path.is_file() else ""
    return Part(
        mark,
        exercise.metadata.title,
        _score(mark),
        sum(check["passed"] for check in checks) if report else None,
        checks,
        list(_notes(mark, telling, shows=bool(solution))),
        solution,
        walkthrough,
    )


def _check(check: dict[str, Any], reveal: Reveal) -> dict[str, Any]:
    outcome = Outcome(check["outcome"])
    return {
        "passed": outcome is Outcome.PASS,
        "word": WORDS[outcome],
        "promise": check["promise"],
        "lines": told(check, reveal),
    }


def _score(mark: Mark) -> str:
    if mark.score is None:
        return "no mark yet"
    return f"{mark.score:g} of {mark.max_points:g} points"


def _notes(mark: Mark, telling: Telling, *, shows: bool) -> Iterator[str]:
    counted = mark.counted
    if counted is not None and counted.report is None:
        yield (
            "The grader itself failed here. It costs you nothing; it will be graded again."
            if counted.broken
            else "Not graded yet."
        )
    if counted is not None and len(mark.attempts) > 1:
        which = {"best": "the best counts", "last": "the last counts"}
        rule = which.get(telling.policy.count, "each check counts from its best attempt")
        yield f"Attempt {counted.number} of {len(mark.attempts)}: {rule}."
    if counted is not None and counted.submitted_at is not None:
        yield f"Handed in {counted.submitted_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC."
    if mark.days_late:
        tokens = f", {mark.tokens_used} of them by late days of yours" if mark.tokens_used else ""
        yield f"{mark.days_late} days late{tokens}; lateness took {mark.penalty:g} points."
    if mark.override is not None:
        why = f": {mark.override.text}" if mark.override.text else ""
        yield f"Set by hand by {mark.override.who} on {mark.override.when[:10]}{why}"
    if telling.reveal >= Reveal.SOLUTION and not shows:
        yield "The solution will be shown after the due date."


def _tidy(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def name_of(who: Identity) -> str:
    """A student as a teacher reads it."""
    return who.name if who.name and who.name != who.key else who.key
