"""Arrays and handles on the way to a worker and back; `rlgrade.worker.values` is its other end."""

from __future__ import annotations

from typing import Any

import numpy as np

from rlgrade.author.expect import Array
from rlgrade.channel import ITEM_SIZES, Blob, Handle

DTYPE_NAMES = {np.dtype(name): name for name in ITEM_SIZES}  # `dtype.name` is slow


class Remote:
    """Something that lives in a worker, and goes back to it under the name it was given there."""

    _of: Any


class Tensors:
    """Makes arrays of blobs, and notices those that were no torch tensors."""

    def __init__(self) -> None:
        self.foreign = False

    def make(self, blob: Blob) -> Array:
        """The array."""
        self.foreign |= blob.kind == "numpy"
        if blob.dtype == "bool":  # any byte may have come, and `&` and `sum` would see which
            return np.frombuffer(blob.data, dtype=np.uint8).astype(bool).reshape(blob.shape)
        return np.frombuffer(blob.data, dtype=blob.dtype).reshape(blob.shape).copy()


def to_blob(value: Any) -> Blob | Handle | None:
    """An array or something remote as it is sent; None for all else."""
    if isinstance(value, (np.ndarray, np.generic)):
        kind = "torch" if value.flags.c_contiguous else "strided"
        name = DTYPE_NAMES.get(value.dtype) or value.dtype.name
        return Blob(kind, name, value.shape, value.tobytes())
    if isinstance(value, Remote) and isinstance(value._of, Handle):
        return value._of
    return None
