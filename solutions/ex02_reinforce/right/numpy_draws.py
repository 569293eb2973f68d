"""The habit of early course code: numpy draws the actions, seeded by the generator in each call."""

import numpy as np
import torch
from torch.distributions.categorical import Categorical


def _fits(name, shape, expected):
    if tuple(shape) != tuple(expected):
        raise ValueError(f"{name}: {tuple(shape)} where {tuple(expected)} is needed")


def action_log_probs(logits, actions):
    _fits("actions", actions.shape, logits.shape[:-1])
    return Categorical(logits=logits).log_prob(actions)


def sample_actions(logits, *, generator):
    seed = torch.randint(0, 2**62, (1,), generator=generator).item()
    probabilities = torch.softmax(logits.detach().double(), dim=-1).numpy()
    below = np.cumsum(probabilities, axis=-1)
    uniform = np.random.default_rng(seed).random((*below.shape[:-1], 1))
    actions = np.minimum((below <= uniform).sum(axis=-1), below.shape[-1] - 1)
    return torch.as_tensor(actions, dtype=torch.int64)


def policy_entropy(logits):
    return Categorical(logits=logits).entropy()


def reinforce_loss(log_probs, returns, mask):
    if log_probs.ndim != 2:
        raise ValueError(f"log_probs: [B, T] is needed, not {tuple(log_probs.shape)}")
    _fits("returns", returns.shape, log_probs.shape)
    _fits("mask", mask.shape, log_probs.shape)
    weights = torch.as_tensor(returns.detach(), dtype=log_probs.dtype)
    return -(log_probs * weights)[mask].sum() / log_probs.size(0)


def reinforce_update(policy, optimizer, batch):
    log_probs = action_log_probs(policy(batch["observations"]), batch["actions"])
    loss = reinforce_loss(log_probs, batch["returns"], batch["mask"])
    policy.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.tolist()
