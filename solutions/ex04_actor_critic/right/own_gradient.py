"""The gradient of the combined loss written out by hand, as an autograd function."""

import torch
from torch import nn


class ActorCritic(nn.Module):
    def __init__(self, observation_size, action_count, *, hidden_size=64):
        super().__init__()
        self.representation = nn.Linear(observation_size, hidden_size)
        self.policy = nn.Linear(hidden_size, action_count)
        self.value = nn.Linear(hidden_size, 1)
        self.reset_parameters()

    def reset_parameters(self):
        gains = {"representation": 2**0.5, "policy": 0.01, "value": 1.0}
        for name, parameter in self.named_parameters():
            layer, _, part = name.partition(".")
            if part == "bias":
                nn.init.constant_(parameter, 0.0)
            else:
                nn.init.orthogonal_(parameter, gains[layer])

    def forward(self, observations):
        expected = self.representation.in_features
        if observations.size(-1) != expected:
            raise ValueError(f"expected observations of size {expected}")
        x = self.representation(observations)
        x = 2 * torch.sigmoid(2 * x) - 1  # tanh, by another name
        return self.policy(x), torch.einsum(
            "...h,h->...", x, self.value.weight[0]
        ) + self.value.bias[0]


def _compare(shape, names, tensors):
    for name, tensor in zip(names, tensors, strict=True):
        if tensor.shape != shape:
            raise ValueError(f"{name} is {list(tensor.shape)}, expected {list(shape)}")


def td_targets(rewards, next_values, terminated, *, discount):
    _compare(rewards.shape, ["next_values", "terminated"], [next_values, terminated])
    going_on = terminated.logical_not()
    return rewards.detach() + discount * going_on * next_values.detach()


def td_errors(rewards, values, next_values, terminated, *, discount):
    _compare(rewards.shape, ["values"], [values])
    return td_targets(rewards, next_values, terminated, discount=discount) - values.detach()


def actor_loss(log_probs, advantages):
    _compare(log_probs.shape, ["advantages"], [advantages])
    return torch.mean(-advantages.detach() * log_probs)


def critic_loss(values, targets):
    _compare(values.shape, ["targets"], [targets])
    return torch.mean(torch.pow(values - targets.detach(), 2)) / 2


class _Loss(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, actions, values, targets, value_coefficient, entropy_coefficient):
        steps = actions.numel()
        scores = torch.log_softmax(logits, -1)
        probs = scores.exp()
        entropy = -(probs * scores).sum(-1, keepdim=True)
        advantages = (targets - values).unsqueeze(-1)
        chosen = torch.zeros_like(probs).scatter_(-1, actions.unsqueeze(-1), 1.0)
        of_logits = advantages * (probs - chosen)
        of_logits += entropy_coefficient * probs * (scores + entropy)
        ctx.save_for_backward(of_logits / steps, value_coefficient * (values - targets) / steps)
        total = -(advantages * chosen * scores).sum() - entropy_coefficient * entropy.sum()
        return (total + value_coefficient * (values - targets).square().sum() / 2) / steps

    @staticmethod
    def backward(ctx, upstream):
        of_logits, of_values = ctx.saved_tensors
        return upstream * of_logits, None, upstream * of_values, None, None, None


def actor_critic_loss(
    logits, actions, values, targets, *, value_coefficient=0.5, entropy_coefficient=0.01
):
    names = ["actions", "values", "targets"]
    _compare(logits.shape[:-1], names, [actions, values, targets])
    return _Loss.apply(
        logits, actions, values, targets.detach(), value_coefficient, entropy_coefficient
    )
