"""`%load_ext rlgrade`, `%%rlgrade ex05`: grades the cell with the engine of `rlgrade check`."""

from __future__ import annotations

import argparse
import atexit
import shlex
import time
from typing import TYPE_CHECKING, Any, NoReturn

from IPython.core.error import UsageError as CellError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_cell_magic, magics_class

from rlgrade.learner.desk import Desk, open_desk
from rlgrade.notebook.view import View
from rlgrade.outcome import GraderError, UsageError

if TYPE_CHECKING:
    from rlgrade.author.declare import Check
    from rlgrade.judge.training import Verdict
    from rlgrade.report import CheckResult
    from rlgrade.watch.session import Session

REDRAW_SECONDS = 0.2


class _Parser(argparse.ArgumentParser):
    """Tells a cell what is wrong instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        raise CellError(f"{message}; for example: %%rlgrade ex05 -v --seed 3")


@magics_class
class Grading(Magics):
    """The magic, and the warm server that the kernel keeps."""

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self._session: Session | None = None
        atexit.register(self.close)

    @line_cell_magic
    def rlgrade(self, line: str, cell: str | None = None) -> None:
        """Grade this cell: `%%rlgrade ex05 [-v] [--seed N] [--blind] [--grade-only]`.

        Afterwards the cell is run here, so that its functions can be tried out. Without a cell,
        `%rlgrade hint ex05` is the command of the same name.
        """
        if cell is None:
            self._command(line)
            return
        wanted = self._arguments(line)
        try:
            self._grade(wanted, cell)
        except (UsageError, GraderError) as error:
            raise CellError(str(error)) from None
        if not wanted.grade_only and self.shell is not None:
            run_here: Any = self.shell.run_cell
            run_here(cell)

    def close(self) -> None:
        """End the server."""
        if self._session is not None:
            self._session.__exit__(None, None, None)
            self._session = None

    def _arguments(self, line: str) -> argparse.Namespace:
        parser = _Parser(prog="%%rlgrade", add_help=False)
        parser.add_argument("exercise", nargs="?")
        parser.add_argument("-v", "--verbose", action="store_true")
        parser.add_argument("--blind", action="store_true")
        parser.add_argument("--seed", type=int)
        parser.add_argument("--grade-only", action="store_true")
        return parser.parse_args(shlex.split(line))

    def _grade(self, wanted: argparse.Namespace, cell: str) -> None:
        desk = open_desk(None)
        exercise = desk.exercise(wanted.exercise)
        view = View(exercise.short, blind=wanted.blind, verbose=wanted.verbose)
        screen = _Screen(view, live=hasattr(self.shell, "kernel"))

        def result(found: CheckResult) -> None:
            view.results.append(found)
            screen.redraw()

        def point(check: Check, verdict: Verdict) -> None:
            view.running = (check.promise, verdict.as_plain())
            screen.redraw()

        view.report = self._warm(desk).grade(
            exercise,
            cell.encode(),
            verbose=wanted.verbose,
            on_result=result,
            on_point=point,
            on_restart=view.results.clear,
            on_wait=lambda: None,
            seed=wanted.seed,
        )
        desk.keeper.record_check(exercise, view.report, blind=wanted.blind)
        screen.finish()

    def _warm(self, desk: Desk) -> Session:
        from rlgrade.watch.session import Session

        if self._session is None or self._session.course.root != desk.course.root:
            self.close()
            self._session = Session(desk.course)
        return self._session

    def _command(self, line: str) -> None:
        from rlgrade.cli import cli

        try:
            cli(shlex.split(line), prog_name="rlgrade", standalone_mode=False)
        except SystemExit as ended:
            if ended.code not in (0, None):
                raise CellError("it did not end well; see above") from None


class _Screen:
    """One output that is drawn again as results come, where the front end can do that."""

    def __init__(self, view: View, *, live: bool) -> None:
        self.view = view
        self.live = live
        self._handle: Any = None
        self._drawn = 0.0

    def redraw(self) -> None:
        """Show what there is, a few times a second."""
        if self.live and time.monotonic() - self._drawn >= REDRAW_SECONDS:
            self._draw()

    def finish(self) -> None:
        """Show all of it."""
        self._draw()

    def _draw(self) -> None:
        from IPython import display as front_end

        show: Any = front_end.display
        if self._handle is None:
            self._handle = show(self.view, display_id=True)
        else:
            self._handle.update(self.view)
        self._drawn = time.monotonic()


def load(shell: InteractiveShell) -> None:
    """Register the magic."""
    shell.register_magics(Grading(shell))


def unload(shell: InteractiveShell) -> None:
    """End the server; the magic starts another one if it is used again."""
    shell.magics_manager.registry["Grading"].close()
