"""One reward and one token at a time: loops over numbers and 0-dimensional tensors."""

import statistics

import torch


def rows_of(rewards):
    if len(rewards.shape) != 2:
        raise ValueError(f"rewards: two axes [P, G] expected, got shape {tuple(rewards.shape)}")
    if rewards.shape[1] == 1:
        raise ValueError("rewards: a group of one has nothing to be compared with")
    dtype = rewards.dtype if rewards.is_floating_point() else torch.get_default_dtype()
    return rewards.tolist(), dtype


def dr_grpo_advantages(rewards):
    rows, dtype = rows_of(rewards)
    centred = [
        [r - statistics.fmean(row) if len(set(row)) > 1 else 0.0 for r in row] for row in rows
    ]
    return torch.tensor(centred, dtype=dtype)


def leave_one_out_advantages(rewards):
    rows, dtype = rows_of(rewards)
    answers = []
    for row in rows:
        answer = []
        for i, reward in enumerate(row):
            others = row[:i] + row[i + 1 :]
            answer.append(sum(reward - other for other in others) / len(others))
        answers.append(answer)
    return torch.tensor(answers, dtype=dtype)


def group_advantages(rewards, *, eps=1e-4):
    rows, dtype = rows_of(rewards)
    answers = []
    for row in rows:
        if min(row) == max(row):
            answers.append([0.0] * len(row))
            continue
        mean, spread = statistics.fmean(row), statistics.stdev(row)
        answers.append([(reward - mean) / (spread + eps) for reward in row])
    return torch.tensor(answers, dtype=dtype)


def group_signal(rewards):
    rows, dtype = rows_of(rewards)
    return torch.tensor(sum(min(row) < max(row) for row in rows) / len(rows), dtype=dtype)


def token_loss(new, old, ref, advantage, epsilon, beta):
    ratio = (new - old).exp()
    unclipped = ratio * advantage
    clipped = ratio.clip(1 - epsilon, 1 + epsilon) * advantage
    surrogate = unclipped if unclipped < clipped else clipped
    return beta * ((ref - new).exp() - (ref - new) - 1) - surrogate


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
    rows, length = log_probs.shape
    if old_log_probs.shape != (rows, length):
        raise ValueError(f"old_log_probs: {old_log_probs.shape} instead of {log_probs.shape}")
    if ref_log_probs.shape != (rows, length):
        raise ValueError(f"ref_log_probs: {ref_log_probs.shape} instead of {log_probs.shape}")
    if mask.shape != (rows, length):
        raise ValueError(f"mask: {mask.shape} instead of {log_probs.shape}")
    if advantages.shape != (rows,):
        raise ValueError(f"advantages: {advantages.shape} instead of [{rows}]")
    if aggregation not in ("token_mean", "sequence_mean", "constant"):
        raise ValueError(f"aggregation: {aggregation!r} is not known")
    if aggregation == "constant" and constant is None:
        raise ValueError("constant: must be given with this aggregation")
    old, ref, a = old_log_probs.detach(), ref_log_probs.detach(), advantages.detach()
    total = log_probs.sum() * 0.0  # with a graph, also where nothing counts
    for b in range(rows):
        counted = [t for t in range(length) if mask[b, t]]
        for t in counted:
            loss = token_loss(log_probs[b, t], old[b, t], ref[b, t], a[b], epsilon, beta)
            if aggregation == "token_mean":
                total = total + loss / int(mask.sum())
            elif aggregation == "sequence_mean":
                total = total + loss / (rows * len(counted))
            else:
                total = total + loss / (rows * constant)
    return total
