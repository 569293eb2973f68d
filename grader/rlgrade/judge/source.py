"""What a submission's text shows without running it: does it parse, what does it define."""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass, field
from pathlib import Path

from rlgrade.outcome import UsageError

MAX_SOURCE = 128 << 10  # ten times the longest solution; parsing 512 KiB may take 20 s
MAX_SHOWN = 200


@dataclass(frozen=True)
class Source:
    """A submission's text, and what can be said of it before it runs."""

    file: str
    text: str
    problem: str = ""
    functions: dict[str, ast.FunctionDef | ast.ClassDef] = field(default_factory=dict)

    def line_of(self, function: str) -> int | None:
        """The line on which a function or class begins."""
        node = self.functions.get(function)
        return None if node is None else node.lineno

    def fault_in(self, function: str, model: Source) -> str:
        """What is wrong with a function's signature, one sentence, or nothing."""
        wanted = model.functions.get(function)
        if not isinstance(wanted, ast.FunctionDef):
            return ""
        have = self.functions.get(function)
        if have is None and f"{function} =" not in self.text:
            return (
                f"{self.file} defines no function `{function}`; "
                f"begin with: def {function}({_names(wanted)})"
            )
        if isinstance(have, ast.FunctionDef) and _names(have) != _names(wanted):
            return (
                f"{self.file}:{have.lineno}: {function} takes ({_names(have)}) "
                f"but is called as ({_names(wanted)}); restore the stub's signature"
            )
        return ""


def read_bytes(path: Path) -> bytes:
    """What is in the file at `path`.

    Raises:
        UsageError: there is no such file, or it cannot be read.
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise UsageError(f"{path} is no ordinary file")  # a pipe or a device has no end
        with path.open("rb") as file:
            return file.read(MAX_SOURCE + 1)
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}") from None
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder; name the file in it") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None


def parse_source(file: str, data: bytes) -> Source:
    """A submission from its bytes. What is wrong with it is said in `problem`."""
    if len(data) > MAX_SOURCE:
        return Source(
            file, "", f"{file} is larger than {MAX_SOURCE >> 10} KiB; send the code alone"
        )
    if b"\0" in data:
        return Source(file, "", f"{file} is no text; a submission is one file of Python code")
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        return Source(file, "", f"{file}:{line}: this byte is not UTF-8; save the file as UTF-8")
    if not text.strip():
        return Source(file, text, f"{file} is empty; `rlgrade reset` brings the stub back")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except SyntaxError as error:
        shown = (error.text or "").strip()[:MAX_SHOWN]
        where = f": {shown}" if shown else ""
        place = f"{file}:{error.lineno}" if error.lineno else file
        return Source(file, text, f"{place}: {error.msg}{where}")
    except (ValueError, RecursionError, MemoryError) as error:
        return Source(file, text, f"{file} cannot be parsed: {error}")
    nodes = {n.name: n for n in tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    return Source(file, text, functions=nodes)


def _names(function: ast.FunctionDef) -> str:
    arguments = function.args
    parts = [a.arg for a in arguments.posonlyargs + arguments.args]
    if arguments.vararg:
        parts.append(f"*{arguments.vararg.arg}")
    elif arguments.kwonlyargs:
        parts.append("*")
    parts += [a.arg for a in arguments.kwonlyargs]
    if arguments.kwarg:
        parts.append(f"**{arguments.kwarg.arg}")
    return ", ".join(parts)
