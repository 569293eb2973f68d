"""Notebooks: made from a stub, and graded in a real kernel."""

import json
import os
import re
import subprocess
import sys

import pytest
from test_cli import COURSE, rlgrade

nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
SOLUTION = (COURSE / "solutions" / "ex01_scale" / "scale.py").read_text()
NASTY = "<script>alert(1)</script>"
# The smallest case prints something that a page must not obey, and the answer is wrong.
WRONG = f'{SOLUTION}\n\ndef scale(rewards, *, factor):\n    print("{NASTY}")\n    return rewards\n'


@pytest.fixture
def workspace(tmp_path):
    rlgrade("init", tmp_path / "work")
    return tmp_path / "work"


@pytest.fixture
def run(workspace):
    """Run cells in one fresh kernel, in the workspace; the notebook with its outputs."""
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")

    def execute(*sources):
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        kernel = {"name": "python3", "display_name": "p", "language": "python"}
        notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
        # The kernel is this Python, whatever kernels the machine has.
        client = nbclient.NotebookClient(
            notebook,
            timeout=300,
            allow_errors=True,
            resources={"metadata": {"path": str(workspace)}},
            kernel_name="python3",
        )
        client.execute(env=os.environ | {"RLGRADE_COURSE": str(COURSE)})
        return notebook

    return execute


def shown(cell, kind):
    """The last output of this kind of a cell, live updates included."""
    data = [output["data"] for output in cell.outputs if "data" in output]
    return data[-1][kind]


def text_of(cell):
    return "".join(output.get("text", "") for output in cell.outputs)


def test_the_notebook_holds_statement_and_stub(workspace):
    done = rlgrade("notebook", "ex01", cwd=workspace)
    assert done.returncode == 0, done.stderr
    path = workspace / "ex01_scale" / "scale.ipynb"
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    statement, load, graded, _, scratch = notebook.cells
    assert statement.source == (workspace / "ex01_scale" / "README.md").read_text()
    assert load.source == "%load_ext rlgrade"
    assert graded.source.startswith("%%rlgrade ex01\n")
    stub = (workspace / "ex01_scale" / "scale.py").read_text()
    assert graded.source.partition("\n")[2] == stub.rstrip()
    assert scratch.source == ""


def test_the_learners_own_work_goes_into_the_notebook(workspace):
    (workspace / "ex01_scale" / "scale.py").write_text(WRONG)
    rlgrade("notebook", "ex01", "--out", "mine.ipynb", cwd=workspace)
    assert NASTY in (workspace / "mine.ipynb").read_text()


def test_a_notebook_is_never_overwritten(workspace):
    path = workspace / "ex01_scale" / "scale.ipynb"
    path.write_text("my work")
    done = rlgrade("notebook", "ex01", cwd=workspace)
    assert done.returncode == 2
    assert "--out" in done.stderr
    assert path.read_text() == "my work"


def test_without_nbformat_the_remedy_is_named(workspace):
    program = (
        "import sys; sys.modules['nbformat'] = None; sys.argv = ['rlgrade', 'notebook', 'ex01']; "
        "from rlgrade.front import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=workspace,
        env=os.environ | {"RLGRADE_COURSE": str(COURSE)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "rlgrade[notebook]" in done.stderr


def test_a_kernel_grades_cells(run, workspace):
    notebook = run(
        "%load_ext rlgrade",
        f"%%rlgrade ex01 --seed 5\n{WRONG}",
        f"%%rlgrade ex01 --seed 5\n{SOLUTION}",
        "float(total(scale(torch.ones(3), factor=2.0)))",
        "%%rlgrade ex01 --sed 5\nx = 1",
        "%%rlgrade ex77\nx = 1",
        "%rlgrade list",
        f"%%rlgrade ex01 --blind --grade-only\n{WRONG}",
    )
    _, wrong, right, tried, typo, unknown, listed, blind = notebook.cells

    html, plain = shown(wrong, "text/html"), shown(wrong, "text/plain")
    assert "checks passed" in html
    assert "should be" in html
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "✗ " in plain
    assert "smallest case" in plain
    assert "seed 5" in plain

    everything = re.search(r"(\d+) of (\d+) checks passed", shown(right, "text/plain"))
    assert everything is not None
    assert everything[1] == everything[2]
    assert "✗" not in shown(right, "text/html")

    assert shown(tried, "text/plain") == "6.0"  # the cell's functions are there
    assert "%%rlgrade ex05 -v --seed 3" in str(typo.outputs)
    assert "ex77" in str(unknown.outputs)
    assert "Traceback" not in str(unknown.outputs)
    assert "ex01" in text_of(listed)
    assert "should be" not in shown(blind, "text/plain") + shown(blind, "text/html")

    progress = json.loads((workspace / ".rlgrade" / "progress.json").read_text())
    work = progress["exercises"]["ex01_scale"]
    assert work["attempts"] == 3
    assert work["passed"] is not None


def test_the_server_stays_warm_and_ends_with_the_kernel(run):
    ask = "get_ipython().magics_manager.registry['Grading']._session._server.process.pid"
    notebook = run(
        "%load_ext rlgrade",
        f"%%rlgrade ex01\n{SOLUTION}",
        ask,
        f"%%rlgrade ex01\n{SOLUTION}",
        ask,
    )
    first, second = (int(shown(notebook.cells[at], "text/plain")) for at in (2, 4))
    assert first == second
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)


def test_a_plain_terminal_gets_text(workspace):
    pytest.importorskip("IPython", reason="IPython is not installed")
    program = (
        "from IPython.testing.globalipapp import start_ipython\n"
        "shell = start_ipython()\n"
        "shell.run_line_magic('load_ext', 'rlgrade')\n"
        f"shell.run_cell_magic('rlgrade', 'ex01', {WRONG!r})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=workspace,
        env=os.environ | {"RLGRADE_COURSE": str(COURSE)},
        capture_output=True,
        text=True,
    )
    assert "smallest case" in done.stdout
    assert "<div" not in done.stdout
