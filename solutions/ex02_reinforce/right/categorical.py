"""torch.distributions for everything but the draw, which takes no generator there."""

import torch
from torch.distributions import Categorical


def action_log_probs(logits, actions):
    policy = Categorical(logits=logits)
    if actions.shape != policy.batch_shape:
        raise ValueError(f"actions {tuple(actions.shape)} for a batch of {policy.batch_shape}")
    return policy.log_prob(actions)


def sample_actions(logits, *, generator):
    policy = Categorical(logits=logits.detach())
    probs = policy.probs.flatten(0, -2) if logits.ndim > 1 else policy.probs
    return torch.multinomial(probs, 1, replacement=True, generator=generator).view(
        policy.batch_shape
    )


def policy_entropy(logits):
    return Categorical(logits=logits).entropy()


def reinforce_loss(log_probs, returns, mask):
    if log_probs.dim() != 2:
        raise ValueError(f"log_probs must have two axes, not {log_probs.dim()}")
    for name, tensor in {"returns": returns, "mask": mask}.items():
        if tensor.shape != log_probs.shape:
            raise ValueError(f"{name} is {tuple(tensor.shape)}, not {tuple(log_probs.shape)}")
    weights = (returns * mask).detach().to(log_probs.dtype)
    return -(log_probs * weights).sum(1).mean(0)


def reinforce_update(policy, optimizer, batch):
    policy.zero_grad(set_to_none=True)
    log_probs = action_log_probs(policy(batch["observations"]), batch["actions"])
    loss = reinforce_loss(log_probs, batch["returns"], batch["mask"])
    loss.backward()
    optimizer.step()
    return float(loss)
