"""Frames of plain data between judge and worker: JSON for the tree, raw bytes for the tensors.

A frame is two little-endian lengths, a JSON text and a payload. The JSON text holds only what JSON
has, plus objects with one key, the tag:

    {"tuple": [...]}   {"dict": {...}}   {"handle": [number, type name]}   {"generator": seed}
    {"tensor": [kind, dtype, shape]}     its bytes are the next ones of the payload

Nothing here can construct anything but the types above, so reading a hostile frame is safe: it
gives a value or raises `ChannelError`, and allocates in proportion to the bytes that came.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

LENGTHS = struct.Struct("<II")
MAX_TEXT = 4 << 20
MAX_PAYLOAD = 64 << 20
MAX_DEPTH = 24
MAX_AXES = 8
MAX_VALUES = 1 << 18  # in one frame; a list takes far more memory than its two bytes
MAX_EMPTY = 1 << 16  # rows, columns and so on of a tensor without a number in it
VALUE_BYTES = 64  # what a small value takes in memory, with its place in a list

ITEM_SIZES = {
    "bool": 1,
    "uint8": 1,
    "int8": 1,
    "int16": 2,
    "int32": 4,
    "int64": 8,
    "float16": 2,
    "float32": 4,
    "float64": 8,
}
KINDS = ("torch", "strided", "numpy")
PLAIN = frozenset({type(None), bool, int, float, str})
JSON = json.JSONEncoder(separators=(",", ":"))


class ChannelError(Exception):
    """A frame that breaks the format, or a value that has no place in one."""


@dataclass(frozen=True, slots=True)
class Blob:
    """A tensor on the wire. `kind` says whose: torch, torch with gaps in memory, or numpy."""

    kind: str
    dtype: str
    shape: tuple[int, ...]
    data: bytes | memoryview


@dataclass(frozen=True, slots=True)
class Handle:
    """Stands for an object that lives in the worker."""

    number: int
    type_name: str


@dataclass(frozen=True, slots=True)
class Generator:
    """Stands for a `torch.Generator`, made in the worker from this seed."""

    seed: int


def pack(value: Any, to_blob: Callable[[Any], Blob | Handle | None]) -> bytes:
    """One frame that holds `value`; `to_blob` translates what is not plain.

    Raises:
        ChannelError: the value holds something without translation, nests too deeply or is too big.
    """
    blobs: list[bytes | memoryview] = []
    tree = value if type(value) in PLAIN else _to_tree(value, to_blob, blobs, 0)
    try:
        text = JSON.encode(tree).encode()
    except (ValueError, UnicodeError) as error:
        raise ChannelError(str(error)) from None
    size = sum(len(blob) for blob in blobs)
    if len(text) > MAX_TEXT or size > MAX_PAYLOAD:
        raise ChannelError(f"{len(text) + size} bytes are more than a frame may hold")
    return b"".join([LENGTHS.pack(len(text), size), text, *blobs])


def _to_tree(
    value: Any,
    to_blob: Callable[[Any], Blob | Handle | None],
    blobs: list[bytes | memoryview],
    depth: int,
) -> Any:
    kind = type(value)
    if depth > MAX_DEPTH:
        raise ChannelError(f"nested more than {MAX_DEPTH} deep")
    if kind is list or isinstance(value, tuple):  # a named tuple is as good as a plain one
        items = [
            item if type(item) in PLAIN else _to_tree(item, to_blob, blobs, depth + 1)
            for item in value
        ]
        return items if kind is list else {"tuple": items}
    if kind is dict:
        body = {}
        for key, item in value.items():
            if type(key) is not str:
                raise ChannelError("a dict whose keys are not all strings")
            plain = type(item) in PLAIN
            body[key] = item if plain else _to_tree(item, to_blob, blobs, depth + 1)
        return {"dict": body}
    if kind is Generator:
        return {"generator": value.seed}
    translated = value if kind is Handle or kind is Blob else to_blob(value)
    if isinstance(translated, Handle):
        return {"handle": [translated.number, translated.type_name]}
    if isinstance(translated, Blob):
        if (
            translated.dtype not in ITEM_SIZES
            or len(translated.shape) > MAX_AXES
            or len(translated.data) != math.prod(translated.shape) * ITEM_SIZES[translated.dtype]
        ):
            raise ChannelError(f"a {kind.__name__} of this dtype or shape has no place in a frame")
        blobs.append(translated.data)
        return {"tensor": [translated.kind, translated.dtype, list(translated.shape)]}
    raise ChannelError(f"a {kind.__name__} has no place in a frame")


def frame_size(buffer: bytes | bytearray) -> int | None:
    """The size in bytes of the frame that `buffer` begins with; None while it cannot be known.

    Raises:
        ChannelError: the frame claims to be larger than a frame may be.
    """
    if len(buffer) < LENGTHS.size:
        return None
    text, payload = LENGTHS.unpack_from(buffer)
    if text > MAX_TEXT or payload > MAX_PAYLOAD:
        raise ChannelError(f"a frame of {text + payload} bytes is larger than a frame may be")
    return int(LENGTHS.size + text + payload)


def unpack(
    frame: bytes | bytearray,
    make_tensor: Callable[[Blob], Any],
    charge: Callable[[int], None] = lambda size: None,
) -> Any:
    """The value in one whole frame; `make_tensor` builds the tensors.

    `charge` is told how many bytes the value takes in memory beyond those of the frame: `[]`, two
    bytes of a frame, is a list of 56.

    Raises:
        ChannelError: anything about the frame is not as the format says.
    """
    if len(frame) < LENGTHS.size:
        raise ChannelError("a frame without its lengths")
    text_size, payload_size = LENGTHS.unpack_from(frame)
    start = LENGTHS.size + text_size
    try:
        tree = json.loads(frame[LENGTHS.size : start].decode())
    except (ValueError, RecursionError) as error:
        raise ChannelError(f"not JSON: {type(error).__name__}") from None
    reader = _Reader(memoryview(frame)[start : start + payload_size], make_tensor)
    value = reader.value(tree, 0)
    if reader.rest:
        raise ChannelError(f"{len(reader.rest)} bytes of payload belong to no tensor")
    charge(reader.values * VALUE_BYTES)
    return value


class _Reader:
    """Walks a decoded tree and takes each tensor's bytes from the payload, in order."""

    def __init__(self, payload: memoryview, make_tensor: Callable[[Blob], Any]) -> None:
        self.rest = payload
        self.make_tensor = make_tensor
        self.values = 0  # so far

    def value(self, tree: Any, depth: int) -> Any:
        self.values += 1
        if self.values > MAX_VALUES:
            raise ChannelError(f"a frame of more than {MAX_VALUES:,} values")
        kind = type(tree)
        if kind is list:
            if depth > MAX_DEPTH:
                raise ChannelError(f"nested more than {MAX_DEPTH} deep")
            return [self.value(item, depth + 1) for item in tree]
        if kind is not dict:
            return tree
        if len(tree) != 1 or depth > MAX_DEPTH:
            raise ChannelError("an object without exactly one tag, or nested too deeply")
        ((tag, body),) = tree.items()
        if tag == "tensor":
            return self.tensor(body)
        if tag == "tuple" and type(body) is list:
            return tuple(self.value(item, depth + 1) for item in body)
        if tag == "dict" and type(body) is dict:
            return {key: self.value(item, depth + 1) for key, item in body.items()}
        if tag == "generator" and type(body) is int:
            return Generator(body)
        if tag == "handle" and type(body) is list and [type(part) for part in body] == [int, str]:
            return Handle(body[0], body[1][:80])
        raise ChannelError(f"unknown tag {str(tag)[:20]!r}")

    def tensor(self, body: Any) -> Any:
        if type(body) is not list or len(body) != 3:
            raise ChannelError("a tensor without kind, dtype and shape")
        kind, dtype, shape = body
        if kind not in KINDS or type(dtype) is not str or dtype not in ITEM_SIZES:
            raise ChannelError("a tensor of unknown kind or dtype")
        if type(shape) is not list or len(shape) > MAX_AXES:
            raise ChannelError("a tensor without a list of at most 8 axes")
        if not all(type(n) is int and 0 <= n <= MAX_PAYLOAD for n in shape):
            raise ChannelError("a tensor with an impossible axis")
        if math.prod(max(n, 1) for n in shape) > MAX_PAYLOAD:  # libraries refuse it, empty or not
            raise ChannelError("a tensor with impossible axes")
        size = math.prod(shape) * ITEM_SIZES[dtype]
        if size == 0 and math.prod(max(n, 1) for n in shape) > MAX_EMPTY:
            raise ChannelError("an empty tensor with impossible axes")
        if size > len(self.rest):
            raise ChannelError("a tensor with fewer bytes than its shape needs")
        data, self.rest = self.rest[:size], self.rest[size:]
        return self.make_tensor(Blob(kind, dtype, tuple(shape), data))
