"""Who is in the class: a CSV of students, in Canvas' form or with plain columns."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from rlgrade.classroom.names import Identity, clean
from rlgrade.classroom.spreadsheet import unguarded
from rlgrade.outcome import UsageError

COLUMNS = {
    "name": ("name", "student", "full name"),
    "email": ("email", "email address", "e-mail"),
    "sis_id": ("sis_id", "sis user id", "id number", "sid"),
    "canvas_id": ("canvas_id", "id"),
    "login": ("login", "sis login id", "username", "github_username"),
    "section": ("section",),
    "moodle_id": ("moodle_id", "identifier"),
}
KEYS = ("key", "student_id", "folder")


def read_roster(path: Path) -> list[Identity]:
    """The students of a CSV file.

    Raises:
        UsageError: it cannot be read, or has no column that tells who somebody is.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None
    first = text.partition("\n")[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    students = []
    for row in csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter):
        cells = {str(k).strip().lower(): clean(unguarded(v)) for k, v in row.items() if k and v}
        told = {
            name: next((cells[column] for column in columns if column in cells), "")
            for name, columns in COLUMNS.items()
        }
        told["moodle_id"] = told["moodle_id"].removeprefix("Participant ")
        if told["name"] == "Points Possible":
            continue  # Canvas' second row
        ids = [cells.get(key, "") for key in KEYS]
        ids += [
            told[name] for name in ("canvas_id", "email", "login", "sis_id", "moodle_id", "name")
        ]
        key = next(filter(None, ids), "")
        if key:
            students.append(Identity(key, **told))
    if not students:
        raise UsageError(
            f"{path} names no student; it needs a header with one of: name, email, sis_id, "
            "canvas_id, login, key"
        )
    return students
