"""Grade on a Ray cluster."""

from __future__ import annotations

from rlgrade.classroom.run import Engine


def ray_cluster(address: str, *, cpus: float, gpus: float) -> Engine:
    """Not yet."""
    raise NotImplementedError
