"""Who sent it, by the names that learning platforms give to downloads.

Canvas     smithjane_LATE_1234_5678_gae-1.py      name, late or not, user, submission, file
Moodle     Jane Smith_1234_assignsubmission_file_ a folder, or that with the file's name behind it
Gradescope submission_5678/ beside submission_metadata.yml, which says whose it is
otherwise  a folder, zip or checkout of one student: its name is the student's
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

GRADESCOPE = "submission_metadata.yml"
CANVAS = re.compile(
    r"(?P<name>[^_]+)_(?P<late>LATE_)?(?P<user>\d+)_(?:question_\d+_)?(?P<submission>\d+)_(?P<file>.+)"
)
MOODLE = re.compile(r"(?P<name>[^_]+)_(?P<user>\d+)_assignsubmission_file_?(?P<file>.*)", re.DOTALL)


@dataclass(frozen=True)
class Identity:
    """What is known of a student; empty where nothing is. `key` is unique in a class."""

    key: str
    name: str = ""
    email: str = ""
    sis_id: str = ""
    canvas_id: str = ""
    login: str = ""
    section: str = ""
    moodle_id: str = ""


@dataclass(frozen=True)
class Sender:
    """Whose a top-level name is, and what the file was called before the platform renamed it."""

    identity: Identity
    file: str = ""
    note: str = ""


def sender_of(name: str) -> Sender:
    """Reads one file or folder name of a download."""
    name = clean(name)
    if found := CANVAS.fullmatch(name):
        late = "Canvas marks it late" if found["late"] else ""
        identity = Identity(found["user"], found["name"], canvas_id=found["user"])
        return Sender(identity, found["file"], late)
    if found := MOODLE.fullmatch(name):
        identity = Identity(found["user"], found["name"], moodle_id=found["user"])
        return Sender(identity, found["file"])
    path = PurePosixPath(name)
    stem = path.stem if path.suffix.lower() in (".zip", ".py") else name
    return Sender(Identity(stem or name, stem or name), name)


def is_download(name: str) -> bool:
    """Whether a platform wrote this name: then many students are beside it."""
    return bool(CANVAS.fullmatch(name) or MOODLE.fullmatch(name)) or name == GRADESCOPE


def clean(text: str) -> str:
    """Text that every database and encoding takes; marks of writing direction stay."""
    text = "".join("\N{REPLACEMENT CHARACTER}" if "\ud800" <= c <= "\udfff" else c for c in text)
    return unicodedata.normalize("NFC", text.replace("\0", "")).strip()


def cleaned(identity: Identity) -> Identity:
    """The identity with every part cleaned."""
    return replace(identity, **{name: clean(value) for name, value in vars(identity).items()})


def is_file_name(found: str, wanted: str) -> int | None:
    """Which copy of `wanted` a file name is: 0 the name itself, n for `gae-n.py`, `gae (n).py`.

    None comes back for another file. Platforms and browsers number files that are sent again.
    """
    stem = re.escape(wanted.removesuffix(".py"))
    match = re.fullmatch(rf"{stem}(?:-(\d{{1,4}})|\s?\((\d{{1,4}})\))?\.py", found, re.IGNORECASE)
    return None if match is None else int(match[1] or match[2] or 0)
