"""Plain data to torch and back, on the worker's side of the channel."""

from __future__ import annotations

from typing import Any

import torch

from rlgrade.channel import Blob, Generator, Handle

DTYPES = {
    "bool": torch.bool,
    "uint8": torch.uint8,
    "int8": torch.int8,
    "int16": torch.int16,
    "int32": torch.int32,
    "int64": torch.int64,
    "float16": torch.float16,
    "float32": torch.float32,
    "float64": torch.float64,
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}


class Values:
    """Translates for one submission and keeps the objects that only have a handle outside."""

    def __init__(self) -> None:
        self._objects: list[Any] = []

    def to_blob(self, value: Any) -> Blob | Handle:
        """A tensor as bytes; anything else stays here and gets a handle."""
        if isinstance(value, torch.Tensor):
            try:
                return _tensor_to_blob(value)
            except (RuntimeError, TypeError, KeyError):  # sparse, complex, meta
                return self.handle(value)
        if type(value).__module__ == "numpy":
            blob = _numpy_to_blob(value)
            if blob is not None:
                return blob
        return self.handle(value)

    def handle(self, value: Any) -> Handle:
        """A handle that `resolve` turns back into this very object."""
        self._objects.append(value)
        return Handle(len(self._objects) - 1, type(value).__name__)

    def resolve(self, handle: Handle) -> Any:
        """The object behind a handle."""
        return self._objects[handle.number]

    def restore(self, value: Any) -> Any:
        """Arguments as the submission gets them: handles and generators become objects."""
        kind = type(value)
        if kind is Handle:
            return self.resolve(value)
        if kind is Generator:
            return torch.Generator().manual_seed(value.seed)
        if kind is list:
            return [self.restore(item) for item in value]
        if kind is tuple:
            return tuple(self.restore(item) for item in value)
        if kind is dict:
            return {key: self.restore(item) for key, item in value.items()}
        return value


def make_tensor(blob: Blob) -> torch.Tensor:
    """A fresh tensor; of kind `strided` it has gaps in memory, as a slice of a larger one has."""
    dtype = DTYPES[blob.dtype]
    if len(blob.data) == 0:
        return torch.empty(blob.shape, dtype=dtype)
    tensor = torch.frombuffer(bytearray(blob.data), dtype=dtype).reshape(blob.shape)
    if blob.kind == "strided" and tensor.ndim:
        return with_gaps(tensor)
    return tensor


def with_gaps(tensor: torch.Tensor) -> torch.Tensor:
    """The same numbers with gaps behind every axis, so that no `view` can merge any two of them."""
    *leading, last = tensor.shape
    inner = [size + 1 for size in leading[1:]]
    wide = torch.zeros(*leading[:1], *inner, 2 * last + 1, dtype=tensor.dtype)
    spaced = wide[(slice(None), *(slice(-1) for _ in inner))] if inner else wide
    spaced = spaced[..., :-1:2]
    spaced.copy_(tensor)
    return spaced


def _tensor_to_blob(value: torch.Tensor) -> Blob:
    plain = value.detach()
    if plain.dtype is torch.bfloat16:
        plain = plain.float()
    array = plain.cpu().resolve_conj().resolve_neg().contiguous().numpy()
    return Blob("torch", NAMES[plain.dtype], tuple(value.shape), array.tobytes())


def _numpy_to_blob(value: Any) -> Blob | None:
    name = str(getattr(value, "dtype", ""))
    if name not in DTYPES:
        return None
    return Blob("numpy", name, tuple(value.shape), value.tobytes())
