"""What goes out: a handout without anything hidden, and bundles that grade on their platforms."""

import base64
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

pytest.importorskip("sqlalchemy")

from test_class_book import check_gradescope

from rlgrade.classroom import autograde
from rlgrade.classroom.archives import Refused
from rlgrade.classroom.autograde import grade_for_gradescope, read_settings
from rlgrade.classroom.bundle import Grading, gradescope_bundle
from rlgrade.classroom.handout import leaks, make_handout
from rlgrade.courses import Course
from rlgrade.outcome import GraderError, UsageError

ROOT = Path(__file__).parents[1]
COURSE = Path(__file__).parent / "course"
RLGRADE = str(Path(sys.executable).with_name("rlgrade"))
HIDDEN = COURSE / "solutions" / "ex01_scale"
RIGHT = (HIDDEN / "scale.py").read_text()
WRONG = RIGHT.replace("* factor", "+ factor")
BASE = Path(sys.executable).parent


def run(*arguments, course=COURSE, **options):
    return subprocess.run(
        [RLGRADE, "--course", str(course), "class", *map(str, arguments)],
        capture_output=True,
        text=True,
        **options,
    )


@pytest.mark.parametrize("part", range(4))
def test_no_line_of_a_hidden_file_is_in_the_handout_of_any_exercise(tmp_path, part):
    """Read from the disk, line by line; what exercises/ shows or any program has is no secret."""
    exercises = Course(ROOT).exercises[part::4]
    make_handout(tmp_path / "out", Course(ROOT), exercises)
    given = {
        line.strip()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
        for line in path.read_text().splitlines()
    }
    assert len(given) > 50
    shown = "\n".join(
        path.read_text()
        for exercise in exercises
        for path in exercise.shown.rglob("*")
        if path.suffix in (".py", ".md")
    )
    for exercise in exercises:
        for path in exercise.hidden.rglob("*"):
            if not path.is_file() or "__pycache__" in path.parts:
                continue
            for line in map(str.strip, path.read_text().splitlines()):
                if line in given and line not in shown:
                    assert line.startswith(("import ", "from ")) or len(line) < 12, (path, line)


def test_names_of_hidden_files_stay_at_home(tmp_path):
    course = Course(COURSE)
    make_handout(tmp_path / "out", course, course.exercises, due="1 March, noon")
    names = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.*"))
    assert names == ["README.md", "ex01_scale/README.md", "ex01_scale/scale.py", "requirements.txt"]
    assert "Due: 1 March, noon" in (tmp_path / "out" / "README.md").read_text()
    with pytest.raises(UsageError, match="not empty"):
        make_handout(tmp_path / "out", course, course.exercises)


def test_where_a_course_lies_does_not_matter(tmp_path):
    course = Course(shutil.copytree(COURSE, tmp_path / ".venv" / "__pycache__" / "course"))
    written = make_handout(tmp_path / "out", course, course.exercises)
    assert len(written) == 4
    assert list(leaks({"x": b"scaled_rewards = rewards.detach() * factor"}, course.exercises))


def test_a_course_whose_stub_tells_is_not_handed_out(tmp_path):
    course = Course(shutil.copytree(COURSE, tmp_path / "course"))
    stub = course.find("ex01").stub
    stub.write_text(stub.read_text() + "\n# scaled_rewards = rewards.detach() * factor\n")
    assert not list(leaks({"a": b"scaled = 1"}, course.exercises))
    stub.write_text(stub.read_text() + "\n    scaled_rewards = rewards.detach() * factor\n")
    other = Course(COURSE)  # the hidden side as it should be: the line is in no other shown file
    files = {"ex01_scale/scale.py": stub.read_bytes()}
    assert list(leaks(files, other.exercises)) == [
        "ex01_scale/scale.py: scaled_rewards = rewards.detach() * factor"
    ]


def test_public_tests_pass_what_is_right_and_fail_what_is_wrong(tmp_path):
    out = tmp_path / "out"
    done = run("handout", out, "--public-checks", "ex01=all", "--public-cases", "3")
    assert done.returncode == 0, done.stderr
    folder = out / "ex01_scale"
    text = (folder / "test_scale.py").read_text()
    assert not list(leaks({"test_scale.py": text.encode()}, Course(COURSE).exercises))
    verdicts = {}
    sources = {"stub": (folder / "scale.py").read_text(), "wrong": WRONG, "right": RIGHT}
    sources |= {path.name: path.read_text() for path in [*(HIDDEN / "right").glob("*.py")][:1]}
    for name, source in sources.items():
        (folder / "scale.py").write_text(source)
        graded = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-p",
                "no:cacheprovider",
                "-p",
                "no:rlgrade",
                ".",
            ],
            cwd=folder,
            capture_output=True,
            text=True,
        )
        verdicts[name] = graded.returncode
        if name == "right":
            assert graded.stdout.split()[-4] >= "10", graded.stdout  # so many tests at least
    assert verdicts.pop("stub") == verdicts.pop("wrong") == 1
    assert len(verdicts) >= 2
    assert set(verdicts.values()) == {0}
    assert "scales_each" in text


def test_a_check_that_is_not_there_is_named(tmp_path):
    done = run("handout", tmp_path / "out", "--public-checks", "ex01=scale_each")
    assert done.returncode == 2
    assert "no check 'scale_each'" in done.stderr
    assert "scales_each" in done.stderr
    assert not (tmp_path / "out").exists()
    assert run("handout", tmp_path / "out", "--public-checks", "ex01").returncode == 2


@pytest.fixture(scope="module")
def autograder(tmp_path_factory):
    """Gradescope's folder after setup: source/ unpacked, run_autograder beside it."""
    root = tmp_path_factory.mktemp("gradescope")
    assert run("bundle", root / "bundle", "--gradescope", "--seed", "5").returncode == 0
    home = root / "autograder"
    with zipfile.ZipFile(root / "bundle" / "autograder.zip") as archive:
        for info in archive.infolist():
            path = Path(archive.extract(info, home / "source"))
            path.chmod(info.external_attr >> 16)
    shutil.copy(home / "source" / "run_autograder", home)
    (home / "results").mkdir()
    metadata = {"id": 1, "created_at": "2026-03-01T10:00:00Z", "users": [{"name": "A"}]}
    (home / "submission_metadata.json").write_text(json.dumps(metadata))
    return home


def on_gradescope(home, files):
    shutil.rmtree(home / "submission", ignore_errors=True)
    (home / "submission").mkdir()
    for name, data in files.items():
        path = home / "submission" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(data)
    (home / "results" / "results.json").unlink(missing_ok=True)
    path = f"{BASE}:{os.environ['PATH']}"
    done = subprocess.run(
        [home / "run_autograder"], env={"PATH": path}, capture_output=True, text=True, cwd="/"
    )
    assert (home / "results" / "results.json").exists(), done.stderr
    return done, json.loads((home / "results" / "results.json").read_text())


def test_setup_finds_a_python_and_what_it_lacks(tmp_path, autograder):
    """As on Ubuntu: python3 is too old, python3.12 has no venv until apt-get brings it."""
    home, tools, log = tmp_path / "source", tmp_path / "bin", tmp_path / "log"
    home.mkdir()
    tools.mkdir()
    shutil.copy(autograder / "source" / "setup.sh", home)
    for name in ("bash", "dirname", "basename", "mkdir", "cat", "chmod"):
        (tools / name).symlink_to(shutil.which(name))
    inside = f'echo pip "$@" >>{log}'
    scripts = {
        "python3": "exit 1",
        "python3.12": f"""[ "$1" = -c ] && exit 0
            [ -e {tmp_path}/has-venv ] || exit 1
            mkdir -p venv/bin; echo '#!/bin/sh\n{inside}' >venv/bin/python
            chmod +x venv/bin/python""",
        "apt-get": f"""echo apt-get "$@" $DEBIAN_FRONTEND >>{log}
            [ "$3" = python3.12-venv ] && echo >{tmp_path}/has-venv; exit 0""",
    }
    for name, text in scripts.items():
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)
    done = subprocess.run(
        [home / "setup.sh"], env={"PATH": str(tools)}, capture_output=True, text=True, cwd="/"
    )
    assert done.returncode == 0, done.stderr
    apt, install, pip = log.read_text().splitlines()
    assert apt == "apt-get update noninteractive"
    assert install == "apt-get install -y python3.12-venv noninteractive"
    assert pip.startswith("pip -m pip install")
    assert pip.endswith("-r requirements.txt")


def test_the_gradescope_bundle_grades_in_gradescopes_folders(autograder):
    names = {p.name for p in (autograder / "source").iterdir()}
    assert {"setup.sh", "run_autograder", "engine", "course", "requirements.txt"} <= names
    assert os.access(autograder / "source" / "setup.sh", os.X_OK)
    done, results = on_gradescope(autograder, {"ex01_scale/scale.py": RIGHT})
    assert done.returncode == 0, done.stderr
    check_gradescope(results)
    assert results["score"] == 4
    assert round(sum(test["score"] for test in results["tests"]), 9) == 4
    assert [t["score"] for t in results["tests"]] == [t["max_score"] for t in results["tests"]]
    _, results = on_gradescope(autograder, {"scale.py": WRONG})
    check_gradescope(results)
    assert 0 < results["score"] < 4
    failed = [test for test in results["tests"] if test["status"] == "failed"]
    assert failed[0]["output"] == "what: your answer is not as promised"  # no more is revealed
    _, results = on_gradescope(autograder, {"notes.txt": "I could not"})
    check_gradescope(results)
    assert results["score"] == 0
    assert "no file scale.py" in results["tests"][0]["output"]


def test_a_submission_on_gradescope_reads_nothing_and_writes_no_score(autograder):
    thief = f"""
import json, pathlib
seen = []
for path in ("{autograder}/source/course/solutions/ex01_scale/scale.py",
             "{autograder}/source/autograde.toml", "{autograder}/submission_metadata.json"):
    try:
        seen.append(pathlib.Path(path).read_text())
    except OSError:
        pass
try:
    pathlib.Path("{autograder}/results/results.json").write_text(json.dumps(dict(score=100)))
except OSError:
    pass
for text in seen:
    if "BEGIN SOLUTION" in text:
        exec(text)
if seen:
    raise SystemExit(f"read {{len(seen)}} files")
"""
    _, results = on_gradescope(autograder, {"scale.py": thief + WRONG})
    assert 0 < results["score"] < 4
    _, results = on_gradescope(autograder, {"scale.py": thief + "print('no function')"})
    assert results["score"] == 0


def test_names_that_are_no_text_and_hostile_zips_still_get_results(autograder):
    odd = os.fsdecode(b"\xff")
    hostile = io.BytesIO()
    with zipfile.ZipFile(hostile, "w") as archive:
        archive.writestr("x.py", "x")
    nameless = hostile.getvalue().replace(b"x.py", b"\0.py")
    folder = autograder / "submission"

    def grade(*files, link=""):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name, data in files:
            (folder / name).write_bytes(data)
        if link:
            (folder / link).symlink_to("/etc/passwd")
        (autograder / "results" / "results.json").unlink(missing_ok=True)
        code = grade_for_gradescope(course, settings, autograder)
        return code, json.loads((autograder / "results" / "results.json").read_text())

    course = Course(autograder / "source" / "course")
    settings = read_settings(autograder / "source" / "autograde.toml")
    code, results = grade((f"{odd}.zip", b"no zip"), ("hw.zip", nameless), link=f"{odd}.py")
    assert (code, results["score"]) == (0, 0)
    assert "is a link" in results["tests"][0]["output"]
    code, results = grade((f"{odd}.zip", b"no zip"), ("hw.zip", nameless), ("scale.py", b"x = 1"))
    assert (code, results["score"]) == (0, 0)


@pytest.mark.parametrize("where", ["folder_entries", "best_file"])
def test_whatever_goes_wrong_on_gradescope_there_are_results(autograder, monkeypatch, where):
    def fails(*_, **__):
        raise RecursionError

    (autograder / "results" / "results.json").unlink(missing_ok=True)
    monkeypatch.setattr(autograde, where, fails)
    settings = read_settings(autograder / "source" / "autograde.toml")
    with pytest.raises(RecursionError):
        grade_for_gradescope(Course(autograder / "source" / "course"), settings, autograder)
    results = json.loads((autograder / "results" / "results.json").read_text())
    assert "score" not in results
    assert "costs you nothing" in results["output"]


def test_a_submission_without_end_is_refused_and_not_the_graders_fault(autograder, monkeypatch):
    def many(_):
        raise Refused("it holds more than 3 files")

    monkeypatch.setattr(autograde, "folder_entries", many)
    settings = read_settings(autograder / "source" / "autograde.toml")
    course = Course(autograder / "source" / "course")
    assert grade_for_gradescope(course, settings, autograder) == 0
    results = json.loads((autograder / "results" / "results.json").read_text())
    assert (results["score"], results["tests"][0]["output"]) == (0, "it holds more than 3 files")


def test_a_grader_fault_on_gradescope_gives_no_score(autograder):
    checks = autograder / "source" / "course" / "solutions" / "ex01_scale" / "checks.py"
    kept = checks.read_text()
    try:
        checks.write_text("import nothing_of_this_name\n")
        done, results = on_gradescope(autograder, {"scale.py": RIGHT})
    finally:
        checks.write_text(kept)
    assert done.returncode == 3
    assert "score" not in results
    assert "tests" not in results
    assert "costs you nothing" in results["output"]


def test_the_same_bundle_twice_is_the_same_file():
    course = Course(COURSE)
    one, two = (gradescope_bundle(course, course.exercises, Grading(1)) for _ in range(2))
    assert one == two


def test_the_bundle_has_what_grading_needs_and_no_more(autograder):
    hidden = sorted(p.name for p in (autograder / "source/course/solutions/ex01_scale").iterdir())
    kept = [name for name in hidden if name != "__pycache__"]
    assert kept == ["checks.py", "exercise.toml", "mistakes.toml", "scale.py"]


def test_the_github_workflow_grades_and_has_the_fields_of_its_reporter(tmp_path):
    assert run("bundle", tmp_path, "--github").returncode == 0
    text = (tmp_path / "template/.github/workflows/classroom.yml").read_text()
    workflow = yaml.safe_load(text)
    steps = workflow["jobs"]["run-autograding-tests"]["steps"]
    reporter = steps[-1]
    assert reporter["uses"] == "classroom-resources/autograding-grading-reporter@v1"
    ids = reporter["with"]["runners"].split(",")
    assert ids == [step["id"] for step in steps if "id" in step] == ["ex01"]
    assert reporter["env"] == {
        f"{name.upper()}_RESULTS": f"${{{{ steps.{name}.outputs.result }}}}" for name in ids
    }
    (grading,) = [step["run"] for step in steps if step.get("id") == "ex01"]
    for name, source in {"right": RIGHT, "wrong": WRONG, "none": None}.items():
        result = _in_workflow(tmp_path, grading, name, source)
        assert result["version"] == 1
        assert result["max_score"] == 4
        assert result["status"] == ("pass" if name == "right" else "fail")
        scores = sum(test["score"] for test in result["tests"])
        assert (scores == 4) is (name == "right")
        for test in result["tests"]:
            wanted = {"name", "status", "score", "message", "test_code", "filename"}
            assert set(test) == wanted | {"line_no", "duration"}
            assert test["status"] in ("pass", "fail", "error")


def _in_workflow(root, command, name, source):
    """Run a step as the runner does: a workspace with both checkouts, and GITHUB_OUTPUT."""
    shutil.rmtree(root / "submission", ignore_errors=True)
    (root / "submission" / "ex01_scale").mkdir(parents=True)
    if source is not None:
        (root / "submission" / "ex01_scale" / "scale.py").write_text(source)
    output = root / f"output-{name}"
    environment = {"PATH": f"{BASE}:{os.environ['PATH']}", "GITHUB_OUTPUT": str(output)}
    done = subprocess.run(
        ["bash", "-e", "-c", command], cwd=root, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    key, _, value = output.read_text().strip().partition("=")
    assert key == "result"
    return json.loads(base64.b64decode(value))


def test_the_prairielearn_question_grades_and_has_the_documented_fields(tmp_path):
    assert run("bundle", tmp_path, "--prairielearn", "--reveal", "diagnosis").returncode == 0
    question = tmp_path / "ex01_scale"
    info = json.loads((question / "info.json").read_text())
    assert {"uuid", "title", "topic", "type", "gradingMethod"} <= set(info)
    assert (info["type"], info["gradingMethod"]) == ("v3", "External")
    assert info["externalGradingOptions"]["entrypoint"] == "/rlgrade/run.sh"
    html = (question / "question.html").read_text()
    assert 'file-name="scale.py"' in html
    assert (question / "scale.py").read_bytes() == Course(COURSE).find("ex01").stub.read_bytes()
    grade = tmp_path / "grade"
    shutil.copytree(question / "tests", grade / "tests")
    (grade / "student").mkdir()
    for source, score in ((RIGHT, 1.0), (WRONG, None), ("def (", None), ("", None)):
        (grade / "student" / "scale.py").write_text(source)
        done = subprocess.run(
            ["bash", tmp_path / "image" / "run.sh", grade],
            env={"PATH": f"{BASE}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        results = json.loads((grade / "results" / "results.json").read_text())
        assert 0 <= results["score"] <= 1
        if source in ("", "def ("):
            assert results["gradable"] is False
            assert "scale.py" in results["format_errors"][0]
            continue
        assert results["score"] == score or 0 < results["score"] < 1
        for test in results["tests"]:
            wanted = {"name", "description", "points", "max_points", "message", "output"}
            assert set(test) == wanted
    assert "looks like" not in json.dumps(results)


def test_a_bundle_wants_a_platform_and_knows_its_settings(tmp_path):
    assert run("bundle", tmp_path).returncode == 2
    bad = tmp_path / "autograde.toml"
    bad.write_text("exercises = []\nseed = 1\ncolour = 'red'\n")
    done = run("autograde", bad, "--gradescope", tmp_path)
    assert done.returncode == 2
    assert "colour" in done.stderr


def test_a_leak_stops_the_handout_before_anything_is_written(tmp_path, monkeypatch):
    from rlgrade.classroom import handout

    secret = b"scaled_rewards = rewards.detach() * factor"
    monkeypatch.setattr(handout, "REQUIREMENTS", secret.decode())
    with pytest.raises(GraderError, match="hidden line"):
        make_handout(tmp_path / "out", Course(COURSE), Course(COURSE).exercises)
    assert not (tmp_path / "out").exists()
