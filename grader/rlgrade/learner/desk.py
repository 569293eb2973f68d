"""Where the learner works: the course, the workspace if there is one, and the progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rlgrade.courses import Course, Exercise, find_course
from rlgrade.learner.keeper import Keeper, to_stderr
from rlgrade.learner.progress import current_exercise
from rlgrade.outcome import UsageError
from rlgrade.workspace import Workspace, find_workspace


@dataclass(frozen=True)
class Desk:
    """What the commands of a learner's day have before them."""

    course: Course
    workspace: Workspace | None
    keeper: Keeper

    @property
    def chosen(self) -> Course:
        """The course as far as the workspace has it."""
        return self.course if self.workspace is None else self.workspace.chosen

    def exercise(self, name: str | None) -> Exercise:
        """The exercise of this name; without a name, that of the folder we are in, or the current.

        Raises:
            UsageError: there is none of this name, or none at all.
        """
        if name is not None:
            return self.course.find(name)
        if self.workspace is not None:
            here = [Path.cwd(), *Path.cwd().parents]
            for exercise in self.course.exercises:
                if self.workspace.file_of(exercise).parent in here:
                    return exercise
        found = current_exercise(self.chosen.exercises, self.keeper.read())
        if found is None:
            raise UsageError(f"the course at {self.course.root} has no exercise yet")
        return found

    def own_workspace(self) -> Workspace:
        """The workspace.

        Raises:
            UsageError: there is none here.
        """
        if self.workspace is None:
            raise UsageError("this folder is no workspace; make one with `rlgrade init DIR`")
        return self.workspace

    def file_of(self, exercise: Exercise) -> Path:
        """The learner's file of an exercise.

        Raises:
            UsageError: there is no workspace, or the file is gone.
        """
        workspace = self.own_workspace()
        path = workspace.file_of(exercise)
        if not path.is_file():
            if exercise not in workspace.chosen.exercises:
                folder = short_path(workspace.root)
                raise UsageError(
                    f"{exercise.short} is not in this workspace; "
                    f"`rlgrade init {folder} --exercises {exercise.short}` brings it"
                )
            raise UsageError(
                f"there is no {short_path(path)}; `rlgrade reset {exercise.short}` "
                "brings the stub back"
            )
        return path


def open_desk(course: str | None, say: Callable[[str], None] = to_stderr) -> Desk:
    """The desk at the current folder; outside a workspace, one at which nothing is kept.

    `say` is told, once, where progress cannot be kept.
    """
    try:
        workspace = find_workspace(Path.cwd(), course)
    except UsageError:
        return Desk(find_course(course), None, Keeper(None))
    return Desk(workspace.course, workspace, Keeper(workspace.state, say=say))


def short_path(path: Path) -> str:
    """A path as it is typed from here."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
