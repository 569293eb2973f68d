"""Labs: each shows what it promises, the same seed gives the same numbers, and one run of all."""

import json
import math
import multiprocessing
import os
import re
import subprocess
import sys

import numpy as np
import pexpect
import pytest
from test_cli import RLGRADE, rlgrade

from rlgrade.labs import running
from rlgrade.labs.catalogue.group_std import even_group
from rlgrade.labs.catalogue.no_baseline import best_baseline, exact_variance
from rlgrade.labs.catalogue.truncation import exact_worth, step_of
from rlgrade.labs.drawing import drawn, short
from rlgrade.labs.lab import Series, first_reached, merged
from rlgrade.labs.registry import find_lab, names
from rlgrade.labs.result import Chart, Curve, explained
from rlgrade.labs.running import Running, measure
from rlgrade.labs.waiting import whole_lines
from rlgrade.outcome import GraderError, UsageError

TOGETHER = 8  # seeds where one process runs all side by side
APART = 2


def few(name):
    return range(TOGETHER if find_lab(name).together else APART)


@pytest.mark.parametrize("name", names())
def test_lab_shows_what_it_is_there_to_show(name):
    lab = find_lab(name)
    measured = measure(name, few(name), small=True)
    figures = lab.figures(measured)
    assert all(math.isfinite(value) for value in figures.values()), figures
    assert lab.holds(figures), figures
    assert set(measured) >= {panel.key for panel in lab.panels}
    for variants in measured.values():
        for series in variants.values():
            assert series.rows.shape == (len(few(name)), len(series.x))
            assert np.isfinite(series.rows).all()
            assert np.all(np.diff(series.x) > 0)
    text = " ".join(explained(lab, figures))
    assert "{" not in text
    assert "nan" not in text


@pytest.mark.parametrize("name", names())
def test_lab_asks_a_fair_question(name):
    lab = find_lab(name)
    assert len(lab.question.options) >= 3
    assert len(set(lab.question.options)) == len(lab.question.options)
    lengths = [len(option) for option in lab.question.options]
    assert max(lengths) < 2.6 * min(lengths)
    assert lab.title == lab.title.strip()
    assert len(lab.explanation.split("\n")) >= 2
    assert lab.exercises
    # The explanation names measured figures, not figures typed in.
    assert len(re.findall(r"\{\w+:[^}]*\}", lab.explanation)) >= 3


def test_the_longest_option_and_the_place_tell_nothing():
    labs = [find_lab(name) for name in names()]
    longest = sum(
        max(range(len(lab.question.options)), key=lambda i: len(lab.question.options[i]))
        == lab.question.answer
        for lab in labs
    )
    assert longest <= len(labs) / 2
    places = [lab.question.answer for lab in labs]
    assert max(places.count(place) for place in set(places)) <= len(labs) / 2


def test_there_are_a_dozen():
    assert len(names()) >= 12


@pytest.mark.parametrize("name", ["no-detach", "reward-offset"])
def test_a_seed_gives_the_same_whatever_stands_beside_it(name):
    alone = measure(name, [3], small=True)
    beside = measure(name, [2, 3], small=True)
    for panel, variants in alone.items():
        for variant, series in variants.items():
            np.testing.assert_allclose(
                beside[panel][variant].rows[1], series.rows[0], rtol=1e-4, atol=1e-4
            )


def test_processes_change_nothing():
    with Running("truncation", [0, 1], small=True) as running:
        there = running.wait()
    here = merged([measure("truncation", [seed], small=True) for seed in (0, 1)])
    for panel, variants in here.items():
        for variant, series in variants.items():
            np.testing.assert_array_equal(there[panel][variant].rows, series.rows)


def test_what_a_trial_raises_arrives_here():
    with (
        Running("truncation", [-1], small=True) as running,
        pytest.raises(ValueError, match="negative"),
    ):
        running.wait()  # numpy takes no negative seed


@pytest.mark.parametrize("name", ["socket", "multiprocessing", "pickle"])
def test_a_file_in_the_current_folder_is_no_module(tmp_path, name):
    (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'loaded')!r}, 'w')\n1 / 0\n")
    done = rlgrade("lab", "truncation", "--seeds", 2, "--no-predict", cwd=tmp_path)
    assert not (tmp_path / "loaded").exists()
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_where_python_is_to_ignore_its_environment_nothing_is_started():
    command = [sys.executable, "-E", "-m", "rlgrade", "lab", "truncation", "--no-predict"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "say `python -P -E`" in done.stderr


def test_processes_that_die_end_the_lab_with_one_error(monkeypatch):
    """None is started in place of one that died."""
    monkeypatch.setattr(running, "_begin", os.abort)
    before = set(multiprocessing.active_children())
    with Running("truncation", range(6), small=True) as lab:
        ours = set(multiprocessing.active_children()) - before
        with pytest.raises(GraderError, match="ended before its trial did"):
            lab.wait()
        assert set(multiprocessing.active_children()) - before <= ours
    assert not set(multiprocessing.active_children()) - before


def test_a_lab_that_is_left_early_leaves_no_process():
    before = set(multiprocessing.active_children())  # of other tests in this process
    with Running("kl-off", range(4)):
        ours = set(multiprocessing.active_children()) - before
        assert len(ours) == min(2, os.cpu_count())
    assert not set(multiprocessing.active_children()) & ours


# Figures that were computed elsewhere (quiz-brief, 1.1, 1.2 and 5).


def test_variance_of_the_small_bandit():
    assert exact_variance(0.0) == pytest.approx(0.1254, abs=5e-5)
    assert exact_variance(0.8) == pytest.approx(0.0806, abs=5e-5)
    assert best_baseline() == pytest.approx(0.461, abs=5e-4)
    assert exact_variance(best_baseline()) == pytest.approx(0.0277, abs=5e-5)


def test_a_group_of_nearly_equal_rewards():
    std, with_std, without = even_group(64)
    assert std == pytest.approx(0.0148, abs=5e-5)
    assert with_std == pytest.approx(1.68, abs=0.01)
    assert without == pytest.approx(0.025, abs=1e-9)


def test_the_world_that_never_ends():
    """The exact values, by following both ways for a long time."""
    for first, worth in zip((0, 1), exact_worth(), strict=True):
        state, total, weight = np.zeros(1, dtype=int), 0.0, 1.0
        for _ in range(4_000):
            action = np.array([first if state[0] == 0 else 1])
            state, reward = step_of(state, action)
            total, weight = total + weight * float(reward[0]), weight * 0.99
        assert total == pytest.approx(worth, rel=1e-3)


# Small sums


def test_first_reached_is_a_median_and_infinite_where_never():
    x = np.array([1.0, 2.0, 3.0])
    rows = np.array([[0.0, 1.0, 1.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    assert first_reached(Series(x, rows), 0.9) == 3.0
    assert first_reached(Series(x, rows[2:]), 0.9) == math.inf


def test_bands_leave_out_what_is_no_number():
    series = Series(np.array([1.0, 2.0]), np.array([[1.0, np.nan], [3.0, np.nan]]))
    assert series.middle[0] == 2.0
    assert np.isnan(series.middle[1])
    assert series.low[0] == pytest.approx(1.2)


# Drawing


def chart(logarithmic=False):
    up = Curve("rises", [0.0, 10.0], [0.0, 1.0], [0.0, 0.8], [0.2, 1.0])
    gap = Curve("has a gap", [0.0, 5.0, 10.0], [0.5, None, None], [None] * 3, [None] * 3)
    return Chart("A title", "steps", "score", logarithmic, None, [up, gap])


def test_a_chart_rises_to_the_right():
    lines = [line.plain for line in drawn(chart(), 60)]
    assert lines[0] == "A title  (score)"
    rows = lines[1:12]
    top, bottom = rows[0], rows[-1]
    assert top.rindex("●") > 55
    assert bottom.index("●") < 15
    assert top.lstrip().startswith("1 ")
    assert bottom.lstrip().startswith("0 ")
    assert all(len(line) <= 60 for line in lines)
    assert "rises" in lines[-1]
    assert "has a gap" in lines[-1]


def test_a_chart_in_ascii():
    text = "\n".join(line.plain for line in drawn(chart(), 60, ascii_only=True))
    assert text.isascii()
    assert "o" in text


@pytest.mark.parametrize(
    "curves",
    [
        [],
        [Curve("flat", [1.0, 2.0], [3.0, 3.0], [3.0, 3.0], [3.0, 3.0])],
        [Curve("one point", [1.0], [3.0], [3.0], [3.0])],
        [Curve("nothing", [1.0, 2.0], [None, None], [None, None], [None, None])],
    ],
)
def test_odd_charts_are_drawn(curves):
    drawn(Chart("t", "x", "y", False, None, curves), 40)


def test_a_logarithmic_chart_shows_a_zero_at_its_floor():
    ys = [0.0, 1.0, 10.0, 100.0]
    curve = Curve("c", [0.0, 1.0, 2.0, 3.0], ys, ys, ys)
    rows = [line.plain for line in drawn(Chart("t", "x", "y", True, None, [curve]), 60)][1:12]
    heights = [
        next(10 - i for i, row in enumerate(rows) if column < len(row) and row[column] == "●")
        for column in (10, 26, 42, 58)
    ]
    assert heights == [0, 0, 5, 10]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (-1e-17, "0"), (1234.5, "1234"), (40960.0, "41k"), (0.25, "0.25")],
)
def test_short(value, text):
    assert short(value) == text


# The command


@pytest.fixture
def workspace(tmp_path):
    rlgrade("init", tmp_path / "work")
    return tmp_path / "work"


def test_the_list_names_every_lab():
    done = rlgrade("lab")
    assert done.returncode == 0
    for name in names():
        assert f"{name} " in done.stdout


@pytest.mark.parametrize(("given", "full"), [("kl", "kl-off"), ("No_Clip", "no-clip")])
def test_beginnings_and_underscores_are_enough(given, full):
    assert find_lab(given) is find_lab(full)


def test_a_typo_gets_the_nearest_name():
    with pytest.raises(UsageError, match="did you mean no-detach"):
        find_lab("no-detatch")


def test_a_run_is_predicted_explained_and_kept(workspace):
    done = rlgrade("lab", "no-baseline", "--seeds", 4, "--predict", "a", cwd=workspace)
    assert done.returncode == 0, done.stderr
    assert "you predicted a; it is d)" in done.stdout
    assert "Chance of the right action" in done.stdout
    assert "0.1254" in done.stdout
    kept = json.loads((workspace / ".rlgrade" / "labs" / "no-baseline.json").read_text())
    assert kept["predicted"] == 0
    assert kept["answer"] == 3
    assert kept["seeds"] == [0, 1, 2, 3]
    assert kept["figures"]["at_best"] == pytest.approx(0.0277, abs=5e-5)

    # Whoever runs it again has seen the answer: the first prediction counts.
    rlgrade("lab", "no-baseline", "--seeds", 2, "--predict", "d", cwd=workspace)
    kept = json.loads((workspace / ".rlgrade" / "labs" / "no-baseline.json").read_text())
    assert kept["predicted"] == 0
    assert kept["seeds"] == [0, 1]


def test_pictures_where_matplotlib_is(workspace):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    rlgrade("lab", "no-baseline", "--seeds", 2, "--no-predict", cwd=workspace)
    folder = workspace / ".rlgrade" / "labs"
    assert (folder / "no-baseline.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (folder / "no-baseline.svg").read_text()


def test_a_home_that_cannot_be_written_is_no_news_of_matplotlib(workspace):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    nowhere = {"HOME": os.devnull, "XDG_CONFIG_HOME": "", "XDG_CACHE_HOME": "", "MPLCONFIGDIR": ""}
    arguments = ["lab", "no-baseline", "--seeds", 2, "--no-predict"]
    done = rlgrade(*arguments, cwd=workspace, **nowhere)
    assert done.returncode == 0
    assert [line for line in done.stderr.splitlines() if "running" not in line] == []
    assert (workspace / ".rlgrade" / "labs" / "no-baseline.png").is_file()


def test_json(workspace):
    done = rlgrade("lab", "no-baseline", "--seed", 7, "--seeds", 2, "--json", cwd=workspace)
    result = json.loads(done.stdout)
    assert result["seeds"] == [7, 8]
    assert result["predicted"] is None
    assert result["charts"][0]["title"] == "Chance of the right action"


@pytest.mark.parametrize("letter", ["z", "ab", ""])
def test_a_letter_that_is_none(letter):
    done = rlgrade("lab", "no-baseline", "--predict", letter)
    assert done.returncode == 2
    assert "a letter from a to d" in done.stderr


def test_outside_a_workspace_nothing_is_kept(tmp_path):
    done = rlgrade("lab", "no-baseline", "--seeds", 2, "--no-predict", cwd=tmp_path)
    assert done.returncode == 0
    assert "saved" not in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_in_a_pipe_it_says_at_once_what_goes_on(workspace, more):
    command = [RLGRADE, "lab", "no-baseline", "--no-predict", "--seeds", "3", *more]
    lab = subprocess.Popen(
        command, cwd=workspace, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    first = lab.stderr.readline()
    assert lab.poll() is None  # it is not the end that is told
    assert first == (
        "rlgrade: running no-baseline on 3 seeds; at most a minute on two free cores\n"
    )
    if not more:
        assert lab.stdout.readline().startswith("no-baseline: REINFORCE without a baseline")
        assert lab.poll() is None
    out, error = lab.communicate(timeout=120)
    assert lab.returncode == 0
    assert "\x1b" not in out + error
    assert "\r" not in out + error


def test_in_a_pipe_it_says_now_and_then_how_far_it_is(capsys):
    clock = [0.0]
    tell = whole_lines(6, lambda: clock[0])
    for second in range(13):
        clock[0] = float(second)
        tell(second // 3)
    assert capsys.readouterr().err.splitlines() == [
        "rlgrade: still running, 1 of 6 parts done, 5 s",
        "rlgrade: still running, 3 of 6 parts done, 10 s",
    ]


def test_a_terminal_that_is_dumb_gets_no_control_codes(workspace):
    child = pexpect.spawn(
        RLGRADE, ["lab", "no-baseline", "--seeds", "2", "--no-predict"], cwd=workspace, timeout=120,
        encoding="utf-8", env=os.environ | {"TERM": "dumb"},
    )  # fmt: skip
    child.expect(pexpect.EOF)
    assert "running no-baseline on 2 seeds" in child.before
    assert "\x1b" not in child.before


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_no_line_is_longer_than_the_terminal(workspace, term):
    child = pexpect.spawn(
        RLGRADE, ["lab", "truncation", "--seeds", "2", "--no-predict"], cwd=workspace, timeout=120,
        encoding="utf-8", env=os.environ | {"TERM": term, "NO_COLOR": "1"}, dimensions=(50, 56),
    )  # fmt: skip
    child.expect(pexpect.EOF)
    shown = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", child.before.replace("\r\n", "\n"))
    lines = [line.rpartition("\r")[2] for line in shown.split("\n")]
    assert max(len(line) for line in lines if not line.startswith("rlgrade: ")) <= 56
    assert any("bootstraps at the limit" in line for line in lines)


def test_the_prediction_is_asked_for_before_anything_is_shown(workspace):
    child = pexpect.spawn(
        str(RLGRADE), ["lab", "no-baseline", "--seeds", "2"], cwd=workspace, timeout=120,
        encoding="utf-8", dimensions=(50, 80),
    )  # fmt: skip
    child.expect("your prediction")
    assert "Chance of the right action" not in child.before
    child.sendline("x")
    child.expect("your prediction")  # not one of the letters: asked again
    child.sendline("d")
    child.expect("as you predicted: d")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal's interrupt")
def test_an_interrupt_leaves_nothing_running(workspace):
    child = pexpect.spawn(
        str(RLGRADE), ["lab", "kl-off", "--no-predict"], cwd=workspace, timeout=120,
        encoding="utf-8",
    )  # fmt: skip
    child.expect("running: ")
    child.sendintr()
    child.expect("interrupted")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
    assert not (workspace / ".rlgrade" / "labs").exists()
