"""The habits of TRL: `kl = logprobs - ref_logprobs`, a reversed list of advantages, masked means.

TRL blanks values and rewards behind the end and lets the recursion run; here it also carries past
holes. Losses are maxima of negated terms. The exact ties are this course's, not the library's.
"""

import torch


def check_dims(first, first_name, **others):
    if first.dim() != 2:
        raise ValueError(f"{first_name}: expected two dimensions, got {tuple(first.shape)}")
    for name, tensor in others.items():
        if tensor.shape != first.shape:
            raise ValueError(f"{name}: {tuple(tensor.shape)} is not {tuple(first.shape)}")


def masked_mean(values, mask):
    return torch.where(mask, values, 0.0).sum() / mask.sum().clamp(min=1)


def token_rewards(scores, log_probs, ref_log_probs, mask, *, beta):
    check_dims(log_probs, "log_probs", ref_log_probs=ref_log_probs, mask=mask)
    if scores.shape != log_probs.shape[:1]:
        raise ValueError(f"scores: {tuple(scores.shape)} is not {(len(log_probs),)}")
    with torch.no_grad():
        kl = (log_probs - ref_log_probs).masked_fill(~mask, 0)
        rewards = -beta * kl
        for j in range(len(rewards)):
            counted = mask[j].nonzero()
            if len(counted):
                rewards[j, counted[-1]] += scores[j]
    return rewards


@torch.no_grad()
def token_advantages(rewards, values, mask, *, discount, lam):
    check_dims(rewards, "rewards", values=values, mask=mask)
    values = torch.masked_fill(values, ~mask, 0)
    rewards = torch.masked_fill(rewards, ~mask, 0)
    lastgaelam = nextvalues = values.new_zeros(len(values))
    advantages_reversed = []
    for t in reversed(range(rewards.size(1))):
        delta = rewards[:, t] + discount * nextvalues - values[:, t]
        gae = delta + discount * lam * lastgaelam
        lastgaelam = torch.where(mask[:, t], gae, lastgaelam)
        nextvalues = torch.where(mask[:, t], values[:, t], nextvalues)
        advantages_reversed.append(lastgaelam)
    advantages = torch.stack(advantages_reversed[::-1], axis=1)
    advantages = torch.masked_fill(advantages, ~mask, 0)
    return advantages, advantages + values


@torch.no_grad()
def whiten(advantages, mask, *, eps=1e-8):
    check_dims(advantages, "advantages", mask=mask)
    counted = advantages[mask]
    if len(counted) < 2 or counted.min() == counted.max():
        return torch.zeros_like(advantages)
    mean = masked_mean(advantages, mask)
    variance = masked_mean((advantages - mean) ** 2, mask)
    variance = variance * mask.sum() / (mask.sum() - 1)
    whitened = (advantages - mean) / (variance.sqrt() + eps)
    return torch.masked_fill(whitened, ~mask, 0)


def rlhf_ppo_loss(
    log_probs,
    old_log_probs,
    values,
    old_values,
    advantages,
    targets,
    mask,
    *,
    epsilon,
    value_epsilon,
    value_coefficient,
):
    check_dims(
        log_probs,
        "log_probs",
        old_log_probs=old_log_probs,
        values=values,
        old_values=old_values,
        advantages=advantages,
        targets=targets,
        mask=mask,
    )
    mb_advantage, mb_return = advantages.detach(), targets.detach()
    mb_values, mb_logprobs = old_values.detach(), old_log_probs.detach()
    vpredclipped = torch.clamp(values, mb_values - value_epsilon, mb_values + value_epsilon)
    vf_losses1 = torch.square(values - mb_return)
    vf_losses2 = torch.square(vpredclipped - mb_return)
    vf_loss = 0.5 * masked_mean(torch.max(vf_losses1, vf_losses2), mask)
    ratio = torch.exp(torch.masked_fill(log_probs - mb_logprobs, ~mask, 0))
    pg_losses = -mb_advantage * ratio
    pg_losses2 = -mb_advantage * torch.clamp(ratio, 1.0 - epsilon, 1.0 + epsilon)
    pg_loss = masked_mean(torch.max(pg_losses, pg_losses2), mask)
    return pg_loss + value_coefficient * vf_loss


@torch.no_grad()
def kl_to_reference(log_probs, ref_log_probs, mask):
    check_dims(log_probs, "log_probs", ref_log_probs=ref_log_probs, mask=mask)
    return torch.masked_fill(log_probs - ref_log_probs, ~mask, 0).sum(1).mean()


@torch.no_grad()
def explained_variance(values, targets, mask):
    check_dims(values, "values", targets=targets, mask=mask)
    y_pred, y_true = values[mask], targets[mask]
    if len(y_true) < 2 or y_true.min() == y_true.max():
        return values.new_zeros(())
    return 1 - (y_true - y_pred).var(unbiased=False) / y_true.var(unbiased=False)
