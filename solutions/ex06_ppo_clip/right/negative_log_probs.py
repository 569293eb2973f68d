"""The oldest habit: everything is kept as a negative log-prob, so the difference looks reversed."""

import torch
from torch.utils.data import BatchSampler, RandomSampler


def demand(name, tensor, shape):
    if list(tensor.shape) != list(shape):
        raise ValueError(f"`{name}` has shape {list(tensor.shape)}, expected {list(shape)}")


def neglogps(log_probs, old_log_probs, joint):
    demand("old_log_probs", old_log_probs, log_probs.shape)
    neglogpac, oldneglogpac = -log_probs, -old_log_probs.detach()
    if joint:
        neglogpac, oldneglogpac = neglogpac.sum(axis=-1), oldneglogpac.sum(axis=-1)
    return neglogpac, oldneglogpac


def mean(tensor):
    return tensor.mean() if tensor.numel() else tensor.sum()


def probability_ratio(log_probs, old_log_probs, *, joint=False):
    neglogpac, oldneglogpac = neglogps(log_probs, old_log_probs, joint)
    return torch.exp(oldneglogpac - neglogpac)


def ppo_clip_loss(log_probs, old_log_probs, advantages, mask, *, epsilon, joint=False):
    neglogpac, oldneglogpac = neglogps(log_probs, old_log_probs, joint)
    demand("advantages", advantages, neglogpac.shape)
    demand("mask", mask, neglogpac.shape)
    where = mask.nonzero(as_tuple=True)
    adv = advantages.detach()[where]
    ratio = torch.exp(oldneglogpac[where] - neglogpac[where])
    pg_losses = -adv * ratio
    pg_losses2 = -adv * ratio.clip(1.0 - epsilon, 1.0 + epsilon)
    return mean(torch.where(pg_losses > pg_losses2, pg_losses, pg_losses2))


def clip_case(advantage, ratio, *, epsilon):
    clipped = (advantage > 0 and ratio > 1 + epsilon) or (advantage < 0 and ratio < 1 - epsilon)
    return ("clipped" if clipped else "unclipped"), clipped or advantage == 0


def clip_fraction(ratio, mask, *, epsilon):
    demand("mask", mask, ratio.shape)
    outside = (ratio.detach() < 1 - epsilon) | (ratio.detach() > 1 + epsilon)
    total = torch.count_nonzero(mask).clamp(min=1)
    return torch.count_nonzero(outside & mask).to(ratio.dtype) / total


def approximate_kl(log_probs, old_log_probs, mask, *, joint=False):
    neglogpac, oldneglogpac = neglogps(log_probs.detach(), old_log_probs, joint)
    demand("mask", mask, neglogpac.shape)
    difference = neglogpac[mask] - oldneglogpac[mask]
    return mean(torch.exp(-difference) - 1 + difference)


def clipped_value_loss(values, old_values, returns, mask, *, epsilon):
    for name, tensor in (("old_values", old_values), ("returns", returns), ("mask", mask)):
        demand(name, tensor, values.shape)
    oldvpred, target = old_values.detach(), returns.detach()
    vpredclipped = torch.min(torch.max(values, oldvpred - epsilon), oldvpred + epsilon)
    vf_losses = torch.stack([(values - target) ** 2, (vpredclipped - target) ** 2])
    return 0.5 * mean(vf_losses.max(dim=0).values[mask])


def minibatch_indices(count, minibatch_size, *, generator):
    if min(count, minibatch_size) < 1:
        name = "count" if count < 1 else "minibatch_size"
        raise ValueError(f"{name} is too small")
    sampler = RandomSampler(range(count), generator=generator)
    return [torch.tensor(b) for b in BatchSampler(sampler, minibatch_size, drop_last=False)]
