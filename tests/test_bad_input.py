"""Each kind of bad submission gets one clear sentence and the right outcome."""

import pytest

from rlgrade.outcome import Outcome


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return None", "scaled should be a tensor of shape [1]; yours is None"),
        (
            "return [float(r) * factor for r in rewards]",
            "scaled should be a tensor of shape [1]; yours is a list of 1",
        ),
        (
            "return (rewards * factor).numpy()",
            "scale returned a numpy array; return a torch tensor",
        ),
        ("return (rewards * factor)[None]", "scaled should have shape [1]; yours has [1, 1]"),
        ("return rewards * float('nan')", "scaled[0] should be 0.0; yours is nan"),
        (
            "return lambda: 1",
            "scaled should be a tensor of shape [1]; yours is an object of type function",
        ),
        (
            "return 2 ** 70",
            "scaled should be a tensor of shape [1]; yours is the int 1180591620717411303424",
        ),
        ("return (rewards * factor).to(torch.complex64)", "object of type Tensor"),
        ("return (rewards * factor).to_sparse()", "object of type Tensor"),
        ("return torch.empty(len(rewards), device='meta')", "object of type Tensor"),
        ("return 'x' * 10_000_000", "returned something that cannot be graded"),
        ("x = []\nx.append(x)\nreturn x", "returned something that cannot be graded"),
    ],
)
def test_wrong_kinds_of_answer_fail(grade_scale, body, message):
    result = grade_scale(body)
    assert result.outcome is Outcome.FAIL
    assert message in result.message


def test_a_wrong_dtype_is_judged_by_its_numbers(grade_scale):
    assert grade_scale("return (rewards * factor).double()").outcome is Outcome.PASS
    assert grade_scale("return (rewards * factor).int()").outcome is Outcome.FAIL


def test_an_answer_that_requires_grad_is_read_like_any_other(grade_scale):
    assert grade_scale("return (rewards * factor).requires_grad_()").outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("body", "outcome", "message"),
    [
        ("raise SystemExit(0)", Outcome.ERROR, "scale raised SystemExit: 0"),
        ("import sys\nsys.exit()", Outcome.ERROR, "scale raised SystemExit"),
        ("raise KeyboardInterrupt", Outcome.ERROR, "scale raised KeyboardInterrupt"),
        ("raise GeneratorExit", Outcome.ERROR, "scale raised GeneratorExit"),
        ("import os\nos._exit(0)", Outcome.ERROR, "your code ended the process (exit code 0)"),
        ("import os\nos.abort()", Outcome.ERROR, "your code crashed the process (SIG"),
        ("import ctypes\nctypes.string_at(0)", Outcome.ERROR, "crashed the process (SIGSEGV)"),
        ("return torch.zeros(2 ** 31, dtype=torch.uint8)", Outcome.MEMORY, "more memory than"),
        ("return [0] * 2 ** 31", Outcome.MEMORY, "scale asked for more memory than the worker"),
        ("def f(): f()\nf()", Outcome.ERROR, "scale raised RecursionError"),
        ("return rewards * facter", Outcome.ERROR, "scale raised NameError"),
    ],
)
def test_raising_and_dying(grade_scale, body, outcome, message):
    result = grade_scale(body)
    assert result.outcome is outcome
    assert message in result.message


def test_an_exception_shows_the_learners_own_frames_only(grade_scale):
    result = grade_scale("def inner(x):\n    return x[99]\nreturn inner(rewards)")
    assert [frame.split(": ", 1)[1] for frame in result.traceback] == [
        "return inner(rewards)",
        "return x[99]",
    ]
    assert all(frame.startswith("scale.py:") for frame in result.traceback)


def test_an_infinite_loop_ends_with_the_check(grade_scale, monkeypatch):
    from dataclasses import replace

    from rlgrade.judge import bank

    load = bank.load_checks
    quick = lambda exercise: [replace(check, seconds=0.3) for check in load(exercise)]  # noqa: E731
    monkeypatch.setattr(bank, "load_checks", quick)
    result = grade_scale("while True: pass")
    assert result.outcome is Outcome.TIMEOUT
    assert result.message == "your code took too long (0.3 s)"


def test_a_million_lines_of_output_are_stopped(grade_scale):
    result = grade_scale("for n in range(1_000_000): print('line', n)\nreturn rewards * factor")
    assert result.outcome is Outcome.ERROR
    assert "printed more than 1 MiB" in result.message


def test_a_print_is_shown_with_the_smallest_case(grade_scale):
    result = grade_scale("print('factor is', factor)\nreturn rewards")
    assert result.printed == "factor is 0.5\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "scale.py is empty; `rlgrade reset` brings the stub back"),
        ("a = 1\0\n", "scale.py is no text; a submission is one file of Python code"),
        ("  \n\n", "scale.py is empty; `rlgrade reset` brings the stub back"),
        ("x = 1\ndef scale(:\n", "scale.py:2: invalid syntax: def scale(:"),
        ("x = 1\n\tdef f(): pass", "scale.py:2: unexpected indent: def f(): pass"),
        (b"x = '\xff'", "scale.py:1: this byte is not UTF-8; save the file as UTF-8"),
        (
            "import torch\nimport scipyy",
            "scale.py:2: ModuleNotFoundError: No module named 'scipyy' (while the file was loaded)",
        ),
        ("1 / 0", "scale.py:1: ZeroDivisionError: division by zero (while the file was loaded)"),
        ("import sys\nsys.exit(0)", "scale.py:2: SystemExit: 0 (while the file was loaded)"),
        ("raise OSError", "scale.py:1: OSError (while the file was loaded)"),
        ("import os\nos._exit(0)", "scale.py ended the process (exit code 0) while it was loaded"),
    ],
)
def test_what_cannot_be_loaded(grade_text, text, problem):
    report = grade_text(text)
    assert report.problem == problem
    assert report.points == 0
    assert {check.outcome for check in report.checks} == {Outcome.ERROR}


def test_an_endless_import_ends(grade_text):
    report = grade_text("while True: pass", load_seconds=0.3)
    assert report.problem == "scale.py took too long while it was loaded"
    assert {check.outcome for check in report.checks} == {Outcome.TIMEOUT}


def test_a_huge_import_ends(grade_text):
    report = grade_text("x = bytearray(2 ** 31)")
    assert {check.outcome for check in report.checks} == {Outcome.MEMORY}


def test_a_missing_function_is_named_with_its_signature(exercise, grade_text):
    text = exercise.solution.read_text().replace("def scale(", "def scael(")
    report = grade_text(text)
    assert report.checks[0].message == (
        "scale.py defines no function `scale`; begin with: def scale(rewards, *, factor)"
    )
    assert report.points > 0


def test_a_wrong_signature_is_named(exercise, grade_text):
    text = exercise.solution.read_text().replace("*, factor: float", "times: float")
    assert grade_text(text).checks[0].message == (
        "scale.py:7: scale takes (rewards, times) but is called as (rewards, *, factor); "
        "restore the stub's signature"
    )


def test_crlf_and_a_byte_order_mark_are_fine(exercise, grade_text):
    text = exercise.solution.read_text()
    assert grade_text(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()).passed


def test_a_file_named_like_a_library_is_never_imported(exercise, server, tmp_path):
    from rlgrade.judge.grading import grade
    from rlgrade.judge.source import read_bytes

    (tmp_path / "torch.py").write_text("raise RuntimeError('the wrong torch')")
    path = tmp_path / "scale.py"
    path.write_bytes(exercise.solution.read_bytes())
    assert grade(exercise, read_bytes(path), server, 0).passed


def test_a_submission_that_writes_to_its_channel_breaks_only_itself(exercise, grade_text):
    forge = (
        "import os\n"
        "    for fd in range(3, 64):\n"
        '        try: os.write(fd, b\'\\x10\\0\\0\\0\\0\\0\\0\\0{"id":1,"value":1}\')\n'
        "        except OSError: pass\n"
        "    scaled_rewards = "
    )
    text = exercise.solution.read_text().replace("scaled_rewards = ", forge, 1)
    report = grade_text(text)
    found = {check.check: check.outcome for check in report.checks}
    assert found["scales_each"] is Outcome.ERROR
    assert found["adds_up"] is Outcome.PASS


def test_text_of_the_learners_making_is_harmless(grade_scale):
    result = grade_scale(
        "print('\\x1b[2J\\u202eprinted')\nraise ValueError('\\x1b]0;title\\x07 \\ud800 \\u202e')"
    )
    assert result.message == "scale raised ValueError: \N{REPLACEMENT CHARACTER}]0;title" + (
        "\N{REPLACEMENT CHARACTER} \N{REPLACEMENT CHARACTER} \N{REPLACEMENT CHARACTER}"
    )
    assert "\x1b" not in result.printed


def test_memory_is_bounded_for_all_processes_together(exercise):
    from rlgrade.judge.grading import Settings, grade
    from rlgrade.judge.server import Server
    from rlgrade.worker.sandbox import Limits

    body = (
        "import os, time\n"
        "    for _ in range(5):\n"
        "        if os.fork() == 0: break\n"
        "    held = bytearray(os.urandom(60 << 20))\n"
        "    time.sleep(20)\n"
        "    scaled_rewards = "
    )
    text = exercise.solution.read_text().replace("scaled_rewards = ", body, 1)
    settings = Settings(only=frozenset({"scales_each"}))
    with Server(Limits(memory_mib=200), highest="L1") as weak:
        (result,) = grade(exercise, text.encode(), weak, 0, settings=settings).checks
    assert result.outcome is Outcome.MEMORY
    assert result.message == "your code used more memory than it may have (200 MiB)"


def test_a_named_tuple_is_a_tuple(server):
    from rlgrade.judge.calls import Submission
    from rlgrade.judge.link import Link

    source = (
        "from typing import NamedTuple\n"
        "class Pair(NamedTuple):\n    a: int\n    b: int\n"
        "def scale(x):\n    return Pair(1, 2)\n"
    )
    link = Link(server, "scale.py", source, 10.0).load()
    try:
        assert Submission(link).scale(0) == (1, 2)
    finally:
        link.close()
