"""Every exercise of the course keeps the promises that `rlgrade dev verify` proves."""

import os

import pytest

from rlgrade.courses import find_course
from rlgrade.verify import verify_exercise

EXERCISES = find_course().exercises


@pytest.mark.parametrize("exercise", EXERCISES, ids=str)
def test_verify(exercise, server):
    """RLGRADE_THOROUGH=1 proves all that `rlgrade dev verify` does, for a release."""
    thorough = bool(os.environ.get("RLGRADE_THOROUGH"))
    short = verify_exercise(exercise, server, seed=0, thorough=thorough).short
    # Time is for `rlgrade dev verify` and scripts/bench; a busy machine is no fault of a test.
    assert [text for text in short if not text.startswith("the checks take")] == []


@pytest.mark.parametrize("exercise", EXERCISES, ids=str)
def test_it_has_a_place_in_the_course(exercise):
    course = find_course()
    ids = [each.id for each in course.exercises]
    assert exercise.metadata.chapter in course.chapters
    for needed in exercise.metadata.prerequisites:
        assert ids.index(needed) < ids.index(exercise.id)
