"""The checks of an exercise, from the `checks.py` of its hidden half."""

from __future__ import annotations

import importlib.util
import sys

from rlgrade.author.declare import Check
from rlgrade.courses import CourseError, Exercise
from rlgrade.outcome import GraderError


def load_checks(exercise: Exercise) -> list[Check]:
    """The checks of an exercise, in the order in which they are written.

    Raises:
        CourseError: there is no `checks.py`, or no check in it, or one that needs none before it.
        GraderError: it cannot be imported.
    """
    path = exercise.hidden / "checks.py"
    spec = importlib.util.spec_from_file_location(f"rlgrade_checks_{exercise.id}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise CourseError(f"{path} is missing")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise GraderError(f"{path} cannot be loaded: {type(error).__name__}: {error}") from error
    checks = [value for value in vars(module).values() if isinstance(value, Check)]
    if not checks:
        raise CourseError(f"{path} declares no check")
    names = [check.name for check in checks]
    for number, check in enumerate(checks):
        if check.needs and check.needs not in names[:number]:
            raise CourseError(f"{path}: {check.name} needs {check.needs!r}, no check before it")
    return checks
