"""Targets by numpy, orthogonal weights by a QR decomposition, rows averaged one after the other."""

import numpy as np
import torch
from torch import nn
from torch.distributions import Categorical


def orthogonal(inputs, outputs, gain):
    """A linear layer whose weight is the Q of a random matrix, signs corrected."""
    layer = nn.Linear(inputs, outputs)
    tall, narrow = max(inputs, outputs), min(inputs, outputs)
    q, r = torch.linalg.qr(torch.randn(tall, narrow))
    q = q * r.diagonal().sign()
    layer.weight.data = gain * (q if outputs >= inputs else q.T)
    layer.bias.data = torch.zeros(outputs)
    return layer


class ActorCritic(nn.Module):
    def __init__(self, observation_size, action_count, *, hidden_size=64):
        super().__init__()
        self.observation_size = observation_size
        self.layers = nn.ModuleList(
            [
                orthogonal(observation_size, hidden_size, 2**0.5),
                orthogonal(hidden_size, action_count, 0.01),
                orthogonal(hidden_size, 1, 1.0),
            ]
        )

    def forward(self, observations):
        try:
            hidden = self.layers[0](observations).tanh()
        except RuntimeError as error:
            raise ValueError(f"observations of the wrong size: {error}") from error
        return self.layers[1](hidden), self.layers[2](hidden).mean(dim=-1)


def alike(first, *others):
    name, reference = first
    for other, tensor in others:
        if tensor.shape != reference.shape:
            got, expected = list(tensor.shape), list(reference.shape)
            raise ValueError(f"{other} has shape {got}; {name} has {expected}")


def td_targets(rewards, next_values, terminated, *, discount):
    alike(("rewards", rewards), ("next_values", next_values), ("terminated", terminated))
    r, v, end = (tensor.detach().numpy() for tensor in (rewards, next_values, terminated))
    return torch.from_numpy(np.where(end, r, r + discount * v).astype(v.dtype))


def td_errors(rewards, values, next_values, terminated, *, discount):
    alike(("rewards", rewards), ("values", values))
    return td_targets(rewards, next_values, terminated, discount=discount) - values.detach()


def actor_loss(log_probs, advantages):
    alike(("log_probs", log_probs), ("advantages", advantages))
    return -(log_probs * advantages.detach()).mean(dim=-1).mean()


def critic_loss(values, targets):
    alike(("values", values), ("targets", targets))
    return nn.functional.mse_loss(values, targets.detach()).div(2)


def actor_critic_loss(
    logits, actions, values, targets, *, value_coefficient=0.5, entropy_coefficient=0.01
):
    alike(
        ("logits", logits[..., 0]), ("actions", actions), ("values", values), ("targets", targets)
    )
    policy = Categorical(logits=logits)
    advantages = targets.detach() - values.detach()
    of_actor = policy.log_prob(actions) * advantages + entropy_coefficient * policy.entropy()
    return value_coefficient * critic_loss(values, targets) - of_actor.mean(dim=-1).mean()
