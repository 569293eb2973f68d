"""Drawn values as text: short for the learner's screen, exact for a replay program."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from rlgrade.author.expect import Array
from rlgrade.channel import Generator
from rlgrade.judge.calls import RemoteObject

SHOWN_ENTRIES = 60


def plain_arguments(arguments: dict[str, Any]) -> dict[str, str]:
    """Each argument of a body as short text; a dataclass gives one entry for each field."""
    shown: dict[str, str] = {}
    for name, value in arguments.items():
        if is_dataclass(value) and not isinstance(value, (type, Generator)):
            shown |= {f.name: plain(getattr(value, f.name)) for f in fields(value)}
        else:
            shown[name] = plain(value)
    return shown


def plain(value: Any) -> str:
    """A value as a person would write it on paper."""
    if isinstance(value, np.generic):
        value = np.asarray(value)
    if isinstance(value, np.ndarray):
        if value.size > SHOWN_ENTRIES:
            return f"{value.dtype.name} tensor of shape {list(value.shape)}"
        return plain(_rounded(value))
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (list, tuple)):
        inner = ", ".join(plain(item) for item in value)
        return f"[{inner}]" if isinstance(value, list) else f"({inner})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {plain(item)}" for key, item in value.items()) + "}"
    if is_dataclass(value) and not isinstance(value, (type, Generator)):
        inner = ", ".join(f"{f.name}={plain(getattr(value, f.name))}" for f in fields(value))
        return f"{type(value).__name__}({inner})"
    return repr(value)


def _rounded(array: Array) -> Any:
    if array.dtype.kind == "f":
        return [_rounded(row) for row in array] if array.ndim else float(str(array[()]))
    return array.tolist()


def expression(value: Any, names: dict[int, str] | None = None) -> str:
    """A value as a Python expression that gives exactly it, with torch imported.

    `names` says what an object of the worker is called, by the number of its handle.
    """
    if isinstance(value, np.ndarray):
        if value.size == 0:
            return f"torch.empty({list(value.shape)}, dtype=torch.{value.dtype.name})"
        numbers = _floats(value.tolist()) if value.dtype.kind == "f" else repr(value.tolist())
        if value.dtype.name == "float32":
            numbers = _floats(_rounded(value))
        tensor = f"torch.tensor({numbers}, dtype=torch.{value.dtype.name})"
        if value.flags.c_contiguous or not value.ndim:
            return tensor
        if value.ndim == 1:
            return f"torch.stack([{tensor}] * 2, dim=-1)[..., 0]"
        cut = ", ".join(f":{size}" for size in value.shape)
        return f"torch.nn.functional.pad({tensor}, (0, 1) * {value.ndim - 1})[{cut}]"
    if isinstance(value, (np.bool_, np.integer, np.floating)):
        return expression(np.asarray(value))
    if isinstance(value, Generator):
        return f"torch.Generator().manual_seed({value.seed})"
    if isinstance(value, RemoteObject):
        number = getattr(value._of, "number", -1)
        return (names or {}).get(number, f"object_{number}")
    if isinstance(value, float):
        return _floats(value)
    if isinstance(value, (list, tuple)):
        inner = ", ".join(expression(item, names) for item in value)
        if isinstance(value, list):
            return f"[{inner}]"
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k!r}: {expression(v, names)}" for k, v in value.items()) + "}"
    return repr(value)


def _floats(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_floats(item) for item in value) + "]"
    text = repr(float(value))
    return f"float({text!r})" if text in ("nan", "inf", "-inf") else text
