"""Names as in a policy library: extractor, action_net, value_net; sums divided by hand."""

from functools import partial

import torch
from torch import Tensor, nn


def shape_error(name: str, tensor: Tensor, shape: tuple[int, ...]) -> ValueError:
    return ValueError(f"wrong shape for argument {name}: {tuple(tensor.shape)} instead of {shape}")


def init_layer(module: nn.Module, gain: float) -> None:
    if isinstance(module, nn.Linear):
        nn.init.orthogonal_(module.weight, gain=gain)
        module.bias.data.fill_(0.0)


class ActorCritic(nn.Module):
    def __init__(self, observation_size: int, action_count: int, *, hidden_size: int = 64) -> None:
        super().__init__()
        self.features_dim = observation_size
        self.value_net = nn.Linear(hidden_size, 1)
        self.action_net = nn.Linear(hidden_size, action_count)
        self.mlp_extractor = nn.Sequential(nn.Linear(observation_size, hidden_size), nn.Tanh())
        gains = {self.mlp_extractor: 2**0.5, self.action_net: 0.01, self.value_net: 1}
        for module, gain in gains.items():
            module.apply(partial(init_layer, gain=gain))

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        if observations.shape[-1] != self.features_dim:
            wanted = (*observations.shape[:-1], self.features_dim)
            raise shape_error("observations", observations, wanted)
        latent = self.mlp_extractor(observations)
        return self.action_net(latent), torch.squeeze(self.value_net(latent), dim=-1)


def td_targets(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, *, discount: float
) -> Tensor:
    return td_errors(
        rewards,
        torch.zeros(rewards.shape, dtype=next_values.dtype),
        next_values,
        terminated,
        discount=discount,
    )


def td_errors(
    rewards: Tensor, values: Tensor, next_values: Tensor, terminated: Tensor, *, discount: float
) -> Tensor:
    arguments = {"values": values, "next_values": next_values, "terminated": terminated}
    for name, tensor in arguments.items():
        if tensor.shape != rewards.shape:
            raise shape_error(name, tensor, tuple(rewards.shape))
    with torch.no_grad():
        errors = rewards - values
        return torch.where(terminated, errors, errors + discount * next_values)


def actor_loss(log_probs: Tensor, advantages: Tensor) -> Tensor:
    if advantages.shape != log_probs.shape:
        raise shape_error("advantages", advantages, tuple(log_probs.shape))
    return torch.sum(log_probs * advantages.data) / -log_probs.numel()


def critic_loss(values: Tensor, targets: Tensor) -> Tensor:
    if targets.shape != values.shape:
        raise shape_error("targets", targets, tuple(values.shape))
    return torch.linalg.vector_norm(values - targets.data) ** 2 / (2 * values.numel())


def actor_critic_loss(
    logits: Tensor,
    actions: Tensor,
    values: Tensor,
    targets: Tensor,
    *,
    value_coefficient: float = 0.5,
    entropy_coefficient: float = 0.01,
) -> Tensor:
    shape = logits.shape[:-1]
    for name, tensor in {"actions": actions, "values": values, "targets": targets}.items():
        if tensor.shape != shape:
            raise shape_error(name, tensor, tuple(shape))
    scores = nn.functional.log_softmax(logits, dim=-1)
    taken = torch.take_along_dim(scores, actions[..., None], dim=-1)[..., 0]
    uniform_gap = nn.functional.softmax(logits, dim=-1) * scores
    loss = actor_loss(taken, targets - values)
    loss += entropy_coefficient * uniform_gap.sum() / actions.numel()
    loss += value_coefficient * critic_loss(values, targets)
    return loss
