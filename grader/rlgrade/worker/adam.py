"""One step of Adam, by torch's own function, for the worker's and the judge's networks.

The first `torch.optim.Adam` of a process imports torch's compiler: a second, and 300 MB.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.optim.adam import adam


class Moments:
    """What Adam remembers of a parameter: two moments and the number of steps."""

    def __init__(self, parameter: Tensor) -> None:
        self.first = torch.zeros_like(parameter)
        self.second = torch.zeros_like(parameter)
        self.steps = torch.tensor(0.0)


@torch.no_grad()
def adam_step(
    parameters: list[Tensor],
    gradients: list[Tensor],
    moments: list[Moments],
    learning_rate: float,
) -> None:
    """Move each parameter down along its gradient, with torch's default settings."""
    adam(
        parameters,
        gradients,
        [each.first for each in moments],
        [each.second for each in moments],
        [],
        [each.steps for each in moments],
        foreach=False,
        capturable=False,
        differentiable=False,
        fused=False,
        amsgrad=False,
        beta1=0.9,
        beta2=0.999,
        lr=learning_rate,
        weight_decay=0.0,
        eps=1e-8,
        maximize=False,
    )
