"""The student edition: statements and stubs, public tests where the teacher wants them, no more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from rlgrade.classroom.archives import IGNORED
from rlgrade.courses import Course, Exercise
from rlgrade.outcome import GraderError, UsageError

REQUIREMENTS = "numpy>=1.26\npytest>=8.0\ntorch>=2.4\n"
TELLING = 12  # characters without which a line says nothing of its own
TELLING_MADE = 30  # the same in a test that was made

README = """# {title}

{table}
{due}
Each folder has a `README.md`, which says what is asked and why, and one file to edit. Keep its
name, and the names and arguments of its functions: it is graded by calling them.

```
python -m venv .venv
.venv/bin/python -m pip install -r requirements.txt
{try_it}
```

Where a README says `rlgrade check`: that is the course's own grader. {tests}

Hand in the files that you edited, in their folders, or the whole folder as a zip.
"""
WITH_TESTS = "Here it is `pytest`, on some of the cases; more are graded."
WITHOUT_TESTS = "Here your teacher runs it."


def make_handout(
    root: Path,
    course: Course,
    exercises: Sequence[Exercise],
    *,
    due: str = "",
    public: Mapping[str, str] | None = None,
) -> list[Path]:
    """Write the student edition of `exercises` to the new folder `root`.

    Args:
        root: a folder that is empty or not there.
        course: where the exercises come from.
        exercises: what is handed out.
        due: when, in the teacher's words.
        public: a test file for some exercises, by their id.

    Returns:
        The files.

    Raises:
        UsageError: there is something in `root`, or it cannot be written.
        GraderError: a hidden line would have got into it; nothing is written.
    """
    tests = dict(public or {})
    files = _files(course, exercises, due, tests)
    leaked = next(leaks(files, exercises), None)
    if leaked is not None:
        raise GraderError(f"the handout would show a hidden line: {leaked}")
    if root.exists() and any(root.iterdir()):
        raise UsageError(f"{root} is not empty; name a new folder")
    written = []
    try:
        for name, data in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            written.append(path)
    except OSError as error:
        raise UsageError(f"{error.filename or root}: {error.strerror}") from None
    return written


def _files(
    course: Course, exercises: Sequence[Exercise], due: str, tests: dict[str, str]
) -> dict[str, bytes]:
    files = {"README.md": _readme(course, exercises, due, tests).encode()}
    files["requirements.txt"] = REQUIREMENTS.encode()
    for exercise in exercises:
        for source in shown_files(exercise):
            place = source.relative_to(exercise.shown).as_posix()
            files[f"{exercise.id}/{place}"] = source.read_bytes()
        if exercise.id in tests:
            files[f"{exercise.id}/test_{exercise.file}"] = tests[exercise.id].encode()
    return files


def shown_files(exercise: Exercise) -> list[Path]:
    """What a learner may see of an exercise."""
    return _files_below(exercise.shown)


def _readme(course: Course, exercises: Sequence[Exercise], due: str, tests: dict[str, str]) -> str:
    rows = ["| exercise | what | minutes | points |", "|---|---|---|---|"]
    for exercise in exercises:
        told = exercise.metadata
        link = f"[{exercise.id}]({exercise.id}/README.md)"
        rows.append(f"| {link} | {told.title} | {told.minutes} | {told.points} |")
    some = exercises[0].id
    return README.format(
        title=course.title,
        table="\n".join(rows) + "\n",
        due=f"Due: {due}\n" if due else "",
        try_it=".venv/bin/pytest" if tests else f".venv/bin/python {some}/{exercises[0].file}",
        tests=WITH_TESTS if tests else WITHOUT_TESTS,
    )


def hidden_lines(exercises: Sequence[Exercise]) -> set[str]:
    """The lines of hidden files that stand in no file for learners, and that tell something."""
    shown = {line for each in exercises for path in shown_files(each) for line in _lines(path)}
    hidden = set()
    for exercise in exercises:
        for path in _files_below(exercise.hidden):
            hidden.update(_lines(path))
    imports = ("import ", "from ")
    telling = {line for line in hidden if len(line) >= TELLING and not line.startswith(imports)}
    return telling - shown


def leaks(files: Mapping[str, bytes], exercises: Sequence[Exercise]) -> Iterator[str]:
    """Every line of the files that only a hidden file of these exercises has."""
    hidden = hidden_lines(exercises)
    for name, data in files.items():
        made = PurePosixPath(name).name.startswith(
            "test_"
        )  # from values: `epsilon=0.2,` is no leak
        least = TELLING_MADE if made else TELLING
        for line in _stripped(data):
            if len(line) >= least and line in hidden:
                yield f"{name}: {line}"


def _files_below(root: Path) -> list[Path]:
    """Files without caches and the like; where `root` itself lies does not matter."""
    found = sorted(path for path in root.rglob("*") if path.is_file())
    return [path for path in found if not IGNORED.intersection(path.relative_to(root).parts)]


def _lines(path: Path) -> list[str]:
    return _stripped(path.read_bytes())


def _stripped(data: bytes) -> list[str]:
    return [line.strip() for line in data.decode(errors="replace").splitlines()]
