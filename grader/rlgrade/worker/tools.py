"""What a check may ask of torch inside the worker: gradients, parameters, small networks.

Each public function is reachable from a check as `submission.tools.NAME(...)`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adam import adam as _adam

from rlgrade.worker.values import with_gaps


def as_leaves(kwargs: dict[str, Any], name: str) -> dict[str, Tensor]:
    """Make argument `name` a leaf that collects gradient; a module's parameters are leaves already.

    A tensor is stored under the empty name, a module's parameters under their own.
    """
    value = kwargs[name]
    if isinstance(value, nn.Module):
        return dict(value.named_parameters())
    leaf = value.clone() if value.is_contiguous() else with_gaps(value)
    kwargs[name] = leaf.requires_grad_()
    return {"": kwargs[name]}


def carries_gradient(value: Any) -> bool:
    """Whether any tensor in a returned value requires gradient."""
    if isinstance(value, Tensor):
        return value.requires_grad
    if isinstance(value, (list, tuple)):
        return any(carries_gradient(item) for item in value)
    return False


def gradients_of(
    value: Any, leaves: dict[str, dict[str, Tensor]], cotangent: Tensor | None
) -> dict[str, Any]:
    """The gradient of `value` (of its product with `cotangent`) with respect to each leaf.

    None stands where nothing flows. A value that is no tensor has no gradient at all.
    """
    flat = [leaf for group in leaves.values() for leaf in group.values()]
    if not isinstance(value, Tensor) or not value.requires_grad:
        found: tuple[Tensor | None, ...] = (None,) * len(flat)
    else:
        # Summed here: giving `grad` the weights makes torch import sympy, 0.3 s in each worker.
        total = value.sum() if cotangent is None else (value * cotangent.to(value.dtype)).sum()
        found = torch.autograd.grad(total, flat, allow_unused=True)
    rest = iter(found)
    named = {name: {part: next(rest) for part in group} for name, group in leaves.items()}
    return {name: group[""] if set(group) == {""} else group for name, group in named.items()}


def linear(weight: Tensor, bias: Tensor | None = None) -> nn.Linear:
    """A linear layer with this weight [out, in] and bias [out]."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, dtype=weight.dtype)
    with torch.no_grad():
        layer.weight.copy_(weight)
        if bias is not None:
            layer.bias.copy_(bias)
    return layer


def sgd(module: nn.Module, learning_rate: float) -> torch.optim.Optimizer:
    """Plain gradient descent on a module's parameters."""
    return GradientDescent(module, learning_rate)


def adam(module: nn.Module, learning_rate: float) -> torch.optim.Optimizer:
    """Adam on a module's parameters, with torch's default settings."""
    return AdaptiveMoments(module, learning_rate)


class PolicyAndValue(nn.Module):
    """Two networks side by side: observations [..., O] to logits [..., A] and values [...]."""

    def __init__(self, observation_size: int, actions: int, hidden: int) -> None:
        super().__init__()
        self.policy = nn.Sequential(
            nn.Linear(observation_size, hidden), nn.Tanh(), nn.Linear(hidden, actions)
        )
        self.value = nn.Sequential(
            nn.Linear(observation_size, hidden), nn.Tanh(), nn.Linear(hidden, 1)
        )

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and values, without a trailing axis of 1."""
        return self.policy(observations), self.value(observations).squeeze(-1)


def policy_and_value(observation_size: int, actions: int, hidden: int) -> nn.Module:
    """A fresh network of 2 x `hidden` tanh units; its initial policy is near to uniform."""
    module = PolicyAndValue(observation_size, actions, hidden)
    last: Any = module.policy[2]
    with torch.no_grad():
        last.weight.mul_(0.1)
        last.bias.zero_()
    return module


def _bare(method: Any) -> Any:
    """A method of an optimizer without torch's wrapper around it, where there is one."""
    return getattr(method, "__wrapped__", method)


class GradientDescent(torch.optim.Optimizer):
    """What torch.optim.SGD does, without the compiler that its first use imports.

    That import takes 1 s and 300 MB in every worker. It comes with the wrappers that keep the
    compiler out of an optimizer's methods; nothing is compiled here, so they are left off.
    """

    add_param_group = _bare(torch.optim.Optimizer.add_param_group)
    zero_grad = _bare(torch.optim.Optimizer.zero_grad)

    def __init__(self, module: nn.Module, learning_rate: float) -> None:
        super().__init__(module.parameters(), {"lr": learning_rate})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Move every parameter that has a gradient down along it."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.sub_(group["lr"] * parameter.grad)
        return loss


class AdaptiveMoments(GradientDescent):
    """What torch.optim.Adam does, by torch's own function, without the compiler's import."""

    def __init__(self, module: nn.Module, learning_rate: float) -> None:
        super().__init__(module, learning_rate)
        held = [p for group in self.param_groups for p in group["params"]]
        self._first = {p: torch.zeros_like(p) for p in held}
        self._second = {p: torch.zeros_like(p) for p in held}
        self._steps = {p: torch.tensor(0.0) for p in held}

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Move every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            moved = [p for p in group["params"] if p.grad is not None]
            _adam(
                moved,
                [p.grad for p in moved],
                [self._first[p] for p in moved],
                [self._second[p] for p in moved],
                [],
                [self._steps[p] for p in moved],
                foreach=False,
                capturable=False,
                differentiable=False,
                fused=False,
                amsgrad=False,
                beta1=0.9,
                beta2=0.999,
                lr=group["lr"],
                weight_decay=0.0,
                eps=1e-8,
                maximize=False,
            )
        return loss


def parameters(module: nn.Module) -> dict[str, Tensor]:
    """A copy of a module's parameters, by name."""
    return {name: parameter.detach().clone() for name, parameter in module.named_parameters()}


def collected_gradients(module: nn.Module) -> dict[str, Tensor | None]:
    """What has accumulated in each parameter's `.grad`, by name."""
    return {
        name: None if parameter.grad is None else parameter.grad.detach().clone()
        for name, parameter in module.named_parameters()
    }


def set_parameters(module: nn.Module, values: dict[str, Tensor]) -> None:
    """Overwrite a module's parameters, by name."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(values[name])


def attribute(thing: Any, name: str) -> Any:
    """An attribute of an object that lives in the worker."""
    return getattr(thing, name)


def part_of_output(module: nn.Module, inputs: Tensor, part: int) -> Tensor:
    """One of the tensors that a module returns for `inputs`.

    A check asks for its `.gradients("module", ...)` when a loss sees several outputs of a module.
    """
    return module(inputs)[part]  # type: ignore[no-any-return]
