"""One row, one token at a time; lists of scalars, stacked at the end."""

import torch


def require(tensor, ndim, name):
    if tensor.dim() != ndim:
        raise ValueError(f"{name} needs {ndim} axes, got shape {tuple(tensor.shape)}")


def require_like(tensor, shape, name):
    if tuple(tensor.shape) != tuple(shape):
        raise ValueError(f"{name} needs shape {tuple(shape)}, got {tuple(tensor.shape)}")


def log_softmax(row):
    top = row.max().detach()
    return row - top - (row - top).exp().sum().log()


def require_temperature(temperature):
    if temperature <= 0.0:
        raise ValueError(f"temperature needs to be positive, got {temperature}")


def token_log_probs(logits, tokens, *, temperature=1.0):
    require(logits, 3, "logits")
    require_like(tokens, logits.shape[:2], "tokens")
    require_temperature(temperature)
    rows = []
    for b in range(tokens.shape[0]):
        row = []
        for t in range(1, tokens.shape[1]):
            row.append(log_softmax(logits[b, t - 1] / temperature)[tokens[b, t]])
        rows.append(torch.stack(row))
    return torch.stack(rows)


def response_mask(tokens, prompt_lengths, *, eos_id, pad_id):
    require(tokens, 2, "tokens")
    require_like(prompt_lengths, tokens.shape[:1], "prompt_lengths")
    mask = torch.zeros(tokens.shape, dtype=torch.bool)
    for b in range(tokens.shape[0]):
        for t in range(int(prompt_lengths[b]), tokens.shape[1]):
            token = tokens[b, t].item()
            if token == eos_id:
                mask[b, t] = True
                break
            if token == pad_id:
                break
            mask[b, t] = True
    return mask


def mean_of(values, mask):
    kept = values[mask]
    return kept.mean() if kept.numel() > 0 else 0.0 * values.sum()


def masked_mean(values, mask, *, axis=None):
    require_like(mask, values.shape, "mask")
    if axis is None:
        return mean_of(values, mask)
    slices = zip(
        values.movedim(axis, -1).reshape(-1, values.shape[axis]),
        mask.movedim(axis, -1).reshape(-1, values.shape[axis]),
        strict=True,
    )
    means = torch.stack([mean_of(row, counts) for row, counts in slices])
    return means.reshape(values.movedim(axis, -1).shape[:-1])


def aggregate_loss(per_token, mask, how, *, constant=None):
    require(per_token, 2, "per_token")
    require_like(mask, per_token.shape, "mask")
    if how == "token_mean":
        return mean_of(per_token, mask)
    if how == "sequence_mean":
        means = [mean_of(row, counts) for row, counts in zip(per_token, mask, strict=True)]
        return sum(means) / len(means)
    if how == "constant":
        if not constant:
            raise ValueError("how='constant' needs a constant")
        return per_token[mask].sum() / (constant * per_token.shape[0])
    raise ValueError(f"how={how!r}?")


def sequence_log_probs(log_probs, mask):
    require(log_probs, 2, "log_probs")
    require_like(mask, log_probs.shape, "mask")
    return torch.stack([row[counts].sum() for row, counts in zip(log_probs, mask, strict=True)])


def token_entropy(logits, *, temperature=1.0):
    require(logits, 3, "logits")
    require_temperature(temperature)
    entropies = []
    for row in logits.reshape(-1, logits.shape[-1]):
        logs = log_softmax(row / temperature)
        entropies.append(sum(-log.exp() * log for log in logs))
    return torch.stack(entropies).reshape(logits.shape[:2])
