"""How a learning curve is shown: as it grows, at the end beside right code, and broken off."""

import io
import json

import jsonschema
import msgspec
import pytest
from rich.console import Console
from test_cli import rlgrade

from rlgrade import render
from rlgrade.courses import find_course
from rlgrade.outcome import Outcome
from rlgrade.pages.contents import Training
from rlgrade.pages.figures import training_chart, training_svg
from rlgrade.render import Printer
from rlgrade.report import CheckResult
from rlgrade.sparkline import stretches

BAND = {
    "runs": 40,
    "steps": [0, 500, 1000],
    "low": [0.0, 2.0, 8.0],
    "middle": [0.0, 5.0, 10.0],
    "high": [1.0, 9.0, 10.0],
    "arrives": [600, 1000],
}


def attempt(*scores, seed=3, learned=False):
    steps = [100 * number for number in range(len(scores))]
    return {"seed": seed, "steps": steps, "scores": scores, "signals": {}, "learned": learned}


def training(*attempts, band=BAND, budget=2000):
    return {
        **{"goal": 10.0, "null": 0.0, "unit": "mean score", "budget": budget, "device": "cpu"},
        **{"attempts": list(attempts), "band": band},
    }


def result(outcome, curves):
    return CheckResult("learns", "learns", outcome, 0, 1, 1.0, 1, training=curves)


@pytest.fixture
def terminal():
    """A terminal's console, and what was written on it."""
    file = io.StringIO()
    return Console(file=file, force_terminal=True, width=120, color_system=None), file


def printer_on(console, **options):
    return Printer(console, file="a.py", **{"verbose": False, "blind": False} | options)


def test_the_end_shows_the_curve_above_that_of_right_code(terminal):
    console, file = terminal
    scores = [0.1 * number for number in range(21)]
    printer_on(console).result(result(Outcome.FAIL, training(attempt(*scores))))
    lines = file.getvalue().splitlines()
    assert "2 of 10 mean score  2,000 of 2,000 steps" in lines[1]
    assert "right code, median of 40; 9 in 10 arrive at 600 to 1,000" in lines[2]
    # a sign is as many steps in both lines: right code is there after half of the attempt
    mine, right = (line.split()[0] for line in lines[1:3])
    assert len(mine) == 24
    assert len(right) == 13
    assert right[-1] == "█"


def test_blind_shows_no_line_which_a_submission_can_choose(terminal):
    console, file = terminal
    failed = CheckResult("a", "promise", Outcome.FAIL, 0, 1, 0.0, 1, message="no", line=1234)
    printer_on(console, blind=True).result(failed)
    assert "1234" not in file.getvalue()
    printer_on(console).result(failed)
    assert "a.py:1234" in file.getvalue()


def test_blind_shows_no_curve(terminal):
    console, file = terminal
    printer_on(console, blind=True).result(result(Outcome.FAIL, training(attempt(0.0, 1.0))))
    assert "mean score" not in file.getvalue()
    assert "right code" not in file.getvalue()


def test_a_course_without_a_band_shows_the_curve_alone(terminal):
    console, file = terminal
    curves = training(attempt(0.0, 1.0), band=None)
    printer_on(console).result(result(Outcome.FAIL, curves))
    assert "1 of 10 mean score" in file.getvalue()
    assert "right code" not in file.getvalue()


def test_a_growing_curve_says_how_long_it_may_still_take(terminal, monkeypatch):
    console, file = terminal
    now = iter([10.0, 14.0, 20.0])
    monkeypatch.setattr(render.time, "monotonic", lambda: next(now))
    printer = printer_on(console)
    printer.progress("learns", training(attempt(0.0), band=None))
    assert "at most" not in file.getvalue()  # no pace yet
    printer.progress("learns", training(attempt(0.0, 1.0, 2.0), band=None))
    assert "at most 36 s" in file.getvalue()  # 200 steps in 4 s, 1,800 are left
    second = training(attempt(0.0, 1.0, 2.0), attempt(0.0), band=None)
    printer.progress("learns", second)
    assert file.getvalue().count("at most") == 1  # the second attempt has a pace of its own


def test_broken_off_it_keeps_what_is_known(terminal):
    console, file = terminal
    printer = printer_on(console)
    printer.progress("learns to balance", training(attempt(0.0, 4.0)))
    printer.interrupted()
    printer.interrupted()
    told = file.getvalue().split("? learns to balance: broken off")
    assert len(told) == 2  # said once
    assert "4 of 10 mean score  100 of 2,000 steps" in told[1]


def test_stretches_have_equal_steps():
    assert stretches([0, 50, 100], [1.0, 3.0, 5.0], 100, width=2) == [1.0, 4.0]
    assert stretches([0, 10, 90], [1.0, 3.0, 5.0], 100, width=4) == [2.0, 2.0, 2.0, 5.0]
    assert stretches([0, 10], [1.0, 3.0], 100, width=4) == [2.0]


def test_the_page_draws_the_band():
    curves = msgspec.convert(training(attempt(0.0, 4.0), attempt(0.0, 9.0)), Training)
    chart = training_chart(curves)
    assert [curve.variant for curve in chart.curves] == ["attempt 1", "attempt 2", "right code"]
    assert chart.curves[-1].high == [1.0, 9.0, 10.0]
    drawn = training_svg(curves)
    assert drawn.count("<polygon") == 1
    assert 'class="band right"' in drawn
    assert 'class="line right"' in drawn
    assert "<polygon" not in training_svg(
        msgspec.convert(training(attempt(0.0, 4.0), band=None), Training)
    )


BANDS = [(exercise.id, name) for exercise in find_course().exercises for name in exercise.bands]


@pytest.mark.parametrize(("exercise", "name"), BANDS)
def test_a_band_of_the_course_is_one_of_the_schema(exercise, name):
    schema = json.loads((find_course().root / "docs" / "report-schema.json").read_text())
    shape = schema["properties"]["checks"]["items"]["properties"]["training"]["properties"]["band"]
    band = find_course().find(exercise).bands[name]
    jsonschema.validate(band, shape)
    sides = [band[side] for side in ("steps", "low", "middle", "high")]
    assert len({len(side) for side in sides}) == 1
    assert all(a <= b <= c for _, a, b, c in zip(*sides, strict=True))
    assert band["steps"] == sorted(band["steps"])


def test_a_device_that_is_not_there_is_refused_before_anything_runs(tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    course = find_course()
    stub = course.find("ex10").stub
    done = rlgrade("check", "ex10", stub, "--device", "cuda", cwd=tmp_path, course=course.root)
    assert done.returncode == 2
    assert "cuda" in done.stderr
    assert "✗" not in done.stdout
