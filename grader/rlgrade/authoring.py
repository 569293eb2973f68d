"""Writing a course: new exercises, and stubs from solutions."""

from __future__ import annotations

import re
from pathlib import Path

from rlgrade.courses import Course, Exercise
from rlgrade.outcome import UsageError
from rlgrade.stubs import MarkerError, make_stub

SOLUTION = '''"""{title}: what the learner will be able to compute."""

import torch
from torch import Tensor


def {function}(rewards: Tensor, *, discount: float) -> Tensor:
    """What comes out, not how.

        the formula

    Source: the paper and section.

    Args:
        rewards: [T] or [B, T] float or int, reward units.
        discount: in [0, 1], no unit.

    Returns:
        [T] or [B, T] float, reward units.

    Raises:
        ValueError: when.
    """
    # BEGIN SOLUTION
    return torch.as_tensor(rewards) * discount
    # END SOLUTION
'''
CHECKS = '''"""Hidden checks of {name}."""

from rlgrade.author import check, discounts, expect_close, given, tensors


@check("scales every reward by the discount")
@given(rewards=tensors(3), discount=discounts())
def scales_every_reward(submission, rewards, discount):
    answer = submission.{function}(rewards, discount=discount)
    expect_close("answer", answer, [discount * reward for reward in rewards.tolist()])
'''
METADATA = """title = "{title}"
chapter = "{chapter}"
version = 1
minutes = 30
difficulty = 2
importance = 3
points = 10
prerequisites = []
"""
MISTAKES = """[[mistakes]]
name = "forgets the discount"
says = "the discount is not applied"
replace = " * discount"
with = ""
caught_by = "scales_every_reward"
"""
README = """# {title}

The idea; the maths; the convention card; the task, function by function; what goes wrong in
practice; the link to language models; references.

Check your work with `rlgrade check {short}`.
"""
HINTS = "A question.\n\n---\n\nThe way.\n\n---\n\nNearly the solution.\n"


def begin_exercise(course: Course, name: str) -> list[Path]:
    """Create the files of a new exercise; it verifies except for the numbers it still lacks.

    Raises:
        UsageError: the name is not of the form ex12_name, or the exercise is there already.
    """
    if not re.fullmatch(r"ex\d{2}_[a-z][a-z0-9_]*", name):
        raise UsageError(f"{name!r} is no name for an exercise; write it like ex12_rlvr")
    hidden, shown = course.root / "solutions" / name, course.root / "exercises" / name
    if hidden.exists() or shown.exists():
        raise UsageError(f"{name} is there already")
    function = name.partition("_")[2]
    words = {
        "name": name,
        "short": name.partition("_")[0],
        "function": function,
        "title": function.replace("_", " ").capitalize(),
        "chapter": next(iter(course.chapters)),
    }
    texts = {
        hidden / f"{function}.py": SOLUTION,
        hidden / "checks.py": CHECKS,
        hidden / "exercise.toml": METADATA,
        hidden / "mistakes.toml": MISTAKES,
        hidden / "hints.md": HINTS,
        hidden / "walkthrough.md": "Why the solution is as it is.\n",
        shown / "README.md": README,
    }
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(**words), encoding="utf-8")
    (hidden / "right").mkdir()
    stub = shown / f"{function}.py"
    stub.write_text(stub_of(Exercise(name, shown, hidden)), encoding="utf-8")
    return [*texts, stub]


def stub_of(exercise: Exercise) -> str:
    """The stub that the solution generates.

    Raises:
        UsageError: the solution is missing or its markers are wrong.
    """
    try:
        return make_stub(exercise.solution.read_text(encoding="utf-8"), str(exercise.solution))
    except (MarkerError, OSError) as error:
        raise UsageError(str(error)) from None


def write_stubs(course: Course, names: tuple[str, ...], *, only_check: bool = False) -> list[Path]:
    """Bring stubs up to date (of all exercises, if none is named); those that were not."""
    stale = []
    for exercise in [course.find(name) for name in names] or course.exercises:
        text = stub_of(exercise)
        if exercise.stub.exists() and exercise.stub.read_text(encoding="utf-8") == text:
            continue
        stale.append(exercise.stub)
        if not only_check:
            exercise.stub.parent.mkdir(parents=True, exist_ok=True)
            exercise.stub.write_text(text, encoding="utf-8")
    return stale
