"""One row and one step at a time, with branches instead of masks."""

import math

import torch
from torch import nn


class ActorCritic(nn.Module):
    def __init__(self, observation_size, action_count, *, hidden_size=64):
        super().__init__()
        sizes = {
            "trunk": (hidden_size, observation_size, math.sqrt(2)),
            "actor": (action_count, hidden_size, 0.01),
            "critic": (1, hidden_size, 1.0),
        }
        for name, (rows, columns, gain) in sizes.items():
            weight = nn.Parameter(torch.empty(rows, columns))
            nn.init.orthogonal_(weight, gain)
            self.register_parameter(f"{name}_weight", weight)
            self.register_parameter(f"{name}_bias", nn.Parameter(torch.zeros(rows)))

    def forward(self, observations):
        if observations.shape[-1] != self.trunk_weight.shape[1]:
            raise ValueError(f"observations: {list(observations.shape)}")
        if observations.ndim > 1:
            pairs = [self(row) for row in observations]
            return torch.stack([pair[0] for pair in pairs]), torch.stack([p[1] for p in pairs])
        hidden = torch.tanh(self.trunk_weight @ observations + self.trunk_bias)
        value = self.critic_weight[0] @ hidden + self.critic_bias[0]
        return self.actor_weight @ hidden + self.actor_bias, value


def demand(shape, **tensors):
    for name, tensor in tensors.items():
        if tuple(tensor.shape) != tuple(shape):
            raise ValueError(f"{name}: expected {tuple(shape)}, got {tuple(tensor.shape)}")


@torch.no_grad()
def td_targets(rewards, next_values, terminated, *, discount):
    demand(rewards.shape, next_values=next_values, terminated=terminated)
    targets = torch.zeros_like(next_values)
    for index in steps_of(rewards):
        targets[index] = rewards[index]
        if not terminated[index]:
            targets[index] += discount * next_values[index]
    return targets


@torch.no_grad()
def td_errors(rewards, values, next_values, terminated, *, discount):
    demand(rewards.shape, values=values)
    targets = td_targets(rewards, next_values, terminated, discount=discount)
    errors = [targets[index] - values[index] for index in steps_of(rewards)]
    return torch.stack(errors).reshape(rewards.shape)


def steps_of(tensor):
    """The index of every entry."""
    if tensor.ndim == 1:
        return [(t,) for t in range(len(tensor))]
    return [(b, t) for b in range(len(tensor)) for t in range(tensor.shape[1])]


def actor_loss(log_probs, advantages):
    demand(log_probs.shape, advantages=advantages)
    total = 0.0
    for index in steps_of(log_probs):
        total = total - log_probs[index] * advantages[index].item()
    return total / log_probs.numel()


def critic_loss(values, targets):
    demand(values.shape, targets=targets)
    total = 0.0
    for index in steps_of(values):
        total = total + (values[index] - targets[index].item()) ** 2
    return total / (2 * values.numel())


def actor_critic_loss(
    logits, actions, values, targets, *, value_coefficient=0.5, entropy_coefficient=0.01
):
    demand(logits.shape[:-1], actions=actions, values=values, targets=targets)
    loss = value_coefficient * critic_loss(values, targets)
    for index in steps_of(actions):
        scores = logits[index].log_softmax(0)
        advantage = targets[index].item() - values[index].item()
        entropy = -sum(score.exp() * score for score in scores)
        step = -scores[actions[index]] * advantage - entropy_coefficient * entropy
        loss = loss + step / actions.numel()
    return loss
