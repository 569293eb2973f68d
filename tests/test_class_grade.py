"""Grading a class: everybody alike, once each, resumed after any death, at no student's cost."""

import contextlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from multiprocessing import resource_tracker
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy")

from rlgrade.classroom import pool
from rlgrade.classroom.collect import collect
from rlgrade.classroom.gradebook import Key, open_gradebook
from rlgrade.classroom.judging import Job, Judge, Rules, course_version
from rlgrade.classroom.pool import grade_on_cores
from rlgrade.classroom.run import grade_class, one_machine
from rlgrade.courses import Course
from rlgrade.judge.grading import Settings, grade
from rlgrade.outcome import GraderError, UsageError
from rlgrade.report import as_plain

COURSE = Path(__file__).parent / "course"
RLGRADE = str(Path(sys.executable).with_name("rlgrade"))
SEED = 7
RIGHT = (COURSE / "solutions" / "ex01_scale" / "scale.py").read_text()
KINDS = {
    "right": RIGHT,
    "wrong": RIGHT.replace("* factor", "+ factor"),
    "crash": RIGHT.replace(
        "    scaled_rewards =", "    import os; os._exit(3)\n    scaled_rewards ="
    ),
    "raise": RIGHT.replace("    scaled_rewards =", "    raise OSError\n    scaled_rewards ="),
    "syntax": RIGHT.replace("return scaled_rewards", "return (scaled_rewards"),
    "empty": "",
}
LOOP = RIGHT.replace("    scaled_rewards =", "    while True: pass\n    scaled_rewards =")


def hand_in(root, texts):
    for name, text in texts.items():
        path = root / name / "scale.py"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    return root


def rows(where):
    with open_gradebook(str(where)) as book:
        return book.rows(book.table("results").select())


def timeless(report):
    """A report without what a clock says."""
    report = json.loads(report) if isinstance(report, str) else report
    report = report | {"seconds": 0}
    return report | {"checks": [check | {"seconds": 0} for check in report["checks"]]}


def outcomes(where):
    """What each different submission got, byte for byte, apart from times."""
    return {
        (row.sha256, row.exercise): json.dumps(timeless(row.report), sort_keys=True)
        for row in rows(where)
        if not row.broken
    }


@pytest.fixture
def run(tmp_path):
    """Grade the folder `in` into `out`, in this process."""

    def go(course=COURSE, processes=2, engine=None, again=False, seed=SEED, **rules):
        exercises = Course(course).exercises
        with open_gradebook(str(tmp_path / "out"), create=True) as book:
            return grade_class(
                book,
                exercises,
                collect(tmp_path / "in", exercises),
                Rules(str(course), **rules),
                seed,
                engine or one_machine(processes),
                again=again,
            )

    return go


def test_a_class_gets_what_each_would_get_alone(run, tmp_path, server):
    hand_in(tmp_path / "in", KINDS | {"twin": RIGHT})
    summary = run()
    assert (summary.submissions, summary.distinct, summary.graded) == (7, 6, 6)  # twins once
    assert not summary.broken
    exercise = Course(COURSE).find("ex01")
    stored = {row.sha256: timeless(row.report) for row in rows(tmp_path / "out")}
    for text in KINDS.values():
        report = grade(exercise, text.encode(), server, SEED, settings=Settings(explained=3))
        alone = timeless(json.loads(json.dumps(as_plain(report))))
        assert stored[report.submission_sha256] == alone


def test_a_loop_ends_at_its_limit_and_holds_up_nobody(tmp_path):
    texts = {"a loop": LOOP} | KINDS
    done = _results(COURSE, texts, 2, Rules(str(COURSE), seconds=4))
    found = {each.key.sha256: each for each in done}
    assert len(found) == len(texts)
    assert "timeout" in {check["outcome"] for check in found["a loop"].report["checks"]}
    assert 4 <= found["a loop"].seconds < 10
    assert found["right"].report["passed"]
    order = [each.key.sha256 for each in done]
    assert order.index("right") < order.index("a loop")  # it came first, and others went by


def test_no_submission_reads_another_or_the_gradebook(run, tmp_path):
    """It knows where they lie, and would pass with what is in them."""
    thief = f"""
import pathlib, sqlite3
for path in ("{tmp_path}/in/ann/scale.py", "{COURSE}/solutions/ex01_scale/scale.py"):
    try:
        exec(pathlib.Path(path).read_text())
    except OSError:
        pass
try:
    for (data,) in sqlite3.connect("{tmp_path}/out/gradebook.sqlite").execute(
        "select data from submissions"
    ):
        exec(data.decode())
except Exception:
    pass
"""
    hand_in(tmp_path / "in", {"ann": RIGHT})
    run()
    hand_in(tmp_path / "in", {"eve": thief})
    assert run().graded == 1
    assert [row.points for row in rows(tmp_path / "out")] == [4.0, 0.0]


def test_to_explain_a_failure_costs_no_points(tmp_path):
    """Wrong and slow: its smallest case takes longer to find than the whole run may take."""
    body = (
        "    __import__('time').sleep(0.05 * (factor != 3))\n"
        "    if len(rewards) > 2 and rewards.sum() > 1:\n        return rewards + factor\n"
    )
    slow = RIGHT.replace("    scaled_rewards =", f"{body}    scaled_rewards =")
    (done,) = _results(COURSE, {"slow": slow}, 1, Rules(str(COURSE), seconds=3))
    outcomes = {check["check"]: check["outcome"] for check in done.report["checks"]}
    assert outcomes["scales_each"] == "fail"
    assert outcomes["adds_up"] == "pass"
    assert "timeout" not in outcomes.values()
    first = done.report["checks"][0]
    assert first["counterexample"]


def test_what_is_graded_is_kept_and_what_is_new_is_graded(run, tmp_path):
    hand_in(tmp_path / "in", {"ann": KINDS["right"], "bob": KINDS["wrong"]})
    assert run().graded == 2
    before = outcomes(tmp_path / "out")
    hand_in(tmp_path / "in", {"cleo": KINDS["raise"]})
    summary = run()
    assert (summary.graded, summary.kept, summary.new) == (1, 2, 1)
    assert before.items() <= outcomes(tmp_path / "out").items()
    assert run().graded == 0
    assert run(again=True).graded == 3
    assert len(rows(tmp_path / "out")) == 3  # the new result of a key takes the old one's place
    assert run(seed=8).graded == 3


def test_a_changed_course_regrades_and_a_changed_hint_does_not(run, tmp_path):
    course = shutil.copytree(COURSE, tmp_path / "course")
    hand_in(tmp_path / "in", {"ann": KINDS["right"]})
    run(course)
    hidden = course / "solutions" / "ex01_scale"
    (hidden / "hints.md").write_text("Another hint?\n---\nMore.\n---\nAll.")
    assert run(course).graded == 0
    checks = hidden / "checks.py"
    checks.write_text(checks.read_text().replace("examples=20", "examples=21"))
    assert run(course).graded == 1
    assert len(rows(tmp_path / "out")) == 2  # the old result is history


@pytest.mark.parametrize("processes", [1, 3])
def test_a_judge_that_dies_gives_its_job_to_another(tmp_path, processes):
    """A check that kills the judge the first time it runs."""
    course = _course_with(
        tmp_path,
        "    flag = __import__('pathlib').Path(__file__).with_name('died')\n"
        "    if not flag.exists():\n"
        "        flag.touch()\n"
        "        __import__('os').kill(__import__('os').getpid(), 9)\n",
    )
    done = _results(course, KINDS, processes)
    assert [d.broken for d in done] == [""] * len(KINDS)
    assert len({d.key for d in done}) == len(KINDS)


def test_a_judge_that_always_dies_costs_no_student_and_is_retried(run, tmp_path):
    course = _course_with(tmp_path, "    __import__('os').kill(__import__('os').getpid(), 9)\n")
    hand_in(tmp_path / "in", {"ann": KINDS["right"], "bob": KINDS["syntax"]})
    summary = run(course, processes=1)
    assert [fault.broken for fault in summary.broken] == [
        "the judge's process ended (exit code -9)"
    ]
    (fault,) = [row for row in rows(tmp_path / "out") if row.broken]
    assert (fault.points, fault.passed, fault.report) == (None, None, None)
    assert run(course, processes=1).graded == 1  # tried again; the other one's result is kept


def test_a_check_that_fails_by_itself_is_a_grader_fault(run, tmp_path):
    course = _course_with(tmp_path, "    raise ZeroDivisionError('ours')\n")
    hand_in(tmp_path / "in", {"ann": KINDS["right"]})
    (fault,) = run(course, processes=1).broken
    assert "scales_each" in fault.broken
    assert "ZeroDivisionError: ours" in fault.broken


def _course_with(tmp_path, line):
    """The fixture course with a line at the start of its first check."""
    course = shutil.copytree(COURSE, tmp_path / "course")
    checks = course / "solutions" / "ex01_scale" / "checks.py"
    head = "def scales_each(submission, rewards, factor):\n"
    text = checks.read_text()
    assert head in text
    checks.write_text(text.replace(head, head + line))
    return course


def _results(course, texts, processes, rules=None):
    exercise = Course(course).find("ex01")
    version = course_version(exercise)
    jobs = [
        Job(Key(name, exercise.id, version, "test", SEED), text.encode())
        for name, text in texts.items()
    ]
    return list(grade_on_cores(rules or Rules(str(course)), jobs, processes))


def test_no_process_is_left_when_the_reader_stops():
    resource_tracker.ensure_running()  # Python's own; it stays
    before = _children(os.getpid())
    exercise = Course(COURSE).find("ex01")
    jobs = [Job(Key(str(n), exercise.id, "", "", SEED), RIGHT.encode()) for n in range(50)]
    results = grade_on_cores(Rules(str(COURSE)), jobs, 2)
    next(results)
    family = _children(os.getpid()) - before
    assert len(family) >= 6  # judges, servers, workers
    results.close()
    _wait_until(lambda: not any(_alive(pid) for pid in family))


def test_a_class_is_not_graded_behind_walls_that_are_too_low():
    weak = Rules(str(COURSE), highest="L1")
    with pytest.raises(UsageError, match=r"sandbox level L1.*--allow-level L1"):
        _results(COURSE, {"right": RIGHT}, 1, weak)
    (done,) = _results(COURSE, {"right": RIGHT}, 1, replace(weak, lowest="L1"))
    assert done.report["sandbox"] == "L1"


@pytest.mark.parametrize("name", ["socket", "multiprocessing", "pickle", "runpy", "yaml"])
def test_a_submission_in_the_current_folder_is_no_module(tmp_path, name):
    """Python takes modules from the current folder; a student's may have any name."""
    hand_in(tmp_path, {"ann": KINDS["wrong"], name: KINDS["wrong"]})
    (tmp_path / name / "__init__.py").write_text(
        f"open({str(tmp_path / 'loaded')!r}, 'w')\n1 / 0\n"
    )
    done = subprocess.run(
        [RLGRADE, "--course", str(COURSE), "class", "grade", ".", "--out", "../out", "-j1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert not (tmp_path / "loaded").exists()
    assert done.returncode == 0, done.stderr
    assert "2 submissions" in done.stdout
    assert "Traceback" not in done.stderr


def test_judges_that_end_at_once_end_the_run_with_one_error(monkeypatch):
    monkeypatch.setattr(pool, "_judge_jobs", zip)  # it takes no pipe, and raises
    before = set(multiprocessing.active_children())
    with pytest.raises(GraderError, match=r"judge ended \(exit code 1\) before it was ready"):
        _results(COURSE, KINDS, 2)
    assert not set(multiprocessing.active_children()) - before


def test_exercises_are_named_singly_or_by_a_range():
    course = Course(Path(__file__).parents[1])
    ids = [exercise.short for exercise in course.chosen(["ex02-ex04,ex06", "gae"])]
    assert ids == ["ex02", "ex03", "ex04", "ex05", "ex06"]
    assert course.chosen([]) == course.exercises
    with pytest.raises(UsageError, match="lower number first"):
        course.chosen(["ex04-ex02"])


def command(tmp_path, *arguments):
    return subprocess.Popen(
        [
            *f"{RLGRADE} --course {COURSE} class grade in --out out -j2 --seed {SEED}".split(),
            *arguments,
        ],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_the_command_says_what_came_of_it(tmp_path):
    hand_in(tmp_path / "in", {"ann": RIGHT, "bob": KINDS["wrong"]})
    (tmp_path / "in" / "eve").mkdir()
    (tmp_path / "in" / "eve" / "scale.py").symlink_to("/etc/passwd")
    first = command(tmp_path)
    text, _ = first.communicate()
    assert first.returncode == 0
    assert "2 submissions (2 new" in text
    assert "scale.py is a link" in text
    again = command(tmp_path, "--roster", str(tmp_path / "none.csv"))
    assert again.communicate()[0].startswith("rlgrade: ")
    assert again.returncode == 2


MANY = {f"s{n}": f"{text}\n# {n}\n" for n, text in enumerate([*KINDS.values()] * 4)}


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """What a run finds that nothing interrupts."""
    folder = tmp_path_factory.mktemp("straight")
    hand_in(folder / "in", MANY)
    text, _ = command(folder).communicate()
    assert f"{len(MANY)} graded" in text
    return outcomes(folder / "out")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_killed_anywhere_ends_as_if_it_had_not_been(tmp_path, straight, number):
    """Killed a random moment after a random number of results, then again in the rest."""
    hand_in(tmp_path / "in", MANY)
    draw = random.Random(int(number))
    for least in sorted(draw.sample(range(1, len(MANY)), 2)):
        running = command(tmp_path)
        _wait_until(lambda least=least: _stored(tmp_path / "out") >= least, 60)
        time.sleep(0.1 * draw.random())
        running.send_signal(number)
        running.communicate()
        assert running.returncode in (0, 130, -number)
    before = _stored(tmp_path / "out")
    last = command(tmp_path)
    text = last.communicate()[0]
    assert last.returncode == 0
    assert f"{len(MANY) - before} graded" in text
    assert f"{before} kept" in text
    assert outcomes(tmp_path / "out") == straight
    assert _stored(tmp_path / "out") == len(MANY)


def _stored(where):
    file = where / "gradebook.sqlite"
    if not file.exists():
        return 0
    with contextlib.closing(sqlite3.connect(file)) as book:
        try:
            return book.execute("select count(*) from results").fetchone()[0]
        except sqlite3.OperationalError:
            return 0


def test_a_judge_reports_its_own_faults_and_goes_on():
    exercise = Course(COURSE).find("ex01")
    key = Key("x", exercise.id, "", "", SEED)
    with Judge(Rules(str(COURSE))) as judge:
        judge.level()
        judge._server.process.kill()
        judge._server.process.wait()
        assert "GraderError" in judge.grade(Job(key, RIGHT.encode())).broken
        assert judge.grade(Job(key, RIGHT.encode())).report["passed"]


def _children(pid):
    """Every process below this one."""
    try:
        direct = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return set()
    return {int(child) for child in direct}.union(*(_children(int(child)) for child in direct))


def _alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _wait_until(holds, seconds=20):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
