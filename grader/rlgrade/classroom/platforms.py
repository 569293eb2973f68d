"""One report in the form that a platform reads: Gradescope, GitHub Classroom, PrairieLearn.

Fields as in the platforms' documentation. A report in which the grader itself failed is said to be
ungradable wherever the platform can say so, so that it costs nothing.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from rlgrade.classroom.telling import WORDS, Reveal, as_text
from rlgrade.outcome import Outcome

Report = dict[str, Any]
MAX_PRAIRIELEARN = 1 << 20
FAULT = "The grader itself failed; this costs you nothing. Tell your teacher."


def is_broken(report: Report) -> bool:
    """Whether the grader failed in any check."""
    return any(check["outcome"] == Outcome.BROKEN.value for check in report["checks"])


def gradescope(reports: list[Report], reveal: Reveal, visibility: str = "visible") -> Report:
    """What `/autograder/results/results.json` holds."""
    if any(is_broken(report) for report in reports):
        return {"output": FAULT, "output_format": "text"}
    tests = []
    for report in reports:
        shares = _shares(report, 100)
        for number, check in enumerate(report["checks"], start=1):
            score, most = shares[number - 1]
            passed = check["outcome"] == Outcome.PASS.value
            tests.append(
                {
                    "name": f"{report['exercise']}: {check['promise']}",
                    "name_format": "text",
                    "number": f"{_number(report)}.{number}",
                    "score": score,
                    "max_score": most,
                    "status": "passed" if passed else "failed",
                    "output": as_text(check, reveal),
                    "output_format": "text",
                    "visibility": visibility,
                    "extra_data": {"check": check["check"], "outcome": check["outcome"]},
                }
            )
    results = {
        "score": round(sum(report["points"] for report in reports), 4),
        "output": _headline(reports),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": visibility,
        "stdout_visibility": "hidden",
        "tests": tests,
        "extra_data": {"reports": [_provenance(report) for report in reports]},
    }
    if reveal > Reveal.PROMISE:  # a submission that sleeps chooses it
        results["execution_time"] = round(sum(report["seconds"] for report in reports), 2)
    return results


def github_classroom(report: Report, reveal: Reveal) -> Report:
    """What a runner of GitHub Classroom puts out, before base64."""
    broken = is_broken(report)
    tests = [
        {
            "name": check["promise"],
            "status": _github_status(check["outcome"]),
            "score": score,
            "message": as_text(check, reveal) or None,
            "test_code": check["check"],
            "filename": report["file"],
            "line_no": (check["line"] or 0) if reveal > Reveal.PROMISE else 0,
            "duration": 0,
        }
        for check, (score, _) in zip(report["checks"], _shares(report, 64), strict=True)
    ]
    status = "error" if broken else "pass" if report["passed"] else "fail"
    message = FAULT if broken else None
    most = round(report["max_points"], 4)
    return {"version": 1, "status": status, "max_score": most, "message": message, "tests": tests}


def github_nothing(file: str, most: float, reason: str, status: str) -> Report:
    """The same where there is nothing to grade, or the grader could not."""
    test = {"name": file, "status": status, "score": 0, "message": reason, "test_code": ""}
    test |= {"filename": file, "line_no": 0, "duration": 0}
    return {"version": 1, "status": status, "max_score": most, "message": reason, "tests": [test]}


def github_output(result: Report) -> str:
    """The line that a step appends to the file named in GITHUB_OUTPUT."""
    compact = json.dumps(result, separators=(",", ":"))
    return f"result={base64.b64encode(compact.encode()).decode()}\n"


def prairielearn(report: Report, reveal: Reveal) -> Report:
    """What `/grade/results/results.json` holds; at most 1 MB."""
    if is_broken(report):
        return {"gradable": False, "score": 0.0, "format_errors": [FAULT], "message": FAULT}
    if report["problem"]:
        problem = report["problem"] if reveal > Reveal.PROMISE else "the file cannot be loaded"
        return {"gradable": False, "score": 0.0, "format_errors": [problem], "message": problem}
    result = _prairielearn(report, reveal)
    while len(json.dumps(result).encode()) > MAX_PRAIRIELEARN and reveal > Reveal.PROMISE:
        reveal = Reveal(reveal - 1)
        result = _prairielearn(report, reveal)
    return result


def _prairielearn(report: Report, reveal: Reveal) -> Report:
    tests = [
        {
            "name": check["promise"],
            "description": WORDS[Outcome(check["outcome"])],
            "points": round(check["points"], 4),
            "max_points": round(check["max_points"], 4),
            "message": as_text(check, reveal),
            "output": "",
        }
        for check in report["checks"]
    ]
    score = report["points"] / report["max_points"] if report["max_points"] else 0.0
    return {
        "gradable": True,
        "score": round(min(max(score, 0.0), 1.0), 6),
        "message": _headline([report]),
        "output": "",
        "tests": tests,
    }


def _shares(report: Report, parts: int) -> list[tuple[float, float]]:
    """Score and most of each check, in parts of a point, such that they add up to the whole.

    Three checks of a point have 0.33, 0.34 and 0.33: a full score is full. Sums of 64ths are exact.
    """
    shares, reached = [], 0.0
    for check in report["checks"]:
        before, reached = round(reached * parts), reached + check["max_points"]
        most = (round(reached * parts) - before) / parts
        part = check["points"] / check["max_points"] if check["max_points"] else 0.0
        shares.append((round(most * part * parts) / parts, most))
    return shares


def _github_status(outcome: str) -> str:
    if outcome == Outcome.PASS.value:
        return "pass"
    return "error" if outcome == Outcome.BROKEN.value else "fail"


def _headline(reports: list[Report]) -> str:
    lines = []
    for report in reports:
        passed = sum(check["outcome"] == Outcome.PASS.value for check in report["checks"])
        lines.append(f"{report['exercise']}: {passed} of {len(report['checks'])} checks passed")
    return "\n".join(lines)


def _number(report: Report) -> str:
    return str(report["exercise"]).partition("_")[0].removeprefix("ex").lstrip("0") or "0"


def _provenance(report: Report) -> Report:
    names = ("exercise", "exercise_version", "engine_version", "seed", "sandbox")
    return {name: report[name] for name in (*names, "submission_sha256")}
