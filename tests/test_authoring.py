"""The author's side: `dev new`, `dev stub`, and every way in which `dev verify` says no."""

from shutil import copytree

import pytest

from rlgrade.authoring import begin_exercise, stub_of, write_stubs
from rlgrade.courses import find_course
from rlgrade.outcome import UsageError
from rlgrade.verify import documented_arguments, verify_exercise


@pytest.fixture
def copy(course, tmp_path):
    copytree(course.root, tmp_path / "course")
    return find_course(tmp_path / "course")


TOO_FEW = {
    "7 checks; at least 8 are needed",
    "7 mistakes; at least 12 are needed",
    "1 right; at least 5 are needed",
}


def shortfalls(copy, server):
    (exercise,) = find_course(copy.root).exercises
    found = verify_exercise(exercise, server, seed=0)
    return [text for text in found.short if text not in TOO_FEW]


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_fixture_lacks_numbers_and_nothing_else(copy, server):
    (exercise,) = copy.exercises
    found = verify_exercise(exercise, server, seed=0)
    assert set(found.short) == TOO_FEW
    assert (found.caught, found.diagnosed, found.right_passed) == (7, 7, 1)


def change_stub(hidden, shown):
    edit(shown / "scale.py", "Each reward", "Every reward")


def document_another_argument(hidden, shown):
    edit(hidden / "scale.py", "        factor: no unit.", "        scaling: no unit.")
    edit(shown / "scale.py", "        factor: no unit.", "        scaling: no unit.")


def show_the_solution(hidden, shown):
    edit(shown / "README.md", "add.", "add: `scaled_rewards = rewards.detach() * factor`")


def break_the_solution(hidden, shown):
    edit(hidden / "scale.py", "self.count = start", "self.count = start + 1")


def a_check_that_cannot_fail(hidden, shown):
    checks = hidden / "checks.py"
    checks.write_text(
        checks.read_text() + '\n\n@check("does nothing")\ndef does_nothing(submission):\n    pass\n'
    )


def break_a_right_one(hidden, shown):
    edit(hidden / "right" / "by_loop.py", "return error * error", "return error")


def a_mistake_that_is_none(hidden, shown):
    edit(hidden / "mistakes.toml", "torch.mean(rewards)", "rewards.sum()")


def a_mistake_for_another_check(hidden, shown):
    edit(hidden / "mistakes.toml", 'caught_by = "adds_up"', 'caught_by = "adds"')


def a_mistake_without_its_text(hidden, shown):
    edit(hidden / "mistakes.toml", '"torch.sum(rewards)"', '"torch.summe(rewards)"')


def twin_mistakes(hidden, shown):
    mistakes = hidden / "mistakes.toml"
    last = mistakes.read_text().rpartition("[[mistakes]]")[2]
    twin = last.replace('"counts double"', '"a twin"').replace("each call counts twice", "twin")
    mistakes.write_text(mistakes.read_text() + "\n[[mistakes]]" + twin)


def too_slow(hidden, shown):
    edit(hidden / "exercise.toml", "points = 4", "points = 4\nseconds = 0.001")


def import_fails(hidden, shown):
    edit(
        hidden / "scale.py",
        "class Counter:",
        "class Counter:\n    # BEGIN SOLUTION\n    x = 1\n    # END SOLUTION\n",
    )
    write_stubs(find_course(hidden.parents[1]), ())


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (change_stub, "scale.py is not what `rlgrade dev stub` writes"),
        (document_another_argument, "scale documents ['rewards', 'scaling'] as its arguments"),
        (show_the_solution, "README.md shows 'scaled_rewards = rewards.detach() * factor'"),
        (break_the_solution, "the solution fails: `counts_calls`"),
        (a_check_that_cannot_fail, "the stub does not fail `does_nothing`"),
        (a_check_that_cannot_fail, "no mistake is caught by `does_nothing`"),
        (break_a_right_one, "right/by_loop.py fails: `differentiates`"),
        (a_mistake_that_is_none, "`adds_up` lets 'mean for sum' through"),
        (a_mistake_for_another_check, "'mean for sum' names ['adds'], which are no checks"),
        (a_mistake_without_its_text, "occurs 0 times in scale.py; it must occur once"),
        (twin_mistakes, "'a twin' is taken for: each call counts twice or twin"),
        (too_slow, "the budget is 0.001 s"),
        (import_fails, "the stub cannot be loaded"),
    ],
)
def test_verify_finds(copy, server, break_it, words):
    (exercise,) = copy.exercises
    break_it(exercise.hidden, exercise.shown)
    assert any(words in text for text in shortfalls(copy, server))


def test_a_new_exercise_verifies_but_for_its_numbers(copy, server):
    begin_exercise(copy, "ex02_echo")
    exercise = find_course(copy.root).find("ex02")
    found = verify_exercise(exercise, server, seed=0)
    assert [text for text in found.short if "at least" not in text] == []
    assert found.caught == found.diagnosed == 1


@pytest.mark.parametrize("name", ["ex2_echo", "echo", "ex02_Echo", "../ex02_echo", "ex01_scale"])
def test_a_new_exercise_needs_a_free_and_proper_name(copy, name):
    with pytest.raises(UsageError):
        begin_exercise(copy, name)


def test_stubs_are_brought_up_to_date(copy):
    (exercise,) = copy.exercises
    exercise.stub.write_text("old")
    assert write_stubs(copy, (), only_check=True) == [exercise.stub]
    assert exercise.stub.read_text() == "old"
    assert write_stubs(copy, ()) == [exercise.stub]
    assert exercise.stub.read_text() == stub_of(exercise)
    assert write_stubs(copy, ()) == []


def test_documented_arguments():
    docstring = """Head.

    text: not an argument.

Args:
    rewards: [T] float,
        continued: not an argument either.
    low, high: bounds.

Returns:
    result: no argument.
"""
    assert documented_arguments(docstring) == ["rewards", "low", "high"]
    assert documented_arguments("Head.") == []
