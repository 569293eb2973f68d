"""The habits of torchtune: padding masks that are True where nothing counts, helpers by name.

The score goes to the last position found with a running maximum. The terms of the loss are means
over what is left when padding is dropped.
"""

import torch


def _validate(padding_source, **tensors):
    for name, tensor in tensors.items():
        if tensor.dim() != 2:
            raise ValueError(f"{name}: [b, s] is needed, found {list(tensor.shape)}")
        if tensor.shape != padding_source.shape:
            raise ValueError(f"{name}: found {list(tensor.shape)} beside others")


def get_last_positions(padding_mask):
    positions = torch.arange(padding_mask.shape[1]).expand_as(padding_mask)
    return positions.masked_fill(padding_mask, -1).max(dim=1).values


def token_rewards(scores, log_probs, ref_log_probs, mask, *, beta):
    _validate(log_probs, log_probs=log_probs, ref_log_probs=ref_log_probs, mask=mask)
    if scores.shape != (log_probs.shape[0],):
        raise ValueError(f"scores: [b] is needed, found {list(scores.shape)}")
    padding_mask = ~mask
    kl = log_probs.detach() - ref_log_probs.detach()
    total_reward = (kl * -beta).masked_fill(padding_mask, 0.0)
    last = get_last_positions(padding_mask)
    rows = torch.nonzero(last >= 0).squeeze(1)
    scores = scores.detach().to(total_reward.dtype)
    total_reward.index_put_((rows, last[rows]), scores[rows], accumulate=True)
    return total_reward


def token_advantages(rewards, values, mask, *, discount, lam):
    _validate(rewards, rewards=rewards, values=values, mask=mask)
    advantages = torch.zeros(values.shape, dtype=values.dtype)
    returns = torch.zeros(values.shape, dtype=values.dtype)
    for row, positions in enumerate(map(torch.nonzero, mask)):
        estimate_row(
            advantages[row],
            returns[row],
            rewards.detach()[row],
            values.detach()[row],
            positions.flatten().tolist(),
            discount,
            lam,
        )
    return advantages, returns


def estimate_row(advantages, returns, rewards, values, positions, gamma, lmbda):
    last_gae_lam, next_value = 0.0, 0.0
    for t in positions[::-1]:
        delta = rewards[t] + gamma * next_value - values[t]
        last_gae_lam = delta + gamma * lmbda * last_gae_lam
        advantages[t] = last_gae_lam
        returns[t] = last_gae_lam + values[t]
        next_value = values[t]


def whiten(advantages, mask, *, eps=1e-8):
    _validate(advantages, advantages=advantages, mask=mask)
    x = advantages.detach()
    kept = x[mask]
    same = kept.numel() < 2 or bool((kept[1:] == kept[:-1]).all())
    mean = kept.mean() if kept.numel() else 0.0
    scale = 0.0 if same else 1.0 / (kept.std() + eps)
    return ((x - mean) * scale).masked_fill(~mask, 0.0)


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
    _validate(log_probs, log_probs=log_probs, old_log_probs=old_log_probs, values=values)
    _validate(log_probs, old_values=old_values, advantages=advantages, targets=targets, mask=mask)
    pi_logprobs, pi_old_logprobs = log_probs[mask], old_log_probs[mask].detach()
    advantages, returns = advantages[mask].detach(), targets[mask].detach()
    phi_values, phi_old_values = values[mask], old_values[mask].detach()
    count = max(int(mask.sum()), 1)

    ratios = torch.exp(pi_logprobs - pi_old_logprobs)
    clipped_ratios = torch.clamp(ratios, 1.0 - epsilon, 1.0 + epsilon)
    policy_losses = torch.maximum(-clipped_ratios * advantages, -ratios * advantages)

    lower, upper = phi_old_values - value_epsilon, phi_old_values + value_epsilon
    values_clipped = torch.minimum(torch.maximum(phi_values, lower), upper)
    value_losses = torch.maximum(
        torch.pow(phi_values - returns, 2), torch.pow(values_clipped - returns, 2)
    )
    return policy_losses.sum() / count + (value_losses.sum() / count) * 0.5 * value_coefficient


def kl_to_reference(log_probs, ref_log_probs, mask):
    _validate(log_probs, log_probs=log_probs, ref_log_probs=ref_log_probs, mask=mask)
    kl = (log_probs.detach() - ref_log_probs.detach()).masked_fill(~mask, 0.0)
    return torch.stack([row.sum() for row in kl]).mean()


def explained_variance(values, targets, mask):
    _validate(values, values=values, targets=targets, mask=mask)
    y, v = targets.detach()[mask], values.detach()[mask]
    if y.numel() < 2 or bool((y[1:] == y[:-1]).all()):
        return torch.zeros((), dtype=values.dtype)
    return 1 - torch.var(y - v) / torch.var(y)
