"""The habits of RLHF libraries: masked sums and products, no boolean indexing, RLOO rearranged."""

import torch
from torch import Tensor


def masked_sum(values: Tensor, mask: Tensor) -> Tensor:
    return torch.where(mask, values, torch.zeros_like(values)).sum()


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    return masked_sum(values, mask) / (mask.sum() + 1e-8)


@torch.no_grad()
def moving_average_baseline(returns, *, decay, initial=0.0):
    check_rank(returns)
    scores = as_float(returns)
    history = [torch.tensor(initial, dtype=scores.dtype)]
    for reward in scores[:-1]:
        history.append(torch.lerp(reward, history[-1], decay))
    return torch.stack(history)


@torch.no_grad()
def batch_mean_baseline(returns):
    check_rank(returns)
    scores = as_float(returns)
    return scores.mean(dim=0, keepdim=True).expand(scores.shape[0])


@torch.no_grad()
def leave_one_out_baseline(returns):
    check_rank(returns)
    scores = as_float(returns)
    num_generations = scores.shape[0]
    if num_generations == 1:
        return torch.zeros_like(scores)
    advantages = (scores - scores.mean()) * num_generations / (num_generations - 1)
    return scores - advantages


def value_baseline_loss(values, returns, mask):
    if returns.shape != values.shape or mask.shape != values.shape:
        wrong = "returns" if returns.shape != values.shape else "mask"
        raise ValueError(f"{wrong} does not have the shape {values.shape} of the value head")
    vf_losses = (torch.where(mask, values, 0.0) - torch.where(mask, returns.detach(), 0)) ** 2
    return 0.5 * masked_mean(vf_losses, mask)


@torch.no_grad()
def variance_minimising_baseline(scores, returns):
    if scores.dim() != 2:
        raise ValueError(f"scores must be a matrix, not {tuple(scores.shape)}")
    if returns.dim() != 1 or returns.size(0) != scores.size(0):
        raise ValueError(f"returns must be a vector of {scores.size(0)}")
    squared_norms = torch.einsum("nk,nk->n", scores, scores)
    if not squared_norms.any():
        return squared_norms.sum()
    weights = squared_norms / squared_norms.sum()
    return torch.einsum("n,n->", weights, returns.to(weights.dtype))


@torch.no_grad()
def normalise_advantages(advantages, mask, *, eps=1e-8):
    if mask.shape != advantages.shape:
        raise ValueError("mask must have the shape of the advantages")
    low = advantages.masked_fill(~mask, float("inf")).amin()
    high = advantages.masked_fill(~mask, float("-inf")).amax()
    if not low < high:  # tied, alone, or nothing there
        return torch.zeros_like(advantages)
    centered = advantages - masked_mean(advantages, mask)
    n = mask.sum()
    variance = masked_mean(centered**2, mask) * n / (n - 1)
    whitened = centered / (variance.sqrt() + eps)
    return whitened * mask


def check_rank(returns):
    if returns.dim() != 1:
        raise ValueError(f"expected returns of shape (N,), got {tuple(returns.shape)}")


def as_float(returns):
    return returns if torch.is_floating_point(returns) else returns.float()
