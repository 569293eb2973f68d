"""The tables of a gradebook. Moments are text, ISO 8601 in UTC, so that every database has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import MetaData


def make_tables() -> MetaData:
    """Every table, for any database that SQLAlchemy speaks to."""
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

    meta = MetaData()

    def number() -> Column[int]:
        return Column("id", Integer, primary_key=True)

    def student() -> Column[int]:
        return Column("student", ForeignKey("students.id"), nullable=False, index=True)

    def exercise() -> Column[str]:
        return Column("exercise", String(200), nullable=False, index=True)

    def text(name: str) -> Column[str]:
        return Column(name, Text, nullable=False, default="")

    def moment(name: str, *, nullable: bool = True) -> Column[str]:
        return Column(name, String(40), nullable=nullable)

    Table("settings", meta, Column("name", String(100), primary_key=True), Column("value", Text))
    Table(
        "students",
        meta,
        number(),
        Column("key", String(400), nullable=False, unique=True),
        *(text(name) for name in ("name", "email", "sis_id", "canvas_id", "login", "section")),
        text("moodle_id"),
    )
    Table(
        "submissions",
        meta,
        number(),
        student(),
        exercise(),
        Column("attempt", Integer, nullable=False),
        Column("sha256", String(64), nullable=False, index=True),
        Column("data", LargeBinary, nullable=False),
        text("path"),
        text("note"),
        moment("submitted_at"),
        moment("collected_at", nullable=False),
        UniqueConstraint("student", "exercise", "sha256"),
    )
    Table(
        "rejected",
        meta,
        number(),
        student(),
        text("path"),
        text("reason"),
        moment("noted_at", nullable=False),
    )
    Table(
        "runs",
        meta,
        number(),
        moment("started_at", nullable=False),
        moment("ended_at"),
        text("options"),
    )
    versions = ("course_version", "engine_version")
    Table(
        "graded_as",
        meta,
        Column("exercise", String(200), primary_key=True),
        *(Column(name, String(64), nullable=False) for name in versions),
        Column("seed", BigInteger, nullable=False),
        Column("run", ForeignKey("runs.id"), nullable=False),
    )
    Table(
        "results",
        meta,
        number(),
        Column("sha256", String(64), nullable=False),
        exercise(),
        *(Column(name, String(64), nullable=False) for name in versions),
        Column("seed", BigInteger, nullable=False),
        text("broken"),
        Column("points", Float),
        Column("max_points", Float),
        Column("passed", Boolean),
        Column("sandbox", String(4), nullable=False),
        Column("seconds", Float, nullable=False),
        Column("report", Text),
        moment("graded_at", nullable=False),
        UniqueConstraint("sha256", "exercise", *versions, "seed"),
    )
    Table(
        "overrides",
        meta,
        number(),
        student(),
        exercise(),
        Column("points", Float),  # none: the override is taken back
        text("reason"),
        text("who"),
        moment("made_at", nullable=False),
    )
    Table(
        "comments",
        meta,
        number(),
        student(),
        exercise(),
        text("text"),
        text("who"),
        moment("made_at", nullable=False),
    )
    return meta
