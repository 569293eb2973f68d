"""What people decide: overrides and comments. Rows are only ever added, with who and when."""

from __future__ import annotations

import getpass

from rlgrade.classroom.gradebook import Gradebook, now
from rlgrade.classroom.names import clean
from rlgrade.outcome import UsageError


def student_number(book: Gradebook, who: str) -> int:
    """The number of the one student who is known by this key, name, email or id.

    Raises:
        UsageError: nobody is, or several are.
    """
    from sqlalchemy import func, or_

    students = book.table("students")
    names = ("key", "name", "email", "sis_id", "canvas_id", "login", "moodle_id")
    same = or_(*(func.lower(students.c[name]) == clean(who).lower() for name in names))
    rows = book.rows(students.select().where(same).order_by(students.c.id))
    exact = [row for row in rows if row.key == clean(who)]
    rows = exact or rows
    if not rows:
        raise UsageError(
            f"nobody in the gradebook is called {who!r}; `class export --format jsonl` lists all"
        )
    if len(rows) > 1:
        keys = ", ".join(row.key for row in rows[:5])
        raise UsageError(f"{who!r} may be several students; name one of: {keys}")
    return int(rows[0].id)


def override(
    book: Gradebook,
    who: str,
    exercise: str,
    points: float | None,
    *,
    by: str = "",
    reason: str = "",
) -> None:
    """Set a student's score of an exercise by hand; None takes the last override back."""
    _add(book, "overrides", who, exercise, by, {"points": points, "reason": clean(reason)})


def comment(book: Gradebook, who: str, exercise: str, text: str, *, by: str = "") -> None:
    """Say something to a student about an exercise; it stands in the feedback."""
    _add(book, "comments", who, exercise, by, {"text": clean(text)})


def _add(
    book: Gradebook, table: str, who: str, exercise: str, by: str, values: dict[str, object]
) -> None:
    rows = book.table(table)
    common = {"student": student_number(book, who), "exercise": exercise}
    common |= {"who": clean(by) or getpass.getuser(), "made_at": now()}
    with book.writing() as connection:
        connection.execute(rows.insert().values(**common, **values))
