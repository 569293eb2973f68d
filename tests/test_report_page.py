"""`rlgrade report`: one page, opened in a real browser."""

import json
import re
import shutil
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from test_cli import COURSE, rlgrade

from rlgrade.labs.lab import Series
from rlgrade.labs.registry import find_lab
from rlgrade.labs.result import keep, kept_results, result_of

NASTY = "<script>alert('x')</script><img src=x onerror=alert(1)> \x1b[31m \u202e </style></title>"
TRAINING = {
    "goal": 0.9,
    "null": 0.1,
    "unit": NASTY,
    "budget": 100,
    "device": "cpu",
    "attempts": [
        {
            "seed": 3,
            "steps": [10, 20, 30],
            "scores": [0.1, None, 0.95],
            "signals": {},
            "learned": True,
        },
        {"seed": 4, "steps": [10], "scores": [0.2], "signals": {}, "learned": False},
    ],
}


@pytest.fixture
def workspace(tmp_path):
    rlgrade("init", tmp_path / "work")
    return tmp_path / "work"


@pytest.fixture
def state(workspace):
    return workspace / ".rlgrade"


def lab_result(predicted=3):
    lab = find_lab("no-baseline")
    x = np.array([1.0, 2.0, 3.0])
    rows = np.array([[0.1, 0.5, 0.9], [0.2, np.nan, 0.95]])
    chance = {"no baseline": Series(x, rows), "baseline 0.6": Series(x, rows + 0.1)}
    measured = {"chance": chance, "variance": {"exact": Series(x, rows)}}
    at = datetime(2026, 3, 1, tzinfo=UTC)
    return result_of(
        "no-baseline", lab, measured, at=at, seeds=[0, 1], seconds=1.0, predicted=predicted
    )


def write_report(state, **changes):
    """A report of the fixture course's exercise with one check that failed, and nasty text."""
    check = {
        "check": "c",
        "promise": f"your function {NASTY}",
        "outcome": "fail",
        "points": 0.0,
        "max_points": 4.0,
        "seconds": 0.1,
        "examples": 3,
        "message": NASTY,
        "line": 7,
        "counterexample": {NASTY: NASTY},
        "diagnosis": [NASTY],
        "traceback": [NASTY],
        "printed": NASTY,
        "training": TRAINING,
    }
    path = state / "reports" / "ex01_scale.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"schema_version": 1, "checks": [check | changes]}))


def page_of(workspace):
    done = rlgrade("report", cwd=workspace)
    assert done.returncode == 0, done.stderr
    assert "report.html" in done.stdout
    return (workspace / ".rlgrade" / "report.html").read_text(encoding="utf-8")


class Tags(HTMLParser):
    """What a parser makes of the page."""

    def __init__(self, text):
        super().__init__()
        self.found, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


def test_a_check_keeps_its_report_and_the_page_shows_it(workspace, state):
    file = workspace / "ex01_scale" / "scale.py"
    file.write_bytes((COURSE / "solutions" / "ex01_scale" / "scale.py").read_bytes())
    rlgrade("check", "ex01", cwd=workspace)
    kept = json.loads((state / "reports" / "ex01_scale.json").read_text())
    assert kept["passed"] is True
    tags = Tags(page_of(workspace))
    assert "1 of 1 exercises passed" in re.sub(r"\s+", " ", tags.text)
    assert kept["checks"][0]["promise"] in tags.text
    assert f"seed {kept['seed']}" in tags.text
    assert "Nothing is broken in the last reports." in tags.text


def test_a_blind_check_keeps_no_case(workspace, state):
    file = workspace / "ex01_scale" / "scale.py"
    solution = (COURSE / "solutions" / "ex01_scale" / "scale.py").read_text()
    file.write_text(f"{solution}\nscale = lambda *a, **k: 3\n")
    rlgrade("check", "ex01", "--blind", cwd=workspace)
    kept = json.loads((state / "reports" / "ex01_scale.json").read_text())
    assert kept["passed"] is False
    assert {check["message"] for check in kept["checks"]} == {""}
    assert all(check["counterexample"] == {} for check in kept["checks"])


def test_a_workspace_where_nothing_was_done(workspace):
    text = Tags(page_of(workspace)).text
    for nothing in ("No lab was run yet", "No question was answered", "No training check was run"):
        assert nothing in text


def test_what_a_learner_made_is_shown_and_never_obeyed(workspace, state):
    write_report(state)
    tags = Tags(page_of(workspace))
    assert not {"script", "img", "iframe", "object"} & {tag for tag, _ in tags.found}
    assert all(not name.startswith("on") for _, attributes in tags.found for name in attributes)
    assert "<script>alert('x')</script>" in tags.text  # as text
    assert "\x1b" not in tags.text
    assert "\u202e" not in tags.text


def test_the_page_loads_nothing(workspace, state):
    write_report(state)
    keep(lab_result(), state)
    for tag, attributes in Tags(page_of(workspace)).found:
        for name in ("src", "href", "srcset", "data", "action"):
            if name in attributes and tag != "a":
                assert attributes[name].startswith("data:"), (tag, attributes)
    links = [a["href"] for tag, a in Tags(page_of(workspace)).found if tag == "a"]
    assert links
    assert all(link.startswith("#") for link in links)


def test_curves_labs_and_quiz(workspace, state):
    write_report(state)
    keep(lab_result(predicted=1), state)
    card = {"topic": "gae", "meaning": 1, "answered": 4, "first_right": 3, "due": None}
    quiz = {"format": 1, "cards": {"a": card}, "confidence": {"sure": {"answers": 2, "right": 1}}}
    (state / "quiz.json").write_text(json.dumps(quiz))
    page = page_of(workspace)
    tags = Tags(page)
    text = re.sub(r"\s+", " ", tags.text)
    assert page.count("<svg") == 3  # one training check, two charts of the lab
    assert "attempt 1, seed 3: learned" in text
    assert "goal 0.9" in text
    assert "3 of 4 right at the first try" in text
    assert "sure 1 of 2 right" in text
    assert "0 of 1 predictions were right." in text
    assert "You predicted: never" in text
    # A gap in a curve breaks the line: no coordinate is NaN.
    assert "nan" not in page.lower().replace("finance", "")


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", '{"schema_version": 2}', '{"schema_version": 1, "checks": [{}]}']
)
def test_a_damaged_report_is_as_none(workspace, state, damage):
    write_report(state)
    (state / "reports" / "ex01_scale.json").write_text(damage)
    assert "Nothing is broken" in page_of(workspace)


def test_a_lab_result_that_somebody_edited_is_left_out(workspace, state):
    keep(lab_result(), state)
    path = state / "labs" / "no-baseline.json"
    table = json.loads(path.read_text())
    assert len(kept_results(state)) == 1
    path.write_text(json.dumps(table | {"predicted": 17}))
    assert kept_results(state) == []
    assert "No lab was run yet" in page_of(workspace)


def test_out_names_the_file(workspace, tmp_path):
    out = tmp_path / "new folder" / "me.html"
    assert rlgrade("report", "--out", out, cwd=workspace).returncode == 0
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_place_that_cannot_be_written(workspace, tmp_path):
    (tmp_path / "file").write_text("")
    done = rlgrade("report", "--out", tmp_path / "file" / "me.html", cwd=workspace)
    assert done.returncode == 2
    assert "cannot be written" in done.stderr


def test_outside_a_workspace(tmp_path):
    done = rlgrade("report", cwd=tmp_path)
    assert done.returncode == 2
    assert "rlgrade init" in done.stderr


@pytest.mark.parametrize(
    ("width", "scheme", "paper"),
    [
        (1280, "light", "rgb(255, 255, 255)"),
        (390, "light", "rgb(255, 255, 255)"),
        (390, "dark", "rgb(13, 17, 23)"),
    ],
)
def test_in_a_browser(workspace, state, width, scheme, paper):
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium is installed")
    write_report(state, counterexample={"rewards": "[" + "1.25, " * 60 + "0]", "a" * 90: "b" * 300})
    keep(lab_result(), state)
    page_of(workspace)
    said, asked = [], []
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.on("request", lambda request: asked.append(request.url))
        page.goto((state / "report.html").as_uri())
        wide = page.evaluate("document.documentElement.scrollWidth")
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        smallest = page.evaluate(
            "Math.min(...[...document.querySelectorAll('svg text')].map("
            "t => t.getBoundingClientRect().height))"
        )
        charts = page.locator("svg").count()
        chromium.close()
    assert said == []
    assert len([url for url in asked if not url.startswith("data:")]) == 1  # the page itself
    assert wide <= width  # nothing sticks out
    assert colour == paper
    assert charts == 3
    assert smallest > 8  # the numbers at the axes can be read on a phone


def test_the_style_has_no_hidden_link():
    style = Path(find_lab.__code__.co_filename).parents[1] / "pages" / "page.css"
    assert "url(" not in style.read_text()
    assert "@import" not in style.read_text()
