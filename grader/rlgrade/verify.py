"""Prove an exercise: its checks pass what is right, fail what is wrong, and name the wrong."""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from rlgrade.authoring import stub_of
from rlgrade.courses import Course, Exercise, Mistake
from rlgrade.judge.grading import Settings, grade, load_checks
from rlgrade.judge.server import Server
from rlgrade.outcome import ExitCode, Outcome, UsageError
from rlgrade.report import Report
from rlgrade.stubs import hidden_lines

MINIMUM = {"checks": 8, "mistakes": 12, "right": 5, "hints": 3}
TELLING_LENGTH = 20  # shorter hidden lines, such as `return total`, give nothing away
QUICK = Settings(shrink_seconds=0.0, diagnose=False)


@dataclass
class Findings:
    """What was found of one exercise; it is proven when nothing fell short."""

    exercise: str
    checks: int = 0
    mistakes: int = 0
    caught: int = 0
    diagnosed: int = 0
    right: int = 0
    right_passed: int = 0
    seconds: float = 0.0
    short: list[str] = field(default_factory=list)


def verify_exercise(exercise: Exercise, server: Server, seed: int) -> Findings:
    """Run every proof of `rlgrade dev verify` on one exercise."""
    checks = load_checks(exercise)
    found = Findings(exercise.id, checks=len(checks), mistakes=len(exercise.mistakes))
    found.right = len(exercise.right)
    for proof in (
        _numbers,
        _stub_is_generated,
        _docstrings_match,
        _nothing_shows,
        _solution_passes,
        _stub_fails,
        _right_passes,
        _mistakes_are_caught,
        _every_check_is_named,
    ):
        try:
            proof(exercise, server, seed, found)
        except (UsageError, OSError, SyntaxError) as error:
            found.short.append(str(error))
    return found


def _numbers(exercise: Exercise, server: Server, seed: int, found: Findings) -> None:
    have = {
        "checks": found.checks,
        "mistakes": found.mistakes,
        "right": found.right,
        "hints": len(exercise.hints),
    }
    found.short += [
        f"{have[name]} {name}; at least {least} are needed"
        for name, least in MINIMUM.items()
        if have[name] < least
    ]
    for path in (exercise.shown / "README.md", exercise.hidden / "walkthrough.md"):
        if not path.is_file():
            found.short.append(f"{path} is missing")
    _ = exercise.metadata


def _stub_is_generated(exercise: Exercise, server: Server, seed: int, found: Findings) -> None:
    if exercise.stub.read_text(encoding="utf-8") != stub_of(exercise):
        found.short.append(f"{exercise.stub.name} is not what `rlgrade dev stub` writes")


def _docstrings_match(exercise: Exercise, server: Server, seed: int, found: Findings) -> None:
    tree = ast.parse(exercise.solution.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
            documented = documented_arguments(ast.get_docstring(node) or "")
            if documented != [argument.arg for argument in arguments]:
                found.short.append(f"{node.name} documents {documented} as its arguments")


def documented_arguments(docstring: str) -> list[str]:
    """The names under `Args:` in a docstring."""
    section = re.search(r"^Args:\n((?:    .*\n?|\n)*)", docstring + "\n", re.MULTILINE)
    if section is None:
        return []
    heads = re.findall(r"^    (\w[\w, ]*):", section.group(1), re.MULTILINE)
    return [name.strip() for head in heads for name in head.split(",")]


def _nothing_shows(exercise: Exercise, server: Server, seed: int, found: Findings) -> None:
    secret = secret_lines(exercise)
    for path in sorted(exercise.shown.iterdir()):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            found.short += [f"{path.name} shows {line!r}" for line in secret if line in text]


def secret_lines(exercise: Exercise) -> list[str]:
    """Lines of the solution that no learner may be shown."""
    source = exercise.solution.read_text(encoding="utf-8")
    lines = hidden_lines(source, exercise.file)
    return [line for line in lines if len(line) >= TELLING_LENGTH and not line.startswith("#")]


def _solution_passes(exercise: Exercise, server: Server, seed: int, found: Findings) -> None:
    source = exercise.solution.read_bytes()
    report = grade(exercise, source, server, seed, settings=QUICK)
    found.short += [f"the solution fails: {text}" for text in _failures(report)]
    again = partial(grade, exercise, source, server, seed + 1, settings=QUICK)
    found.seconds = min(_timed(again), _timed(again))
    if found.seconds > exercise.metadata.seconds:
        budget = exercise.metadata.seconds
        found.short.append(f"the checks take {found.seconds:.2f} s; the budget is {budget:g} s")


def _stub_fails(exercise: Exercise, server: Server, seed: int, found: Findings) -> None:
    report = grade(exercise, exercise.stub.read_bytes(), server, seed, settings=QUICK)
    if report.problem:
        found.short.append(f"the stub cannot be loaded: {report.problem}")
    passing = [c.check for c in report.checks if c.outcome in (Outcome.PASS, Outcome.BROKEN)]
    found.short += [f"the stub does not fail `{name}`" for name in passing]
    _output_is_clean(exercise, report, "the stub", found)


def _right_passes(exercise: Exercise, server: Server, seed: int, found: Findings) -> None:
    for path in exercise.right:
        report = grade(exercise, path.read_bytes(), server, seed, settings=QUICK)
        found.right_passed += report.passed
        found.short += [f"right/{path.name} fails: {text}" for text in _failures(report)]


def _mistakes_are_caught(exercise: Exercise, server: Server, seed: int, found: Findings) -> None:
    names = {check.name for check in load_checks(exercise)}
    for mistake in exercise.mistakes:
        if mistake.caught_by not in names:
            found.short.append(f"{mistake.name!r} names `{mistake.caught_by}`, which is no check")
            continue
        report = grade_mistake(exercise, mistake, server, seed)
        (result,) = report.checks
        wrong = result.outcome in (Outcome.FAIL, Outcome.ERROR, Outcome.TIMEOUT, Outcome.MEMORY)
        found.caught += wrong
        if not wrong:
            found.short.append(f"`{mistake.caught_by}` lets {mistake.name!r} through")
            continue
        if result.diagnosis == [mistake.says]:
            found.diagnosed += 1
        else:
            taken = " or ".join(result.diagnosis) or "nothing"
            found.short.append(f"{mistake.name!r} is taken for: {taken} ({result.message})")
        _output_is_clean(exercise, report, mistake.name, found)


def grade_mistake(exercise: Exercise, mistake: Mistake, server: Server, seed: int) -> Report:
    """A mistake under the one check that should catch it."""
    settings = Settings(shrink_seconds=0.2, only=frozenset({mistake.caught_by}))
    source = exercise.mistaken_source(mistake).encode()
    return grade(exercise, source, server, seed, settings=settings)


def _every_check_is_named(exercise: Exercise, server: Server, seed: int, found: Findings) -> None:
    named = {mistake.caught_by for mistake in exercise.mistakes}
    found.short += [
        f"no mistake is caught by `{check.name}`"
        for check in load_checks(exercise)
        if check.name not in named
    ]


def _output_is_clean(exercise: Exercise, report: Report, who: str, found: Findings) -> None:
    """Our own words about a submission show no line of the solution; its own lines may."""
    words = " ".join(" ".join([c.message, *c.diagnosis]) for c in report.checks)
    found.short += [
        f"the output on {who} shows {s!r}" for s in secret_lines(exercise) if s in words
    ]


def _failures(report: Report) -> list[str]:
    return [f"`{c.check}`: {c.message}" for c in report.checks if c.outcome is not Outcome.PASS]


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def verify_command(course: Course, names: tuple[str, ...], seed: int) -> ExitCode:
    """Verify exercises, print a table, and say what falls short."""
    from rich.table import Table

    from rlgrade.render import make_console

    console = make_console()
    table = Table(box=None)
    for heading in ("exercise", "checks", "caught", "diagnosed", "right passed", "seconds"):
        table.add_column(heading, justify="left" if heading == "exercise" else "right")
    exercises = [course.find(name) for name in names] or course.exercises
    everything = []
    with Server() as server:
        for exercise in exercises:
            found = verify_exercise(exercise, server, seed)
            everything.append(found)
            table.add_row(
                found.exercise,
                str(found.checks),
                f"{found.caught}/{found.mistakes}",
                f"{found.diagnosed}/{found.mistakes}",
                f"{found.right_passed}/{found.right}",
                f"{found.seconds:.2f}",
            )
    console.print(table)
    for found in everything:
        for text in found.short:
            console.print(f"{found.exercise}: {text}", soft_wrap=True)
    proven = all(not found.short for found in everything)
    console.print("all proven" if proven else "not proven")
    return ExitCode.PASSED if proven else ExitCode.NOT_YET
