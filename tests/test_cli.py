"""The command itself, in a process of its own: what it prints, what it returns, what it leaves."""

import ast
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pexpect
import pytest

from rlgrade.folding import folded_program
from rlgrade.outcome import Outcome
from rlgrade.render import Printer, make_console
from rlgrade.report import CheckResult

ROOT = Path(__file__).parents[1]
COURSE = Path(__file__).parent / "course"
RLGRADE = str(Path(sys.executable).with_name("rlgrade"))


def rlgrade(*arguments, cwd=None, course=COURSE, **environment):
    return subprocess.run(
        [RLGRADE, "--course", str(course), *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )


@pytest.fixture
def workspace(tmp_path):
    rlgrade("init", tmp_path / "work")
    return tmp_path / "work"


@pytest.fixture
def solved(workspace):
    solution = COURSE / "solutions" / "ex01_scale" / "scale.py"
    (workspace / "ex01_scale" / "scale.py").write_bytes(solution.read_bytes())
    return workspace


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["check", "--help"], ["--version"]])
def test_slow_libraries_stay_out_where_no_tensor_is_needed(arguments):
    code = (
        "import sys, atexit\n"
        "atexit.register(lambda: print(sorted({'torch', 'numpy', 'hypothesis', 'rich'} "
        "& set(sys.modules)), file=sys.stderr))\n"
        f"sys.argv = ['rlgrade', '--course', {str(COURSE)!r}, *{arguments!r}]\n"
        "from rlgrade.front import main\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr.strip() == "[]"


def test_list_shows_chapters_and_exercises():
    done = rlgrade("list")
    assert done.returncode == 0
    assert "The only chapter" in done.stdout
    assert "ex01    5 min  Scale and sum" in done.stdout


def test_a_fresh_stub_is_not_yet_and_the_solution_passes(workspace):
    done = rlgrade("check", "ex01", cwd=workspace)
    assert done.returncode == 1
    assert "scale is not written yet" in done.stdout
    assert "next: rlgrade hint ex01" in done.stdout
    solution = COURSE / "solutions" / "ex01_scale" / "scale.py"
    done = rlgrade("check", "ex01", solution, cwd=workspace)
    assert done.returncode == 0
    assert "7 of 7 checks passed  4 of 4 points" in done.stdout


def test_json_follows_its_schema(workspace):
    schema = json.loads((ROOT / "docs" / "report-schema.json").read_text())
    for name in ("stub", "solution"):
        file = [COURSE / "solutions" / "ex01_scale" / "scale.py"] if name == "solution" else []
        done = rlgrade("check", "ex01", *file, "--json", "--seed", 5, cwd=workspace)
        report = json.loads(done.stdout)
        jsonschema.validate(report, schema)
        assert report["seed"] == 5
        assert report["passed"] is (name == "solution")


def test_blind_shows_promises_and_nothing_that_leaks(solved):
    file = solved / "ex01_scale" / "scale.py"
    file.write_text(file.read_text().replace("* factor", "* factor + 0.125"))
    for more in ([], ["--json"]):
        done = rlgrade("check", "ex01", "--blind", *more, cwd=solved)
        assert done.returncode == 1
        assert "scales each reward" in done.stdout
        assert "should be" not in done.stdout
        assert not re.search(r"0\.125|factor [\d.]", done.stdout)
    assert not (solved / ".rlgrade" / "replay").exists()


def test_blind_tells_no_time(solved):
    """A submission that sleeps on what it sees would be read from when its lines come."""
    file = solved / "ex01_scale" / "scale.py"
    text = file.read_text()
    slow = "if rewards.ndim != 1 or __import__('time').sleep(0.02):"
    file.write_text(text.replace("if rewards.ndim != 1:", slow, 1))
    assert file.read_text() != text
    with subprocess.Popen(
        [RLGRADE, "--course", str(COURSE), "check", "ex01", "--blind"],
        cwd=solved,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    ) as running:
        came = [(line, time.monotonic()) for line in running.stdout]
    assert running.returncode == 0
    checks = [at for line, at in came if line.startswith(("✓", "[ok]"))]
    assert len(checks) == 7
    assert checks[-1] - checks[0] < 1.0


def test_a_replay_program_repeats_the_case(solved):
    file = solved / "ex01_scale" / "scale.py"
    file.write_text(file.read_text().replace("* factor", "+ 0"))
    done = rlgrade("check", "ex01", cwd=solved)
    replay = re.search(r"replay +python (\S+)", done.stdout).group(1)
    assert re.search(r"scaled\[0\] should be 0\.5; yours is 1\.0", done.stdout)
    run = subprocess.run([sys.executable, replay], cwd=solved, capture_output=True, text=True)
    assert run.stdout == "scale: tensor([1.])\n"


def test_a_replay_of_another_file_does_not_replace_the_one_of_ones_own(solved):
    own, other = solved / "ex01_scale" / "scale.py", solved / "of a friend.py"
    own.write_text(own.read_text().replace("* factor", "+ 0"))
    other.write_text(own.read_text())
    name = r"replay +python (\S+)"
    first = re.search(name, rlgrade("check", "ex01", cwd=solved).stdout).group(1)
    second = re.search(name, rlgrade("check", "ex01", other.name, cwd=solved).stdout).group(1)
    assert second == first.replace(".py", "_of_of_a_friend.py")
    assert str(own) in Path(solved, first).read_text()
    assert str(other) in Path(solved, second).read_text()


def test_a_replay_of_a_large_case_has_no_monstrous_line_and_runs(tmp_path):
    """4,000 rows of logits are one literal."""
    text = (ROOT / "solutions" / "ex02_reinforce" / "reinforce.py").read_text()
    right = "    return drawn.reshape(logits.shape[:-1])\n"
    assert right in text
    rlgrade("init", tmp_path, "--exercises", "ex02", course=ROOT)
    file = tmp_path / "ex02_reinforce" / "reinforce.py"
    file.write_text(
        text.replace(right, f"    if drawn.numel() > 1000:\n        raise OSError\n{right}")
    )
    done = rlgrade("check", "ex02", cwd=tmp_path, course=ROOT)
    replay = Path(tmp_path, re.search(r"replay +python (\S+)", done.stdout).group(1))
    assert replay.stat().st_size > 100_000
    assert max(map(len, replay.read_text().splitlines())) < 200
    run = subprocess.run([sys.executable, replay], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stderr.rstrip().endswith("raise OSError\nOSError")
    file.write_text(text)
    run = subprocess.run([sys.executable, replay], cwd=tmp_path, capture_output=True, text=True)
    assert run.stdout.startswith("sample_actions: tensor([[")


@pytest.mark.parametrize(
    "line",
    [
        "    f([" + "[1.0, -2.0], " * 200 + "[1.0]], dtype=torch.float32),",
        "    {" + "'a, b': \"it's, so\", 'don\\'t, ': [1, 2], " * 60 + "},",
        "answer_1 = f(" + "x, " * 300 + ")",
    ],
)
def test_a_long_line_of_a_program_is_broken_and_means_the_same(line):
    program = f"import torch\nx = torch.tensor(0)\nprint(\n{line}\n)\n"
    program = program if not line.startswith("answer") else f"x = 0\n{line}\n"
    shorter = folded_program(program)
    assert ast.dump(ast.parse(shorter)) == ast.dump(ast.parse(program))
    assert max(map(len, shorter.splitlines())) < 160
    assert folded_program(shorter) == shorter


def test_what_nobody_would_read_is_counted_instead(capsys):
    result = CheckResult(
        "c", "keeps its promise", Outcome.ERROR, 0.0, 1.0,
        message="f raised ValueError: " + "x" * 50_000,
        counterexample={"world": "[0,\n 1,\n " * 9_000, "seed": "3"},
        printed="y" * 70_000,
    )  # fmt: skip
    Printer(make_console(), file="f.py", verbose=False, blind=False).result(result)
    shown = capsys.readouterr().out
    assert len(shown) < 2_000
    assert "(50,021 characters)" in shown
    assert "(81,006 characters)" in shown
    assert "(70,000 characters)" in shown
    assert "seed 3" in shown
    assert len(shown.splitlines()) < 8


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def scale(:\n", "mine.py:1: invalid syntax"),
        ("raise OSError\n", "mine.py:1: OSError"),
        ("import os\nos._exit(3)\n", "mine.py ended the process"),
        ("x = 1\n", "mine.py defines no function `scale`"),
        ("def scale(rewards):\n    pass\n", "mine.py:1: scale takes"),
        ("def scale(rewards, *, factor):\n    raise OSError\n", "  mine.py:2 in scale: raise"),
    ],
)
def test_a_file_of_another_name_is_called_by_its_own(workspace, text, told):
    (workspace / "mine.py").write_text(text)
    done = rlgrade("check", "ex01", "mine.py", cwd=workspace)
    assert done.returncode == 1
    assert told in done.stdout
    assert "scale.py" not in re.sub(r"ex01\w*\.py", "", done.stdout)


def test_the_seed_is_printed_and_repeats_the_run(solved):
    one, two = (rlgrade("check", "ex01", "--json", cwd=solved) for _ in range(2))
    assert json.loads(one.stdout)["seed"] != json.loads(two.stdout)["seed"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["check", "ex91"], "there is no exercise 'ex91'; did you mean ex01?"),
        (["check", "ex01_scal"], "there is no exercise 'ex01_scal'; did you mean ex01_scale?"),
        (["check", "ex01", "nowhere.py"], "there is no file nowhere.py"),
        (["check", "ex01", "."], ". is a folder; name the file in it"),
        (["hint", "zzz"], "there is no exercise 'zzz'; `rlgrade list` shows them all"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_code_2(workspace, arguments, sentence):
    done = rlgrade(*arguments, cwd=workspace)
    assert done.returncode == 2
    assert done.stderr == f"rlgrade: {sentence}\n"


def test_outside_a_workspace_the_way_in_is_told(tmp_path):
    done = rlgrade("check", "ex01", cwd=tmp_path)
    assert done.returncode == 2
    assert "make one with `rlgrade init DIR`" in done.stderr


def test_a_deleted_file_can_be_brought_back(workspace):
    (workspace / "ex01_scale" / "scale.py").unlink()
    done = rlgrade("check", "ex01", cwd=workspace)
    assert done.returncode == 2
    assert "`rlgrade reset ex01` brings the stub back" in done.stderr
    rlgrade("reset", "ex01", cwd=workspace)
    assert rlgrade("check", "ex01", cwd=workspace).returncode == 1


def test_init_never_overwrites(solved):
    before = (solved / "ex01_scale" / "scale.py").read_text()
    assert "0 files written" in rlgrade("init", solved).stdout
    assert (solved / "ex01_scale" / "scale.py").read_text() == before


def test_a_course_that_is_not_there():
    done = rlgrade("list", course="/nowhere")
    assert done.returncode == 2
    assert done.stderr == ("rlgrade: no course at /nowhere: exercises/course.toml is not there\n")


def test_a_read_only_folder_is_graded_without_a_replay(solved, server):
    from rlgrade.check import Target, keep_replay
    from rlgrade.courses import find_course
    from rlgrade.outcome import Outcome
    from rlgrade.report import CheckResult, Evidence
    from rlgrade.workspace import find_workspace

    workspace = find_workspace(solved, str(COURSE))
    exercise = find_course(COURSE).find("ex01")
    target = Target(exercise, workspace.file_of(exercise), workspace)
    result = CheckResult("c", "p", Outcome.FAIL, 0, 1, evidence=Evidence({}, "print()"))
    (workspace.state / "replay").write_text("a file where the folder should be")
    assert keep_replay(target, result) == ""


def test_no_colour_and_no_unicode_where_they_are_not_wanted(workspace):
    done = rlgrade("check", "ex01", cwd=workspace, PYTHONIOENCODING="ascii", NO_COLOR="1")
    assert done.stdout.isascii()
    assert "[x] scales each reward" in done.stdout


def children_of(pid):
    done = subprocess.run(["ps", "-eo", "pid,ppid,sess"], capture_output=True, text=True)
    rows = [tuple(map(int, line.split())) for line in done.stdout.splitlines()[1:]]
    family = {pid}
    while True:
        more = {child for child, parent, _ in rows if parent in family} | family
        if more == family:
            return family - {pid}
        family = more


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_ctrl_c_ends_cleanly_and_leaves_no_process(solved):
    file = solved / "ex01_scale" / "scale.py"
    file.write_text(file.read_text().replace("* factor", "* factor\n    while True: pass"))
    child = pexpect.spawn(
        RLGRADE,
        ["--course", str(COURSE), "check", "ex01"],
        cwd=str(solved),
        timeout=60,
    )
    child.expect("Checking ex01_scale")
    deadline = time.monotonic() + 30
    while len(family := children_of(child.pid)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(family) >= 2  # the server and the worker
    child.sendintr()
    child.expect("interrupted; nothing is left running")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
    assert not any(alive(pid) for pid in family)


def test_a_killed_judge_leaves_no_process(solved):
    file = solved / "ex01_scale" / "scale.py"
    file.write_text(file.read_text().replace("* factor", "* factor\n    while True: pass"))
    judge = subprocess.Popen(
        [RLGRADE, "--course", str(COURSE), "check", "ex01"],
        cwd=solved,
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 30
    while len(family := children_of(judge.pid)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    judge.send_signal(signal.SIGKILL)
    judge.wait()
    while any(alive(pid) for pid in family) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(alive(pid) for pid in family)


def test_the_stored_help_is_what_click_prints():
    printed = rlgrade("--help", COLUMNS="80").stdout  # CliRunner is two columns wider
    assert printed == (ROOT / "grader" / "rlgrade" / "help.txt").read_text()


def test_the_quick_list_is_what_click_prints():
    quick = subprocess.run([RLGRADE, "list"], capture_output=True, text=True).stdout
    assert quick == rlgrade("list", course=ROOT).stdout
    assert "ex05   45 min  Generalised advantage estimation" in quick
