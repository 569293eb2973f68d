"""The engine as a whole, on the fixture course: outcomes, seeds, needs, diagnosis."""

import time
from pathlib import Path

import pytest

from rlgrade.judge.calls import Submission
from rlgrade.judge.cases import Case, same_value, similar_answers
from rlgrade.judge.link import Link
from rlgrade.judge.server import Server
from rlgrade.outcome import ExitCode, GraderError, Outcome
from rlgrade.report import as_plain


def outcomes(report):
    return {check.check: check.outcome for check in report.checks}


def test_the_solution_passes_with_all_points(exercise, grade_text):
    report = grade_text(exercise.solution.read_bytes())
    assert report.passed
    assert report.points == report.max_points == 4
    assert report.exit_code is ExitCode.PASSED
    assert {check.check: check.examples for check in report.checks}["adds_up"] == 100


def test_the_stub_passes_nothing_and_is_told_so(exercise, grade_text):
    report = grade_text(exercise.stub.read_bytes())
    assert report.points == 0
    assert report.checks[0].message == "scale is not written yet"
    assert report.checks[0].line == 17


def test_a_wrong_answer_is_shrunk_located_and_recognised(grade_scale):
    result = grade_scale("return rewards.clone()")
    assert result.outcome is Outcome.FAIL
    assert result.message == "scaled[0] should be 0.5; yours is 1.0"
    assert result.counterexample == {"rewards": "[1]", "factor": "0.5"}
    assert result.diagnosis == ["the factor is never applied"]
    assert result.line is not None


def test_an_error_that_no_mistake_explains_gets_no_name(grade_scale):
    assert grade_scale("return rewards * factor + 0.125").diagnosis == []


def test_a_mistake_is_recognised_behind_ways_of_ones_own(exercise, grade_text):
    """Another dtype, and another wording of the refusal, as no known mistake has them."""
    text = exercise.solution.read_text()
    text = text.replace("rewards.detach() * factor", "rewards.detach().double()")
    report = grade_text(text.replace("one row", "a single row"), only=frozenset({"scales_each"}))
    assert report.checks[0].outcome is Outcome.FAIL
    assert report.checks[0].diagnosis == ["the factor is never applied"]


def test_a_slow_machine_is_not_held_against_the_solution(exercise, server, monkeypatch):
    from rlgrade.judge import bank

    shared = bank.Bank(exercise, server)
    check, mistake = shared.checks[0], exercise.mistakes[0]
    try:
        with monkeypatch.context() as slow:
            slow.setattr(bank, "CASE_SECONDS", -1.0)
            assert shared.fresh(None, check, 3) == [None] * 3
            assert shared.fresh(mistake, check, 3) == [None] * 3
        assert all(case.error is None for case in shared.fresh(None, check, 3))
        assert shared.fresh(mistake, check, 3) == [None] * 3
    finally:
        shared.close()


def test_two_mistakes_that_answer_alike_are_both_named(exercise, server, own):
    from rlgrade.judge.grading import Settings, grade

    mistakes = own.hidden / "mistakes.toml"
    twin = """
[[mistakes]]
name = "a twin"
says = "the factor is taken for one"
replace = "rewards.detach() * factor"
with = "rewards.detach() * 1.0"
caught_by = "scales_each"
"""
    mistakes.write_text(mistakes.read_text() + twin)
    text = exercise.solution.read_text().replace("* factor", "+ 0")
    settings = Settings(only=frozenset({"scales_each"}))
    (result,) = grade(own, text.encode(), server, 0, settings=settings).checks
    assert result.diagnosis == ["the factor is never applied", "the factor is taken for one"]


@pytest.mark.parametrize(
    "deadly",
    ["__import__('os').abort()", "exec('while True: pass')", "1 / (rewards.numel() - 3)"],
)
def test_a_mistake_that_dies_or_hangs_leaves_the_others_their_diagnosis(
    exercise, server, own, monkeypatch, deadly
):
    from rlgrade.judge import bank
    from rlgrade.judge.grading import Settings, grade

    monkeypatch.setattr(bank, "CASE_SECONDS", 1.0)
    mistakes = own.hidden / "mistakes.toml"
    dying = f"""
[[mistakes]]
name = "dies"
says = "ends the process"
replace = "rewards.detach() * factor"
with = "{deadly}"
caught_by = "scales_each"

"""
    mistakes.write_text(dying + mistakes.read_text())
    shared = bank.Bank(own, server)
    settings = Settings(only=frozenset({"scales_each"}))
    try:
        for mistake in own.mistakes[1:3]:
            text = own.mistaken_source(mistake).encode()
            (result,) = grade(own, text, server, 0, settings=settings, bank=shared).checks
            assert result.diagnosis == [mistake.says]
    finally:
        shared.close()


def test_what_a_failed_check_carries_is_skipped(exercise, grade_text):
    text = exercise.solution.read_text().replace("* factor", "+ factor")
    report = grade_text(text)
    assert outcomes(report)["scales_each"] is Outcome.FAIL
    assert outcomes(report)["is_linear"] is Outcome.SKIPPED
    (skipped,) = [check for check in report.checks if check.outcome is Outcome.SKIPPED]
    (needed,) = [check for check in report.checks if check.check == "scales_each"]
    assert skipped.message == f"waits until this passes: {needed.promise}"
    assert outcomes(report)["adds_up"] is Outcome.PASS
    assert report.exit_code is ExitCode.NOT_YET


def test_a_seed_repeats_a_run_exactly(exercise, grade_text):
    text = exercise.solution.read_text().replace("* factor", "* factor + 0.01 * (rewards > 3)")

    def run(seed):
        plain = as_plain(grade_text(text, seed=seed))
        for check in plain["checks"]:
            del check["seconds"]
        del plain["seconds"]
        return plain

    assert run(7) == run(7)
    assert run(7)["checks"][0]["examples"] != run(8)["checks"][0]["examples"]


def test_random_submissions_are_repeatable_too(grade_scale):
    body = "import random\nreturn rewards * factor if random.random() < 0.9 else rewards * 0"
    runs = [grade_scale(body, seed=3).examples for _ in range(3)]
    assert len(set(runs)) == 1


def test_the_remaining_checks_are_graded_after_a_death(exercise, grade_text):
    text = exercise.solution.read_text().replace(
        "scaled_rewards = ", "import os\n    os._exit(0)\n    scaled_rewards = "
    )
    found = outcomes(grade_text(text))
    assert found["scales_each"] is Outcome.ERROR
    assert found["adds_up"] is found["counts_calls"] is Outcome.PASS


def test_the_whole_run_has_a_limit(exercise, grade_text):
    text = exercise.solution.read_text().replace("torch.sum(", "__import__('time').sleep(9) or (")
    report = grade_text(text, run_seconds=1.0)
    assert outcomes(report)["adds_up"] is Outcome.TIMEOUT
    assert report.checks[-1].message == "not reached: the whole run may take 1 s"


def test_a_body_that_fails_on_the_solution_too_is_our_fault(exercise, server, own):
    from rlgrade.judge.grading import grade

    checks = own.hidden / "checks.py"
    checks.write_text(
        "from rlgrade.author import check\n\n"
        '@check("is judged by broken code")\n'
        "def broken(submission):\n    submission.missing_in_both; 1 / 0\n"
    )
    report = grade(own, exercise.solution.read_bytes(), server, 0)
    assert report.checks[0].outcome is Outcome.BROKEN
    assert report.exit_code is ExitCode.BROKEN
    assert "ZeroDivisionError" in report.checks[0].message


def test_a_check_that_waits_for_none_before_it_is_refused(exercise, server, own):
    """It would never wait, and nobody would see."""
    from rlgrade.courses import CourseError
    from rlgrade.judge.loading import load_checks

    checks = own.hidden / "checks.py"
    checks.write_text(
        'from rlgrade.author import check\n\n@check("waits", needs="later")\n'
        "def waits(submission):\n    submission.scale\n\n"
        '@check("comes later")\ndef later(submission):\n    submission.scale\n'
    )
    with pytest.raises(CourseError, match="waits needs 'later', no check before it"):
        load_checks(own)


def test_an_answer_that_the_body_cannot_digest_is_the_learners(exercise, server, own):
    from rlgrade.judge.grading import grade

    checks = own.hidden / "checks.py"
    checks.write_text(
        "import numpy as np\nfrom rlgrade.author import check, expect\n\n"
        '@check("gives three numbers")\n'
        "def three(submission):\n"
        "    answer = submission.scale(np.ones(3, dtype=np.float32), factor=2.0)\n"
        "    expect(answer[2] == 2, 'the third should be 2')\n"
    )
    text = exercise.solution.read_text().replace("return scaled_rewards", "return None")
    (result,) = grade(own, text.encode(), server, 0).checks
    assert result.outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (1.0, 1.0 + 1e-7, True),
        (1, 1.0, False),
        ([1.0, None], [1.0, None], True),
        ([1.0], [1.0, 1.0], False),
        ({"a": 1.0}, {"b": 1.0}, False),
        (float("nan"), float("nan"), True),
        ("a", "a", True),
    ],
)
def test_same_value(one, other, alike):
    assert same_value(one, other) is alike


def test_a_body_may_change_its_arguments(exercise, server, own):
    from rlgrade.judge.grading import grade

    checks = own.hidden / "checks.py"
    checks.write_text(
        "from rlgrade.author import check, expect_close, given, tensors\n\n"
        '@check("scales shifted rewards")\n'
        "@given(rewards=tensors(2))\n"
        "def shifted(submission, rewards):\n"
        "    rewards += 1\n"
        "    expect_close('scaled', submission.scale(rewards, factor=2.0), rewards * 2)\n"
    )
    text = exercise.solution.read_text().replace("* factor", "+ 0")
    (result,) = grade(own, text.encode(), server, 0).checks
    assert result.counterexample == {"rewards": "[0, 0]"}
    assert result.message == "scaled[0] should be 2.0; yours is 1.0"
    assert result.diagnosis == ["the factor is never applied"]


def test_many_workers_can_be_asked_for_at_once(server):
    from rlgrade.judge.link import Link

    server.has_exited(0)  # looks without waiting; asking must wait for room all the same
    links = [Link(server, "empty.py", "", 60.0) for _ in range(100)]
    try:
        assert {link.load().level for link in links} == {links[0].level}
    finally:
        for link in links:
            link.close()


def test_a_process_that_the_system_refuses_is_our_fault_and_the_next_one_is_served() -> None:
    with Server() as server:
        server.wait_until_ready()
        Path(server.scratch).rmdir()  # a worker's folder cannot be made, as on a full disk
        with pytest.raises(GraderError, match="refuses another process"):
            Link(server, "a.py", "", 5.0).load()
        Path(server.scratch).mkdir()
        link = Link(server, "a.py", "def f():\n    return 3\n", 5.0).load()
        link.deadline = time.monotonic() + 5.0
        assert Submission(link).f() == 3
        link.close()


def test_a_replay_has_what_was_asked_and_not_what_became_of_it(server) -> None:
    """A body may change its arrays after a call."""
    import numpy as np

    from rlgrade.author.declare import Property
    from rlgrade.judge.cases import run_case
    from rlgrade.judge.draws import Example

    def body(submission):
        values = np.zeros(2, dtype=np.float32)
        submission.f(values)
        values += 1
        submission.f(values[::1])

    link = Link(server, "a.py", "def f(x):\n    return x\n", 5.0).load()
    link.deadline = time.monotonic() + 20.0
    case = run_case(link, Property(body), Example({}, ()))
    link.close()
    assert [request["args"][0].tolist() for request, _ in case.calls] == [[0.0, 0.0], [1.0, 1.0]]


def test_to_explain_a_failure_takes_no_time_from_the_checks_behind_it(exercise, grade_text):
    """Wrong and slow: its smallest case takes longer to find than the whole run may take."""
    body = (
        "    __import__('time').sleep(0.05 * (factor != 3))\n"
        "    if len(rewards) > 2 and rewards.sum() > 1:\n        return rewards + factor\n"
    )
    right = exercise.solution.read_text()
    report = grade_text(
        right.replace("    scaled_rewards =", f"{body}    scaled_rewards ="), run_seconds=3.0
    )
    found = outcomes(report)
    assert found["scales_each"] is Outcome.FAIL
    assert report.checks[0].counterexample
    assert found["adds_up"] is Outcome.PASS
    assert Outcome.TIMEOUT not in found.values()
    assert report.seconds < 3.0 + 3.0 + 2.0  # explanations have as long as the verdicts, no longer


def test_code_that_reads_its_own_source_finds_it(exercise, grade_text):
    """torch.jit.script does; there is no file where the worker could look."""
    text = exercise.solution.read_text()
    scripted = (
        "@torch.jit.script\n"
        "def by(rewards: torch.Tensor, factor: float):\n"
        "    return rewards * factor\n\n\n"
    )
    text = text.replace("def scale(", scripted + "def scale(", 1)
    report = grade_text(text.replace("rewards.detach() * factor", "by(rewards.detach(), factor)"))
    assert report.passed, [check.message for check in report.checks]


def test_many_small_values_count_for_the_memory_they_take(grade_scale, monkeypatch):
    """Two bytes on the wire are a list of 56 here, and a check may keep all that it is answered."""
    lists = "return [[] for _ in range(20_000)]"
    assert "should be" in grade_scale(lists).message
    monkeypatch.setattr("rlgrade.judge.worker.MAX_TAKEN", 1 << 20)
    result = grade_scale(lists)
    assert result.outcome is Outcome.MEMORY
    assert "answered with more than 1 MiB" in result.message


def test_an_answer_of_too_many_values_is_refused(grade_scale):
    result = grade_scale("return [[] for _ in range(300_000)]")
    assert result.outcome is Outcome.ERROR
    assert "more than 262,144 values" in result.message


def test_a_line_behind_the_end_of_the_file_is_none(grade_scale):
    """A submission can give its code any line number, and so tell what it was asked."""
    far = "compile('\\n' * 70_000 + 'raise ValueError(1)', 'scale.py', 'exec')"
    result = grade_scale(f"exec({far})")
    assert result.outcome is Outcome.ERROR
    assert result.line is None


@pytest.mark.parametrize(
    ("kind", "one", "other", "alike"),
    [
        ("ValueError", "rewards should be [T]", "one axis, please", True),
        ("RuntimeError", "element 0 does not require grad", "expected Float, got Double", False),
        ("RuntimeError", "size 3 at 1", "size 4 at 0", True),
    ],
)
def test_errors_of_torch_are_alike_in_their_words_alone(kind, one, other, alike):
    """All of them have one type; what a learner's ValueError says is the learner's."""
    replies = [
        {"raised": {"types": [kind], "message": text, "frames": []}} for text in (one, other)
    ]
    cases = [Case([({}, reply)], None) for reply in replies]
    assert similar_answers(*cases) is alike
