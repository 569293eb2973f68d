"""The supervised learner's view: a cross-entropy whose examples are weighed by their returns."""

import torch
from torch.nn import functional


def _same(expected, name, tensor):
    if list(tensor.shape) != list(expected):
        raise ValueError(f"{name}: expected {list(expected)}, got {list(tensor.shape)}")


def action_log_probs(logits, actions):
    _same(logits.shape[:-1], "actions", actions)
    flat = functional.cross_entropy(
        logits.reshape(-1, logits.shape[-1]), actions.reshape(-1), reduction="none"
    )
    return flat.neg().reshape(actions.shape)


@torch.no_grad()
def sample_actions(logits, *, generator):
    # A race of exponential clocks: the one with rate pi(a) rings first with probability pi(a).
    rates = functional.softmax(logits, -1)
    times = torch.empty_like(rates).exponential_(generator=generator)
    return (rates / times).argmax(-1)


def policy_entropy(logits):
    surprise = -functional.log_softmax(logits, dim=-1)
    return torch.sum(functional.softmax(logits, dim=-1) * surprise, dim=-1)


def reinforce_loss(log_probs, returns, mask):
    if log_probs.ndim != 2:
        raise ValueError(f"log_probs: expected [B, T], got {list(log_probs.shape)}")
    _same(log_probs.shape, "returns", returns)
    _same(log_probs.shape, "mask", mask)
    negative_log_likelihood = -log_probs[mask]
    weights = returns[mask].detach().to(log_probs.dtype)
    return (negative_log_likelihood * weights).sum() / log_probs.shape[0]


def reinforce_update(policy, optimizer, batch):
    def closure():
        optimizer.zero_grad()
        log_probs = action_log_probs(policy(batch["observations"]), batch["actions"])
        loss = reinforce_loss(log_probs, batch["returns"], batch["mask"])
        loss.backward()
        return loss

    return optimizer.step(closure).item()
