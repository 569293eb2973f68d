"""Watch mode: check at every save, do what a key asks for, and never go on by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from rlgrade.check import Target, has_quiz, keep_replay
from rlgrade.courses import Exercise
from rlgrade.judge.source import parse_source, read_bytes
from rlgrade.learner.desk import Desk, short_path
from rlgrade.learner.hints import next_hint
from rlgrade.learner.progress import Work, next_exercise
from rlgrade.learner.reading import show_hint, show_markdown
from rlgrade.learner.reset import reset_exercise
from rlgrade.outcome import GraderError, UsageError
from rlgrade.watch.keys import QUIT, key_line, show_keys
from rlgrade.watch.saved import POLL_SECONDS, SavedFile
from rlgrade.watch.screen import Screen, Title
from rlgrade.watch.session import Session
from rlgrade.watch.terminal import Terminal

if TYPE_CHECKING:
    from rlgrade.author.declare import Check
    from rlgrade.judge.training import Verdict
    from rlgrade.report import CheckResult


class Superseded(BaseException):
    """The file was saved again while it was checked."""


class Left(BaseException):
    """The key that quits was pressed while a check ran."""


class Watch:
    """One learner at one terminal."""

    def __init__(
        self, desk: Desk, session: Session, terminal: Terminal, screen: Screen, *, manual: bool
    ) -> None:
        self.desk = desk
        self.workspace = desk.own_workspace()
        self.session = session
        self.terminal = terminal
        self.screen = screen
        self.manual = manual
        self.verbose = screen.verbose
        self.keys: dict[str, Callable[[], None]] = {
            "n": self.next,
            "h": self.hint,
            "l": self.list,
            "o": self.readme,
            "s": self.solution,
            "r": self.reset,
            "v": self.explain_all,
            "c": self.check,
            "?": self.help,
        }
        self.has_quizzes = any((desk.course.root / "quizzes").glob("*.yaml"))
        if self.has_quizzes:
            self.keys["z"] = self.quiz

    def run(self, exercise: Exercise) -> None:
        """Until the learner quits."""
        try:
            self.open(exercise)
            while (key := self.terminal.key(POLL_SECONDS)) not in QUIT:
                self.keys.get(key or "", _nothing)()
                if not self.manual and self.file.was_saved():
                    self.check()
                if self.terminal.needs_drawing():
                    self.screen.draw()
        except Left:
            pass

    def open(self, exercise: Exercise) -> None:
        """Make an exercise the current one, and check it."""
        self.exercise = exercise
        self.target = Target(exercise, self.workspace.file_of(exercise), self.workspace)
        self.file = SavedFile(self.target.path)
        self.desk.keeper.begin(exercise)
        self.check()

    def check(self) -> None:
        """Check the file as it is now; if it is saved meanwhile, again."""
        while True:
            self.file.know()
            try:
                self._check()
                break
            except Superseded:
                continue
        self.screen.keys(self.key_line())

    def _check(self) -> None:
        self.begin_screen()
        try:
            data = read_bytes(Path(short_path(self.target.path)))
            problem = parse_source(self.exercise.file, data).problem
            if problem:
                self.screen.problem(problem)
                self.desk.keeper.begin(self.exercise)
                return
            report = self.session.grade(
                self.exercise,
                data,
                verbose=self.verbose,
                on_result=self.show_result,
                on_failing=self.show_failing,
                on_point=self.show_point,
                on_restart=self.begin_screen,
                on_wait=self.break_off,
            )
        except UsageError as error:
            gone = "" if self.target.path.exists() else "; r brings the stub back"
            self.screen.problem(f"{error}{gone}")
            return
        except GraderError as error:
            self.screen.problem(f"{error} (the grader's fault, not your code's); c tries again")
            return
        self.screen.end(report)
        self.desk.keeper.record_check(self.exercise, report)
        self.session.prepare(self.exercise)

    def begin_screen(self) -> None:
        """Announce the check."""
        exercises, progress = self.desk.chosen.exercises, self.desk.keeper.read()
        passed = sum(progress.has_passed(exercise) for exercise in exercises)
        title = Title(self.exercise, self.target.path, passed, len(exercises))
        self.screen.begin(title, verbose=self.verbose)

    def show_result(self, result: CheckResult) -> None:
        """Show how a check ended, unless it is out of date."""
        self.break_off()
        self.screen.result(result, keep_replay(self.target, result))

    def show_failing(self, check: Check) -> None:
        """Say at once that a check fails, unless that is out of date."""
        self.break_off()
        self.screen.failing(check.promise)

    def show_point(self, check: Check, verdict: Verdict) -> None:
        """Show how far a training is, unless it is out of date."""
        self.break_off()
        self.screen.point(check.promise, verdict.as_plain())

    def break_off(self) -> None:
        """End the running check if the file was saved again or the learner leaves.

        Raises:
            Superseded, Left: to be caught where the check began.
        """
        if any(key in QUIT for key in self.terminal.take_in()):
            raise Left
        if not self.manual and self.file.was_saved():
            raise Superseded

    def key_line(self) -> list[str]:
        """The keys that do something now."""
        return key_line(
            manual=self.manual,
            done=self.is_done(),
            quizzes=self.has_quizzes,
            verbose=self.verbose,
        )

    def is_done(self) -> bool:
        """Whether the current exercise was passed or given up."""
        return self.desk.keeper.read().is_done_with(self.exercise)

    def next(self) -> None:
        """Go on, after a pass."""
        if not self.is_done():
            short = self.exercise.short
            self.screen.say(f"{short} is not passed yet; l lists all, to go to another exercise")
            return
        progress = self.desk.keeper.read()
        found = next_exercise(self.desk.chosen.exercises, progress, after=self.exercise)
        if found is None:
            self.screen.say("Nothing is left: every exercise is passed or given up.")
        else:
            self.open(found)

    def hint(self) -> None:
        """The next hint."""
        work = self.desk.keeper.read().exercises.get(self.exercise.id, Work())
        hint = next_hint(self.exercise, work, self.desk.keeper.now())
        self.desk.keeper.record_hint(self.exercise, hint.level)
        self.screen.below(lambda console: show_hint(console, hint.text, hint.more))

    def list(self) -> None:
        """The list, and a way to another exercise."""
        from rlgrade.listing import listing

        course, state = self.desk.course, str(self.workspace.state)

        def show(console: Console) -> None:
            text = listing(str(course.root), state, console.encoding, console.width)
            console.print(text, end="", soft_wrap=True)

        self.screen.below(show)
        self.screen.prompt("Go to (such as ex05; Enter or Esc stays): ")
        name = self.terminal.line().strip()
        try:
            found = course.find(name) if name else self.exercise
        except UsageError as error:
            self.screen.say(str(error))
            return
        if found.id == self.exercise.id:
            self.screen.draw()
        else:
            self.open(found)

    def readme(self) -> None:
        """The exercise's README, in the pager."""
        path = self.target.path.with_name("README.md")
        if not path.is_file():
            path = self.exercise.shown / "README.md"
        text = path.read_text(encoding="utf-8")
        self.page(lambda console: show_markdown(console, text))

    def solution(self) -> None:
        """The solution beside the learner's own, after a pass or a confirmed give-up."""
        from rlgrade.learner.solution import show_solution

        short = self.exercise.short
        if not self.is_done() and not self.agrees(f"Give {short} up and see the solution?"):
            return
        self.desk.keeper.record_solution(self.exercise)
        self.page(lambda console: show_solution(console, self.exercise, self.target.path))

    def page(self, show: Callable[[Console], None]) -> None:
        """Something long, in the pager."""
        from rlgrade.watch.reading import page

        with self.terminal.whole_lines():
            page(show)
        self.screen.keys(self.key_line())  # under it, where the pager leaves it on the screen

    def reset(self) -> None:
        """The stub in place of the learner's file, which is kept."""
        path = short_path(self.target.path)
        question = f"Put the stub in the place of {path}? Yours is kept as a backup."
        if self.target.path.exists() and not self.agrees(question):
            return
        try:
            backup = reset_exercise(self.workspace, self.exercise, self.desk.keeper.now())
        except UsageError as error:
            self.screen.say(str(error))
            return
        self.check()
        if backup is not None:
            self.screen.say(f"yours is kept as {short_path(backup)}")

    def quiz(self) -> None:
        """The quiz of this exercise, until it is left; where it has none, what is due."""
        from rlgrade.watch.reading import run_command

        own = ("run", self.exercise.short) if has_quiz(self.exercise) else ()
        with self.terminal.whole_lines():
            run_command(self.desk.course.root, "quiz", *own)
        self.screen.keys(self.key_line())

    def help(self) -> None:
        """Every key, with what it does."""
        self.screen.below(lambda console: show_keys(console, quizzes=self.has_quizzes))

    def explain_all(self) -> None:
        """Explain every failure, or the first only."""
        self.verbose = not self.verbose
        self.check()

    def agrees(self, question: str) -> bool:
        """Whether the learner presses y."""
        self.screen.ask(question)
        agreed = self.terminal.says_yes()
        self.screen.answered("yes" if agreed else "no")
        return agreed


def _nothing() -> None:
    """What a key does that does nothing."""
