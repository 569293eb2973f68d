"""Small files of state that two terminals may write at once: each is whole or not there.

A kind of state is a `Record` whose fields all have defaults:

    class Progress(Record):
        exercises: dict[str, Work] = msgspec.field(default_factory=dict)

    store = Store(workspace.state / "progress.json", Progress)
    with store.change() as progress:  # holds the lock; written when the block ends
        progress.exercises["ex01"] = ...
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from rlgrade.outcome import UsageError

LOCK_SECONDS = 10.0
R = TypeVar("R", bound="Record")


class Record(msgspec.Struct, kw_only=True):
    """What a file of state holds. A subclass that gains a field raises the default of `format`.

    (An older rlgrade would drop the field without a word when it writes.)
    """

    format: int = 1


class NotKept(UsageError):
    """The state cannot be written here; the message says why."""


class NewerState(NotKept):
    """The file was written by a newer rlgrade; it is left as it is."""


class _Damaged(Exception):
    """The file is not what we write; the message says in what."""


def _to_stderr(text: str) -> None:
    print(f"rlgrade: {text}", file=sys.stderr)


@dataclass(frozen=True)
class Store(Generic[R]):
    """One file of state at `path`, holding a record of `kind`; `say` is told of a damaged file."""

    path: Path
    kind: type[R]
    say: Callable[[str], None] = _to_stderr

    def read(self) -> R:
        """What the file holds; an empty record where there is none, or none that can be read.

        A damaged file is moved aside, under a name that is said.

        Raises:
            NewerState: a newer rlgrade wrote it.
        """
        try:
            return self._load()
        except _Damaged:
            try:
                with self._locked():
                    return self._load_or_set_aside()
            except NotKept as error:
                self.say(f"{self.path} is damaged and is not read ({error})")
                return self.kind()

    @contextlib.contextmanager
    def change(self) -> Iterator[R]:
        """What the file holds, to be changed in the block; it is written when the block ends.

        Another terminal waits meanwhile, so that nothing is lost. An exception in the block leaves
        the file as it was.

        Raises:
            NotKept: it cannot be written, or a newer rlgrade wrote it.
        """
        with self._locked():
            record = self._load_or_set_aside()
            yield record
            table = {"format": record.format} | msgspec.to_builtins(record)
            text = msgspec.json.format(msgspec.json.encode(table), indent=1)
            try:
                write_whole(self.path, text + b"\n")
            except OSError as error:
                raise _not_kept(self.path, error) from None

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        from filelock import FileLock, Timeout

        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(f"{self.path}.lock", timeout=LOCK_SECONDS)
            lock.acquire()
        except Timeout:
            raise NotKept(f"another rlgrade has held {self.path.name} for too long") from None
        except (OSError, NotImplementedError) as error:
            raise _not_kept(self.path, error) from None
        try:
            yield
        finally:
            lock.release()

    def _load(self) -> R:
        try:
            table: Any = msgspec.json.decode(self.path.read_bytes())
            if not isinstance(table, dict) or type(table.get("format")) is not int:
                raise _Damaged("no format")
            known = self.kind().format
            if table["format"] > known:
                raise NewerState(
                    f"{self.path} has format {table['format']}, and this rlgrade knows {known}; "
                    "it is left as it is: install a newer rlgrade"
                )
            return msgspec.convert(table, self.kind)
        except (FileNotFoundError, NotADirectoryError):
            return self.kind()
        except OSError as error:
            raise _not_kept(self.path, error) from None
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise _Damaged(str(error)) from None

    def _load_or_set_aside(self) -> R:
        """As `_load`, under the lock: only here nobody else mends the file meanwhile."""
        try:
            return self._load()
        except _Damaged as error:
            aside = free_name(self.path.with_name(f"{self.path.name}.damaged"))
            try:
                self.path.rename(aside)
            except OSError as refused:
                raise _not_kept(self.path, refused) from None
            self.say(f"{self.path} was damaged ({error}); it is kept as {aside.name}, a new begins")
            return self.kind()


def write_whole(path: Path, data: bytes) -> None:
    """Put `data` at `path` so that a reader, or a crash, finds the old file or the new one.

    Raises:
        OSError: it cannot be written; nothing is left behind.
    """
    number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    draft = Path(name)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def free_name(path: Path) -> Path:
    """`path`, or `path` with the first number behind it that is not taken."""
    number = 1
    candidate = path
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.name}.{number}")
    return candidate


def _sync_folder(folder: Path) -> None:
    """Have the new name on disk; where folders cannot be opened (Windows), it is at once."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _not_kept(path: Path, error: Exception) -> NotKept:
    reason = getattr(error, "strerror", None) or str(error)
    return NotKept(f"{path} cannot be written: {reason}")
