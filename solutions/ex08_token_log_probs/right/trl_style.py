"""The habits of TRL: gather first, one logsumexp per row, the index of the first EOS."""

import torch


def check(condition, argument, expected, got):
    if not condition:
        raise ValueError(f"`{argument}` must be {expected}, got {got}")


def selective_log_softmax(logits, index):
    selected = torch.gather(logits, dim=-1, index=index.unsqueeze(-1)).squeeze(-1)
    normalizers = torch.stack([torch.logsumexp(row, dim=-1) for row in logits])
    return selected - normalizers


def token_log_probs(logits, tokens, *, temperature=1.0):
    check(logits.dim() == 3, "logits", "of shape (B, T, V)", tuple(logits.shape))
    check(tokens.shape == logits.shape[:-1], "tokens", tuple(logits.shape[:2]), tuple(tokens.shape))
    check(temperature > 0, "temperature", "positive", temperature)
    logits = logits[:, :-1, :] / temperature
    return selective_log_softmax(logits, tokens[:, 1:])


def response_mask(tokens, prompt_lengths, *, eos_id, pad_id):
    check(tokens.dim() == 2, "tokens", "of shape (B, T)", tuple(tokens.shape))
    batch_size, length = tokens.shape
    check(prompt_lengths.shape == (batch_size,), "prompt_lengths", "(B,)", prompt_lengths.shape)
    sequence_indices = torch.arange(length).expand(batch_size, -1)
    in_completion = sequence_indices >= prompt_lengths.unsqueeze(1)
    is_eos = (tokens == eos_id) & in_completion
    eos_idx = torch.full((batch_size,), length, dtype=torch.long)
    has_eos = is_eos.any(dim=1)
    eos_idx[has_eos] = is_eos.int().argmax(dim=1)[has_eos]
    mask = in_completion & (sequence_indices <= eos_idx.unsqueeze(1))
    if pad_id != eos_id:
        mask = mask & (tokens != pad_id)
    return mask


def masked_mean(values, mask, *, axis=None):
    check(mask.shape == values.shape, "mask", tuple(values.shape), tuple(mask.shape))
    kept = values * mask
    if axis is None:
        return kept.sum() / mask.sum().clamp(min=1.0)
    return kept.sum(axis) / mask.sum(axis).clamp(min=1.0)


def aggregate_loss(per_token, mask, how, *, constant=None):
    check(per_token.dim() == 2, "per_token", "of shape (B, T)", tuple(per_token.shape))
    check(mask.shape == per_token.shape, "mask", tuple(per_token.shape), tuple(mask.shape))
    if how == "sequence_mean":
        return ((per_token * mask).sum(-1) / mask.sum(-1).clamp(min=1.0)).mean()
    if how == "token_mean":
        return (per_token * mask).sum() / mask.sum().clamp(min=1.0)
    if how == "constant":
        check(constant is not None, "constant", "given for how='constant'", constant)
        return (per_token * mask).sum() / (per_token.size(0) * constant)
    raise ValueError(f"Unknown aggregation how={how!r}")


def sequence_log_probs(log_probs, mask):
    check(log_probs.dim() == 2, "log_probs", "of shape (B, T)", tuple(log_probs.shape))
    check(mask.shape == log_probs.shape, "mask", tuple(log_probs.shape), tuple(mask.shape))
    return (log_probs * mask).sum(-1)


def token_entropy(logits, *, temperature=1.0):
    check(logits.dim() == 3, "logits", "of shape (B, T, V)", tuple(logits.shape))
    check(temperature > 0, "temperature", "positive", temperature)
    entropies = []
    for chunk in (logits / temperature).reshape(-1, logits.shape[-1]).split(2, dim=0):
        logps = torch.nn.functional.log_softmax(chunk, dim=-1)
        entropies.append(-(torch.exp(logps) * logps).sum(-1))
    return torch.cat(entropies).reshape(logits.shape[:-1])
