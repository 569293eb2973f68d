"""Adam for the judge's own networks."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim.adam import adam


class Adam:
    """torch's own Adam, called as a function.

    The first `torch.optim.Adam` of a process imports torch's compiler, which takes a second.
    """

    def __init__(self, parameters: Iterable[Tensor], learning_rate: float, eps: float = 1e-8):
        self.parameters = list(parameters)
        self.learning_rate = learning_rate
        self.eps = eps
        self._first = [torch.zeros_like(p) for p in self.parameters]
        self._second = [torch.zeros_like(p) for p in self.parameters]
        self._steps = [torch.tensor(0.0) for _ in self.parameters]

    @torch.no_grad()
    def step(self, gradients: Iterable[Tensor | None], largest_norm: float | None = None) -> None:
        """Move each parameter down along its gradient (none: zero), clipped to a joint norm."""
        pairs = zip(self.parameters, gradients, strict=True)
        filled = [torch.zeros_like(p) if g is None else g for p, g in pairs]
        if largest_norm is not None:
            norm = torch.sqrt(sum((g.square().sum() for g in filled), torch.tensor(0.0)))
            factor = torch.clamp(largest_norm / (norm + 1e-6), max=1.0)
            filled = [g * factor for g in filled]
        adam(
            self.parameters,
            filled,
            self._first,
            self._second,
            [],
            self._steps,
            foreach=False,
            capturable=False,
            differentiable=False,
            fused=False,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=self.learning_rate,
            weight_decay=0.0,
            eps=self.eps,
            maximize=False,
        )
