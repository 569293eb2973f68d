"""Everything is computed in float64 and cast back at the end."""

import torch


def doubles(returns):
    if returns.ndim != 1:
        raise ValueError(f"returns must be [N], but it is {list(returns.shape)}")
    floating = returns.is_floating_point()
    return returns.detach().double(), returns.dtype if floating else torch.get_default_dtype()


def moving_average_baseline(returns, *, decay, initial=0.0):
    r, dtype = doubles(returns)
    answers = torch.empty(len(r), dtype=torch.float64)
    answers[0] = initial
    for i in range(1, len(r)):
        answers[i] = decay * answers[i - 1] + (1.0 - decay) * r[i - 1]
    return answers.to(dtype)


def batch_mean_baseline(returns):
    r, dtype = doubles(returns)
    return torch.full_like(r, r.mean().item()).to(dtype)


def leave_one_out_baseline(returns):
    r, dtype = doubles(returns)
    n = len(r)
    mean = r.mean()
    return (mean + (mean - r) / (n - 1) if n > 1 else torch.zeros_like(r)).to(dtype)


def value_baseline_loss(values, returns, mask):
    for name, other in {"returns": returns, "mask": mask}.items():
        if other.shape != values.shape:
            raise ValueError(f"{name} must be {list(values.shape)}, but it is {list(other.shape)}")
    weights = mask.double()
    errors = (values.double() - returns.detach().double()) * weights
    count = weights.sum()
    loss = (errors**2).sum() / (2.0 * torch.where(count > 0, count, torch.ones_like(count)))
    return loss.to(values.dtype)


def variance_minimising_baseline(scores, returns):
    if scores.ndim != 2:
        raise ValueError(f"scores must be [N, K], but it is {list(scores.shape)}")
    if tuple(returns.shape) != (scores.shape[0],):
        raise ValueError(f"returns must be [{len(scores)}], but it is {list(returns.shape)}")
    s = scores.detach().double()
    largest = s.abs().max()
    if largest == 0:
        return torch.tensor(0.0, dtype=scores.dtype)
    weights = (s / largest).pow(2).sum(-1)
    return torch.sum(weights / weights.sum() * returns.detach().double()).to(scores.dtype)


def normalise_advantages(advantages, mask, *, eps=1e-8):
    if mask.shape != advantages.shape:
        raise ValueError(f"mask must be {list(advantages.shape)}, but it is {list(mask.shape)}")
    answers = torch.zeros(advantages.shape, dtype=torch.float64)
    a = advantages.detach()[mask].double()
    if a.numel() > 1:
        # In float64 the sum of a few equal float32 numbers is exact, and so is their mean.
        answers[mask] = (a - a.mean()) / (a.std(unbiased=True) + eps)
    return answers.to(advantages.dtype)
