"""Adam for the judge's own networks."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from rlgrade.worker.adam import Moments, adam_step


class Adam:
    """Adam that is handed its gradients, with torch's default settings."""

    def __init__(self, parameters: Iterable[Tensor], learning_rate: float) -> None:
        self.parameters = list(parameters)
        self.learning_rate = learning_rate
        self._moments = [Moments(parameter) for parameter in self.parameters]

    @torch.no_grad()
    def step(self, gradients: Iterable[Tensor | None], largest_norm: float | None = None) -> None:
        """Move each parameter down along its gradient (none: zero), clipped to a joint norm."""
        pairs = zip(self.parameters, gradients, strict=True)
        filled = [torch.zeros_like(p) if g is None else g for p, g in pairs]
        if largest_norm is not None:
            norm = torch.sqrt(sum((g.square().sum() for g in filled), torch.tensor(0.0)))
            factor = torch.clamp(largest_norm / (norm + 1e-6), max=1.0)
            filled = [g * factor for g in filled]
        adam_step(self.parameters, filled, self._moments, self.learning_rate)
