"""Code with some of its lines replaced: how a fix of a bug item is put in."""

from __future__ import annotations


class PatchError(ValueError):
    """A fix that cannot be put in; the message says how to write it."""


def patched(code: str, lines: list[int], text: str) -> str:
    """`code` with these lines (counted from 1) replaced by those of `text`.

    Where the lines follow one another, `text` may have any number of lines, none to delete them.
    Where they do not, it has one for each. A text that begins at the margin is moved to where the
    first line that it replaces begins, since YAML takes the indentation of a block away.

    Raises:
        PatchError: the numbers of lines do not fit.
    """
    old = code.rstrip("\n").splitlines()
    new = text.rstrip("\n").splitlines() if text.strip() else []
    wanted = sorted(lines)
    first = wanted[0]
    if wanted == list(range(first, first + len(wanted))):
        block = _moved(new, _indentation(old[first - 1]))
        return "\n".join([*old[: first - 1], *block, *old[first - 1 + len(wanted) :]]) + "\n"
    if len(new) != len(wanted):
        raise PatchError(f"it has {len(new)} lines for the {len(wanted)} buggy lines {wanted}")
    for line, replacement in zip(wanted, new, strict=True):
        old[line - 1] = _moved([replacement], _indentation(old[line - 1]))[0]
    return "\n".join(old) + "\n"


def _indentation(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _moved(lines: list[str], indentation: str) -> list[str]:
    if not lines or _indentation(lines[0]):
        return lines
    return [indentation + line if line.strip() else line for line in lines]
