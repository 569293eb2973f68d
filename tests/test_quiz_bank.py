"""The bank that comes along passes every gate of `rlgrade quiz lint`."""

import time
from pathlib import Path

import pytest

from rlgrade.courses import find_course
from rlgrade.quiz import presenting, schema
from rlgrade.quiz.bank import Bank, find_bank
from rlgrade.quiz.drawing import draw
from rlgrade.quiz.lint.command import Report, lint
from rlgrade.quiz.marking import mark

COURSE = find_course(Path(__file__).parents[1])


@pytest.fixture(scope="module")
def bank() -> Bank:
    return find_bank(COURSE)


@pytest.fixture(scope="module")
def report(bank: Bank) -> Report:
    return lint(bank)


def test_no_item_has_a_problem(report):
    assert [str(problem) for problem in report.problems] == []


def test_every_gate_is_passed(report):
    assert [gate for gate in report.gates if not gate.passed] == []
    assert report.passed


def test_every_key_is_marked_right_as_it_is_shown(bank):
    for entry in bank.entries(inner=True):
        if isinstance(entry.item, schema.Open | schema.Case | schema.Predict):
            continue  # lint runs what `predict` prints; the others have no key
        instance = draw(entry.item, 11, bank.functions)
        assert mark(instance, presenting.key(instance)).right, entry.item.id


def test_an_item_is_found_quickly(bank):
    """Reading one file, not all: a command with an id must not wait for the whole bank."""
    name = bank.entries()[-1].item.id
    fresh = find_bank(COURSE)
    start = time.process_time()
    fresh.find(name)
    assert time.process_time() - start < 0.3


def test_an_exercise_that_is_named_exists(bank):
    known = {exercise.id for exercise in COURSE.exercises}
    named = {entry.exercise for entry in bank.entries(inner=True)} - {None}
    assert named <= known
    assert len(named) >= 9
