"""What a check may ask of torch inside the worker: gradients, parameters, small networks.

Each public function is reachable from a check as `submission.tools.NAME(...)`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from rlgrade.trainer.transformer import Size, Transformer
from rlgrade.worker.adam import Moments, adam_step
from rlgrade.worker.episodes import EpisodePolicy
from rlgrade.worker.values import with_gaps


def as_leaves(kwargs: dict[str, Any], name: str) -> dict[str, Tensor]:
    """Make argument `name` a leaf that collects gradient; a module's parameters are leaves already.

    A tensor is stored under the empty name, a module's parameters under their own. Of a dict, the
    tensors of a float dtype become leaves, under their keys.
    """
    value = kwargs[name]
    if isinstance(value, nn.Module):
        return dict(value.named_parameters())
    if isinstance(value, dict):
        kwargs[name] = whole = dict(value)
        floats = [key for key, item in whole.items() if item.is_floating_point()]
        return {key: as_leaves(whole, key)[""] for key in floats}
    leaf = value.clone() if value.is_contiguous() else with_gaps(value)
    kwargs[name] = leaf.requires_grad_()
    return {"": kwargs[name]}


def carries_gradient(value: Any) -> bool:
    """Whether any tensor in a returned value requires gradient."""
    if isinstance(value, Tensor):
        return value.requires_grad
    if isinstance(value, dict):
        value = list(value.values())
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


def episode_policy(weight: Tensor, bias: Tensor) -> nn.Module:
    """A policy with memory: it must be given the whole batch [B, T, O], and counts its calls."""
    return EpisodePolicy(weight, bias)


def sgd(module: nn.Module, learning_rate: float) -> torch.optim.Optimizer:
    """Plain gradient descent on a module's parameters."""
    return GradientDescent(module, learning_rate)


def noting_sgd(module: nn.Module, learning_rate: float) -> torch.optim.Optimizer:
    """Plain gradient descent whose gradients can be asked for: see `noted_gradients`."""
    return NotingDescent(module, learning_rate)


def noted_gradients(optimizer: NotingDescent) -> list[dict[str, Tensor | None]]:
    """The gradients by name of the parameter, step by step."""
    return optimizer.noted


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


class LinearPolicyAndValue(nn.Module):
    """Two linear maps without bias: observations [..., O] to logits [..., A] and values [...].

    With one-hot observations it is a table, whose gradients show what each step contributed.
    """

    def __init__(self, policy: Tensor, value: Tensor) -> None:
        super().__init__()
        self.policy = nn.Parameter(policy.clone())
        self.value = nn.Parameter(value.clone())

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and values, without a trailing axis of 1."""
        return observations @ self.policy, observations @ self.value


def linear_policy_and_value(policy: Tensor, value: Tensor) -> nn.Module:
    """A policy with the weights [O, A] of its logits and [O] of its values."""
    return LinearPolicyAndValue(policy, value)


class TokenTable(nn.Module):
    """A language model that looks at one token only: row v has the logits of what follows v.

    It counts the rows of tokens that it has read while gradients were recorded.
    """

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.table = nn.Parameter(table.clone())
        self.rows_with_gradient = 0

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, L, V] logits."""
        if torch.is_grad_enabled():
            self.rows_with_gradient += len(tokens)
        return self.table[tokens]


def token_table(table: Tensor) -> nn.Module:
    """A language model of this table [V, V] of logits."""
    return TokenTable(table)


def language_model(
    parameters: dict[str, Tensor], symbols: int, places: int, width: int, layers: int, heads: int
) -> nn.Module:
    """A transformer that maps tokens [B, L] to logits [B, L, V], with these parameters.

    It lives on the CPU; so far no worker has been let near a GPU.
    """
    model = Transformer(
        Size(width=width, layers=layers, heads=heads, symbols=symbols, places=places)
    )
    set_parameters(model, parameters)
    return model


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


class NotingDescent(GradientDescent):
    """Plain gradient descent that keeps what it was given at each step."""

    def __init__(self, module: nn.Module, learning_rate: float) -> None:
        super().__init__(module, learning_rate)
        self.module = module
        self.noted: list[dict[str, Tensor | None]] = []

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Note the gradients, then move along them."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self.noted.append(collected_gradients(self.module))
        super().step()
        return loss


class AdaptiveMoments(GradientDescent):
    """What torch.optim.Adam does, without the compiler that its first use imports."""

    def __init__(self, module: nn.Module, learning_rate: float) -> None:
        super().__init__(module, learning_rate)
        self._moments = {p: Moments(p) for group in self.param_groups for p in group["params"]}

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Move every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            moved = [p for p in group["params"] if p.grad is not None]
            gradients = [p.grad for p in moved]
            adam_step(moved, gradients, [self._moments[p] for p in moved], group["lr"])
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


def leave_gradients(module: nn.Module) -> None:
    """Put ones into each parameter's `.grad`, as if something else had left them there."""
    for parameter in module.parameters():
        parameter.grad = torch.ones_like(parameter)


def set_parameters(module: nn.Module, values: dict[str, Tensor]) -> None:
    """Overwrite a module's parameters, by name."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(values[name])


def attribute(thing: Any, name: str) -> Any:
    """An attribute of an object that lives in the worker."""
    return getattr(thing, name)


def echo(value: Any) -> Any:
    """The value. A check makes an answer of what a submission told functions that were lent to it.

    Answers are what known mistakes are recognised by.
    """
    return value


def part_of_output(module: nn.Module, inputs: Tensor, part: int) -> Tensor:
    """One of the tensors that a module returns for `inputs`.

    A check asks for its `.gradients("module", ...)` when a loss sees several outputs of a module.
    """
    return module(inputs)[part]  # type: ignore[no-any-return]
