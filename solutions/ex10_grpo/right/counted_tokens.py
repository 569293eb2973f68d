"""Only the counted tokens are ever looked at: a flat list of them, and a weight for each."""

import torch


def dr_grpo_advantages(rewards):
    check_groups(rewards)
    rewards = as_float(rewards)
    return (rewards[:, :, None] - rewards[:, None, :]).mean(dim=2)


def leave_one_out_advantages(rewards):
    check_groups(rewards)
    rewards = as_float(rewards)
    return (rewards[:, :, None] - rewards[:, None, :]).sum(dim=2).div(rewards.shape[1] - 1)


def group_advantages(rewards, *, eps=1e-4):
    centred = dr_grpo_advantages(rewards)
    spread = torch.linalg.vector_norm(centred, dim=1, keepdim=True)
    spread = spread / (rewards.shape[1] - 1) ** 0.5
    return centred.div(spread.add(eps))


def group_signal(rewards):
    check_groups(rewards)
    return (rewards.max(dim=1).values > rewards.min(dim=1).values).double().mean()


def check_groups(rewards):
    match tuple(rewards.shape):
        case (_, completions) if completions > 1:
            return
    raise ValueError(f"rewards has shape {tuple(rewards.shape)}; [P, G > 1] is needed")


def as_float(rewards):
    return rewards.detach() * 1.0


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
    expected = {
        "old_log_probs": log_probs.shape,
        "ref_log_probs": log_probs.shape,
        "advantages": log_probs.shape[:-1],
        "mask": log_probs.shape,
    }
    given = {
        "old_log_probs": old_log_probs,
        "ref_log_probs": ref_log_probs,
        "advantages": advantages,
        "mask": mask,
    }
    for name in expected:
        if given[name].shape != expected[name]:
            raise ValueError(f"{name}: {given[name].shape} given, {expected[name]} expected")
    rows, _ = mask.nonzero(as_tuple=True)
    new, old, ref = log_probs[mask], old_log_probs[mask].detach(), ref_log_probs[mask].detach()
    advantage = advantages.detach()[rows]
    ratio = torch.exp(new - old)
    best = torch.where(advantage >= 0, 1 + epsilon, 1 - epsilon) * advantage
    losses = -torch.minimum(ratio * advantage, best.to(ratio.dtype))
    losses = losses + beta * (torch.expm1(ref - new) - (ref - new))
    return losses @ weights(rows, len(mask), aggregation, constant).to(losses.dtype)


def weights(rows, batch, aggregation, constant):
    lengths = torch.bincount(rows, minlength=batch).double()
    if aggregation == "token_mean":
        return torch.full((len(rows),), 1 / max(1, len(rows)), dtype=torch.float64)
    if aggregation == "sequence_mean":
        return 1 / (batch * lengths[rows])
    if aggregation != "constant":
        raise ValueError(f"no such aggregation: {aggregation}")
    if constant is None:
        raise ValueError("constant is None")
    return torch.full((len(rows),), 1 / (batch * constant), dtype=torch.float64)
