"""The checks under pytest: the same verdicts, and pytest's own options."""

import subprocess
import sys
from pathlib import Path

import pytest

HIDDEN = Path(__file__).parent / "course" / "solutions" / "ex01_scale"


def run(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(HIDDEN), *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
    )


@pytest.fixture
def wrong(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text((HIDDEN / "scale.py").read_text().replace("* factor", "+ 0"))
    return path


def test_the_solution_passes_without_a_submission(tmp_path):
    done = run(cwd=tmp_path)
    assert "7 passed" in done.stdout


def test_a_submission_fails_with_the_report(tmp_path, wrong):
    done = run("--submission", str(wrong), cwd=tmp_path)
    assert "2 failed, 5 passed" in done.stdout
    assert "scaled[0] should be 0.5; yours is 1.0" in done.stdout
    assert "looks like      the factor is never applied" in done.stdout


def test_pytests_own_options_work(tmp_path, wrong):
    done = run("--submission", str(wrong), "-k", "adds_up", "--junitxml", "out.xml", cwd=tmp_path)
    assert "1 passed, 6 deselected" in done.stdout
    assert 'name="adds_up"' in (tmp_path / "out.xml").read_text()


def test_a_debugger_lands_in_the_body_of_the_check(tmp_path, wrong):
    import pexpect

    command = f"-m pytest {HIDDEN} --submission {wrong} -k scales_each --pdb -p no:cacheprovider"
    child = pexpect.spawn(sys.executable, command.split(), cwd=str(tmp_path), timeout=60)
    child.expect(r"\(Pdb\) ")
    child.sendline("up")
    child.expect(r"\(Pdb\) ")
    child.sendline("p rewards, factor")
    child.expect(r"array\(\[1\.\], dtype=float32\), 0\.5")
    child.sendline("q")
    child.expect(pexpect.EOF)


def test_a_missing_submission_is_said(tmp_path):
    done = run("--submission", "nowhere.py", cwd=tmp_path)
    assert "there is no file nowhere.py" in done.stdout
