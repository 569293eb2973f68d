"""The marks in the forms that other programs read."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rlgrade.classroom.marks import Mark, Standing
from rlgrade.classroom.names import Identity
from rlgrade.classroom.platforms import gradescope
from rlgrade.classroom.policy import Policy
from rlgrade.classroom.spreadsheet import write_csv
from rlgrade.classroom.telling import Reveal, as_text
from rlgrade.outcome import Outcome


@dataclass(frozen=True)
class Choices:
    """What the teacher chose for an export."""

    policy: Policy = field(default_factory=Policy)
    reveal: Reveal = Reveal.PROMISE
    titles: Mapping[str, str] = field(default_factory=dict)  # an exercise's name on the platform


def canvas(standing: Standing, choices: Choices) -> str:
    """Canvas' gradebook CSV. A title that ends in ` (id)` finds the assignment there by its id."""
    titles = [choices.titles.get(exercise, exercise) for exercise in standing.exercises]
    header = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *titles]
    most = [_max_points(standing, exercise) for exercise in standing.exercises]
    rows: list[list[object]] = [["    Points Possible", "", "", "", "", *most]]
    for who in standing.students:
        scores = [_two_places(standing.of(who, exercise).score) for exercise in standing.exercises]
        name = who.name or who.key
        rows.append([name, who.canvas_id, who.sis_id, who.login or who.email, who.section, *scores])
    return write_csv(header, rows)


def moodle(standing: Standing, choices: Choices) -> str:
    """CSV for Moodle's grade import: a grade and a feedback column for each exercise."""
    header = ["Identifier", "Full name", "ID number", "Username", "Email address"]
    for exercise in standing.exercises:
        title = choices.titles.get(exercise, exercise)
        header += [title, f"{title} feedback"]
    rows = []
    for who in standing.students:
        number = f"Participant {who.moodle_id}" if who.moodle_id else ""
        row: list[object] = [number, who.name or who.key, who.sis_id, who.login, who.email]
        for exercise in standing.exercises:
            mark = standing.of(who, exercise)
            row += [_two_places(mark.score), _comments(mark)]
        rows.append(row)
    return write_csv(header, rows)


NBGRADER = (
    *("assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email"),
    *("raw_score", "late_submission_penalty", "score", "max_score"),
)


def nbgrader(standing: Standing, choices: Choices) -> str:
    """The long CSV that `nbgrader export` writes: a row for each student and exercise."""
    rows = []
    for exercise in standing.exercises:
        due = choices.policy.due_of(exercise)
        for who in standing.students:
            mark = standing.of(who, exercise)
            first, _, last = (who.name or who.key).rpartition(" ")
            sent = mark.counted.submitted_at if mark.counted else None
            moments = [due.isoformat() if due else "", sent.isoformat() if sent else ""]
            scores = [mark.raw, mark.penalty, mark.score, mark.max_points]
            rows.append([exercise, *moments, who.key, last, first, who.email, *scores])
    return write_csv(NBGRADER, rows)


def jsonl(standing: Standing, choices: Choices) -> str:
    """Everything that is known, one JSON object a line: a mark with its attempts and reports."""
    lines = [json.dumps(_plain(mark), ensure_ascii=False) for mark in standing.all()]
    return "".join(f"{line}\n" for line in lines)


def junit(standing: Standing, choices: Choices) -> str:
    """JUnit XML: a suite for each graded submission, a case for each check."""
    from xml.etree import ElementTree as Xml

    root = Xml.Element("testsuites")
    for mark in standing.all():
        attempt = mark.counted
        if attempt is None or attempt.report is None:
            continue
        checks = attempt.report["checks"]
        counts = {kind: sum(_junit_kind(c) == kind for c in checks) for kind in JUNIT.values()}
        name = f"{mark.student.key} {mark.exercise}"
        suite = Xml.SubElement(root, "testsuite", name=_xml(name), tests=str(len(checks)))
        suite.set("failures", str(counts["failure"]))
        suite.set("errors", str(counts["error"]))
        suite.set("skipped", str(counts["skipped"]))
        if shows_time := choices.reveal > Reveal.PROMISE:  # a submission that sleeps chooses it
            suite.set("time", f"{attempt.report['seconds']:.3f}")
        properties = Xml.SubElement(suite, "properties")
        for key, value in (("student", mark.student.name), ("score", mark.score)):
            Xml.SubElement(properties, "property", name=key, value=_xml(str(value)))
        for check in checks:
            case = Xml.SubElement(suite, "testcase", name=_xml(check["promise"]))
            case.set("classname", _xml(f"{mark.exercise}.{check['check']}"))
            if shows_time:
                case.set("time", f"{check['seconds']:.3f}")
            points = Xml.SubElement(Xml.SubElement(case, "properties"), "property", name="points")
            points.set("value", f"{check['points']:g}")
            if (kind := _junit_kind(check)) is not None:
                text = _xml(as_text(check, choices.reveal))
                Xml.SubElement(case, kind, message=text, type=check["outcome"])
    Xml.indent(root)
    return Xml.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def gradescope_files(standing: Standing, choices: Choices) -> dict[str, str]:
    """Gradescope's results.json of each student, by file name."""
    files = {}
    for who in standing.students:
        marks = [standing.of(who, exercise) for exercise in standing.exercises]
        reports = [m.counted.report for m in marks if m.counted and m.counted.report]
        if not reports:
            continue
        results = gradescope(reports, choices.reveal)
        results["score"] = round(sum(mark.score or 0.0 for mark in marks), 4)
        text = json.dumps(results, ensure_ascii=False, indent=2)
        files[f"{file_name(who)}/results.json"] = text + "\n"
    return files


FORMATS: dict[str, Callable[[Standing, Choices], str]] = {
    "canvas": canvas,
    "moodle": moodle,
    "nbgrader": nbgrader,
    "jsonl": jsonl,
    "junit": junit,
}
JUNIT = {
    Outcome.FAIL: "failure",
    Outcome.TIMEOUT: "failure",
    Outcome.MEMORY: "failure",
    Outcome.UNCERTAIN: "failure",
    Outcome.ERROR: "failure",
    Outcome.BROKEN: "error",
    Outcome.SKIPPED: "skipped",
}


def file_name(who: Identity) -> str:
    """A name for a student's file: readable, unique, and harmless on every system."""
    readable = re.sub(r"[^\w.@-]+", "_", who.key).strip("._")[:60]
    if readable == who.key and readable.isascii():
        return readable
    return f"{readable or 'student'}-{hashlib.sha256(who.key.encode()).hexdigest()[:8]}"


def _plain(mark: Mark) -> dict[str, Any]:
    return {
        "student": vars(mark.student),
        "exercise": mark.exercise,
        "score": mark.score,
        "max_points": mark.max_points,
        "raw": mark.raw,
        "penalty": mark.penalty,
        "days_late": mark.days_late,
        "tokens_used": mark.tokens_used,
        "override": vars(mark.override) if mark.override else None,
        "comments": [vars(comment) for comment in mark.comments],
        "counted_attempt": mark.counted.number if mark.counted else None,
        "attempts": [
            vars(a) | {"submitted_at": a.submitted_at.isoformat() if a.submitted_at else None}
            for a in mark.attempts
        ],
    }


def _junit_kind(check: dict[str, Any]) -> str | None:
    return JUNIT.get(Outcome(check["outcome"]))


def _xml(text: str) -> str:
    """Text without the characters that XML 1.0 does not allow."""
    illegal = r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
    return re.sub(illegal, "\N{REPLACEMENT CHARACTER}", text)


def _comments(mark: Mark) -> str:
    texts = [said.text for said in mark.comments]
    if mark.override is not None and mark.override.text:
        texts.append(mark.override.text)
    return "\n".join(texts)


def _two_places(score: float | None) -> float | None:
    return None if score is None else round(score, 2)


def _max_points(standing: Standing, exercise: str) -> float:
    return max((standing.of(who, exercise).max_points for who in standing.students), default=0.0)
