"""The counted tokens as one flat list with the row of each; masks from Python lists."""

import torch


def token_log_probs(logits, tokens, *, temperature=1.0):
    if len(logits.shape) != 3:
        raise ValueError(f"logits: {logits.shape}")
    b, t = logits.shape[:2]
    if tokens.shape != (b, t):
        raise ValueError(f"tokens: {tokens.shape}")
    if not temperature > 0:
        raise ValueError("temperature")
    z = logits * (1.0 / temperature)
    z = z - z.max(dim=-1, keepdim=True).values
    lp = z - torch.log(torch.sum(torch.exp(z), dim=-1, keepdim=True))
    rows = torch.arange(b)[:, None]
    cols = torch.arange(t - 1)[None, :]
    return lp[rows, cols, tokens[:, 1:]]


def response_mask(tokens, prompt_lengths, *, eos_id, pad_id):
    if tokens.ndim != 2:
        raise ValueError("tokens must be [B, T]")
    if prompt_lengths.ndim != 1 or len(prompt_lengths) != len(tokens):
        raise ValueError("prompt_lengths must be [B]")
    out = []
    for ids, n in zip(tokens.tolist(), prompt_lengths.tolist(), strict=True):
        answer = ids[n:]
        if eos_id in answer:
            k = answer.index(eos_id) + 1
        elif pad_id in answer:
            k = answer.index(pad_id)
        else:
            k = len(answer)
        out.append([False] * n + [True] * k + [False] * (len(answer) - k))
    return torch.tensor(out, dtype=torch.bool)


def masked_mean(values, mask, *, axis=None):
    if values.shape != mask.shape:
        raise ValueError(f"mask {mask.shape} != {values.shape}")
    if axis is None:
        picked = values[mask]
        return picked.sum() / max(picked.numel(), 1)
    n = mask.sum(axis)
    s = torch.where(mask, values, torch.zeros_like(values)).sum(axis)
    return s / torch.where(n > 0, n, 1)


def aggregate_loss(per_token, mask, how, *, constant=None):
    if per_token.ndim != 2:
        raise ValueError("per_token must be [B, T]")
    if per_token.shape != mask.shape:
        raise ValueError("mask must be like per_token")
    b = per_token.shape[0]
    row, col = mask.nonzero(as_tuple=True)
    picked = per_token[row, col]
    if how == "token_mean":
        return picked.sum() / max(len(picked), 1)
    if how == "sequence_mean":
        n = torch.bincount(row, minlength=b)
        return (picked / n[row]).sum() / b
    if how == "constant":
        if constant is None:
            raise ValueError("constant is required")
        return picked.sum() / constant / b
    raise ValueError(f"how={how}")


def sequence_log_probs(log_probs, mask):
    if log_probs.ndim != 2:
        raise ValueError("log_probs must be [B, T]")
    if log_probs.shape != mask.shape:
        raise ValueError("mask must be like log_probs")
    row, col = mask.nonzero(as_tuple=True)
    out = torch.zeros(len(mask), dtype=log_probs.dtype)
    return out.index_add(0, row, log_probs[row, col])


def token_entropy(logits, *, temperature=1.0):
    if logits.ndim != 3:
        raise ValueError("logits")
    if not temperature > 0:
        raise ValueError("temperature")
    z = logits / temperature
    p = torch.softmax(z, dim=-1)
    return torch.logsumexp(z, -1) - torch.einsum("btv,btv->bt", p, z)
