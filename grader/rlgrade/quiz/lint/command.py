"""The command: every problem of the named files, every gate of the bank, and the exit code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from rlgrade.outcome import ExitCode, UsageError
from rlgrade.quiz import schema
from rlgrade.quiz.bank import Bank
from rlgrade.quiz.lint.coverage import Syllabus, read_syllabus
from rlgrade.quiz.lint.duplicates import duplicates, repeated
from rlgrade.quiz.lint.execution import SnippetRun, check_keys
from rlgrade.quiz.lint.gates import Gate, Material, gates
from rlgrade.quiz.lint.wording import check_words, reasons
from rlgrade.quiz.loading import Loaded
from rlgrade.quiz.names import did_you_mean
from rlgrade.quiz.problems import Problem
from rlgrade.quiz.scalars import Steps

Placed = tuple[Loaded, Steps, schema.Item]


@dataclass(frozen=True)
class Report:
    """What is wrong with the named files, and the figures of what was linted."""

    problems: list[Problem]
    gates: list[Gate]
    whole: bool  # the whole bank, so that the gates count

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems and not (self.whole and not all(g.passed for g in self.gates))


def lint(bank: Bank, files: Sequence[str] = ()) -> Report:
    """The report for these files, or for the whole bank.

    Items are compared with those of the whole bank in any case.
    """
    wanted = {_found(bank, file) for file in files} or set(bank.files)
    loaded, problems = bank.read(sorted({*bank.files, *wanted}))
    chosen = [one for one in loaded if one.path in wanted]
    syllabus = read_syllabus(bank.folder)
    problems += _own(bank, chosen, syllabus) + _between(loaded)
    names = {bank.shown(path) for path in wanted}
    mine = [problem for problem in problems if problem.file in names]
    return Report(mine, _gates(chosen, syllabus), whole=not files)


def lint_command(bank: Bank, files: tuple[str, ...], *, as_json: bool) -> int:
    """Print the report; the exit code."""
    report = lint(bank, files)
    if as_json:
        import json

        click.echo(json.dumps(asdict(report) | {"passed": report.passed}, ensure_ascii=False))
    else:
        for problem in report.problems:
            click.echo(problem)
        _table(report)
    return ExitCode.PASSED if report.passed else ExitCode.NOT_YET


def _found(bank: Bank, file: str) -> Path:
    """A file, or the name of a topic, as a path that the bank knows."""
    for path in bank.files:
        if file == path.stem or Path(file).resolve() == path.resolve():
            return path
    if Path(file).is_file():
        return Path(file).resolve()
    raise UsageError(f"there is no quiz file {file}{did_you_mean(file, bank.topics)}")


def _own(bank: Bank, files: Sequence[Loaded], syllabus: Syllabus | None) -> list[Problem]:
    """What can be said of each item by itself."""
    placed = [(one, steps, item) for one in files for steps, item in one.places()]
    problems = []
    for one, steps, item in placed:
        found = [*check_words(item), *check_keys(item, bank), *_covers(item, syllabus)]
        problems += [one.problem(steps + inner, rule, said, item.id) for inner, rule, said in found]
    where = {item.id: (one, steps) for one, steps, item in placed}
    for item, inner, rule, said in SnippetRun().check([item for _, _, item in placed]):
        one, steps = where[item.id]
        problems.append(one.problem(steps + inner, rule, said, item.id))
    return problems


def _covers(item: schema.Item, syllabus: Syllabus | None) -> list[tuple[Steps, str, str]]:
    if syllabus is None:
        return []
    return [
        (("covers",), "covers", f"coverage.toml has no {name!r}; it has T001, F01, E01, S4-QC1 ...")
        for name in item.covers
        if not syllabus.knows(name)
    ]


def _between(files: Sequence[Loaded]) -> list[Problem]:
    """What two items have in common that they should not."""
    placed = [(one, steps, item) for one in files for steps, item in one.places()]
    problems = []
    for n, m, said in duplicates([item for _, _, item in placed]):
        one, steps, item = placed[n]
        message = f"it {said} {placed[m][2].id}"
        problems.append(one.problem((*steps, "stem"), "duplicate", message, item.id))
    return problems + _repeated(placed, "why", "has the same explanation") + _rubrics(placed)


def _repeated(placed: Sequence[Placed], rule: str, said: str) -> list[Problem]:
    whys = [
        (one, steps + inner, item, reason.why)
        for one, steps, item in placed
        for inner, reason in reasons(item)
    ]
    problems = []
    for n, m in repeated([why for *_, why in whys]):
        one, steps, item, _ = whys[n]
        problems.append(one.problem(steps, rule, f"{whys[m][2].id} {said}", item.id))
    return problems


def _rubrics(placed: Sequence[Placed]) -> list[Problem]:
    points = [
        (one, (*steps, "rubric", n), item, point.point)
        for one, steps, item in placed
        if isinstance(item, schema.Open)
        for n, point in enumerate(item.rubric)
    ]
    problems = []
    for n, m in repeated([point for *_, point in points]):
        one, steps, item, _ = points[n]
        message = f"{points[m][2].id} has the same rubric point"
        problems.append(one.problem(steps, "rubric", message, item.id))
    return problems


def _gates(files: Sequence[Loaded], syllabus: Syllabus | None) -> list[Gate]:
    quizzes = tuple(one.quiz for one in files)
    items = tuple(item for one in files for _, item in one.places() if item.status == "reviewed")
    return list(gates(Material(items, quizzes), syllabus)) if items else []


def _table(report: Report) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("", "figure", "this bank", "gate", "best elsewhere", "worst"):
        table.add_column(heading, no_wrap=heading != "best elsewhere")
    for gate in report.gates:
        sign = "✓" if gate.passed else "✗"
        table.add_row(sign, gate.name, gate.figure, gate.wanted, gate.best, gate.worst)
    console = Console(highlight=False, markup=False, width=max(100, Console().width))
    console.print(table)
    for gate in report.gates:
        if gate.detail and (not gate.passed or gate.name == "kinds"):
            console.print(f"{gate.name}: {gate.detail}", soft_wrap=True)
    part = "" if report.whole else "; the figures of a part are no gates"
    console.print(f"{len(report.problems)} problems{part}")
