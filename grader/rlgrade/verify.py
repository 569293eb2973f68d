"""Prove an exercise: its checks pass what is right, fail what is wrong, and name the wrong."""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from rlgrade.authoring import stub_of
from rlgrade.courses import Course, Exercise, Mistake
from rlgrade.judge.bank import Bank
from rlgrade.judge.grading import Settings, grade
from rlgrade.judge.server import Server
from rlgrade.outcome import ExitCode, Outcome, UsageError
from rlgrade.report import Report
from rlgrade.stubs import hidden_lines

MINIMUM = {"checks": 8, "mistakes": 12, "right": 5, "hints": 3}
TELLING_LENGTH = 20  # shorter hidden lines, such as `return total`, give nothing away
PATIENT = Settings(patience=4.0, run_seconds=120.0)  # a busy machine proves nothing
QUICK = replace(PATIENT, shrink_tries=0, diagnose=False)
SAMPLE = 8  # of so many mistakes and right files, a run that is not thorough takes one
WRONG = (Outcome.FAIL, Outcome.ERROR, Outcome.TIMEOUT, Outcome.MEMORY)


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


def verify_exercise(
    exercise: Exercise, server: Server, seed: int, *, thorough: bool = True
) -> Findings:
    """Run every proof of `rlgrade dev verify` on one exercise.

    A run that is not thorough catches every mistake and passes every right file, too, but it
    explains only one mistake in eight, and trains with one right file in eight.
    """
    proofs = _Proofs(exercise, server, seed, thorough)
    try:
        return proofs.all()
    finally:
        proofs.bank.close()


def documented_arguments(docstring: str) -> list[str]:
    """The names under `Args:` in a docstring."""
    section = re.search(r"^Args:\n((?:    .*\n?|\n)*)", docstring + "\n", re.MULTILINE)
    if section is None:
        return []
    heads = re.findall(r"^    (\w[\w, ]*):", section.group(1), re.MULTILINE)
    return [name.strip() for head in heads for name in head.split(",")]


def secret_lines(exercise: Exercise) -> list[str]:
    """Lines of the solution that no learner may be shown."""
    source = exercise.solution.read_text(encoding="utf-8")
    lines = hidden_lines(source, exercise.file)
    return [line for line in lines if len(line) >= TELLING_LENGTH and not line.startswith("#")]


class _Proofs:
    """One method for each claim; what falls short is noted in `found`."""

    def __init__(self, exercise: Exercise, server: Server, seed: int, thorough: bool) -> None:
        self.exercise = exercise
        self.server = server
        self.seed = seed
        self.thorough = thorough
        self.bank = Bank(exercise, server)
        self.checks = self.bank.checks
        self.found = Findings(
            exercise.id,
            checks=len(self.checks),
            mistakes=len(exercise.mistakes),
            right=len(exercise.right),
        )

    def all(self) -> Findings:
        for proof in (
            self.there_is_enough,
            self.stub_is_generated,
            self.docstrings_match,
            self.nothing_shows,
            self.solution_passes_in_time,
            self.stub_fails,
            self.right_ones_pass,
            self.mistakes_are_caught_and_named,
            self.every_check_is_named,
        ):
            try:
                proof()
            except (UsageError, OSError, SyntaxError) as error:
                self.falls_short(str(error))
        return self.found

    def falls_short(self, *texts: str) -> None:
        self.found.short += texts

    def grade(self, source: bytes, settings: Settings = QUICK, more_seed: int = 0) -> Report:
        seed = self.seed + more_seed
        return grade(self.exercise, source, self.server, seed, settings=settings, bank=self.bank)

    def there_is_enough(self) -> None:
        have = vars(self.found) | {"hints": len(self.exercise.hints)}
        for name, least in MINIMUM.items():
            if have[name] < least:
                self.falls_short(f"{have[name]} {name}; at least {least} are needed")
        for path in (self.exercise.shown / "README.md", self.exercise.hidden / "walkthrough.md"):
            if not path.is_file():
                self.falls_short(f"{path} is missing")
        _ = self.exercise.metadata  # says itself what is wrong with it

    def stub_is_generated(self) -> None:
        if self.exercise.stub.read_text(encoding="utf-8") != stub_of(self.exercise):
            self.falls_short(f"{self.exercise.stub.name} is not what `rlgrade dev stub` writes")

    def docstrings_match(self) -> None:
        tree = ast.parse(self.exercise.solution.read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
                documented = documented_arguments(ast.get_docstring(node) or "")
                if documented != [argument.arg for argument in arguments]:
                    self.falls_short(f"{node.name} documents {documented} as its arguments")

    def nothing_shows(self) -> None:
        secret = secret_lines(self.exercise)
        for path in sorted(self.exercise.shown.iterdir()):
            if path.is_file():
                text = path.read_text(encoding="utf-8")
                self.falls_short(*(f"{path.name} shows {s!r}" for s in secret if s in text))

    def solution_passes_in_time(self) -> None:
        source = self.exercise.solution.read_bytes()
        report = self.grade(source)
        self.falls_short(*(f"the solution fails: {text}" for text in _failures(report)))
        times = [_timed(lambda: self.grade(source, more_seed=1)) for _ in range(2)]
        self.found.seconds = min(times)
        budget = self.exercise.metadata.seconds
        if self.found.seconds > budget:
            taken = self.found.seconds
            self.falls_short(f"the checks take {taken:.2f} s; the budget is {budget:g} s")

    def stub_fails(self) -> None:
        report = self.grade(self.exercise.stub.read_bytes())
        if report.problem:
            self.falls_short(f"the stub cannot be loaded: {report.problem}")
        for result in report.checks:
            if result.outcome in (Outcome.PASS, Outcome.BROKEN):
                self.falls_short(f"the stub does not fail `{result.check}`")
        self.output_is_clean(report, "the stub")

    def right_ones_pass(self) -> None:
        untrained = frozenset(check.name for check in self.checks if check.training is None)
        for number, path in enumerate(self.exercise.right):
            settings = QUICK if self.is_sampled(number) else replace(QUICK, only=untrained)
            report = self.grade(path.read_bytes(), settings)
            self.found.right_passed += report.passed
            self.falls_short(*(f"right/{path.name} fails: {text}" for text in _failures(report)))

    def mistakes_are_caught_and_named(self) -> None:
        names = {check.name for check in self.checks}
        for number, mistake in enumerate(self.exercise.mistakes):
            unknown = {mistake.caught_by, *mistake.also_caught_by} - names
            if unknown:
                self.falls_short(f"{mistake.name!r} names {sorted(unknown)}, which are no checks")
                continue
            sampled = self.is_sampled(number)
            self.mistake_is_caught_and_named(mistake, named=sampled)
            for also in mistake.also_caught_by if sampled else ():
                self.mistake_fails_to_learn(mistake, also)

    def is_sampled(self, number: int) -> bool:
        return self.thorough or number % SAMPLE == self.seed % SAMPLE

    def mistake_is_caught_and_named(self, mistake: Mistake, *, named: bool) -> None:
        settings = replace(
            PATIENT,
            attempts=1,
            shrink_tries=60 if named else 0,
            diagnose=named,
            only=frozenset({mistake.caught_by}),
        )
        report = self.grade(self.exercise.mistaken_source(mistake).encode(), settings)
        (result,) = report.checks
        if result.outcome not in WRONG:
            self.falls_short(f"`{mistake.caught_by}` lets {mistake.name!r} through")
            return
        self.found.caught += 1
        trained = result.training is not None  # what fails to learn is not told apart
        if trained or not named or result.diagnosis == [mistake.says]:
            self.found.diagnosed += 1
        else:
            taken = " or ".join(result.diagnosis) or "nothing"
            self.falls_short(f"{mistake.name!r} is taken for: {taken} ({result.message})")
        self.output_is_clean(report, mistake.name)

    def mistake_fails_to_learn(self, mistake: Mistake, check: str) -> None:
        """One attempt is enough to see it; three would only take longer."""
        settings = replace(QUICK, attempts=1, only=frozenset({check}))
        report = self.grade(self.exercise.mistaken_source(mistake).encode(), settings)
        (result,) = report.checks
        if result.outcome not in WRONG:
            self.falls_short(f"`{check}` lets {mistake.name!r} through")

    def every_check_is_named(self) -> None:
        mistakes = self.exercise.mistakes
        named = {name for m in mistakes for name in (m.caught_by, *m.also_caught_by)}
        for check in self.checks:
            if check.name not in named:
                self.falls_short(f"no mistake is caught by `{check.name}`")

    def output_is_clean(self, report: Report, who: str) -> None:
        """Our own words show no line of the solution; a submission's own lines may stand there."""
        words = " ".join(" ".join([c.message, *c.diagnosis]) for c in report.checks)
        for line in secret_lines(self.exercise):
            if line in words:
                self.falls_short(f"the output on {who} shows {line!r}")


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
    with Server(hidden=[course.root]) as server:
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
