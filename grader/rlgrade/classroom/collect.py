"""The submissions in a folder or zip: who sent what for which exercise."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from rlgrade.classroom.archives import (
    MAX_ZIP,
    Entry,
    Refused,
    entries_of,
    zipped_entries,
)
from rlgrade.classroom.names import (
    GRADESCOPE,
    Identity,
    Sender,
    clean,
    cleaned,
    is_download,
    is_file_name,
    sender_of,
)
from rlgrade.courses import Exercise
from rlgrade.judge.source import MAX_SOURCE
from rlgrade.outcome import UsageError


@dataclass(frozen=True)
class Found:
    """One submission: who, for what, and its bytes as they came."""

    student: Identity
    exercise: str
    data: bytes
    path: str
    submitted_at: datetime | None = None
    note: str = ""

    @property
    def sha256(self) -> str:
        """The hash that the report has too."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True)
class Rejected:
    """Something that was sent and cannot be graded; the teacher decides."""

    student: Identity
    path: str
    reason: str


@dataclass
class Collection:
    """All that lies in one folder or zip."""

    found: list[Found] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


@dataclass(frozen=True)
class Bundle:
    """What one student (or one group) sent."""

    path: str
    senders: list[Sender]
    entries: list[Entry]
    submitted_at: datetime | None = None


def collect(root: Path, exercises: Sequence[Exercise]) -> Collection:
    """Find the submissions of `exercises` below `root`.

    Raises:
        UsageError: `root` is no folder or zip, or nothing in it looks like a submission.
    """
    try:
        entries = _unwrapped(entries_of(root), exercises)
        if len(entries) == 1 and _is_a_class(entries[0]):
            raise UsageError(f"{root} holds the download of a class as a zip; name that zip itself")
    except Refused as refused:
        raise UsageError(f"{root}: {refused}") from None
    collection = Collection()
    for part, some in _by_exercise(entries, exercises, root):
        for bundle in _bundles(part, collection):
            _take(bundle, some, collection)
    if not collection.found and not collection.rejected:
        names = ", ".join(exercise.file for exercise in exercises[:5])
        raise UsageError(
            f"no submission below {root}: one folder, zip or file for each student is expected, "
            f"with {names} in it"
        )
    return collection


def _unwrapped(entries: list[Entry], exercises: Sequence[Exercise]) -> list[Entry]:
    """The entries without a folder that holds all the students, as zips of a download have."""
    files = {exercise.file for exercise in exercises}
    ids = {exercise.id for exercise in exercises}
    while entries:
        tops = {entry.path.parts[0] for entry in entries}
        below = {entry.path.parts[1:2] for entry in entries}
        names = {part[0] for part in below if part}
        if len(tops) != 1 or () in below or names & (files | ids) or _is_one_student(entries):
            return entries
        entries = [replace(entry, path=PurePosixPath(*entry.path.parts[1:])) for entry in entries]
    return entries


def _is_a_class(entry: Entry) -> bool:
    """Whether a file is a platform's zip with many students in it."""
    if entry.path.suffix.lower() != ".zip":
        return False
    try:
        inside = zipped_entries(entry.read(MAX_ZIP + 1))
    except Refused:
        return False
    return any(is_download(each.path.parts[0]) for each in inside)


def _is_one_student(entries: list[Entry]) -> bool:
    """Whether the only folder is a platform's folder of one student."""
    return bool(sender_of(entries[0].path.parts[0]).identity.moodle_id)


def _by_exercise(
    entries: list[Entry], exercises: Sequence[Exercise], root: Path
) -> list[tuple[list[Entry], Sequence[Exercise]]]:
    """The entries, and the exercises they may be for; a folder for each exercise parts them.

    Raises:
        UsageError: what lies there is the work of one student.
    """
    tops: dict[str, list[Entry]] = {}
    for entry in entries:
        tops.setdefault(entry.path.parts[0].lower(), []).append(entry)
    named = {e.id.lower(): e for e in exercises} | {e.short.lower(): e for e in exercises}
    if not tops or not set(tops) <= set(named):
        return [(entries, exercises)]
    parts: list[tuple[list[Entry], Sequence[Exercise]]] = []
    for top, inside in tops.items():
        below = [replace(e, path=PurePosixPath(*e.path.parts[1:])) for e in inside]
        if any(len(e.path.parts) == 1 and e.path.name == named[top].file for e in below):
            raise UsageError(f"{root} is one student's work; name the folder that all are in")
        parts.append((_unwrapped(below, [named[top]]), [named[top]]))
    return parts


def _bundles(entries: list[Entry], collection: Collection) -> list[Bundle]:
    """What each student sent, the files of one student together."""
    tops: dict[str, list[Entry]] = {}
    for entry in entries:
        if not entry.path.parts[0].startswith("."):
            tops.setdefault(entry.path.parts[0], []).append(entry)
    known = _gradescope(tops.pop(GRADESCOPE, []))
    bundles: dict[str, Bundle] = {}
    for top in sorted(tops):
        bundle = known.get(top) or Bundle(top, [sender_of(top)], [])
        inside = [e for entry in tops[top] for e in _opened(entry, bundle, collection)]
        whose = top if known else bundle.senders[0].identity.key
        before = bundles.get(whose, bundle)  # Canvas: several files of one student
        bundles[whose] = replace(before, entries=[*before.entries, *inside])
    return list(bundles.values())


def _opened(entry: Entry, bundle: Bundle, collection: Collection) -> list[Entry]:
    """The entry under the name its sender gave it; for a zip, the files in it."""
    parts = entry.path.parts
    if len(parts) == 1 and bundle.senders[0].file:
        entry = replace(entry, path=PurePosixPath(bundle.senders[0].file))
    elif len(parts) > 1:
        entry = replace(entry, path=PurePosixPath(*parts[1:]))
    if entry.path.suffix.lower() != ".zip":
        return [entry]
    try:
        return zipped_entries(entry.read(MAX_ZIP + 1))
    except Refused as refused:
        collection.rejected += _rejected(bundle, "/".join(parts), refused)
        return []


def _rejected(bundle: Bundle, path: str, refused: Refused) -> list[Rejected]:
    return [
        Rejected(cleaned(sender.identity), clean(path), clean(str(refused)))
        for sender in bundle.senders
    ]


def _take(bundle: Bundle, exercises: Sequence[Exercise], collection: Collection) -> None:
    """Add what the bundle has for each exercise."""
    for exercise in exercises:
        best = best_file(bundle.entries, exercise, alone=len(exercises) == 1)
        if best is None:
            continue
        shown = clean(f"{bundle.path}: {best.path}")
        try:
            data = best.read(MAX_SOURCE + 1)
        except Refused as refused:
            collection.rejected += _rejected(bundle, shown, refused)
            continue
        for sender in bundle.senders:
            whose = cleaned(sender.identity)
            collection.found.append(
                Found(whose, exercise.id, data, shown, bundle.submitted_at, sender.note)
            )


def best_file(entries: list[Entry], exercise: Exercise, *, alone: bool) -> Entry | None:
    """The file in the exercise's own folder, else the one of its name that lies nearest the top."""
    ranked = []
    for entry in entries:
        copy = is_file_name(entry.path.name, exercise.file)
        if copy is not None:
            elsewhere = entry.path.parent.name != exercise.id
            depth = len(entry.path.parts)
            ranked.append((elsewhere, depth, copy != 0, -copy, str(entry.path), entry))
    if ranked:
        return min(ranked, key=lambda rank: rank[:-1])[-1]
    sources = [entry for entry in entries if entry.path.suffix.lower() == ".py"]
    return sources[0] if alone and len(sources) == 1 else None


def _gradescope(entries: list[Entry]) -> dict[str, Bundle]:
    """What Gradescope's export says of each folder; nothing where there is no such file."""
    if not entries:
        return {}
    import yaml

    try:
        table = yaml.safe_load(entries[0].read(64 << 20))
        return {str(name): _gradescope_bundle(str(name), told) for name, told in table.items()}
    except (Refused, yaml.YAMLError, AttributeError, TypeError) as error:
        raise UsageError(f"{GRADESCOPE} is not as Gradescope writes it: {error}") from None


def _gradescope_bundle(name: str, told: dict[str, Any]) -> Bundle:
    senders = []
    for person in told.get(":submitters") or []:
        email, number = (str(person.get(key) or "") for key in (":email", ":sid"))
        whose = Identity(email or number, str(person.get(":name") or ""), email, number)
        senders.append(Sender(whose))
    return Bundle(
        name, senders or [Sender(Identity(name, name))], [], _time(told.get(":created_at"))
    )


def _time(value: object) -> datetime | None:
    """A moment with its offset; one without is taken as UTC."""
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def with_times(collection: Collection, table: Path) -> Collection:
    """The collection with the times of a CSV file: `student`, `submitted_at`, maybe `exercise`.

    Raises:
        UsageError: the file cannot be read, or a time is no time.
    """
    times = _read_times(table)
    found = []
    for each in collection.found:
        who = each.student
        names = [n for n in (who.key, who.email, who.sis_id, who.canvas_id, who.login) if n]
        keys = [(name.lower(), exercise) for name in names for exercise in (each.exercise, "")]
        moment = next((times[key] for key in keys if key in times), each.submitted_at)
        found.append(replace(each, submitted_at=moment))
    return replace(collection, found=found)


def _read_times(table: Path) -> dict[tuple[str, str], datetime]:
    try:
        text = table.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{table} cannot be read: {error}") from None
    times = {}
    for number, row in enumerate(csv.DictReader(io.StringIO(text)), start=2):
        student = row.get("student") or row.get("github_username") or ""
        told = row.get("submitted_at") or row.get("submission_timestamp") or ""
        moment = _time(told)
        if not student or moment is None:
            raise UsageError(f"{table}:{number}: it needs a `student` and a `submitted_at` time")
        times[clean(student).lower(), row.get("exercise") or ""] = moment
    return times
