"""A submission's function as a part of the judge's own graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from rlgrade.author.expect import Unmet, described, number
from rlgrade.judge.calls import RemoteFunction


def remote_loss(function: RemoteFunction, with_gradient: dict[str, Tensor], **rest: Any) -> Tensor:
    """The scalar that the submission's function returns, with its own gradient behind it.

    The worker differentiates; here the gradients of `with_gradient` are taken as they came.

    Args:
        function: of the submission; returns a scalar.
        with_gradient: the arguments through which gradient flows on, by name.
        rest: the other arguments; tensors go without gradient.

    Raises:
        Unmet: the answer is no finite scalar, or no gradient reaches an argument that needs it.
    """
    names = list(with_gradient)
    plain = {name: as_array(value) for name, value in (with_gradient | rest).items()}
    answer = function.gradients(*names, **plain)
    value = answer.value
    if not isinstance(value, np.ndarray) or value.shape != ():
        raise Unmet(f"the loss should be a scalar tensor; yours is {described(value)}", "loss")
    gradients = []
    for name in names:
        gradient = answer.gradients[name]
        if gradient is None:
            raise Unmet(f"the loss should carry gradient to {name}; yours carries none", name)
        if not np.isfinite(gradient).all():
            raise Unmet(f"the gradient of your loss with respect to {name} is not finite", name)
        gradients.append(torch.from_numpy(np.asarray(gradient, dtype=np.float32)))
    if not np.isfinite(value):
        raise Unmet(f"the loss should be finite; yours is {number(value)}", "loss")
    graft: Any = _Graft
    loss: Tensor = graft.apply(torch.tensor(float(value)), gradients, *with_gradient.values())
    return loss


def as_array(value: Any) -> Any:
    """A tensor as what goes over the channel; anything else as it is."""
    return value.detach().cpu().numpy() if isinstance(value, Tensor) else value


class _Graft(torch.autograd.Function):
    """A scalar whose gradients are known already."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, gradients: list[Tensor], *inputs: Tensor) -> Tensor:
        ctx.gradients = [g.to(x) for g, x in zip(gradients, inputs, strict=True)]
        return value.to(inputs[0].device)

    @staticmethod
    def backward(ctx: Any, *outer: Any) -> Any:
        return None, None, *(outer[0] * gradient for gradient in ctx.gradients)
