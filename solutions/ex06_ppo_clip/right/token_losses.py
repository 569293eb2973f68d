"""The habits of language-model trainers: token losses, masked means, padding with ratio 1."""

import torch


def masked_mean(values, mask):
    mask = mask.to(values.dtype)
    return (values * mask).sum() / torch.clamp(mask.sum(), min=1.0)


def assert_shape(shape, **tensors):
    for key, tensor in tensors.items():
        if tensor.size() != shape:
            raise ValueError(f"{key} is {tuple(tensor.size())} but should be {tuple(shape)}")


def counted_log_ratio(log_probs, old_log_probs, mask, joint):
    """Zero outside the mask, where the exponential might overflow."""
    assert_shape(log_probs.size(), old_log_probs=old_log_probs)
    log_ratio = log_probs - old_log_probs.detach()
    log_ratio = log_ratio.sum(-1) if joint else log_ratio
    assert_shape(log_ratio.size(), mask=mask)
    return torch.where(mask, log_ratio, torch.zeros_like(log_ratio))


def probability_ratio(log_probs, old_log_probs, *, joint=False):
    assert_shape(log_probs.size(), old_log_probs=old_log_probs)
    log_ratio = log_probs - old_log_probs.detach()
    return torch.exp(log_ratio.sum(-1) if joint else log_ratio)


def ppo_clip_loss(log_probs, old_log_probs, advantages, mask, *, epsilon, joint=False):
    log_ratio = counted_log_ratio(log_probs, old_log_probs, mask, joint)
    assert_shape(log_ratio.size(), advantages=advantages)
    ratio = torch.exp(log_ratio)
    coef_2 = torch.clamp(ratio, 1 - epsilon, 1 + epsilon)
    per_token_loss1 = ratio * advantages.detach()
    per_token_loss2 = coef_2 * advantages.detach()
    per_token_loss = -torch.min(per_token_loss1, per_token_loss2)
    return masked_mean(per_token_loss, mask)


def clip_case(advantage, ratio, *, epsilon):
    is_low_clipped = ratio < 1 - epsilon and advantage < 0
    is_high_clipped = ratio > 1 + epsilon and advantage > 0
    is_region_clipped = is_low_clipped or is_high_clipped
    name = "clipped" if is_region_clipped else "unclipped"
    return name, is_region_clipped or not advantage


def clip_fraction(ratio, mask, *, epsilon):
    assert_shape(ratio.size(), mask=mask)
    outside = torch.gt((ratio.detach() - 1).abs(), epsilon)
    return masked_mean(outside.to(ratio.dtype), mask)


def approximate_kl(log_probs, old_log_probs, mask, *, joint=False):
    with torch.no_grad():
        log_ratio = counted_log_ratio(log_probs, old_log_probs, mask, joint)
        return masked_mean(torch.exp(log_ratio) - log_ratio - 1, mask)


def clipped_value_loss(values, old_values, returns, mask, *, epsilon):
    assert_shape(values.size(), old_values=old_values, returns=returns, mask=mask)
    old_values, returns = old_values.detach(), returns.detach()
    vpredclipped = torch.clamp(values, old_values - epsilon, old_values + epsilon)
    vf_losses1, vf_losses2 = (values - returns) ** 2, (vpredclipped - returns) ** 2
    return 0.5 * masked_mean(torch.max(vf_losses1, vf_losses2), mask)


def minibatch_indices(count, minibatch_size, *, generator):
    for key, value in (("count", count), ("minibatch_size", minibatch_size)):
        if value <= 0:
            raise ValueError(f"{key} should be positive, not {value}")
    remaining = torch.randperm(count, generator=generator)
    micro_batches = []
    while len(remaining):
        micro_batches.append(remaining[:minibatch_size])
        remaining = remaining[minibatch_size:]
    return micro_batches
