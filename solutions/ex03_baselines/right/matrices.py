"""Every baseline is a matrix times the returns; the optimum is a least-squares solution."""

import torch


def column(returns):
    if returns.ndim != 1:
        raise ValueError(f"`returns` has {returns.ndim} axes; one is expected")
    return returns.detach() + torch.zeros((), dtype=torch.get_default_dtype())


def moving_average_baseline(returns, *, decay, initial=0.0):
    r = column(returns)
    step = torch.arange(len(r))
    lag = (step[:, None] - step - 1).to(r.dtype)
    weights = torch.where(lag >= 0, (1.0 - decay) * decay ** lag.clamp(min=0.0), 0.0)
    return initial * decay ** step.to(r.dtype) + weights @ r


def batch_mean_baseline(returns):
    r = column(returns)
    return torch.full((len(r), len(r)), 1.0 / len(r), dtype=r.dtype) @ r


def leave_one_out_baseline(returns):
    r = column(returns)
    others = 1.0 - torch.eye(len(r), dtype=r.dtype)
    return others @ r / max(1, len(r) - 1)


def value_baseline_loss(values, returns, mask):
    if returns.shape != values.shape:
        raise ValueError(f"`returns` is {returns.shape}; `values` is {values.shape}")
    if mask.shape != values.shape:
        raise ValueError(f"`mask` is {mask.shape}; `values` is {values.shape}")
    weights = mask.to(values.dtype).flatten()
    weights = weights / weights.sum().clamp(min=1.0)
    error = torch.where(mask, values - returns.detach(), 0.0).flatten()
    return 0.5 * torch.dot(weights * error, error)


def variance_minimising_baseline(scores, returns):
    if scores.ndim != 2:
        raise ValueError(f"`scores` has {scores.ndim} axes; two are expected")
    if returns.shape != scores.shape[:1]:
        raise ValueError(f"`returns` is {returns.shape}; {scores.shape[:1]} is expected")
    s = scores.detach()
    # The b for which s * (R - b), as one long vector, is shortest.
    long, target = s.flatten(), (s * returns.detach()[:, None]).flatten()
    squared_length = long @ long
    if squared_length == 0:
        return squared_length
    return (long @ target) / squared_length


def normalise_advantages(advantages, mask, *, eps=1e-8):
    if mask.shape != advantages.shape:
        raise ValueError(f"`mask` is {mask.shape}; `advantages` is {advantages.shape}")
    flat, counts = advantages.detach().flatten(), mask.flatten()
    n = int(counts.sum())
    place = counts.to(flat.dtype)
    # The projection that removes the mean, applied to differences from one counted entry.
    origin = flat[counts.to(torch.uint8).argmax()] if n else 0.0
    differences = torch.where(counts, flat - origin, 0.0)
    centring = torch.diag(place) - torch.outer(place, place) / max(n, 1)
    centred = centring @ differences if (differences != 0).any() else differences
    spread = torch.linalg.vector_norm(centred) / max(n - 1, 1) ** 0.5
    return (centred / (spread + eps)).reshape(advantages.shape)
