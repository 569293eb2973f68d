"""Gumbel noise for the draw, one-hot products and logsumexp for the rest, autograd by hand."""

import torch


def validate(name, tensor, shape):
    if tensor.shape != shape:
        raise ValueError(f"{name} must be {tuple(shape)} and is {tuple(tensor.shape)}")


def action_log_probs(logits, actions):
    validate("actions", actions, logits.shape[:-1])
    one_hot = torch.nn.functional.one_hot(actions, logits.shape[-1]).to(logits.dtype)
    return (logits * one_hot).sum(-1) - logits.logsumexp(-1)


def sample_actions(logits, *, generator):
    uniform = torch.rand(logits.shape, generator=generator, dtype=torch.float64)
    gumbel = -torch.log(-torch.log(uniform.clamp(min=1e-300)))
    return torch.argmax(logits.detach() + gumbel, dim=-1)


def policy_entropy(logits):
    # H = log Z - E[logit], where Z is the sum of exp(logits)
    return logits.logsumexp(-1) - (logits.softmax(-1) * logits).sum(-1)


def reinforce_loss(log_probs, returns, mask):
    if len(log_probs.shape) != 2:
        raise ValueError(f"log_probs must be [B, T] and is {tuple(log_probs.shape)}")
    validate("returns", returns, log_probs.shape)
    validate("mask", mask, log_probs.shape)
    weights = returns.detach().masked_fill(~mask, 0).to(log_probs)
    return -torch.einsum("bt,bt->", log_probs, weights) / len(log_probs)


def reinforce_update(policy, optimizer, batch):
    logits = policy(batch["observations"])
    log_probs = action_log_probs(logits, batch["actions"])
    loss = reinforce_loss(log_probs, batch["returns"], batch["mask"])
    parameters = list(policy.parameters())
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        parameter.grad = gradient
    optimizer.step()
    optimizer.zero_grad()
    return loss.detach().item()
