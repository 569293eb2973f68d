"""The tables of a gradebook. Moments are text, ISO 8601 in UTC, so that every database has them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

TABLES = MetaData()


def _number() -> Column[int]:
    return Column("id", Integer, primary_key=True)


def _student() -> Column[int]:
    return Column("student", ForeignKey("students.id"), nullable=False, index=True)


def _exercise() -> Column[str]:
    return Column("exercise", String(200), nullable=False, index=True)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, default="")


def _moment(name: str, *, nullable: bool = True) -> Column[str]:
    return Column(name, String(40), nullable=nullable)


Table("settings", TABLES, Column("name", String(100), primary_key=True), Column("value", Text))
Table(
    "students",
    TABLES,
    _number(),
    Column("key", String(400), nullable=False, unique=True),
    *(_text(name) for name in ("name", "email", "sis_id", "canvas_id", "login", "section")),
    _text("moodle_id"),
)
Table(
    "submissions",
    TABLES,
    _number(),
    _student(),
    _exercise(),
    Column("attempt", Integer, nullable=False),
    Column("sha256", String(64), nullable=False, index=True),
    Column("data", LargeBinary, nullable=False),
    _text("path"),
    _text("note"),
    _moment("submitted_at"),
    _moment("collected_at", nullable=False),
    UniqueConstraint("student", "exercise", "sha256"),
)
Table(
    "rejected",
    TABLES,
    _number(),
    _student(),
    _text("path"),
    _text("reason"),
    _moment("noted_at", nullable=False),
)
Table(
    "runs",
    TABLES,
    _number(),
    _moment("started_at", nullable=False),
    _moment("ended_at"),
    _text("options"),
)
VERSIONS = ("course_version", "engine_version")
Table(
    "graded_as",
    TABLES,
    Column("exercise", String(200), primary_key=True),
    *(Column(name, String(64), nullable=False) for name in VERSIONS),
    Column("seed", BigInteger, nullable=False),
    Column("run", ForeignKey("runs.id"), nullable=False),
)
Table(
    "results",
    TABLES,
    _number(),
    Column("sha256", String(64), nullable=False),
    _exercise(),
    *(Column(name, String(64), nullable=False) for name in VERSIONS),
    Column("seed", BigInteger, nullable=False),
    _text("broken"),
    Column("points", Float),
    Column("max_points", Float),
    Column("passed", Boolean),
    Column("sandbox", String(4), nullable=False),
    Column("seconds", Float, nullable=False),
    Column("report", Text),
    _moment("graded_at", nullable=False),
    UniqueConstraint("sha256", "exercise", *VERSIONS, "seed"),
)
Table(
    "overrides",
    TABLES,
    _number(),
    _student(),
    _exercise(),
    Column("points", Float),  # none: the override is taken back
    _text("reason"),
    _text("who"),
    _moment("made_at", nullable=False),
)
Table(
    "comments",
    TABLES,
    _number(),
    _student(),
    _exercise(),
    _text("text"),
    _text("who"),
    _moment("made_at", nullable=False),
)
