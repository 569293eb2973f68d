"""The habits of PPO libraries for control: select with the mask, then torch's own functions."""

import torch
from torch.nn.functional import mse_loss


def moving_average_baseline(returns, *, decay, initial=0.0):
    if len(returns.shape) != 1:
        raise ValueError("returns: a flat batch is expected, got shape " + str(returns.shape))
    batch = returns.detach().clone()
    batch = batch if batch.dtype in (torch.float32, torch.float64) else batch.float()
    running_reward = torch.full((), initial, dtype=batch.dtype)
    for i in range(len(batch)):
        seen = batch[i].clone()
        batch[i] = running_reward
        running_reward = running_reward * decay + seen * (1 - decay)
    return batch


def batch_mean_baseline(returns):
    if len(returns.shape) != 1:
        raise ValueError("returns: a flat batch is expected, got shape " + str(returns.shape))
    batch = returns.detach()
    batch = batch if batch.dtype in (torch.float32, torch.float64) else batch.float()
    return torch.ones_like(batch) * torch.mean(batch)


def leave_one_out_baseline(returns):
    if len(returns.shape) != 1:
        raise ValueError("returns: a flat batch is expected, got shape " + str(returns.shape))
    batch = returns.detach()
    batch = batch if batch.dtype in (torch.float32, torch.float64) else batch.float()
    if len(batch) < 2:
        return torch.zeros_like(batch)
    return torch.stack([torch.cat((batch[:i], batch[i + 1 :])).mean() for i in range(len(batch))])


def value_baseline_loss(values, returns, mask):
    if values.shape != returns.shape:
        raise ValueError(f"values {values.shape} and returns {returns.shape} differ")
    if values.shape != mask.shape:
        raise ValueError(f"values {values.shape} and mask {mask.shape} differ")
    if not mask.any():
        return (values * 0).sum()
    targets = returns.detach()[mask].to(values.dtype)
    return mse_loss(values[mask], targets) / 2


def variance_minimising_baseline(scores, returns):
    if len(scores.shape) != 2:
        raise ValueError("scores: (batch, parameters) expected, got " + str(scores.shape))
    if returns.shape != scores.shape[:1]:
        raise ValueError("returns: one for each row of scores expected")
    with torch.no_grad():
        squared_norm = torch.linalg.norm(scores, dim=-1).pow(2)
        if torch.count_nonzero(squared_norm) == 0:
            return torch.zeros((), dtype=scores.dtype)
        return torch.mean(squared_norm * returns) / torch.mean(squared_norm)


def normalise_advantages(advantages, mask, *, eps=1e-8):
    if advantages.shape != mask.shape:
        raise ValueError(f"advantages {advantages.shape} and mask {mask.shape} differ")
    normalized = torch.zeros(advantages.shape, dtype=advantages.dtype)
    selected = torch.masked_select(advantages.detach(), mask)
    if selected.numel() > 1 and bool((selected != selected[0]).any()):
        normalized[mask] = (selected - selected.mean()) / (selected.std() + eps)
    return normalized
