"""The gradients are written by hand: the policy gradient times r, switched off past the edge."""

import torch
from torch.autograd import Function


def _check(shape, **tensors):
    for name, tensor in tensors.items():
        if tensor.shape != shape:
            raise ValueError(f"{name} {tuple(tensor.shape)} does not match {tuple(shape)}")


class _Ratio(Function):
    @staticmethod
    def forward(ctx, log_probs, old_log_probs, joint):
        difference = log_probs - old_log_probs
        ratio = (difference.sum(-1) if joint else difference).exp()
        ctx.save_for_backward(ratio)
        ctx.like = log_probs.shape
        ctx.joint = joint
        return ratio

    @staticmethod
    def backward(ctx, flowing):
        (ratio,) = ctx.saved_tensors
        back = flowing * ratio
        return (back.unsqueeze(-1).expand(ctx.like) if ctx.joint else back), None, None


class _Switched(Function):
    """Given values and the gradient of their sum, a sum with that gradient."""

    @staticmethod
    def forward(ctx, source, total, gradient):
        ctx.save_for_backward(gradient)
        return total.clone()

    @staticmethod
    def backward(ctx, flowing):
        (gradient,) = ctx.saved_tensors
        return flowing * gradient, None, None


def probability_ratio(log_probs, old_log_probs, *, joint=False):
    _check(log_probs.shape, old_log_probs=old_log_probs)
    return _Ratio.apply(log_probs, old_log_probs.detach(), joint)


def ppo_clip_loss(log_probs, old_log_probs, advantages, mask, *, epsilon, joint=False):
    _check(log_probs.shape, old_log_probs=old_log_probs)
    with torch.no_grad():
        gap = log_probs - old_log_probs
        gap = gap.sum(-1) if joint else gap
        _check(gap.shape, advantages=advantages, mask=mask)
        ratio = gap.masked_fill(~mask, 0).exp()
        adv = advantages.masked_fill(~mask, 0)
        past = ((adv > 0) & (ratio > 1 + epsilon)) | ((adv < 0) & (ratio < 1 - epsilon))
        bounded = torch.where(past, 1 + epsilon * adv.sign(), ratio)
        count = mask.sum().clamp(min=1)
        total = -(bounded * adv).sum() / count
        gradient = -(ratio * adv).masked_fill(past, 0) / count
        if joint:
            gradient = gradient.unsqueeze(-1).expand_as(log_probs)
    return _Switched.apply(log_probs, total, gradient)


def clip_case(advantage, ratio, *, epsilon):
    slope_left, slope_right = (
        _objective(advantage, ratio + step, epsilon) - _objective(advantage, ratio, epsilon)
        for step in (-1e-6, 1e-6)
    )
    flat = abs(slope_left) + abs(slope_right) < 1e-9 * abs(advantage) or advantage == 0
    return ("clipped" if flat and advantage else "unclipped"), flat


def _objective(advantage, ratio, epsilon):
    edge = 1 + epsilon if advantage > 0 else 1 - epsilon
    return advantage * (min(ratio, edge) if advantage > 0 else max(ratio, edge))


def clip_fraction(ratio, mask, *, epsilon):
    _check(ratio.shape, mask=mask)
    outside = ~torch.isclose(
        ratio.detach(), torch.ones_like(ratio.detach()), rtol=0.0, atol=epsilon
    )
    return (outside & mask).sum().to(ratio.dtype) / mask.sum().clamp(min=1)


def approximate_kl(log_probs, old_log_probs, mask, *, joint=False):
    _check(log_probs.shape, old_log_probs=old_log_probs)
    gap = log_probs.detach() - old_log_probs.detach()
    gap = gap.sum(-1) if joint else gap
    _check(gap.shape, mask=mask)
    gap = gap.masked_fill(~mask, 0)
    return (gap.expm1() - gap).sum() / mask.sum().clamp(min=1)


def clipped_value_loss(values, old_values, returns, mask, *, epsilon):
    _check(values.shape, old_values=old_values, returns=returns, mask=mask)
    with torch.no_grad():
        near = values.clamp(old_values - epsilon, old_values + epsilon)
        far_error, near_error = values - returns, near - returns
        larger = near_error.abs() > far_error.abs()
        count = mask.sum().clamp(min=1)
        errors = torch.where(larger, near_error, far_error).masked_fill(~mask, 0)
        total = errors.square().sum() / (2 * count)
        gradient = errors.masked_fill(larger, 0) / count
    return _Switched.apply(values, total, gradient)


def minibatch_indices(count, minibatch_size, *, generator):
    if not count >= 1:
        raise ValueError(f"count should be at least 1 and is {count}")
    if not minibatch_size >= 1:
        raise ValueError(f"minibatch_size should be at least 1 and is {minibatch_size}")
    shuffled = torch.arange(count)[torch.randperm(count, generator=generator)]
    return list(torch.split(shuffled, minibatch_size, dim=0))
