"""A report in a notebook: HTML where that can be shown, and the terminal's text everywhere."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rlgrade.outcome import Outcome
from rlgrade.report import CheckResult, Report, harmless

HERE = Path(__file__).parent
WIDTH = 100
SIGNS = {Outcome.PASS: "✓", Outcome.SKIPPED: "–", Outcome.UNCERTAIN: "?", Outcome.BROKEN: "!"}


@dataclass
class View:
    """What is known so far; `report` when it is finished, `running` a training under way."""

    exercise: str
    blind: bool
    verbose: bool
    results: list[CheckResult] = field(default_factory=list)
    running: tuple[str, dict[str, Any]] | None = None
    report: Report | None = None

    def __repr__(self) -> str:
        """What a terminal would show."""
        from rich.console import Console

        from rlgrade.render import Printer

        sink = io.StringIO()
        console = Console(
            file=sink,
            width=WIDTH,
            highlight=False,
            emoji=False,
            markup=False,
            color_system=None,
            force_jupyter=False,
        )
        printer = Printer(console, file="the cell", verbose=self.verbose, blind=self.blind)
        if self.report is not None and self.report.problem:
            printer.say(self.report.problem)
        for result in self.results:
            printer.result(result)
        if self.report is not None:
            printer.summary(self.report, f"%rlgrade hint {self.exercise}")
        return sink.getvalue().rstrip()

    def _repr_html_(self) -> str:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        environment = Environment(
            loader=FileSystemLoader(HERE),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=lambda value: harmless(value) if type(value) is str else value,
        )
        return environment.get_template("result.html.j2").render(
            view=self,
            shown=[(self.sign(r), r, self.explains(r), self.curve(r)) for r in self.results],
            under_way=self._under_way(),
            passed=sum(result.outcome is Outcome.PASS for result in self.results),
        )

    def sign(self, result: CheckResult) -> str:
        """An outcome in one sign."""
        return SIGNS.get(result.outcome, "✗")

    def explains(self, result: CheckResult) -> bool:
        """Whether a failure is explained: the first one, or all if that was wanted."""
        fine = (Outcome.PASS, Outcome.SKIPPED)
        if self.blind or result.outcome in fine:
            return False
        first = next(each for each in self.results if each.outcome not in fine)
        return self.verbose or result is first

    def curve(self, result: CheckResult) -> Any:
        """The learning curve of a training check as SVG; empty without one."""
        return "" if self.blind or not result.training else _svg(result.training)

    def _under_way(self) -> tuple[str, Any] | None:
        if self.report is not None or self.running is None or self.blind:
            return None
        promise, training = self.running
        done = {result.promise for result in self.results}
        return None if promise in done else (promise, _svg(training))


def _svg(training: dict[str, Any]) -> Any:
    import msgspec

    from rlgrade.pages.contents import Training
    from rlgrade.pages.figures import training_svg

    return training_svg(msgspec.convert(training, Training))
