"""What watch mode shows. It can be drawn again at any time, at any width."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.style import Style
from rich.text import Text

from rlgrade.courses import Exercise
from rlgrade.folding import packed
from rlgrade.learner.desk import short_path
from rlgrade.outcome import Outcome
from rlgrade.plain import fitted
from rlgrade.render import Printer, make_console
from rlgrade.report import CheckResult, Report, is_unwritten


@dataclass(frozen=True)
class Title:
    """What stands above a check: the exercise, its file, and how many are done."""

    exercise: Exercise
    file: Path
    passed: int
    of: int


class Screen:
    """The current exercise, its check as it goes on, and below it what was asked for."""

    def __init__(self, console: Callable[[], Console] = make_console) -> None:
        self.new_console = console
        self.verbose = False
        self.notes: list[str] = []
        self._title: Title | None = None
        self._results: list[tuple[CheckResult, str]] = []
        self._report: Report | None = None
        self._problem = ""
        self._keys: Sequence[str] = ()
        self._below: Callable[[Console], None] | None = None
        self._live = False
        self._start_drawing()

    def begin(self, title: Title, *, verbose: bool) -> None:
        """Announce a check."""
        self._title, self.verbose = title, verbose
        self._results, self._report, self._problem = [], None, ""
        self._keys, self._below = (), None
        self.draw()

    def result(self, result: CheckResult, replay: str) -> None:
        """One more check has ended."""
        self._results.append((result, replay))
        self._draw_result(result, replay)
        passed = sum(each.outcome is Outcome.PASS for each, _ in self._results)
        self.live(f"{passed} of {len(self._results)} checks passed so far")

    def end(self, report: Report) -> None:
        """The check is over."""
        self._report = report
        self.live("")
        self._draw_end()

    def problem(self, text: str) -> None:
        """The check could not be made."""
        self._problem = text
        self.live("")
        self._printer.problem(text)

    def keys(self, keys: Sequence[str]) -> None:
        """Say which keys there are, under all the rest."""
        self._keys = keys
        self._draw_keys()

    def below(self, show: Callable[[Console], None]) -> None:
        """Something that was asked for, under all the rest; the keys follow it."""
        self._below = show
        self.draw()

    def say(self, text: str) -> None:
        """A line under all the rest."""
        self.below(lambda console: console.print(fitted(text, console.encoding)))

    def ask(self, question: str) -> None:
        """A question; the key y or any other is its answer."""
        self.prompt(f"{question} y/N ")

    def prompt(self, text: str) -> None:
        """A line of its own, behind which something is typed."""
        self._console.print()
        self._console.print(fitted(text, self._console.encoding), end="")
        self._console.file.flush()

    def answered(self, answer: str) -> None:
        """What was answered."""
        self._console.print(answer)

    def failing(self, promise: str) -> None:
        """A check fails; its explanation follows."""
        self.live("")
        self._printer.failing(promise)

    def point(self, promise: str, training: dict[str, Any]) -> None:
        """How far a training is."""
        self.live("")
        self._printer.progress(promise, training)

    def live(self, text: str) -> None:
        """A line that the next one replaces; an empty text takes it away."""
        if not self._console.is_terminal or self._console.is_dumb_terminal:
            return
        if text or self._live:
            cut = fitted(text, self._console.encoding)[: self._console.width - 1]
            self._console.file.write(f"\r\x1b[K{cut}")
            self._console.file.flush()
        self._live = bool(text)

    def draw(self) -> None:
        """Everything, from the top."""
        self._start_drawing()
        if self._console.is_dumb_terminal:
            self._console.print("-" * 20)
        else:
            self._console.clear()
        self._draw_title()
        for result, replay in self._results:
            self._draw_result(result, replay)
        if self._report is not None:
            self._draw_end()
        if self._problem:
            self._printer.problem(self._problem)
        if self._below is not None:
            self._console.print()
            self._below(self._console)
        self._draw_keys()

    def _start_drawing(self) -> None:
        self._console = self.new_console()
        name = self._title.file.name if self._title is not None else ""
        self._printer = Printer(self._console, file=name, verbose=self.verbose, blind=False)
        self._left_out = 0

    def _draw_title(self) -> None:
        title = self._title
        if title is None:
            return
        head = Text(f"{title.exercise.id}  ", style="bold")
        head.append(title.exercise.metadata.title, style="default")
        done = f"{title.passed} of {title.of} passed"
        head.append(" " * max(2, self._console.width - head.cell_len - len(done)))
        head.append(done, style="dim")
        self._print(head)
        link = Style(link=title.file.resolve().as_uri())
        for note in self.notes:
            self._say(note, "yellow")
        self._print(Text("Checking ").append(short_path(title.file), style=link))

    def _draw_result(self, result: CheckResult, replay: str) -> None:
        """The first failure of what is written, and every learning curve; others are counted.

        With `verbose`, everything.
        """
        passed, skipped = result.outcome is Outcome.PASS, result.outcome is Outcome.SKIPPED
        hidden = self._printer.explained or skipped or is_unwritten(result)
        wanted = bool(result.training) if passed else not hidden
        if self.verbose or wanted:
            self.live("")
            self._printer.result(result, replay)
        elif not passed:
            self._left_out += 1

    def _draw_end(self) -> None:
        report = self._report
        assert report is not None
        unwritten = [each for each in self._results if is_unwritten(each[0])]
        if unwritten and not self._printer.explained and not self.verbose:
            self._left_out -= 1
            self._printer.result(*unwritten[0])
        if self._left_out:
            self._say(f"  and {self._left_out} more do not pass; v shows all", "dim")
        self._printer.summary(report, "h gives a hint")
        if report.passed:
            self._say(
                "Passed. n goes on when you are ready; s shows our solution beside yours.", "bold"
            )

    def _draw_keys(self) -> None:
        if self._keys:
            self._console.print()
        for line in packed(self._keys, self._console.width):
            self._say(line, "dim")

    def _say(self, text: str, style: str = "") -> None:
        self._print(Text(text, style=style))

    def _print(self, text: Text) -> None:
        self._printer.print(text)
