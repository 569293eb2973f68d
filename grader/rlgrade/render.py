"""A report as text: where, what, why, next, in as few lines as that takes."""

from __future__ import annotations

import sys
import time
from typing import Any

from rich.console import Console
from rich.text import Text

from rlgrade.folding import packed, terminal_width
from rlgrade.outcome import Outcome
from rlgrade.plain import fitted, shows_unicode
from rlgrade.report import CheckResult, Report, is_unwritten
from rlgrade.sparkline import sparkline, stretches

SIGNS = {
    Outcome.PASS: ("✓", "[ok]", "green"),
    Outcome.FAIL: ("✗", "[x]", "red"),
    Outcome.ERROR: ("✗", "[x]", "red"),
    Outcome.TIMEOUT: ("⧖", "[time]", "red"),
    Outcome.MEMORY: ("✗", "[memory]", "red"),
    Outcome.SKIPPED: ("-", "[-]", "dim"),
    Outcome.UNCERTAIN: ("?", "[?]", "yellow"),
    Outcome.BROKEN: ("!", "[!]", "magenta"),
}
MARGIN = 18
LONGEST = 400  # characters of one value, message or printed line
PRINTED_LINES = 10


class Printer:
    """Prints results as they come. `blind` shows promises and outcomes and nothing that leaks."""

    def __init__(self, console: Console, *, file: str, verbose: bool, blind: bool) -> None:
        self.console = console
        self.file = file
        self.verbose = verbose
        self.blind = blind
        self.explained = False
        self.unwritten: list[str] = []  # what was said of functions that are still as in the stub
        self.showing = False  # a line of progress that the next one replaces
        self.running: tuple[str, dict[str, Any]] | None = None  # the training check under way
        self.pace: tuple[int, float, int] | None = None  # an attempt, and when it was at which step
        self.ascii = not shows_unicode(console.encoding)

    def say(self, text: str) -> None:
        """A line of plain text."""
        self.print(Text(text))

    def problem(self, text: str) -> None:
        """Why nothing can be run, in place of all results."""
        sign, plain, style = SIGNS[Outcome.ERROR]
        self.print(Text.assemble((plain if self.ascii else sign, style), " ", text), hang=2)

    def result(self, result: CheckResult, replay: str = "") -> None:
        """One check: a line if it passed, the whole block for the first failure (`-v`: for all)."""
        sign, plain, style = SIGNS[result.outcome]
        head = Text()
        head.append((plain if self.ascii else sign) + " ", style=style)
        head.append(result.promise)
        where = f"{self.file}:{result.line}" if result.line and not self.blind else ""
        if where:
            head.append(" " * max(2, self.console.width - head.cell_len - len(where)))
            head.append(where, style="dim")
        self._clear()
        self.print(head, hang=2)
        if result.training and not self.blind:
            self._curve(result.training)
        if result.outcome is Outcome.PASS:
            return
        if result.outcome is Outcome.SKIPPED or (self.explained and not self.verbose):
            return
        if is_unwritten(result) and not (self.verbose or self.blind):  # what is written comes first
            if result.message not in self.unwritten:
                self.print(Text(f"  {result.message}", style="bold"), hang=2)
            self.unwritten.append(result.message)
            return
        self.explained = True
        self._explain(result, replay)

    def progress(self, promise: str, training: dict[str, Any]) -> None:
        """The last point of a learning curve, on a terminal, over the one before."""
        self.running = (promise, training)
        begun = bool(training["attempts"])
        line = curve_line(training, ascii_only=self.ascii) if begun else "..."
        self._show(f"  {line}{self._time_left(training)}  {promise}")

    def failing(self, promise: str) -> None:
        """On a terminal, that a check fails, until its smallest case and its mistake are found."""
        sign, plain, _ = SIGNS[Outcome.FAIL]
        self._show(f"{plain if self.ascii else sign} {promise}: looking for the smallest case")

    def _show(self, text: str) -> None:
        """A line that the next one replaces."""
        if self.console.is_terminal and not self.console.is_dumb_terminal:
            self._clear()
            self.console.file.write(fitted(text, self.console.encoding)[: self.console.width - 1])
            self.console.file.flush()
            self.showing = True

    def _time_left(self, training: dict[str, Any]) -> str:
        """How long the attempt may still take, at its pace; it ends sooner where it learns."""
        number = len(training["attempts"])
        steps = training["attempts"][-1]["steps"] if number else []
        if self.pace is None or self.pace[0] != number:
            self.pace = (number, time.monotonic(), steps[-1] if steps else 0)
        _, since, first = self.pace
        done = steps[-1] - first if steps else 0
        if done <= 0:
            return ""
        left = (time.monotonic() - since) / done * max(0, training["budget"] - steps[-1])
        return f"  at most {left:.0f} s"

    def interrupted(self) -> None:
        """What is known of a training check in the middle of which the run was broken off."""
        self._clear()
        if self.running is not None:
            promise, training = self.running
            self.print(Text(f"? {promise}: broken off"), hang=2)
            self._curve(training)

    def _clear(self) -> None:
        if self.showing:
            self.console.file.write("\r\x1b[2K")
            self.showing = False

    def _curve(self, training: dict[str, Any]) -> None:
        self.running = self.pace = None
        if any(attempt["steps"] for attempt in training["attempts"]):
            lines = [curve_line(training, ascii_only=self.ascii)]
            if training.get("band"):
                lines.append(band_line(training, ascii_only=self.ascii))
            for line in lines:
                self.print(Text(f"  {line}", style="dim"), hang=2)

    def _explain(self, result: CheckResult, replay: str) -> None:
        if self.blind:
            self.print(Text(f"  {_blind_reason(result)}"))
            return
        self.print(Text(f"  {_cut(result.message)}", style="bold"), hang=2)
        for frame in result.traceback:
            self.print(Text(f"    {frame}", style="dim"), hang=6)
        self._field("smallest case", [f"{n} {v}" for n, v in result.counterexample.items()])
        self._field("looks like", " or ".join(result.diagnosis).split())
        for line in result.printed.splitlines()[:PRINTED_LINES]:
            self._field("it printed", [line])
        self._field("replay", ["python", replay] if replay else [])

    def _field(self, name: str, parts: list[str]) -> None:
        """A name, then its parts; a line is broken between two parts, never inside one."""
        gap = "  " if name == "smallest case" else " "
        lines = packed(map(_cut, parts), max(self.console.width, 60) - MARGIN, gap)
        for number, line in enumerate(lines):
            head = Text(f"  {name if number == 0 else '':<{MARGIN - 2}}", style="cyan")
            self.print(head + Text(line, style="default"), hang=MARGIN)

    def summary(self, report: Report, hint: str) -> None:
        """The last lines: how many passed, how long it took, the seed, and what to do next."""
        passed = sum(check.outcome is Outcome.PASS for check in report.checks)
        text = Text()
        text.append(f"{passed} of {len(report.checks)} checks passed", style="bold")
        text.append(f"  {round(report.points, 2):g} of {report.max_points:g} points")
        seconds = "" if self.blind else f"  {report.seconds:.2f} s"
        sandbox = f"  sandbox {report.sandbox}" if report.sandbox else ""
        text.append(f"{seconds}  seed {report.seed}{sandbox}", "dim")
        self.print(Text())
        self.print(text)
        if not report.passed:
            self.print(Text(f"next: {hint}"))

    def print(self, text: Text, *, hang: int = 0) -> None:
        """A line in characters that the terminal has.

        On a terminal it is broken between words, and what follows is indented by `hang`.
        """
        if self.ascii:
            parts = text.render(self.console)
            encoding = self.console.encoding
            text = Text.assemble(
                *[(fitted(part.text, encoding), part.style or "") for part in parts]
            )
            text.rstrip()
        lines = [text]
        if self.console.is_terminal and text.cell_len > self.console.width:
            lines = list(text.wrap(self.console, max(20, self.console.width - hang)))
        for number, line in enumerate(lines):
            line.rstrip()
            self.console.print(Text(" " * hang if number else "") + line, soft_wrap=True)


def _cut(text: str) -> str:
    """A text that fits a few lines; what nobody would read is counted in its place."""
    if len(text) <= LONGEST:
        return text
    begin = " ".join(text[:LONGEST].split())
    return f"{begin}… ({len(text):,} characters)"


def curve_line(training: dict[str, Any], *, ascii_only: bool = False) -> str:
    """The curve of the last attempt against its goal, in about sixty signs."""
    number, attempt = len(training["attempts"]), training["attempts"][-1]
    scores = [float("nan") if score is None else score for score in attempt["scores"]]
    signs = _signs(training, attempt["steps"], scores, ascii_only)
    score = f"{scores[-1]:.4g}" if scores else "-"
    steps = f"{attempt['steps'][-1]:,}" if scores else "0"
    again = f"  attempt {number}" if number > 1 else ""
    device = f"  on {training['device']}" if training["device"] not in ("", "cpu") else ""
    return (
        f"{signs} {score} of {training['goal']:.4g} {training['unit']}  "
        f"{steps} of {training['budget']:,} steps{again}{device}"
    )


def band_line(training: dict[str, Any], *, ascii_only: bool = False) -> str:
    """What right code does in the stretches of the line above, and when it reaches the goal."""
    band = training["band"]
    signs = _signs(training, band["steps"], band["middle"], ascii_only)
    first, last = band["arrives"]
    return f"{signs} right code, median of {band['runs']}; 9 in 10 arrive at {first:,} to {last:,}"


def _signs(
    training: dict[str, Any], steps: list[int], scores: list[float], ascii_only: bool
) -> str:
    """A sparkline in which a sign is the same stretch of steps for the attempt and for the band."""
    band = training.get("band")
    if band and steps:
        end = max(training["attempts"][-1]["steps"][-1], band["steps"][-1])
        scores = stretches(steps, scores, end)
    return sparkline(scores, training["null"], training["goal"], ascii_only=ascii_only)


def _blind_reason(result: CheckResult) -> str:
    return {
        Outcome.FAIL: "your answer is not as promised",
        Outcome.ERROR: "your code did not answer",
        Outcome.TIMEOUT: "your code took too long",
        Outcome.MEMORY: "your code used too much memory",
        Outcome.UNCERTAIN: "the evidence did not decide it; run again",
    }.get(result.outcome, "the grader itself failed; tell your teacher")


def make_console() -> Console:
    """A console on standard output; without a terminal it is 100 columns wide and plain."""
    console = Console(highlight=False, emoji=False, markup=False)
    if console.is_terminal and not console.is_dumb_terminal:
        return console
    width = terminal_width(sys.stdout) or 100
    # Without a height, too, rich gives every dumb terminal 80 columns.
    return Console(highlight=False, emoji=False, markup=False, width=width, height=25)
