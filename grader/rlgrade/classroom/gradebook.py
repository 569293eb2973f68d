"""The gradebook: students, what they sent, what the grader found, what people decided.

SQLite in the results folder, or any database by URL. Results are kept for ever: a regrade adds
rows. Overrides and comments belong to a student and an exercise, not to a result, so that no
regrade can touch them. One process writes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rlgrade.classroom.names import Identity, clean, cleaned
from rlgrade.classroom.people import People, new_number
from rlgrade.outcome import UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, Row, Table

    from rlgrade.classroom.collect import Collection, Found

FORMAT = 1
FILE = "gradebook.sqlite"


@dataclass(frozen=True)
class Key:
    """What decides a result: the same key gives the same result, apart from times."""

    sha256: str
    exercise: str
    course_version: str
    engine_version: str
    seed: int


class Gradebook:
    """One class. Use as a context manager."""

    def __init__(self, engine: Engine, where: str) -> None:
        from rlgrade.classroom.tables import TABLES

        self.engine = engine
        self.where = where
        self.tables = TABLES

    @property
    def folder(self) -> Path | None:
        """The results folder, where the gradebook lies in one."""
        return None if "://" in self.where else Path(self.where)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction; all of it is kept, or nothing."""
        with self.engine.begin() as connection:
            yield connection

    def rows(self, statement: Any) -> list[Row[Any]]:
        """What a query finds."""
        with self.engine.connect() as connection:
            return list(connection.execute(statement))

    def table(self, name: str) -> Table:
        """A table by its name."""
        return self.tables.tables[name]

    # -- settings ---------------------------------------------------------------------------

    def setting(self, name: str) -> str | None:
        """What was stored under a name."""
        settings = self.table("settings")
        rows = self.rows(settings.select().where(settings.c.name == name))
        return str(rows[0].value) if rows else None

    def set_setting(self, name: str, value: str) -> None:
        """Store a value under a name, in place of what was there."""
        settings = self.table("settings")
        with self.writing() as connection:
            connection.execute(settings.delete().where(settings.c.name == name))
            connection.execute(settings.insert().values(name=name, value=value))

    # -- students and submissions -----------------------------------------------------------

    def add_students(self, identities: Iterable[Identity]) -> int:
        """Add or complete students, of a roster say; how many there were."""
        with self.writing() as connection:
            people = People(connection, self.table("students"))
            return len({people.number(identity, complete=True) for identity in identities})

    def add_collection(self, collection: Collection) -> int:
        """Store what was collected; how many submissions are new."""
        with self.writing() as connection:
            people = People(connection, self.table("students"))
            new = sum(self._add_submission(connection, people, each) for each in collection.found)
            rejected = self.table("rejected")
            for each in collection.rejected:
                row = {"student": people.number(cleaned(each.student)), "path": clean(each.path)}
                row |= {"reason": clean(each.reason)}
                same = rejected.select().where(*(rejected.c[n] == v for n, v in row.items()))
                if connection.execute(same).first() is None:
                    connection.execute(rejected.insert().values(**row, noted_at=now()))
        return new

    def _add_submission(self, connection: Connection, people: People, found: Found) -> bool:
        submissions = self.table("submissions")
        student = people.number(cleaned(found.student))
        mine = submissions.select().with_only_columns(submissions.c.sha256)
        mine = mine.where(
            submissions.c.student == student, submissions.c.exercise == found.exercise
        )
        before = list(connection.execute(mine))
        if any(row.sha256 == found.sha256 for row in before):
            return False
        values = {
            "student": student,
            "exercise": found.exercise,
            "attempt": len(before) + 1,
            "sha256": found.sha256,
            "data": found.data,
            "path": clean(found.path),
            "note": clean(found.note),
            "submitted_at": stamp(found.submitted_at),
            "collected_at": now(),
        }
        connection.execute(submissions.insert().values(**values))
        return True

    # -- results ----------------------------------------------------------------------------

    def begin_run(self, keys: Iterable[Key], options: dict[str, Any]) -> int:
        """Note a run, and by which versions and seed each exercise is graded from now on."""
        runs, graded_as = self.table("runs"), self.table("graded_as")
        with self.writing() as connection:
            values = {"started_at": now(), "options": json.dumps(options)}
            run = new_number(connection.execute(runs.insert().values(**values)))
            for exercise, key in {key.exercise: key for key in keys}.items():
                connection.execute(graded_as.delete().where(graded_as.c.exercise == exercise))
                told = {name: value for name, value in vars(key).items() if name != "sha256"}
                connection.execute(graded_as.insert().values(run=run, **told))
        return run

    def end_run(self, run: int) -> None:
        """Note that a run came to its end."""
        runs = self.table("runs")
        with self.writing() as connection:
            connection.execute(runs.update().where(runs.c.id == run).values(ended_at=now()))

    def graded(self, *, broken: bool = False) -> set[Key]:
        """The keys of the results that are there; with `broken`, of the grader's faults too."""
        results = self.table("results")
        c = results.c
        query = results.select() if broken else results.select().where(c.broken == "")
        names = (c.sha256, c.exercise, c.course_version, c.engine_version, c.seed)
        rows = self.rows(query.with_only_columns(*names))
        return {Key(**row._mapping) for row in rows}

    def store(self, key: Key, report: dict[str, Any] | None, broken: str, seconds: float) -> None:
        """Keep one result, in a transaction of its own; one of the same key gives way.

        Args:
            key: what was graded, by what.
            report: the report as plain data; None where there is none.
            broken: why the grader failed; empty where it did not.
            seconds: how long it took.
        """
        results = self.table("results")
        same = [results.c[name] == getattr(key, name) for name in Key.__annotations__]
        told = report or {"points": None, "max_points": None, "passed": None, "sandbox": ""}
        values = vars(key) | {
            "broken": broken,
            "points": told["points"],
            "max_points": told["max_points"],
            "passed": told["passed"],
            "sandbox": told["sandbox"],
            "seconds": seconds,
            "report": json.dumps(report, ensure_ascii=False) if report else None,
            "graded_at": now(),
        }
        with self.writing() as connection:
            connection.execute(results.delete().where(*same))
            connection.execute(results.insert().values(**values))

    def close(self) -> None:
        """Let go of the database."""
        self.engine.dispose()

    def __enter__(self) -> Gradebook:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_gradebook(where: str, *, create: bool = False) -> Gradebook:
    """The gradebook in the folder `where`, or in the database of that URL.

    Raises:
        UsageError: SQLAlchemy is missing, there is no gradebook, or it is of a newer format.
    """
    try:
        from sqlalchemy import create_engine, event
        from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
    except ImportError:
        raise UsageError("classes need more: pip install 'rlgrade[class]'") from None
    is_url = "://" in where
    file = Path(where) / FILE
    if not is_url and not create and not file.is_file():
        raise UsageError(
            f"no gradebook in {where}; `rlgrade class grade DIR --out {where}` makes one"
        )
    try:
        if not is_url:
            Path(where).mkdir(parents=True, exist_ok=True)
        engine = create_engine(where if is_url else f"sqlite:///{file}")
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _tune_sqlite)
        book = Gradebook(engine, where)
        book.tables.create_all(engine)
        number = book.setting("format")
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise UsageError(f"{where} is no database that can be reached: {error}") from None
    except (DBAPIError, OSError) as error:
        reason = getattr(error, "orig", None) or error
        raise UsageError(f"the gradebook at {where} cannot be opened: {reason}") from None
    if number is None:
        book.set_setting("format", str(FORMAT))
    elif int(number) > FORMAT:
        raise UsageError(
            f"{where} was written by a newer rlgrade (format {number}); update rlgrade"
        )
    return book


def _tune_sqlite(connection: Any, _: Any) -> None:
    """A result survives any death of this process; a page may read while a run writes."""
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "busy_timeout=10000",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def now() -> str:
    """This moment, as stored."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def stamp(moment: datetime | None) -> str | None:
    """A moment as stored: in UTC, so that text sorts as time does."""
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds")
