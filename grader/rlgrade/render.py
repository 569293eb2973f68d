"""A report as text: where, what, why, next, in as few lines as that takes."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from rlgrade.outcome import Outcome
from rlgrade.report import CheckResult, Report

SIGNS = {
    Outcome.PASS: ("✓", "+", "green"),
    Outcome.FAIL: ("✗", "x", "red"),
    Outcome.ERROR: ("✗", "x", "red"),
    Outcome.TIMEOUT: ("⧖", "T", "red"),
    Outcome.MEMORY: ("✗", "M", "red"),
    Outcome.SKIPPED: ("-", "-", "dim"),
    Outcome.UNCERTAIN: ("?", "?", "yellow"),
    Outcome.BROKEN: ("!", "!", "magenta"),
}
MARGIN = 16


class Printer:
    """Prints results as they come. `blind` shows promises and outcomes and nothing that leaks."""

    def __init__(self, console: Console, *, file: str, verbose: bool, blind: bool) -> None:
        self.console = console
        self.file = file
        self.verbose = verbose
        self.blind = blind
        self.explained = False
        self.ascii = not console.encoding.lower().startswith("utf")

    def say(self, text: str) -> None:
        """A line of plain text."""
        self._print(Text(text))

    def result(self, result: CheckResult, replay: str = "") -> None:
        """One check: a line if it passed, the whole block for the first failure (`-v`: for all)."""
        sign, plain, style = SIGNS[result.outcome]
        head = Text()
        head.append((plain if self.ascii else sign) + " ", style=style)
        head.append(result.promise)
        where = f"{self.file}:{result.line}" if result.line else ""
        if where:
            head.append(" " * max(2, self.console.width - head.cell_len - len(where)))
            head.append(where, style="dim")
        self._print(head)
        if result.outcome is Outcome.PASS:
            return
        if result.outcome is Outcome.SKIPPED or (self.explained and not self.verbose):
            return
        self.explained = True
        self._explain(result, replay)

    def _explain(self, result: CheckResult, replay: str) -> None:
        if self.blind:
            self._print(Text(f"  {_blind_reason(result)}"))
            return
        self._print(Text(f"  {result.message}", style="bold"))
        for frame in result.traceback:
            self._print(Text(f"    {frame}", style="dim"))
        case = "  ".join(f"{name} {value}" for name, value in result.counterexample.items())
        self._field("smallest case", case)
        self._field("looks like", " or ".join(result.diagnosis))
        self._field("it printed", result.printed.strip())
        if replay:
            self._field("replay", f"python {replay}")

    def _field(self, name: str, value: str) -> None:
        if not value:
            return
        line = Text(f"  {name:<{MARGIN - 2}}", style="cyan")
        line.append(value, style="default")
        for part in line.wrap(self.console, max(self.console.width, 40) - MARGIN):
            indent = " " * MARGIN if not part.plain.startswith(f"  {name}") else ""
            self._print(Text(indent) + part)

    def summary(self, report: Report, hint: str) -> None:
        """The last lines: how many passed, how long it took, the seed, and what to do next."""
        passed = sum(check.outcome is Outcome.PASS for check in report.checks)
        text = Text()
        text.append(f"{passed} of {len(report.checks)} checks passed", style="bold")
        text.append(f"  {report.points:g} of {report.max_points:g} points")
        text.append(
            f"  {report.seconds:.2f} s  seed {report.seed}  sandbox {report.sandbox}", "dim"
        )
        self._print(Text())
        self._print(text)
        if not report.passed:
            self._print(Text(f"next: {hint}"))

    def _print(self, text: Text) -> None:
        if self.ascii:
            text = Text(text.plain.encode("ascii", "replace").decode())
        self.console.print(text, soft_wrap=True, highlight=False)


def _blind_reason(result: CheckResult) -> str:
    return {
        Outcome.FAIL: "your answer is not as promised",
        Outcome.ERROR: "your code did not answer",
        Outcome.TIMEOUT: "your code took too long",
        Outcome.MEMORY: "your code used too much memory",
        Outcome.UNCERTAIN: "the evidence did not decide it; run again",
    }.get(result.outcome, "the grader itself failed; tell your teacher")


def make_console(*, width: int | None = None) -> Console:
    """A console on standard output; without a terminal it is 100 columns wide and plain."""
    console = Console(highlight=False, emoji=False, markup=False)
    if width is None and not console.is_terminal:
        width = 100
    return Console(highlight=False, emoji=False, markup=False, width=width) if width else console
