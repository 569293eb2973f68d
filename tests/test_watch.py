"""Watch mode in a real pseudo-terminal: what is on the screen after a save, a key, an accident."""

import os
import shutil
import signal
import termios
import time

import pexpect
import pyte
import pytest
from quiz_course import make_course
from test_cli import COURSE, RLGRADE, alive, children_of, rlgrade
from test_learner import saved

from rlgrade.watch.reading import run_command
from rlgrade.watch.saved import GONE_SECONDS, SavedFile

PATIENCE = 60.0  # seconds; the machine may be busy
SOLUTION = (COURSE / "solutions" / "ex01_scale" / "scale.py").read_text()
WRONG = SOLUTION.replace("* factor", "+ factor")
KEYS = "q quit"


class Learner:
    """Someone at a terminal: sees the screen, presses keys, saves files."""

    def __init__(self, course, workspace, *arguments, rows=40, columns=80, **environment):
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.child = pexpect.spawn(
            RLGRADE,
            ["--course", str(course), *arguments],
            cwd=str(workspace),
            dimensions=(rows, columns),
            env=os.environ | {"TERM": "xterm-256color", "PAGER": "cat"} | environment,
        )
        self.workspace = workspace
        self.raw = b""

    @property
    def sees(self):
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    def look(self, seconds):
        """Watch the screen for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                data = self.child.read_nonblocking(1 << 16, 0.02)
                self.raw += data
                self.stream.feed(data)
            except pexpect.TIMEOUT:
                pass
            except pexpect.EOF:
                return

    def waits_for(self, *texts, without=()):
        """Watch until all the texts are there, and none of those in `without`."""
        end = time.monotonic() + PATIENCE
        while not all(text in self.sees for text in texts) or any(t in self.sees for t in without):
            assert time.monotonic() < end, f"waited for {texts} without {without}:\n{self.sees}"
            self.look(0.05)

    def presses(self, keys):
        self.child.send(keys)

    def saves(self, text, exercise="ex01_scale"):
        (self.workspace / exercise / "scale.py").write_text(text)

    def leaves(self):
        """Quit; the exit code."""
        self.presses("q")
        return self.has_left()

    def has_left(self):
        """Wait for the end; the exit code."""
        self.child.expect(pexpect.EOF, timeout=PATIENCE)
        self.child.close()
        return self.child.exitstatus


@pytest.fixture
def course(tmp_path):
    """The fixture course with a quiz, and a second exercise, which needs the first."""
    root = make_course(tmp_path / "course")
    for part in ("exercises", "solutions"):
        shutil.copytree(root / part / "ex01_scale", root / part / "ex02_scale")
    about = root / "solutions" / "ex02_scale" / "exercise.toml"
    text = about.read_text().replace("Scale and sum", "Once more")
    about.write_text(text.replace("prerequisites = []", 'prerequisites = ["ex01_scale"]'))
    return root


@pytest.fixture
def workspace(course, tmp_path):
    rlgrade("init", tmp_path / "work", course=course)
    return tmp_path / "work"


@pytest.fixture
def sits_down(course, workspace):
    """Begins watch mode; what still runs at the end is ended."""
    learners = []

    def start(*arguments, **more):
        learners.append(Learner(course, workspace, *arguments, **more))
        return learners[-1]

    yield start
    for learner in learners:
        learner.child.close(force=True)


def test_a_walk_through_the_first_exercise(sits_down, workspace):
    learner = sits_down()
    learner.waits_for(
        "ex01_scale  Scale and sum", "0 of 2 passed", "scale is not written yet", KEYS
    )
    assert "n next" not in learner.sees

    learner.saves(WRONG)
    learner.waits_for("Checking ex01_scale/scale.py", "scaled[0] should be", "5 of 7 checks", KEYS)
    told = learner.raw.decode()
    assert told.index(": looking for the smallest case") < told.index("scaled[0] should be")
    assert "looking for" not in learner.sees
    assert learner.sees.count("✗") == 1
    assert "✓" not in learner.sees
    learner.presses("n")
    learner.waits_for("ex01 is not passed yet")

    learner.presses("v")
    learner.waits_for("✓ ", "v less", KEYS)
    learner.presses("v")
    learner.waits_for("v all", KEYS, without=["✓"])

    learner.presses("h")
    learner.waits_for("A question before the first hint", "rlgrade hint ex01")
    assert "scales each reward" in learner.sees.rpartition("A question")[2]

    learner.saves("def scale(:\n")
    learner.waits_for("scale.py:1: invalid syntax", KEYS, without=["should be"])

    learner.saves(SOLUTION)
    learner.waits_for("7 of 7 checks passed", "Passed.", "n next", KEYS)
    learner.look(1.0)
    assert "ex01_scale  Scale and sum" in learner.sees  # it does not go on by itself
    work = saved(workspace)["exercises"]["ex01_scale"]
    assert work["attempts"] == 2
    assert work["passed"]

    learner.presses("s")
    learner.waits_for("scale: yours is the same", "short as it can be")
    learner.presses("n")
    learner.waits_for("ex02_scale  Once more", "1 of 2 passed", KEYS, without=["Scale and sum"])
    learner.presses("l")
    learner.waits_for("✓ ex01", "Go to (such as ex05")
    learner.presses("ex91\r")
    learner.waits_for("there is no exercise 'ex91'; did you mean ex01?", KEYS)
    learner.presses("l")
    learner.waits_for("Go to (such as ex05", without=["did you mean"])
    learner.presses("ex01\r")
    learner.waits_for("ex01_scale  Scale and sum", "Passed.", "n next", KEYS)
    assert learner.leaves() == 0


def test_accidents(sits_down, workspace):
    learner = sits_down("watch", "ex01")
    learner.waits_for("scale is not written yet", KEYS)

    file = workspace / "ex01_scale" / "scale.py"
    stub = file.read_text()
    file.unlink()
    learner.waits_for("there is no file ex01_scale/scale.py; r brings the stub back", KEYS)
    learner.presses("r")
    learner.waits_for("scale is not written yet", KEYS, without=["there is no file"])
    assert file.read_text() == stub

    server = next(iter(children_of(learner.child.pid)))
    for each in children_of(learner.child.pid):
        os.kill(each, signal.SIGKILL)
    learner.saves(WRONG)
    learner.waits_for("5 of 7 checks passed", KEYS)
    assert not alive(server)

    learner.child.setwinsize(20, 44)
    learner.screen.resize(20, 44)
    learner.look(0.5)
    learner.waits_for("5 of 7 checks passed", KEYS)
    assert sum("5 of 7 checks passed" in line for line in learner.sees.splitlines()) == 1
    assert "ex01_scale  Scale and sum" in learner.sees

    learner.saves("import os\nos._exit(3)\n")
    learner.waits_for("ended the process (exit code 3)", "while it was loaded", KEYS)
    learner.saves(SOLUTION)
    learner.waits_for("7 of 7 checks passed", KEYS)

    family = children_of(learner.child.pid)
    assert family
    learner.child.close(force=True)  # the window is closed
    deadline = time.monotonic() + PATIENCE
    while any(alive(each) for each in family) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(alive(each) for each in family)


def test_a_stub_does_not_hide_what_is_wrong_with_what_is_written(sits_down, workspace):
    body = SOLUTION.partition("# BEGIN SOLUTION")[2].partition("# END SOLUTION")[0]
    learner = sits_down("watch", "ex01")
    learner.waits_for("scale is not written yet", KEYS)
    text = SOLUTION.replace(body, "\n    raise NotImplementedError\n    ", 1)
    learner.saves(text.replace("torch.sum(rewards)", "torch.sum(rewards) + 1"))
    learner.waits_for("total", "should be", KEYS, without=["not written"])
    assert learner.leaves() == 0
    done = rlgrade("check", "ex01", cwd=workspace)
    assert done.stdout.count("not written yet") == 1
    assert done.stdout.count("smallest case") == 1


def test_what_asks_first(sits_down, workspace):
    learner = sits_down()
    learner.waits_for("scale is not written yet", KEYS)
    learner.saves("mine = 1\n")
    learner.waits_for("defines no function `scale`", KEYS)

    learner.presses("s")
    learner.waits_for("Give ex01 up and see the solution? y/N")
    learner.presses("n")
    learner.waits_for("y/N no")
    assert saved(workspace)["exercises"]["ex01_scale"]["gave_up"] is None
    learner.presses("s")
    learner.waits_for("y/N")
    learner.look(0.3)
    learner.presses("y")
    learner.waits_for("scale: the solution", "n next")
    assert saved(workspace)["exercises"]["ex01_scale"]["gave_up"]

    learner.presses("r")
    learner.waits_for("Yours is kept as a backup. y/N")
    learner.look(0.3)
    learner.presses("y")
    learner.waits_for("scale is not written yet", "yours is kept as .rlgrade/backup/ex01_scale")
    (backup,) = (workspace / ".rlgrade" / "backup" / "ex01_scale").iterdir()
    assert backup.read_text() == "mine = 1\n"

    learner.presses("o")
    learner.waits_for("Multiply, then add.", KEYS)
    learner.presses("z")
    learner.waits_for("nothing is lost")
    learner.look(0.5)
    learner.child.sendintr()  # ends the quiz and nothing else
    learner.waits_for("nothing is left running\n\nn next")
    learner.presses("h")
    learner.waits_for("A question before the first hint", KEYS)
    assert learner.leaves() == 0


def test_escape_at_a_question_means_no(sits_down, workspace):
    learner = sits_down()
    learner.waits_for("scale is not written yet", KEYS)
    learner.saves("mine = 1\n")
    learner.waits_for("defines no function `scale`", KEYS)
    for key, question in (("s", "Give ex01 up"), ("r", "Put the stub in the place")):
        learner.presses(key)
        learner.waits_for(question, "y/N")
        learner.look(0.3)
        learner.presses("\x1b[A")  # an arrow is no answer
        learner.look(0.3)
        assert "y/N no" not in learner.sees.rpartition(question)[2]
        learner.presses("\x1b")
        end = time.monotonic() + PATIENCE
        while "no" not in learner.sees.rpartition(question)[2].rpartition("y/N")[2]:
            assert time.monotonic() < end, learner.sees
            learner.look(0.05)
    assert saved(workspace)["exercises"]["ex01_scale"]["gave_up"] is None
    assert (workspace / "ex01_scale" / "scale.py").read_text() == "mine = 1\n"

    learner.presses("l")
    learner.waits_for("Go to (such as ex05; Enter or Esc stays):")
    learner.look(0.3)
    learner.presses("ex2")
    learner.waits_for("stays): ex2")
    learner.presses("\x7f")
    learner.waits_for("stays): ex", without=["stays): ex2"])
    learner.presses("02\x1b")
    learner.waits_for("ex01_scale  Scale and sum", KEYS, without=["Go to", "^["])
    learner.presses("l")
    learner.waits_for("Go to (such as")
    learner.look(0.3)
    learner.presses("\x1b[Dex0\x1b[C2\r")
    learner.waits_for("ex02_scale  Once more", KEYS)
    assert learner.leaves() == 0


def test_the_question_mark_lists_every_key(sits_down):
    learner = sits_down(columns=100)
    learner.waits_for("scale is not written yet", "? keys", "z quiz", KEYS)
    line = next(line for line in learner.sees.splitlines() if KEYS in line)
    learner.presses("?")
    learner.waits_for("Esc at a question means no.", KEYS)
    lines = learner.sees.splitlines()
    told = {line[:1]: line.split()[1:] for line in lines if line[1:3] == "  " and line[0] != " "}
    assert set(told) >= {key[0] for key in line.split("  ")} | {"c", "n"}
    assert all(len(words) > 2 for words in told.values())
    learner.presses("x")  # what used to quit still does
    assert learner.has_left() == 0


def test_the_pager_says_how_to_get_back(sits_down, course):
    if shutil.which("less") is None:
        pytest.skip("less is not installed")
    readme = course / "exercises" / "ex01_scale" / "README.md"
    readme.write_text(readme.read_text() + "\nAnd on.\n" * 60)
    learner = sits_down(PAGER="less")
    learner.waits_for("scale is not written yet", KEYS)
    learner.presses("o")
    learner.waits_for("Multiply, then add.", "q goes back to rlgrade, space turns the page")
    learner.presses("q")
    learner.waits_for(KEYS)
    learner.presses("q")
    assert learner.has_left() == 0

    learner = sits_down(PAGER="less", LESS="-Psmine$")
    learner.waits_for("scale is not written yet", KEYS)
    learner.presses("o")
    learner.waits_for("Multiply, then add.", "mine", without=["goes back", "ESC["])
    learner.presses("q")
    learner.waits_for(KEYS)
    assert learner.leaves() == 0


def test_a_save_during_a_check_begins_it_anew(sits_down, workspace):
    learner = sits_down("watch", "--manual")
    learner.waits_for("c check", "scale is not written yet", KEYS)
    learner.saves(SOLUTION)
    learner.look(0.7)
    assert "scale is not written yet" in learner.sees  # in manual mode, only the key checks
    learner.presses("c")
    learner.waits_for("7 of 7 checks passed", KEYS)
    assert learner.leaves() == 0

    slow = SOLUTION.replace("    scaled_re", "    import time; time.sleep(0.005)\n    scaled_re", 1)
    assert slow != SOLUTION
    learner = sits_down()
    learner.waits_for("7 of 7 checks passed", KEYS)
    learner.saves(slow)
    learner.waits_for("so far")
    learner.saves(WRONG)
    learner.waits_for("5 of 7 checks passed", KEYS)
    assert saved(workspace)["exercises"]["ex01_scale"]["attempts"] == 2
    assert learner.leaves() == 0


def test_neither_a_save_nor_the_key_that_quits_waits_for_code_that_hangs(
    sits_down, course, workspace
):
    checks = course / "solutions" / "ex01_scale" / "checks.py"
    first = '@check("scales each reward"'
    checks.write_text(checks.read_text().replace(first, f"{first}, seconds=600"))
    loop = SOLUTION.replace("    scaled_re", "    while True: pass\n    scaled_re", 1)
    learner = sits_down()
    learner.waits_for("scale is not written yet", KEYS)

    learner.saves(loop)
    learner.waits_for("Checking", without=[KEYS])
    begin = time.monotonic()
    learner.saves(SOLUTION)
    learner.waits_for("7 of 7 checks passed", KEYS)
    learner.saves(WRONG)
    learner.waits_for("5 of 7 checks passed", "smallest case", KEYS)

    learner.saves(loop)
    learner.waits_for("Checking", without=[KEYS])
    assert learner.leaves() == 0
    assert time.monotonic() - begin < 25.0  # the loop may take 30 s, as long as a whole run


def test_ctrl_c_leaves_the_terminal_as_it_was_and_no_process(sits_down):
    learner = sits_down()
    before = termios.tcgetattr(learner.child.child_fd)
    learner.waits_for("scale is not written yet", KEYS)
    assert termios.tcgetattr(learner.child.child_fd)[3] != before[3]  # keys come one by one
    family = children_of(learner.child.pid)
    assert family
    learner.child.sendintr()
    learner.child.expect("interrupted; nothing is left running", timeout=PATIENCE)
    after = termios.tcgetattr(learner.child.child_fd)
    assert learner.has_left() == 130
    assert after[3] == before[3]
    assert not any(alive(each) for each in family)


def test_no_colour_no_unicode_and_nothing_to_write_on(sits_down, workspace):
    (workspace / ".rlgrade" / "progress.json").mkdir()  # cannot be read or written as a file
    learner = sits_down(columns=60, NO_COLOR="1", PYTHONIOENCODING="ascii", TERM="dumb")
    learner.waits_for("progress is not kept", "[x] scales each reward", KEYS)
    assert learner.sees.isascii()
    learner.saves(SOLUTION)
    learner.waits_for("7 of 7 checks passed", "Passed.", KEYS)
    assert learner.leaves() == 0


@pytest.mark.parametrize("arguments", [[], ["watch", "ex01"]])
def test_without_a_terminal_the_way_to_grade_once_is_told(workspace, course, arguments):
    done = rlgrade(*arguments, cwd=workspace, course=course)
    assert done.returncode == 2
    assert done.stderr == (
        "rlgrade: watch mode needs a terminal, and this is none; `rlgrade check` grades once\n"
    )


def test_another_command_of_ours_takes_no_module_from_the_workspace(workspace, monkeypatch, capfd):
    (workspace / "rlgrade.py").write_text("raise SystemExit(9)\n")
    monkeypatch.chdir(workspace)
    run_command(COURSE, "list")
    assert "Scale and sum" in capfd.readouterr().out


def test_each_save_is_told_once_and_a_file_that_is_gone_after_a_moment(tmp_path):
    path, clock = tmp_path / "file.py", [0.0]
    path.write_text("one")
    file = SavedFile(path, lambda: clock[0])
    assert not file.was_saved()
    path.write_text("three")
    assert file.was_saved()
    file.know()
    assert not file.was_saved()
    path.unlink()
    assert not file.was_saved()
    clock[0] += GONE_SECONDS / 2
    assert not file.was_saved()
    path.write_text("an editor puts another file in its place")
    assert file.was_saved()
    file.know()
    path.write_text("")
    assert not file.was_saved()
    clock[0] += GONE_SECONDS * 1.1
    assert file.was_saved()
