"""The actor's term as a weighted cross-entropy on flat steps; the critic's as a dot product."""

import torch
from torch import nn
from torch.nn import functional


class ActorCritic(nn.Module):
    def __init__(self, observation_size, action_count, *, hidden_size=64):
        super().__init__()
        self.layers = nn.ModuleDict(
            {
                "critic": nn.Linear(hidden_size, 1),
                "policy": nn.Linear(hidden_size, action_count),
                "body": nn.Linear(observation_size, hidden_size),
            }
        )
        for name, gain in (("body", 2**0.5), ("policy", 1e-2), ("critic", 1)):
            nn.init.orthogonal_(self.layers[name].weight, gain=gain)
            self.layers[name].bias.data.zero_()

    def forward(self, observations):
        size = self.layers["body"].in_features
        *lead, last = observations.shape
        if last != size:
            raise ValueError(f"the last axis of observations should be {size}, not {last}")
        flat = observations.reshape(-1, size)
        features = self.layers["body"](flat).tanh()
        logits, values = self.layers["policy"](features), self.layers["critic"](features)
        return logits.reshape(*lead, -1), values.reshape(lead)


def flattened(like, tensors):
    for name, tensor in tensors.items():
        if list(tensor.shape) != list(like):
            raise ValueError(f"{name!r} has shape {list(tensor.shape)}; expected {list(like)}")
    return [tensor.reshape(-1) for tensor in tensors.values()]


def td_targets(rewards, next_values, terminated, *, discount):
    r, v, end = flattened(
        rewards.shape, {"rewards": rewards, "next_values": next_values, "terminated": terminated}
    )
    targets = torch.where(end, r, r + discount * v.detach())
    return targets.detach().to(next_values.dtype).reshape(rewards.shape)


def td_errors(rewards, values, next_values, terminated, *, discount):
    flattened(rewards.shape, {"values": values})
    return torch.sub(
        td_targets(rewards, next_values, terminated, discount=discount), values.detach()
    )


def actor_loss(log_probs, advantages):
    flat, weights = flattened(log_probs.shape, {"log_probs": log_probs, "advantages": advantages})
    return -torch.dot(flat, weights.detach()) / len(flat)


def critic_loss(values, targets):
    guesses, goals = flattened(values.shape, {"values": values, "targets": targets})
    errors = goals.detach() - guesses
    return torch.dot(errors, errors) / (2 * len(errors))


def actor_critic_loss(
    logits, actions, values, targets, *, value_coefficient=0.5, entropy_coefficient=0.01
):
    taken, guesses, goals = flattened(
        logits.shape[:-1], {"actions": actions, "values": values, "targets": targets}
    )
    rows = logits.reshape(-1, logits.shape[-1])
    surprise = functional.cross_entropy(rows, taken, reduction="none")
    with torch.no_grad():
        advantages = goals - guesses
    probs = rows.softmax(-1)
    entropy = rows.logsumexp(-1) - (probs * rows).sum(-1)
    actor = (advantages * surprise).mean()
    critic = critic_loss(guesses, goals)
    return actor + value_coefficient * critic - entropy_coefficient * entropy.mean()
