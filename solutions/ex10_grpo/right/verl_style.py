"""The habits of verl: groups in dictionaries, the loss as a maximum of negatives, `agg_loss`."""

from collections import defaultdict

import torch


def scores_by_group(rewards):
    if rewards.ndim != 2 or rewards.shape[-1] < 2:
        raise ValueError(f"rewards must be (P, G) with G >= 2, not {tuple(rewards.shape)}")
    scores = rewards.detach()
    if scores.dtype not in (torch.float32, torch.float64):
        scores = scores.to(torch.get_default_dtype())
    index = [p for p in range(scores.shape[0]) for _ in range(scores.shape[1])]
    id2score = defaultdict(list)
    for uid, score in zip(index, scores.flatten(), strict=True):
        id2score[uid].append(score)
    return scores, {uid: torch.stack(group) for uid, group in id2score.items()}


@torch.no_grad()
def dr_grpo_advantages(rewards):
    scores, id2score = scores_by_group(rewards)
    advantages = torch.zeros_like(scores)
    for uid, group in id2score.items():
        if group.unique().numel() > 1:
            advantages[uid] = group - torch.mean(group)
    return advantages


@torch.no_grad()
def leave_one_out_advantages(rewards):
    scores, id2score = scores_by_group(rewards)
    advantages = torch.zeros_like(scores)
    for uid, group in id2score.items():
        response_num = len(group)
        if group.unique().numel() > 1:
            own = group * response_num / (response_num - 1)
            advantages[uid] = own - group.mean() * response_num / (response_num - 1)
    return advantages


@torch.no_grad()
def group_advantages(rewards, *, eps=1e-4):
    advantages = dr_grpo_advantages(rewards)
    _, id2score = scores_by_group(rewards)
    for uid, group in id2score.items():
        advantages[uid] /= torch.std(group) + eps
    return advantages


@torch.no_grad()
def group_signal(rewards):
    _, id2score = scores_by_group(rewards)
    kept = [uid for uid, group in id2score.items() if group.unique().numel() > 1]
    return torch.tensor(len(kept) / len(id2score))


def agg_loss(loss_mat, loss_mask, loss_agg_mode, loss_scale_factor):
    weights = loss_mask.to(loss_mat.dtype)
    if loss_agg_mode == "token_mean":
        return (loss_mat * weights).sum() / torch.clamp(weights.sum(), min=1)
    if loss_agg_mode == "sequence_mean":
        seq_losses = torch.sum(loss_mat * weights, dim=-1)
        seq_losses = seq_losses / torch.clamp(weights.sum(dim=-1), min=1)
        return seq_losses.mean()
    if loss_agg_mode == "constant":
        if loss_scale_factor is None:
            raise ValueError("constant: a divisor is needed")
        return torch.mean(torch.sum(loss_mat * weights, dim=-1)) / loss_scale_factor
    raise ValueError(f"Invalid aggregation: {loss_agg_mode}")


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
    shapes = {
        "old_log_probs": (old_log_probs, log_probs.shape),
        "ref_log_probs": (ref_log_probs, log_probs.shape),
        "advantages": (advantages, log_probs.shape[:1]),
        "mask": (mask, log_probs.shape),
    }
    for name, (tensor, shape) in shapes.items():
        if tensor.shape != shape:
            raise ValueError(f"{name} is {tuple(tensor.shape)}, should be {tuple(shape)}")
    advantages = advantages.detach()[:, None].expand_as(log_probs)
    zeros = torch.zeros_like(log_probs)
    negative_approx_kl = torch.where(mask, log_probs - old_log_probs.detach(), zeros)
    ratio = torch.exp(negative_approx_kl)
    pg_losses1 = -advantages * ratio
    pg_losses2 = -advantages * torch.clamp(ratio, 1 - epsilon, 1 + epsilon)
    clip_pg_losses = torch.maximum(pg_losses1, pg_losses2)
    kl = torch.where(mask, ref_log_probs.detach() - log_probs, zeros)
    kld = kl.exp() - kl - 1
    pg_loss = agg_loss(clip_pg_losses, mask, aggregation, constant)
    kl_loss = agg_loss(kld, mask, aggregation, constant)
    return pg_loss + kl_loss * beta
