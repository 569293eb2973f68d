"""Graders for platforms: everything that one of them needs, as files.

    Gradescope         autograder.zip: setup.sh, run_autograder, the engine, the hidden course
    GitHub Classroom   template/ with the workflow for students; grader/ for a private repository
    PrairieLearn       a question folder for each exercise, and image/ to build the grader's image

The seed is drawn when the bundle is made: every submission meets the same examples.
"""

from __future__ import annotations

import io
import json
import re
import uuid
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import rlgrade
from rlgrade.classroom.archives import IGNORED
from rlgrade.classroom.handout import shown_files
from rlgrade.courses import Course, Exercise
from rlgrade.outcome import UsageError

Files = dict[str, bytes]
TEMPLATES = Path(__file__).with_name("templates")
NOT_NEEDED = ("walkthrough.md", "hints.md")
EXECUTABLE = (".sh", "run_autograder")
SETTINGS = """# How submissions are graded here; see docs/classroom.md.
exercises = {exercises}
seed = {seed}
seconds = {seconds}
reveal = "{reveal}"        # promise, counterexample, diagnosis or solution
lowest = "{lowest}"             # the sandbox level below which nothing is graded
visibility = "{visibility}"    # on Gradescope: visible, after_due_date, after_published or hidden
"""


@dataclass(frozen=True)
class Grading:
    """How a bundle grades."""

    seed: int
    seconds: float = 30.0
    reveal: str = "promise"
    lowest: str = "L2"
    visibility: str = "visible"
    index: str = ""  # another index for packages, such as one with torch for CPUs alone


def gradescope_bundle(course: Course, exercises: Sequence[Exercise], grading: Grading) -> Files:
    """One file, autograder.zip, ready to be uploaded."""
    source = _grader(course, exercises, grading)
    source |= {name: _template(name) for name in ("setup.sh", "run_autograder")}
    return {"autograder.zip": _zipped(source)}


def github_bundle(course: Course, exercises: Sequence[Exercise], grading: Grading) -> Files:
    """The workflow for the students' template, and the grader for a private repository."""
    text = _template("classroom.yml").decode()
    names = [exercise.short for exercise in exercises]
    for exercise in exercises:
        text += (
            f"      - name: {exercise.id}\n"
            f"        id: {exercise.short}\n"
            "        run: >-\n"
            "          PYTHONPATH=grader/engine python -P -m rlgrade --course grader/course\n"
            "          class autograde grader/autograde.toml --github submission\n"
            f"          --only {exercise.id}\n"
        )
    text += (
        "      - name: Autograding Reporter\n"
        "        uses: classroom-resources/autograding-grading-reporter@v1\n"
        "        env:\n"
    )
    for name in names:
        text += f"          {name.upper()}_RESULTS: ${{{{ steps.{name}.outputs.result }}}}\n"
    text += f"        with:\n          runners: {','.join(names)}\n"
    grader = _grader(course, exercises, grading)
    return {"template/.github/workflows/classroom.yml": text.encode()} | _below("grader", grader)


def prairielearn_bundle(course: Course, exercises: Sequence[Exercise], grading: Grading) -> Files:
    """A question for each exercise, and the folder from which the grader's image is built."""
    files = _below("image/engine", _engine())
    files["image/requirements.txt"] = _requirements(grading.index)
    files["image/run.sh"] = _template("run_prairielearn.sh")
    files["image/Dockerfile"] = _template("Dockerfile")
    for exercise in exercises:
        tests = _below("tests/course", _course(course, [exercise]))
        tests["tests/autograde.toml"] = _settings([exercise], grading)
        statement = (exercise.shown / "README.md").read_text(encoding="utf-8")
        html = _template("question.html").decode().replace("FILE", exercise.file)
        statement = statement.replace("</markdown>", "&lt;/markdown&gt;")
        question = tests | {
            "info.json": _question(course, exercise, grading),
            "question.html": html.replace("STATEMENT", statement).encode(),
            exercise.file: exercise.stub.read_bytes(),
        }
        files |= _below(exercise.id, question)
    return files


def write_files(root: Path, files: Files) -> list[Path]:
    """Write a bundle below `root`.

    Raises:
        UsageError: it cannot be written.
    """
    written = []
    try:
        for name, data in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            if name.endswith(EXECUTABLE):
                path.chmod(0o755)
            written.append(path)
    except OSError as error:
        raise UsageError(f"{error.filename or root}: {error.strerror}") from None
    return written


def _grader(course: Course, exercises: Sequence[Exercise], grading: Grading) -> Files:
    files = _below("engine", _engine()) | _below("course", _course(course, exercises))
    files["autograde.toml"] = _settings(exercises, grading)
    files["requirements.txt"] = _requirements(grading.index)
    return files


def _engine() -> Files:
    """This package, without a course."""
    root = Path(rlgrade.__file__).parent
    files = [p for p in sorted(root.rglob("*")) if p.is_file() and p.suffix != ".pyc"]
    wanted = [p for p in files if p.relative_to(root).parts[0] not in ("course", "__pycache__")]
    kept = [p for p in wanted if not IGNORED.intersection(p.parts[len(root.parts) :])]
    return {f"rlgrade/{path.relative_to(root).as_posix()}": path.read_bytes() for path in kept}


def _course(course: Course, exercises: Sequence[Exercise]) -> Files:
    """The course with these exercises alone, without what grading does not read."""
    files = {"exercises/course.toml": (course.root / "exercises" / "course.toml").read_bytes()}
    for exercise in exercises:
        for path in shown_files(exercise):
            name = path.relative_to(exercise.shown).as_posix()
            files[f"exercises/{exercise.id}/{name}"] = path.read_bytes()
        for path in sorted(exercise.hidden.rglob("*")):
            place = path.relative_to(exercise.hidden)
            unused = place.parts[0] == "right" or place.name in NOT_NEEDED
            if path.is_file() and not unused and not IGNORED.intersection(place.parts):
                files[f"solutions/{exercise.id}/{place.as_posix()}"] = path.read_bytes()
    return files


def _settings(exercises: Sequence[Exercise], grading: Grading) -> bytes:
    told = {name: value for name, value in vars(grading).items() if name != "index"}
    names = json.dumps([exercise.id for exercise in exercises])
    return SETTINGS.format(exercises=names, **told).encode()


def _requirements(index: str) -> bytes:
    """What the engine needs, in the versions that are installed here."""
    names = [
        re.split(r"[^\w.-]", line)[0]
        for line in metadata.requires("rlgrade") or []
        if "extra ==" not in line
    ]
    lines = [f"--extra-index-url {index}"] if index else []
    lines += [f"{name}=={metadata.version(name).partition('+')[0]}" for name in names]
    return ("\n".join(lines) + "\n").encode()


def _question(course: Course, exercise: Exercise, grading: Grading) -> bytes:
    told = exercise.metadata
    info = {
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"rlgrade/{course.title}/{exercise.id}")),
        "title": told.title,
        "topic": course.chapters.get(told.chapter, told.chapter),
        "tags": ["rlgrade"],
        "type": "v3",
        "singleVariant": True,
        "gradingMethod": "External",
        "externalGradingOptions": {
            "enabled": True,
            "image": "rlgrade/grader",
            "entrypoint": "/rlgrade/run.sh",
            "timeout": round(grading.seconds) + 60,
        },
    }
    return (json.dumps(info, indent=2, ensure_ascii=False) + "\n").encode()


def _below(folder: str, files: Files) -> Files:
    return {f"{folder}/{name}": data for name, data in files.items()}


def _template(name: str) -> bytes:
    return (TEMPLATES / name).read_bytes()


def _zipped(files: Files) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(files.items()):
            info = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))  # the same files, the same zip
            info.external_attr = (0o755 if name.endswith(EXECUTABLE) else 0o644) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return out.getvalue()
