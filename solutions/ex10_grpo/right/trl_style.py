"""The habits of TRL: flat rewards with `view` and `repeat_interleave`, `coef_1` and `coef_2`.

The mask is multiplied in at the end, after `exp`: right as long as no ratio overflows. The exact
ties are this course's, not the library's.
"""

import torch


def flat_groups(rewards):
    if rewards.dim() != 2 or rewards.size(1) <= 1:
        raise ValueError(f"rewards: need [P, G] with at least 2 generations, got {rewards.shape}")
    flat = rewards.detach().reshape(-1)
    return flat if flat.is_floating_point() else flat.float()


def centred_groups(rewards):
    flat, num_generations = flat_groups(rewards), rewards.size(1)
    grouped = flat.view(-1, num_generations)
    mean_grouped_rewards = grouped.mean(dim=1).repeat_interleave(num_generations, dim=0)
    is_std_zero = grouped.amax(dim=1) == grouped.amin(dim=1)
    advantages = flat - mean_grouped_rewards
    return torch.where(is_std_zero.repeat_interleave(num_generations), 0.0, advantages)


def dr_grpo_advantages(rewards):
    return centred_groups(rewards).view(rewards.shape)


def leave_one_out_advantages(rewards):
    flat, num_generations = flat_groups(rewards), rewards.size(1)
    grouped = flat.view(-1, num_generations)
    baselines = (grouped.sum(dim=1, keepdim=True) - grouped) / (num_generations - 1)
    tied = (grouped == grouped[:, -1:]).all(dim=1, keepdim=True)
    return (grouped - baselines).masked_fill(tied, 0.0)


def group_advantages(rewards, *, eps=1e-4):
    std_grouped_rewards = flat_groups(rewards).view(rewards.shape).std(dim=1)
    std_rewards = std_grouped_rewards.repeat_interleave(rewards.size(1), dim=0)
    advantages = centred_groups(rewards) / (std_rewards + eps)
    return advantages.view(rewards.shape)


def group_signal(rewards):
    grouped = flat_groups(rewards).view(rewards.shape)
    frac_reward_zero_std = (grouped.amax(dim=1) == grouped.amin(dim=1)).float().mean()
    return 1.0 - frac_reward_zero_std


def grpo_loss(
    log_probs,
    old_log_probs,
    ref_log_probs,
    advantages,
    mask,
    *,
    epsilon,
    beta,
    aggregation,
    constant=None,
):
    for name, tensor in {
        "old_log_probs": old_log_probs,
        "ref_log_probs": ref_log_probs,
        "mask": mask,
    }.items():
        if tensor.shape != log_probs.shape:
            raise ValueError(f"{name}: expected {log_probs.shape}, got {tensor.shape}")
    if advantages.shape != log_probs.shape[:1]:
        raise ValueError(f"advantages: expected {log_probs.shape[:1]}, got {advantages.shape}")
    completion_mask = mask.to(log_probs.dtype)
    per_token_logps = log_probs
    old_per_token_logps = old_log_probs.detach()
    ref_per_token_logps = ref_log_probs.detach()
    per_token_kl = (
        torch.exp(ref_per_token_logps - per_token_logps)
        - (ref_per_token_logps - per_token_logps)
        - 1
    )
    coef_1 = torch.exp(per_token_logps - old_per_token_logps)
    coef_2 = torch.clamp(coef_1, 1 - epsilon, 1 + epsilon)
    per_token_loss1 = coef_1 * advantages.detach().unsqueeze(1)
    per_token_loss2 = coef_2 * advantages.detach().unsqueeze(1)
    per_token_loss = -torch.min(per_token_loss1, per_token_loss2)
    if beta != 0.0:
        per_token_loss = per_token_loss + beta * per_token_kl
    if aggregation == "sequence_mean":
        row_sums = (per_token_loss * completion_mask).sum(-1)
        return (row_sums / completion_mask.sum(-1).clamp(min=1.0)).mean()
    if aggregation == "token_mean":
        return (per_token_loss * completion_mask).sum() / completion_mask.sum().clamp(min=1.0)
    if aggregation == "constant":
        if constant is None:
            raise ValueError("the constant aggregation needs `constant`")
        return (per_token_loss * completion_mask).sum() / (per_token_loss.size(0) * constant)
    raise ValueError(f"unknown aggregation: {aggregation}")
