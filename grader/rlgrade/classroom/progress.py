"""What `rlgrade class grade` shows: a bar with rate and time left, then what came of it."""

from __future__ import annotations

from types import TracebackType

from rlgrade.classroom.collect import Collection
from rlgrade.classroom.judging import Done
from rlgrade.classroom.run import Summary
from rlgrade.outcome import ExitCode, Outcome
from rlgrade.render import make_console
from rlgrade.report import harmless

SHOWN = 10


class Progress:
    """The bar on a terminal; without one, the last lines alone. Use as a context manager."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self.console = make_console()
        self.broken = self.slow = self.undecided = 0
        self.bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.task = self.bar.add_task("grading", total=None, rate="")

    def __enter__(self) -> Progress:
        self.bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bar.stop()
        if kind is KeyboardInterrupt:
            self.console.print("interrupted; the same command goes on from here")

    def begin(self, jobs: int, kept: int) -> None:
        """How much there is to do."""
        self.bar.update(self.task, total=jobs)
        if kept:
            self.console.print(f"{kept} results are there already; {jobs} to go")

    def result(self, done: Done) -> None:
        """One result more."""
        self.broken += bool(done.broken)
        outcomes = {check["outcome"] for check in done.report["checks"]} if done.report else set()
        self.slow += Outcome.TIMEOUT.value in outcomes
        self.undecided += Outcome.UNCERTAIN.value in outcomes
        speed = self.bar.tasks[0].speed
        rate = f"{speed:.1f}/s" if speed else ""
        faults = f"  {self.broken} grader faults" if self.broken else ""
        self.bar.update(self.task, advance=1, rate=rate + faults)

    def end(self, summary: Summary, collection: Collection, out: str, seed: int) -> ExitCode:
        """Print what came of it; the exit code."""

        def say(text: str) -> None:
            self.console.print(text, markup=False, soft_wrap=True)

        say(
            f"{summary.submissions} submissions ({summary.new} new, {summary.distinct} different "
            f"ones in the gradebook): {summary.graded} graded in {summary.seconds:.1f} s "
            f"({summary.rate:.1f} a second), {summary.kept} kept  seed {seed}"
        )
        if self.slow:
            say(f"{self.slow} ran out of time in some check; `--seconds` is what each may take")
        if self.undecided:
            say(
                f"{self.undecided} have a check that the evidence did not decide; "
                "another --seed may, or you: `rlgrade class override`"
            )
        for rejected in collection.rejected[:SHOWN]:
            text = f"{rejected.path}: {rejected.reason}"
            say(f"not read  {harmless(text)}")
        if len(collection.rejected) > SHOWN:
            say(f"not read  {len(collection.rejected) - SHOWN} more; the class page has them all")
        for done in summary.broken[:SHOWN]:
            text = f"{done.key.exercise} {done.key.sha256[:12]}: {done.broken}"
            say(f"grader fault  {harmless(text)}")
        if summary.broken:
            say(
                f"{len(summary.broken)} could not be graded through the grader's own fault; they "
                "count nothing and cost nothing; the same command tries them again"
            )
            return ExitCode.BROKEN
        book = "URL" if "://" in out else out  # a URL may hold a password
        say(f"next: rlgrade class page {book}  or  rlgrade class export {book} --format canvas")
        return ExitCode.PASSED
