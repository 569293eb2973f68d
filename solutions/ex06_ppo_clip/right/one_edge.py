"""Each advantage has one edge that matters: the objective is bounded there, and nowhere else.

The critic likewise: a value that has passed the edge of its clip and is nearer to the return than
the edge counts with the edge's error.
"""

import torch


def require(condition, name, *shapes):
    if not condition:
        raise ValueError(f"{name}: expected {shapes[0]}, got {shapes[1]}")


def compare(shape, tensors):
    for name in tensors:
        require(tensors[name].shape == shape, name, shape, tensors[name].shape)


def log_ratio_of(log_probs, old_log_probs, joint):
    compare(log_probs.shape, {"old_log_probs": old_log_probs})
    log_ratio = log_probs.sub(old_log_probs.detach())
    return torch.einsum("...d->...", log_ratio) if joint else log_ratio


def counted_mean(entries, mask):
    """The mean under the mask; entries must be finite where the mask is False."""
    weights = mask.to(entries.dtype)
    return (entries * weights).sum() / weights.sum().clamp(min=1)


def probability_ratio(log_probs, old_log_probs, *, joint=False):
    return log_ratio_of(log_probs, old_log_probs, joint).exp()


def ppo_clip_loss(log_probs, old_log_probs, advantages, mask, *, epsilon, joint=False):
    log_ratio = log_ratio_of(log_probs, old_log_probs, joint)
    compare(log_ratio.shape, {"advantages": advantages, "mask": mask})
    ratio = log_ratio.masked_fill(~mask, 0.0).exp()
    adv = advantages.detach()
    best = torch.where(adv > 0, (1 + epsilon) * adv, (1 - epsilon) * adv)
    return -counted_mean(torch.min(ratio * adv, best), mask)


def clip_case(advantage, ratio, *, epsilon):
    match (advantage > 0) - (advantage < 0):
        case 1 if ratio > 1 + epsilon:
            return "clipped", True
        case -1 if ratio < 1 - epsilon:
            return "clipped", True
        case 0:
            return "unclipped", True
    return "unclipped", False


def clip_fraction(ratio, mask, *, epsilon):
    compare(ratio.shape, {"mask": mask})
    inside = ratio.detach().gt(1 - epsilon) & ratio.detach().lt(1 + epsilon)
    return counted_mean((~inside).to(ratio.dtype), mask)


def approximate_kl(log_probs, old_log_probs, mask, *, joint=False):
    log_ratio = log_ratio_of(log_probs, old_log_probs, joint).detach()
    compare(log_ratio.shape, {"mask": mask})
    log_ratio = log_ratio.where(mask, torch.zeros_like(log_ratio))
    return counted_mean(torch.expm1(log_ratio) - log_ratio, mask)


def clipped_value_loss(values, old_values, returns, mask, *, epsilon):
    compare(values.shape, {"old_values": old_values, "returns": returns, "mask": mask})
    old, target = old_values.detach(), returns.detach()
    edge = old + epsilon * torch.sign(values.detach() - old)
    past = (values.detach() - old).abs() > epsilon
    nearer = (values.detach() - target).abs() < (edge - target).abs()
    error = torch.where(past & nearer, edge, values) - target
    return counted_mean(error.square() / 2, mask)


def minibatch_indices(count, minibatch_size, *, generator):
    require(count >= 1, "count", "at least 1", count)
    require(minibatch_size >= 1, "minibatch_size", "at least 1", minibatch_size)
    order = torch.rand(count, generator=generator, dtype=torch.float64).argsort()
    return [part for part in torch.split(order, minibatch_size) if part.numel()]
