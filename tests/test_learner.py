"""A learner's day: what is remembered, and the commands that read and change it."""

import errno
import hashlib
import io
import json
import os
import re
import subprocess
import sys
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pexpect
import pytest
from rich.console import Console
from test_cli import COURSE, RLGRADE, ROOT, rlgrade
from test_store import without_rights

from rlgrade.courses import find_course
from rlgrade.learner.desk import open_desk
from rlgrade.learner.hints import hint_of_level, next_hint
from rlgrade.learner.keeper import Keeper
from rlgrade.learner.progress import (
    Active,
    HintShown,
    Progress,
    Result,
    Work,
    current_exercise,
    next_exercise,
    streak,
    upcoming_exercise,
)
from rlgrade.learner.solution import parts_of, show_solution
from rlgrade.outcome import Outcome, UsageError
from rlgrade.plain import fitted
from rlgrade.report import CheckResult, Report
from rlgrade.workspace import make_workspace

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=2)))


def minutes(number):
    return timedelta(minutes=number)


@pytest.fixture
def workspace(tmp_path):
    rlgrade("init", tmp_path / "work")
    return tmp_path / "work"


@pytest.fixture
def file(workspace):
    return workspace / "ex01_scale" / "scale.py"


@pytest.fixture
def solved(workspace, file):
    file.write_bytes((COURSE / "solutions" / "ex01_scale" / "scale.py").read_bytes())
    return workspace


class Clock:
    def __init__(self):
        self.now = NOON

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def said():
    return []


@pytest.fixture
def keeper(tmp_path, clock, said):
    return Keeper(tmp_path / "state", clock, said.append)


def report(points, outcome=Outcome.FAIL, problem="", file="aa"):
    check = CheckResult("c", "promises much", outcome, points, 4.0)
    return Report("ex01_scale", 3, "scale.py", file, 7, "0", "L3", 0.5, [check], problem)


def saved(workspace):
    return json.loads((workspace / ".rlgrade" / "progress.json").read_text())


# What is remembered


def test_a_check_is_remembered_with_attempts_best_and_pass(keeper, exercise, clock):
    keeper.record_check(exercise, report(3.0))
    clock.now += minutes(5)
    keeper.record_check(exercise, report(1.0, file="bb"))
    work = keeper.read().exercises["ex01_scale"]
    assert (work.attempts, work.best, work.passed, work.seconds) == (2, 3.0, None, 300)
    assert work.last == Result(clock.now, 7, 1.0, 4.0, 0.5, 3, "bb", "promises much")
    keeper.record_check(exercise, report(4.0, Outcome.PASS))
    first = clock.now
    clock.now += minutes(1)
    keeper.record_check(exercise, report(4.0, Outcome.PASS))
    assert keeper.read().exercises["ex01_scale"].passed == first


@pytest.mark.parametrize(
    "free", [report(0.0, Outcome.BROKEN), report(0.0, Outcome.ERROR, problem="line 3: no")]
)
def test_a_fault_of_ours_and_a_file_that_cannot_run_cost_no_attempt(keeper, exercise, free):
    keeper.record_check(exercise, free)
    work = keeper.read().exercises["ex01_scale"]
    assert (work.attempts, work.last) == (0, None)


def test_the_same_file_again_is_no_new_attempt_and_the_stub_is_none(keeper, exercise):
    stub = hashlib.sha256(exercise.stub.read_bytes()).hexdigest()
    keeper.record_check(exercise, report(0.0, file=stub))
    assert keeper.read().exercises["ex01_scale"].attempts == 0
    keeper.record_check(exercise, report(4.0))
    keeper.record_check(exercise, report(1.0))
    work = keeper.read().exercises["ex01_scale"]
    assert (work.attempts, work.last.points) == (1, 1.0)


def test_a_pause_counts_no_time_and_each_day_counts_its_own(keeper, exercise, clock):
    for pause in (0, 10, 16, 15, 24 * 60, 2):
        clock.now += minutes(pause)
        keeper.begin(exercise)
    assert keeper.read().exercises["ex01_scale"].seconds == 27 * 60
    assert keeper.read().days == {"2026-03-01": 25 * 60, "2026-03-02": 2 * 60}


def test_a_clock_that_goes_back_counts_nothing(keeper, exercise, clock):
    keeper.begin(exercise)
    clock.now -= minutes(3)
    keeper.begin(exercise)
    assert keeper.read().exercises["ex01_scale"].seconds == 0


@pytest.mark.parametrize(
    ("days", "row"),
    [
        ([], 0),
        (["2026-03-01"], 1),
        (["2026-02-28"], 1),
        (["2026-02-27"], 0),
        (["2026-02-26", "2026-02-27", "2026-02-28", "2026-03-01"], 4),
        (["2026-02-26", "2026-02-28", "2026-03-01"], 2),
    ],
)
def test_a_streak_is_days_in_a_row_up_to_today_or_yesterday(days, row):
    assert streak(days, date(2026, 3, 1)) == row


def test_next_waits_for_prerequisites_and_goes_round_what_was_given_up():
    exercises = find_course(ROOT).exercises
    by_short = {exercise.short: exercise for exercise in exercises}
    progress = Progress()
    assert next_exercise(exercises, progress) is by_short["ex01"]
    progress.of(by_short["ex01"]).passed = NOON
    progress.of(by_short["ex02"]).gave_up = NOON
    assert next_exercise(exercises, progress) is by_short["ex03"]
    progress.of(by_short["ex03"]).attempts = 9
    assert next_exercise(exercises, progress) is by_short["ex03"]
    for exercise in exercises:
        progress.of(exercise).passed = NOON
    assert next_exercise(exercises, progress) is None
    assert upcoming_exercise(exercises, progress) is None
    assert current_exercise(exercises, progress) is exercises[-1]


def test_who_begins_in_the_middle_goes_on_from_there():
    exercises = find_course(ROOT).exercises
    by_short = {exercise.short: exercise for exercise in exercises}
    progress = Progress(active=Active("ex10_grpo", NOON))
    assert upcoming_exercise(exercises, progress) is by_short["ex10"]
    progress.of(by_short["ex10"]).passed = NOON
    following = upcoming_exercise(exercises, progress)
    assert following is by_short["ex12"]  # it needs ex10, and ex08, which ex10 needed
    for exercise in exercises:
        if exercise.id > "ex10_grpo":
            progress.of(exercise).passed = NOON
    assert upcoming_exercise(exercises, progress) is by_short["ex01"]


def test_where_nothing_can_be_kept_it_is_said_once(tmp_path, exercise, said):
    (tmp_path / "state").write_text("a file where the folder should be")
    keeper = Keeper(tmp_path / "state", lambda: NOON, said.append)
    keeper.begin(exercise)
    keeper.record_check(exercise, report(4.0, Outcome.PASS))
    assert keeper.read() == Progress()
    assert len(said) == 1
    assert said[0].startswith("progress is not kept: ")
    assert not keeper.keeps


def test_progress_of_a_newer_version_is_left_alone(keeper, exercise, tmp_path, said):
    path = tmp_path / "state" / "progress.json"
    path.parent.mkdir()
    path.write_text('{"format": 99}')
    keeper.record_check(exercise, report(1.0))
    assert path.read_text() == '{"format": 99}'
    assert len(said) == 1
    assert "install a newer rlgrade" in said[0]


# Hints


def test_hints_come_one_at_a_time_after_a_question_with_a_pause(exercise):
    work = Work()
    assert next_hint(exercise, work, NOON).level == 0
    work.hints = [HintShown(0, NOON)]
    soon = next_hint(exercise, work, NOON + timedelta(seconds=20))
    assert soon.level == 0
    assert soon.more.startswith("the next hint comes in 40 s, or after another `rlgrade check")
    assert next_hint(exercise, work, NOON + minutes(1)).text == exercise.hints[0]
    work.last = Result(NOON + timedelta(seconds=5), 1, 0.0, 4.0, 0.1, 1, "")
    assert next_hint(exercise, work, NOON + timedelta(seconds=20)).text == exercise.hints[0]
    work.hints = [HintShown(len(exercise.hints), NOON)]
    last = next_hint(exercise, work, NOON + minutes(9))
    assert last.text == exercise.hints[-1]
    assert "rlgrade solution ex01" in last.more


def test_the_question_names_the_promise_that_broke(exercise):
    work = Work(last=Result(NOON, 1, 0.0, 4.0, 0.1, 1, "", broken="scales each reward"))
    assert "    scales each reward\n" in next_hint(exercise, work, NOON).text


def test_hint_remembers_and_level_overrides(workspace):
    hints = find_course(COURSE).find("ex01").hints
    first = rlgrade("hint", cwd=workspace).stdout
    assert "A question before the first hint" in first
    assert "more, after another check or in 60 s: rlgrade hint ex01\n" in first
    assert "the next hint comes in" in rlgrade("hint", "ex01", cwd=workspace).stdout
    assert hints[1] in rlgrade("hint", "ex01", "--level", 2, cwd=workspace).stdout
    assert [hint["level"] for hint in saved(workspace)["exercises"]["ex01_scale"]["hints"]] == [
        0,
        2,
    ]


def test_a_hint_that_is_read_again_moves_nothing(exercise):
    work = Work(hints=[HintShown(0, NOON), HintShown(1, NOON)])
    soon, later = NOON + timedelta(seconds=20), NOON + minutes(2)
    for level in (0, 1):
        seen = hint_of_level(exercise, work, level, soon)
        assert seen.level == level
        assert seen.more.startswith("the next hint comes in 40 s")
        assert hint_of_level(exercise, work, level, later).more == "more: rlgrade hint ex01"
    assert next_hint(exercise, work, later).level == 2
    new = hint_of_level(exercise, work, 2, soon)
    assert (new.level, new.text) == (2, exercise.hints[1])
    work.hints.append(HintShown(len(exercise.hints), NOON))
    assert "rlgrade solution ex01" in hint_of_level(exercise, work, 1, later).more


def test_a_level_that_was_seen_is_not_counted_again(workspace):
    for level in (1, 2, 1, 2, 1):
        done = rlgrade("hint", "ex01", "--level", level, cwd=workspace)
        assert done.returncode == 0
    hints = saved(workspace)["exercises"]["ex01_scale"]["hints"]
    assert [hint["level"] for hint in hints] == [1, 2]
    assert "the next hint comes in" in done.stdout  # and the pause does not begin anew
    again = rlgrade("hint", "ex01", cwd=workspace).stdout
    assert find_course(COURSE).find("ex01").hints[1] in again
    assert saved(workspace)["exercises"]["ex01_scale"]["hints"] == hints


# The commands


def test_check_keeps_progress_and_list_and_progress_show_it(solved, file):
    right = file.read_text()
    file.write_text(right.replace("* factor", "+ factor"))
    rlgrade("check", "ex01", cwd=solved)
    assert "● ex01" in rlgrade("list", cwd=solved).stdout
    assert saved(solved)["exercises"]["ex01_scale"]["last"]["broken"] == "scales each reward"
    file.write_text(right)
    rlgrade("check", cwd=solved)
    work = saved(solved)["exercises"]["ex01_scale"]
    assert (work["attempts"], work["best"]) == (2, 4.0)
    assert work["passed"]
    assert "✓ ex01" in rlgrade("list", cwd=solved).stdout
    shown = rlgrade("progress", cwd=solved).stdout
    assert "1 of 1  4 of 4 points" in shown
    assert "streak: 1 day in a row, 1 day in all" in shown
    assert "next: nothing is left" in shown


def test_the_quick_list_knows_the_workspace(solved):
    rlgrade("check", "ex01", cwd=solved)
    inside = subprocess.run([RLGRADE, "list"], cwd=solved / "ex01_scale", capture_output=True)
    assert "✓ ex01" in inside.stdout.decode()
    assert inside.stdout.decode() == rlgrade("list", cwd=solved).stdout
    ascii_only = rlgrade("list", cwd=solved, PYTHONIOENCODING="ascii").stdout
    assert ascii_only.isascii()
    assert "[ok] ex01" in ascii_only


PLAIN = {"TERM": "dumb", "NO_COLOR": "1", "PYTHONIOENCODING": "ascii"}


@pytest.mark.parametrize("command", ["list", "progress", "lab"])
@pytest.mark.parametrize(
    ("columns", "term"), [(100, {}), (80, {}), (60, PLAIN), (40, {}), (40, PLAIN)]
)
def test_no_word_is_broken_on_a_narrow_terminal(tmp_path, command, columns, term):
    make_workspace(tmp_path, find_course(ROOT))
    lines = in_terminal([command], tmp_path, columns, **term).splitlines()
    assert all(len(line) <= columns for line in lines), lines
    whole = rlgrade(command, cwd=tmp_path, course=ROOT, **term).stdout
    words = re.findall(r"[^\s░.]+", whole)
    if command == "list" and columns == 40:  # too narrow for the minutes
        words = re.findall(r"[^\s.]+", re.sub(r"\d+ min", "", whole))
    assert re.findall(r"[^\s░.]+", "\n".join(lines)) == words
    if command == "list":  # what is answered without click is the same
        assert in_terminal([command], tmp_path, columns, course=None, **term).splitlines() == lines


def in_terminal(arguments, folder, columns, course=ROOT, **environment):
    """What a command prints in a real terminal of so many columns."""
    command = [*(["--course", str(course)] if course else []), *arguments]
    child = pexpect.spawn(
        RLGRADE, command, cwd=str(folder), dimensions=(60, columns), encoding="utf-8", timeout=60,
        env=os.environ | environment,
    )  # fmt: skip
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0, child.before
    return child.before.replace("\r\n", "\n")


def test_another_file_than_the_learners_own_is_not_remembered(workspace):
    solution = COURSE / "solutions" / "ex01_scale" / "scale.py"
    assert rlgrade("check", "ex01", solution, cwd=workspace).returncode == 0
    assert not (workspace / ".rlgrade" / "progress.json").exists()


def test_a_damaged_progress_file_is_kept_aside_and_work_goes_on(solved):
    path = solved / ".rlgrade" / "progress.json"
    path.write_text('{"format": 1, "exerc')
    done = rlgrade("check", "ex01", cwd=solved)
    assert done.returncode == 0
    assert done.stderr.count("was damaged") == 1
    assert path.with_name("progress.json.damaged").read_text() == '{"format": 1, "exerc'
    assert saved(solved)["exercises"]["ex01_scale"]["passed"]


@pytest.mark.skipif(sys.platform != "linux", reason="drops a capability of Linux")
def test_a_read_only_workspace_works_and_says_once_that_nothing_is_kept(solved):
    folders = [solved, *(path for path in solved.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        for arguments, code in (
            (["check", "ex01"], 0),
            (["hint", "ex01"], 0),
            (["next"], 0),
            (["solution", "ex01", "--give-up", "--yes"], 0),
            (["reset", "ex01", "--yes"], 2),
        ):
            done = subprocess.run(
                [RLGRADE, "--course", COURSE, *arguments],
                cwd=solved,
                capture_output=True,
                text=True,
                preexec_fn=without_rights,
            )
            assert done.returncode == code, done.stderr
            if code == 0:
                assert done.stderr.count("progress is not kept: ") == 1
            assert done.stderr.count("\n") == 1
            if arguments[0] == "hint":
                assert "rlgrade hint ex01 --level 1" in done.stdout
    finally:
        for folder in folders:
            folder.chmod(0o755)


def test_in_a_clone_the_state_lies_in_its_root(tmp_path):
    clone = tmp_path / "clone"
    subprocess.run(["cp", "-r", COURSE, clone], check=True)
    done = rlgrade("check", "ex01", cwd=clone, course=clone)
    assert done.returncode == 1
    assert (clone / ".rlgrade" / "progress.json").is_file()
    assert not (clone / "exercises" / ".rlgrade").exists()
    assert "○ ex01" in rlgrade("list", cwd=clone, course=clone).stdout
    file = clone / "exercises" / "ex01_scale" / "scale.py"
    stub = file.read_text()
    file.write_text("x = 1\n")
    rlgrade("check", "ex01", cwd=clone, course=clone)
    assert "● ex01" in rlgrade("list", cwd=clone, course=clone).stdout
    assert rlgrade("reset", "ex01", "--yes", cwd=clone, course=clone).returncode == 0
    assert file.read_text() == stub


def test_next_names_the_files(workspace):
    done = rlgrade("next", cwd=workspace)
    assert done.stdout == (
        "ex01_scale: Scale and sum, about 5 minutes\n"
        "read ex01_scale/README.md, then edit ex01_scale/scale.py\n"
        "next: rlgrade check ex01, or rlgrade to check at every save\n"
    )


def test_solution_comes_after_a_pass(solved, file):
    file.write_text(file.read_text().replace("* factor", "* (factor)"))
    refused = rlgrade("solution", "ex01", cwd=solved)
    assert refused.returncode == 2
    assert "is not passed yet" in refused.stderr
    rlgrade("check", "ex01", cwd=solved)
    shown = rlgrade("solution", "ex01", cwd=solved)
    assert shown.returncode == 0
    assert "yours is the same" in shown.stdout
    assert saved(solved)["exercises"]["ex01_scale"]["gave_up"] is None
    assert saved(solved)["exercises"]["ex01_scale"]["solution_seen"]


def test_giving_up_asks_and_is_recorded(workspace):
    def ask(answer):
        child = pexpect.spawn(
            RLGRADE,
            ["--course", str(COURSE), "solution", "ex01", "--give-up"],
            cwd=str(workspace),
            timeout=60,
            encoding="utf-8",
        )
        child.expect("Give ex01 up and see the solution")
        child.sendline(answer)
        child.expect(pexpect.EOF)
        return child.before

    assert "the solution" not in ask("n")
    assert not (workspace / ".rlgrade" / "progress.json").exists()
    assert "the solution" in ask("y")
    assert saved(workspace)["exercises"]["ex01_scale"]["gave_up"]
    refused = rlgrade("solution", "ex01", cwd=workspace)
    assert refused.returncode == 0
    assert "▪ ex01" in rlgrade("list", cwd=workspace).stdout


def test_the_solution_is_shown_as_a_difference(solved, file):
    file.write_text(file.read_text().replace("* factor", "+ factor"))
    shown = rlgrade("solution", "ex01", "--give-up", "--yes", cwd=solved).stdout
    assert "from yours (-) to the solution (+)" in shown
    minus = [line for line in shown.splitlines() if line.startswith("  -")]
    plus = [line for line in shown.splitlines() if line.startswith("  +")]
    assert len(minus) == len(plus) == 1
    assert "+ factor" in minus[0]
    assert "* factor" in plus[0]
    assert '"""' not in shown
    assert "SOLUTION" not in shown


def test_on_a_wide_terminal_the_solution_stands_beside_yours(exercise, tmp_path):
    own = tmp_path / "scale.py"
    own.write_text(exercise.solution.read_text().replace("* factor", "+ factor"))
    page = io.StringIO()
    show_solution(Console(file=page, width=160), exercise, own)
    (line,) = [line for line in page.getvalue().splitlines() if "+ factor" in line]
    assert line.index("+ factor") < 80 < line.index("* factor")


def test_giving_up_without_a_terminal_needs_yes(workspace):
    done = rlgrade("solution", "ex01", "--give-up", cwd=workspace)
    assert done.returncode == 2
    assert "add --yes" in done.stderr


def test_reset_keeps_a_backup(workspace, file):
    stub = file.read_text()
    file.write_text("mine = 1\n")
    assert "add --yes" in rlgrade("reset", "ex01", cwd=workspace).stderr
    assert file.read_text() == "mine = 1\n"
    done = rlgrade("reset", "ex01", "--yes", cwd=workspace)
    assert file.read_text() == stub
    (backup,) = (workspace / ".rlgrade" / "backup" / "ex01_scale").iterdir()
    assert backup.read_text() == "mine = 1\n"
    assert str(backup.relative_to(workspace)) in done.stdout
    rlgrade("reset", "ex01", "--yes", cwd=workspace)
    assert len(list(backup.parent.iterdir())) == 1


@pytest.mark.parametrize(
    "name", ["ex05", "5", "ex5", "EX05", "gae", "gae.py", "ex05_gae/", "./ex05_gae/gae.py", "005"]
)
def test_an_exercise_goes_by_any_name_that_a_shell_or_a_memory_offers(name):
    assert find_course(ROOT).find(name).id == "ex05_gae"


@pytest.mark.parametrize(
    "name", ["", "ex", "ex99", "../ex05_gae/gae.py", "x5", "\N{SUPERSCRIPT TWO}"]
)
def test_what_is_no_name_is_refused(name):
    with pytest.raises(UsageError, match="there is no exercise"):
        find_course(ROOT).find(name)


def test_an_exercise_in_the_place_of_a_command_is_explained():
    done = rlgrade("ex05")
    assert done.returncode == 2
    assert "`rlgrade check ex05`, or `rlgrade watch ex05`" in done.stderr


def test_run_runs_the_files_own_main(workspace, file):
    silent = rlgrade("run", "ex01", cwd=workspace)
    assert "__main__" in silent.stderr
    text = 'if __name__ == "__main__":\n    import sys\n    print(sys.argv[1:])\n    sys.exit(5)\n'
    file.write_text(text)
    done = rlgrade("run", "ex01", "--steps", "3", cwd=workspace)
    assert done.stdout == "['--steps', '3']\n"
    assert done.returncode == 5


def test_bash_completes_commands_and_exercises(workspace):
    script = rlgrade("completion", "bash").stdout
    asked = (
        f'PATH="{Path(RLGRADE).parent}:$PATH"\n{script}\n'
        "COMP_WORDS=(rlgrade check ex); COMP_CWORD=2\n_rlgrade_completion rlgrade\n"
        'echo "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        ["bash", "-c", asked],
        cwd=workspace,
        capture_output=True,
        text=True,
        env=os.environ | {"RLGRADE_COURSE": str(COURSE)},
    )
    assert done.stdout == "ex01\n", done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_each_shell(shell):
    done = rlgrade("completion", shell)
    assert done.returncode == 0
    assert "_RLGRADE_COMPLETE" in done.stdout


@pytest.mark.parametrize("command", ["list", "--course . list", "progress"])
def test_a_reader_that_has_seen_enough_is_no_fault(workspace, command):
    asked = f"cd {COURSE}; {RLGRADE} {command} | true"
    done = subprocess.run(["bash", "-c", asked], cwd=workspace, capture_output=True, text=True)
    assert done.stderr == ""


# init --exercises


def test_a_workspace_of_some_exercises_knows_only_these(tmp_path):
    work = tmp_path / "work"
    done = rlgrade("init", work, "--exercises", "ex06-ex07,ex09", "--exercises", "10", course=ROOT)
    assert done.returncode == 0
    chosen = ["ex06_ppo_clip", "ex07_ppo", "ex09_kl", "ex10_grpo"]
    assert sorted(path.name for path in work.glob("ex*")) == chosen
    for course in ([], ["--course", ROOT]):  # the list without click, and with it
        listed = subprocess.run([RLGRADE, *course, "list"], cwd=work, capture_output=True).stdout
        assert re.findall(rb"^\S+ (ex\d+)", listed, re.MULTILINE) == [
            b"ex06", b"ex07", b"ex09", b"ex10"
        ]  # fmt: skip
    assert "0 of 4 exercises passed" in rlgrade("progress", cwd=work, course=ROOT).stdout
    assert rlgrade("next", cwd=work, course=ROOT).stdout.startswith("ex06_ppo_clip: ")
    done = rlgrade("run", "ex01", cwd=work / "ex09_kl", course=ROOT)
    assert done.returncode == 2
    assert f"ex01 is not in this workspace; `rlgrade init {work} --exercises ex01`" in done.stderr

    rlgrade("init", ".", "--update", cwd=work, course=ROOT)  # what was chosen stays so
    assert sorted(path.name for path in work.glob("ex*")) == chosen
    rlgrade("init", ".", "--exercises", "ex01", cwd=work, course=ROOT)
    assert sorted(path.name for path in work.glob("ex*")) == ["ex01_returns", *chosen]
    assert rlgrade("next", cwd=work, course=ROOT).stdout.startswith("ex06_ppo_clip: ")
    rlgrade("init", ".", "--exercises", "ex01-ex12", cwd=work, course=ROOT)
    assert len(list(work.glob("ex*"))) == 12
    rlgrade("init", ".", "--exercises", "ex03", cwd=work, course=ROOT)  # all stay all
    assert "0 of 12 exercises" in rlgrade("progress", cwd=work, course=ROOT).stdout


def test_exercises_that_are_none_make_no_workspace(tmp_path):
    done = rlgrade("init", tmp_path / "work", "--exercises", "ex10-ex06", course=ROOT)
    assert done.returncode == 2
    assert "name the lower number first" in done.stderr
    assert not (tmp_path / "work").exists()


def test_what_a_workspace_does_not_have_is_not_waited_for():
    exercises = [each for each in find_course(ROOT).exercises if each.short in ("ex07", "ex10")]
    progress = Progress()
    assert next_exercise(exercises, progress, after=exercises[0]) is exercises[1]


# init --update


@pytest.fixture
def moving(tmp_path):
    """A course of our own that changes, and a workspace made from it."""
    root = tmp_path / "course"
    subprocess.run(["cp", "-r", COURSE, root], check=True)
    rlgrade("init", tmp_path / "work", course=root)
    return root, tmp_path / "work"


def test_update_replaces_what_was_not_edited(moving):
    root, work = moving
    readme = root / "exercises" / "ex01_scale" / "README.md"
    readme.write_text("new text\n")
    done = rlgrade("init", ".", "--update", cwd=work, course=root)
    assert "ex01_scale/README.md: brought up to date\n" in done.stdout
    assert (work / "ex01_scale" / "README.md").read_text() == "new text\n"
    again = rlgrade("init", ".", "--update", cwd=work, course=root)
    assert "the course has changed nothing" in again.stdout


def test_update_merges_around_edits_and_keeps_a_backup(moving):
    root, work = moving
    mine, stub = work / "ex01_scale" / "scale.py", root / "exercises" / "ex01_scale" / "scale.py"
    before = mine.read_text()
    mine.write_text(before.rstrip() + "\n\n\nmine = 1\n")
    stub.write_text("# new first line\n" + before)
    done = rlgrade("init", ".", "--update", cwd=work, course=root)
    assert "around your edits" in done.stdout
    assert mine.read_text() == "# new first line\n" + before.rstrip() + "\n\n\nmine = 1\n"
    (backup,) = (work / ".rlgrade" / "backup" / "ex01_scale").iterdir()
    assert backup.read_text() == before.rstrip() + "\n\n\nmine = 1\n"


def test_update_leaves_what_does_not_fit_and_puts_the_new_beside(moving):
    root, work = moving
    mine, stub = work / "ex01_scale" / "scale.py", root / "exercises" / "ex01_scale" / "scale.py"
    before = mine.read_text()
    mine.write_text("# mine\n" + before)
    stub.write_text("# theirs\n" + before)
    for _ in range(2):
        done = rlgrade("init", ".", "--update", cwd=work, course=root)
        assert "yours is kept" in done.stdout
        assert mine.read_text() == "# mine\n" + before
        assert (work / "ex01_scale" / "scale.new.py").read_text() == "# theirs\n" + before


def test_without_update_nothing_changes(moving):
    root, work = moving
    before = (work / "ex01_scale" / "README.md").read_text()
    (root / "exercises" / "ex01_scale" / "README.md").write_text("new text\n")
    assert "0 files written" in rlgrade("init", ".", cwd=work, course=root).stdout
    assert (work / "ex01_scale" / "README.md").read_text() == before


# Text for any terminal


@pytest.mark.parametrize(
    ("text", "encoding", "shown"),
    [
        ("λ → 1 ≤ é", "ascii", "lambda -> 1 <= e"),
        ("λ → 1 ≤ é", "latin-1", "lambda -> 1 <= é"),
        ("λ → 1 ≤ é", "UTF-8", "λ → 1 ≤ é"),
        ("✓ 中", "ascii", "[ok] ?"),
        ("γ²", None, "gamma^2"),
    ],
)
def test_text_is_spelled_out_where_the_terminal_lacks_a_character(text, encoding, shown):
    assert fitted(text, encoding) == shown


@pytest.mark.parametrize("exercise", find_course().exercises, ids=str)
def test_every_solution_can_be_shown_beside_any_file(exercise, tmp_path):
    """Lambdas and conditional expressions have a body that is no list of statements."""
    odd = tmp_path / exercise.file
    odd.write_text(
        "f = lambda x: x\n\n\ndef g(x):\n    h = lambda y: y if y else None\n    return h\n"
    )
    for path in (odd, exercise.stub, exercise.solution, *exercise.right):
        assert parts_of(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("exercise", find_course().exercises, ids=str)
def test_code_in_a_hint_is_code(exercise):
    """A hint that begins with code keeps its indent: laid out, it must not become one paragraph."""
    text = (exercise.hidden / "hints.md").read_text(encoding="utf-8")
    for part, hint in zip(text.split("\n---\n"), exercise.hints, strict=True):
        first = next(line for line in part.splitlines() if line.strip())
        assert hint.splitlines()[0] == first.rstrip()


def test_a_full_disk_leaves_no_empty_stub(tmp_path, monkeypatch):
    def full(path, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr("rlgrade.workspace.write_whole", full)
    with pytest.raises(UsageError, match=f"{tmp_path} cannot be written: No space left"):
        make_workspace(tmp_path, find_course(COURSE))
    assert not list(tmp_path.rglob("*.py"))


def test_without_a_name_the_folder_one_stands_in_wins(tmp_path, monkeypatch):
    course = find_course()
    make_workspace(tmp_path, course)
    monkeypatch.chdir(tmp_path)
    desk = open_desk(str(course.root))
    desk.keeper.begin(course.find("ex07"))
    assert desk.exercise(None).short == "ex07"
    monkeypatch.chdir(tmp_path / "ex03_baselines")
    assert open_desk(str(course.root)).exercise(None).short == "ex03"
    assert open_desk(str(course.root)).exercise("ex05").short == "ex05"


def test_ctrl_c_at_a_question_is_an_interrupt(workspace):
    child = pexpect.spawn(
        RLGRADE, ["--course", str(COURSE), "reset", "ex01"], cwd=str(workspace), timeout=60
    )
    child.expect("ex01_scale")
    child.sendintr()
    child.expect("interrupted; nothing is left running")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
