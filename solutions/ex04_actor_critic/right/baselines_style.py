"""The habits of A2C libraries: float masks, a `Categorical`, `layer_init`, `mse_loss`."""

import numpy as np
import torch
from torch import nn
from torch.distributions import Categorical

SQRT_2 = np.sqrt(2)


def layer_init(layer, std=SQRT_2, bias_const=0.0):
    torch.nn.init.orthogonal_(layer.weight, std)
    torch.nn.init.constant_(layer.bias, bias_const)
    return layer


def validate(want, **buffers):
    for key, buffer in buffers.items():
        if buffer.size() != want:
            raise ValueError(f"buffer {key}: want {tuple(want)}, have {tuple(buffer.size())}")


class ActorCritic(nn.Module):
    def __init__(self, observation_size, action_count, *, hidden_size=64):
        super().__init__()
        self.network = nn.Sequential(
            layer_init(nn.Linear(observation_size, hidden_size)),
            nn.Tanh(),
        )
        self.actor = layer_init(nn.Linear(hidden_size, action_count), std=0.01)
        self.critic = layer_init(nn.Linear(hidden_size, 1), std=1)

    def forward(self, observations):
        if observations.shape[-1] != self.network[0].in_features:
            raise ValueError(f"observations have {observations.shape[-1]} entries")
        latent = self.network(observations)
        return self.actor(latent), self.critic(latent)[..., 0]


@torch.no_grad()
def td_targets(rewards, next_values, terminated, *, discount):
    validate(rewards.size(), next_values=next_values, terminated=terminated)
    next_non_terminal = 1.0 - terminated.to(next_values.dtype)
    return rewards + discount * next_values * next_non_terminal


@torch.no_grad()
def td_errors(rewards, values, next_values, terminated, *, discount):
    validate(rewards.size(), values=values, next_values=next_values, terminated=terminated)
    return td_targets(rewards, next_values, terminated, discount=discount) - values


def actor_loss(log_probs, advantages):
    validate(log_probs.size(), advantages=advantages)
    return -(advantages.detach() * log_probs).mean()


def critic_loss(values, targets):
    validate(values.size(), targets=targets)
    return 0.5 * nn.functional.mse_loss(values, targets.detach())


def actor_critic_loss(
    logits, actions, values, targets, *, value_coefficient=0.5, entropy_coefficient=0.01
):
    validate(logits.size()[:-1], actions=actions, values=values, targets=targets)
    distribution = Categorical(logits=logits)
    advantages = (targets - values).detach()
    policy_loss = -(advantages * distribution.log_prob(actions)).mean()
    value_loss = 0.5 * nn.functional.mse_loss(targets.detach(), values)
    entropy_loss = -distribution.entropy().mean()
    return policy_loss + entropy_coefficient * entropy_loss + value_coefficient * value_loss
