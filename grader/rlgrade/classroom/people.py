"""Who is who: students by any of their names, alike in every database.

Names are compared here and not in SQL, where each database folds the case of other letters.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from rlgrade.classroom.names import Identity, clean
from rlgrade.outcome import GraderError, UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection, CursorResult, Row, Table

    from rlgrade.classroom.gradebook import Gradebook

IDENTITY = ("name", "email", "sis_id", "canvas_id", "login", "section", "moodle_id")
MATCHED = ("canvas_id", "email", "sis_id", "login", "moodle_id")  # what tells who somebody is
SAID = ("key", "name", *MATCHED)  # by which a person may name a student


class People:
    """The students of a gradebook, within one transaction."""

    def __init__(self, connection: Connection, students: Table) -> None:
        self.connection = connection
        self.students = students
        self._known: dict[tuple[str, str], int] = {}
        self._told: dict[int, dict[str, str]] = {}
        for row in connection.execute(students.select().order_by(students.c.id)):
            self._learn(row.id, {name: row._mapping[name] for name in ("key", *IDENTITY)})

    def number(self, identity: Identity, *, complete: bool = False) -> int:
        """The number of the student that this is; a new one, if nobody is known by these.

        What is not known of the student yet is added; with `complete`, what is told replaces it.
        """
        told = {name: value for name in IDENTITY if (value := getattr(identity, name))}
        number = self._find(identity, told)
        if number is None:
            whole = {name: getattr(identity, name) for name in ("key", *IDENTITY)}
            number = new_number(self.connection.execute(self.students.insert().values(**whole)))
            self._learn(number, whole)
            return number
        known = self._told[number]
        changed = {n: v for n, v in told.items() if known[n] != v and (complete or not known[n])}
        if changed:
            query = self.students.update().where(self.students.c.id == number)
            self.connection.execute(query.values(**changed))
            self._learn(number, known | changed)
        return number

    def _find(self, identity: Identity, told: dict[str, str]) -> int | None:
        wanted = [("key", identity.key)] + [(n, told[n]) for n in MATCHED if n in told]
        if not any(name in told for name in MATCHED):  # a folder's name may be any of them
            wanted += [(name, identity.key) for name in ("email", "login", "sis_id", "name")]
        found = (self._known.get((name, value.casefold())) for name, value in wanted)
        return next((number for number in found if number is not None), None)

    def _learn(self, number: int, told: dict[str, str]) -> None:
        self._told[number] = told
        for name in SAID:
            if told[name]:
                self._known.setdefault((name, told[name].casefold()), number)


def student_number(book: Gradebook, who: str) -> int:
    """The number of the one student who is known by this key, name, email or id.

    Raises:
        UsageError: nobody is, or several are.
    """
    wanted = clean(who).casefold()
    found: dict[str, list[Row[Any]]] = defaultdict(list)
    students = book.table("students")
    for row in book.rows(students.select().order_by(students.c.id)):
        for name in SAID:
            if row._mapping[name].casefold() == wanted:
                found[name].append(row)
    rows = next((found[name] for name in SAID if found[name]), [])
    if not rows:
        raise UsageError(
            f"nobody in the gradebook is called {who!r}; `class export --format jsonl` lists all"
        )
    if len({row.id for row in rows}) > 1:
        keys = ", ".join(row.key for row in rows[:5])
        raise UsageError(f"{who!r} may be several students; name one of: {keys}")
    return int(rows[0].id)


def new_number(result: CursorResult[Any]) -> int:
    """The number of the row that was just inserted."""
    key = result.inserted_primary_key
    if key is None:
        raise GraderError("the database gave a new row no number")
    return int(key[0])
