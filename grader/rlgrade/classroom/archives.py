"""Files that somebody else packed: folders and zips, read without ever unpacking anything.

Nothing is written to disk and no link is followed, so a path cannot lead out of the archive; every
read has a limit, so a small file cannot become a large one.
"""

from __future__ import annotations

import io
import os
import stat
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rlgrade.outcome import UsageError

MAX_ZIP = 8 << 20  # of one student: the code of a whole course is a hundredth of it
MAX_CLASS_ZIP = 2 << 30
MAX_ENTRIES = 20_000
MAX_DEPTH = 12
IGNORED = {".git", ".hg", ".svn", "__MACOSX", "__pycache__", ".venv", "venv", "node_modules"}
IGNORED |= {".rlgrade", ".pytest_cache", ".ipynb_checkpoints", ".hypothesis", ".idea", ".vscode"}
# Without these, opening a pipe waits for a writer and a link is followed. Windows has neither.
OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
OPEN_FLAGS |= getattr(os, "O_BINARY", 0)
READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # LZMA lets the file choose its memory


class Refused(Exception):
    """An archive or a file that is not read, and why, in one sentence."""


@dataclass(frozen=True)
class Entry:
    """One file of a folder or archive.

    `read(limit)` gives at most `limit` bytes, and raises Refused for what is no ordinary file.
    """

    path: PurePosixPath
    read: Callable[[int], bytes]


def entries_of(path: Path) -> list[Entry]:
    """The files of a folder or of a zip that the teacher names.

    Raises:
        UsageError: there is nothing there, or it is neither.
        Refused: the zip is not fit to be read.
    """
    if path.is_dir():
        return list(folder_entries(path))
    if not path.is_file():
        raise UsageError(f"there is no folder or zip {path}")
    if path.stat().st_size > MAX_CLASS_ZIP:
        raise UsageError(
            f"{path} is larger than {MAX_CLASS_ZIP >> 30} GiB; unpack it and name the folder"
        )
    if not zipfile.is_zipfile(path):
        raise UsageError(f"{path} is neither a folder nor a zip")
    return zip_entries(_open_zip(path), most=10 * MAX_ENTRIES)


def folder_entries(root: Path) -> Iterator[Entry]:
    """The files below a folder. Links are entries that refuse to be read, never followed."""
    count = 0
    for place, folders, files in os.walk(root, followlinks=False):
        here = Path(place)
        linked = [name for name in folders if (here / name).is_symlink()]
        depth = len(here.relative_to(root).parts)
        folders[:] = sorted(name for name in folders if name not in IGNORED and name not in linked)
        if depth >= MAX_DEPTH:
            folders.clear()
        for name in sorted([*files, *linked]):
            count += 1
            if count > 10 * MAX_ENTRIES:
                raise Refused(f"{root} holds more than {10 * MAX_ENTRIES} files")
            yield Entry(PurePosixPath((here / name).relative_to(root)), _file_reader(here / name))


def zipped_entries(data: bytes) -> list[Entry]:
    """The files of a zip that a student sent.

    Raises:
        Refused: it is too large, damaged, or has paths that lead out of it.
    """
    if len(data) > MAX_ZIP:
        raise Refused(f"the zip is larger than {MAX_ZIP >> 20} MiB; send the code alone")
    try:
        return zip_entries(_open_zip(io.BytesIO(data)), most=MAX_ENTRIES)
    except Refused:
        raise
    except Exception as error:  # zipfile has more faults than we know, and others wait
        raise Refused(f"the zip cannot be read: {type(error).__name__}: {error}") from None


def zip_entries(archive: zipfile.ZipFile, most: int) -> list[Entry]:
    """The files of an open zip.

    Raises:
        Refused: it has too many, or one whose path leads out of it.
    """
    infos = archive.infolist()
    if len(infos) > most:
        raise Refused(f"the zip holds more than {most} files; send the code alone")
    files = [info for info in infos if not info.filename.endswith("/")]
    return [
        Entry(path, _member_reader(archive, info))
        for info in files
        if not IGNORED.intersection((path := _safe_path(info)).parts)
    ]


def _open_zip(file: Path | io.BytesIO) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise Refused(f"the zip cannot be read: {error}") from None


def _safe_path(info: zipfile.ZipInfo) -> PurePosixPath:
    name = info.filename.replace("\\", "/")  # some Windows programs write it so
    path = PurePosixPath(name)
    if not path.parts:
        raise Refused("the zip holds a file that has no name")
    if path.is_absolute() or ".." in path.parts or name[1:2] == ":" or "\0" in info.orig_filename:
        raise Refused(f"the zip holds a path that leads out of it: {name[:80]}")
    if len(path.parts) > 10 * MAX_DEPTH:
        raise Refused("the zip holds folders in folders without end")
    return path


def _member_reader(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[int], bytes]:
    def read(limit: int) -> bytes:
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise Refused(f"{info.filename} is a link or a device, not a file")
        if info.flag_bits & 0x1:
            raise Refused(f"{info.filename} is encrypted")
        if info.compress_type not in READABLE:
            raise Refused(f"{info.filename} is packed in a way that is not read; use plain zip")
        try:
            with archive.open(info) as member:
                return member.read(limit)
        except Exception as error:  # damaged data raises half a dozen kinds
            raise Refused(f"{info.filename} cannot be read: {error}") from None

    return read


def _file_reader(path: Path) -> Callable[[int], bytes]:
    def read(limit: int) -> bytes:
        try:
            descriptor = os.open(path, OPEN_FLAGS)
        except OSError as error:
            if path.is_symlink():
                raise Refused(f"{path.name} is a link; send the file itself") from None
            raise Refused(f"{path.name} cannot be read: {error.strerror}") from None
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Refused(f"{path.name} is no ordinary file")
            try:
                return file.read(limit)
            except OSError as error:
                raise Refused(f"{path.name} cannot be read: {error.strerror}") from None

    return read
