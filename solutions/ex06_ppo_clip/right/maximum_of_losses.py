"""The habit of single-file RL code: losses, and their maximum; entries are selected at the door."""

import torch


def same(reference, shape, **others):
    for name, other in others.items():
        if tuple(other.shape) != tuple(shape):
            raise ValueError(
                f"{name}: {tuple(other.shape)} instead of {tuple(shape)} ({reference})"
            )


def logratio_of(newlogprob, oldlogprob, joint):
    same("log_probs", newlogprob.shape, old_log_probs=oldlogprob)
    if joint:
        newlogprob, oldlogprob = newlogprob.sum(-1), oldlogprob.sum(-1)
    return newlogprob - oldlogprob.detach()


def probability_ratio(log_probs, old_log_probs, *, joint=False):
    return torch.exp(logratio_of(log_probs, old_log_probs, joint))


def ppo_clip_loss(log_probs, old_log_probs, advantages, mask, *, epsilon, joint=False):
    logratio = logratio_of(log_probs, old_log_probs, joint)
    same("ratio", logratio.shape, advantages=advantages, mask=mask)
    if not mask.any():
        return logratio[mask].sum()
    with torch.no_grad():
        mb_advantages = advantages[mask]
    ratio = logratio[mask].exp()
    pg_loss1 = -mb_advantages * ratio
    pg_loss2 = -mb_advantages * torch.clamp(ratio, 1 - epsilon, 1 + epsilon)
    return torch.max(pg_loss1, pg_loss2).mean()


def clip_case(advantage, ratio, *, epsilon):
    loss1 = -advantage * ratio
    loss2 = -advantage * min(1 + epsilon, max(1 - epsilon, ratio))
    if loss2 > loss1:
        return ("clipped", True)
    return ("unclipped", advantage == 0.0)


@torch.no_grad()
def clip_fraction(ratio, mask, *, epsilon):
    same("ratio", ratio.shape, mask=mask)
    if not mask.any():
        return ratio.new_zeros(())
    return ((ratio[mask] - 1.0).abs() > epsilon).to(ratio.dtype).mean()


@torch.no_grad()
def approximate_kl(log_probs, old_log_probs, mask, *, joint=False):
    logratio = logratio_of(log_probs, old_log_probs, joint)
    same("ratio", logratio.shape, mask=mask)
    if not mask.any():
        return logratio.new_zeros(())
    logratio = logratio[mask]
    return ((logratio.exp() - 1) - logratio).mean()


def clipped_value_loss(values, old_values, returns, mask, *, epsilon):
    same("values", values.shape, old_values=old_values, returns=returns, mask=mask)
    newvalue, b_values, b_returns = values[mask], old_values[mask].detach(), returns[mask].detach()
    if newvalue.numel() == 0:
        return newvalue.sum()
    v_loss_unclipped = (newvalue - b_returns) ** 2
    v_clipped = b_values + torch.clamp(newvalue - b_values, -epsilon, epsilon)
    v_loss_clipped = (v_clipped - b_returns) ** 2
    return 0.5 * torch.max(v_loss_unclipped, v_loss_clipped).mean()


def minibatch_indices(count, minibatch_size, *, generator):
    if count < 1:
        raise ValueError(f"count: {count}")
    if minibatch_size < 1:
        raise ValueError(f"minibatch_size: {minibatch_size}")
    b_inds = torch.randperm(count, generator=generator)
    return [b_inds[start : start + minibatch_size] for start in range(0, count, minibatch_size)]
