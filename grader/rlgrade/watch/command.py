"""What `rlgrade` with nothing after it does."""

from __future__ import annotations

from rlgrade.learner.desk import open_desk
from rlgrade.outcome import ExitCode
from rlgrade.watch.terminal import Terminal


def watch_command(
    course: str | None, exercise: str | None, *, manual: bool, verbose: bool
) -> ExitCode:
    """Check the exercise at every save until the learner quits; see `rlgrade watch --help`.

    Raises:
        UsageError: there is no terminal, no workspace, or no such exercise.
    """
    notes: list[str] = []
    desk = open_desk(course, notes.append)
    desk.own_workspace()
    found = desk.exercise(exercise)
    terminal = Terminal()
    print("Loading torch, once ...", flush=True)
    from rlgrade.watch.session import Session

    with Session(desk.course) as session, terminal:
        # The server loads torch on one core while these load on the other.
        from rlgrade.watch.loop import Watch
        from rlgrade.watch.screen import Screen

        screen = Screen()
        screen.notes, screen.verbose = notes, verbose
        Watch(desk, session, terminal, screen, manual=manual).run(found)
    print()
    return ExitCode.PASSED
