"""The habits of RL libraries: time first, flat batches, float masks, logits normalised once."""

import torch
from torch import nn


def _check_shape(key, buffer, reference):
    if buffer.size() != reference:
        raise ValueError(f"buffer {key!r}: want {reference}, have {buffer.size()}")


def _evaluate(logits):
    normalised = logits - logits.logsumexp(dim=-1, keepdim=True)
    return normalised, nn.functional.softmax(normalised, dim=-1)


def action_log_probs(logits, actions):
    _check_shape("actions", actions, logits.size()[:-1])
    normalised, _ = _evaluate(logits)
    flat = normalised.reshape(-1, normalised.size(-1))
    return flat[torch.arange(len(flat)), actions.flatten()].reshape(actions.size())


def sample_actions(logits, *, generator):
    with torch.no_grad():
        _, probs = _evaluate(logits)
        flat = probs.reshape(-1, probs.size(-1))
        actions = torch.multinomial(flat, 1, True, generator=generator).squeeze(1)
        return actions.reshape(logits.size()[:-1])


def policy_entropy(logits):
    normalised, probs = _evaluate(logits)
    p_log_p = normalised.clamp(min=torch.finfo(normalised.dtype).min) * probs
    return -p_log_p.sum(-1)


def reinforce_loss(log_probs, returns, mask):
    if log_probs.dim() != 2:
        raise ValueError(f"log_probs: want (batch, time), have {log_probs.size()}")
    _check_shape("returns", returns, log_probs.size())
    _check_shape("mask", mask, log_probs.size())
    with torch.no_grad():
        valid = mask.t().to(log_probs.dtype)
        weights = returns.t().to(log_probs.dtype) * valid / log_probs.size(0)
    return -(weights * log_probs.t()).sum()


def reinforce_update(policy, optimizer, batch):
    log_prob = action_log_probs(policy(batch["observations"]), batch["actions"])
    pg_loss = reinforce_loss(log_prob, batch["returns"], batch["mask"])
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = None
    pg_loss.backward()
    optimizer.step()
    return pg_loss.item()
