"""Everything is computed in float64 and cast back to the dtype that came."""

import torch


def wrong(name, expected, tensor):
    return ValueError(f"{name}: expected {expected}, got {list(tensor.shape)}")


def log_policy(logits, temperature):
    if logits.dim() != 3:
        raise wrong("logits", "[B, T, V]", logits)
    if not temperature > 0:
        raise ValueError(f"temperature: expected more than 0, got {temperature}")
    scaled = logits.double() / temperature
    return scaled - scaled.logsumexp(dim=-1, keepdim=True)


def token_log_probs(logits, tokens, *, temperature=1.0):
    log_probs = log_policy(logits, temperature)
    if tokens.shape != logits.shape[:2]:
        raise wrong("tokens", list(logits.shape[:2]), tokens)
    one_hot = torch.nn.functional.one_hot(tokens[:, 1:], logits.shape[-1])
    return (log_probs[:, :-1] * one_hot).sum(dim=-1).to(logits.dtype)


def response_mask(tokens, prompt_lengths, *, eos_id, pad_id):
    if tokens.dim() != 2:
        raise wrong("tokens", "[B, T]", tokens)
    if prompt_lengths.shape != tokens.shape[:1]:
        raise wrong("prompt_lengths", f"[{len(tokens)}]", prompt_lengths)
    answers = torch.arange(tokens.shape[1])[None] >= prompt_lengths[:, None]
    ends = (tokens == eos_id) | (tokens == pad_id)
    ended = torch.cummax((ends & answers).long(), dim=1).values
    ended_before = torch.nn.functional.pad(ended[:, :-1], (1, 0)).bool()
    return answers & ~ended_before & ((tokens != pad_id) | (tokens == eos_id))


def masked_mean(values, mask, *, axis=None):
    if mask.shape != values.shape:
        raise wrong("mask", list(values.shape), mask)
    axes = list(range(values.dim())) if axis is None else axis
    weights = mask.double()
    mean = (values.double() * weights).sum(axes) / weights.sum(axes).clamp_min(1)
    return mean.to(values.dtype)


def aggregate_loss(per_token, mask, how, *, constant=None):
    if per_token.dim() != 2:
        raise wrong("per_token", "[B, T]", per_token)
    if mask.shape != per_token.shape:
        raise wrong("mask", list(per_token.shape), mask)
    if how not in {"token_mean", "sequence_mean", "constant"}:
        raise ValueError(f"how: expected one of the three, got {how}")
    if how == "constant" and constant is None:
        raise ValueError("constant: expected a number, got None")
    weights = mask.double()
    lengths = weights.sum(dim=1)
    sums = (per_token.double() * weights).sum(dim=1)
    if how == "token_mean":
        loss = sums.sum() / max(lengths.sum(), 1.0)
    elif how == "sequence_mean":
        loss = (sums / lengths.clamp_min(1)).mean()
    else:
        loss = sums.mean() / constant
    return loss.to(per_token.dtype)


def sequence_log_probs(log_probs, mask):
    if log_probs.dim() != 2:
        raise wrong("log_probs", "[B, T]", log_probs)
    if mask.shape != log_probs.shape:
        raise wrong("mask", list(log_probs.shape), mask)
    return (log_probs.double() * mask).sum(dim=1).to(log_probs.dtype)


def token_entropy(logits, *, temperature=1.0):
    log_probs = log_policy(logits, temperature)
    return torch.special.entr(log_probs.exp()).sum(dim=-1).to(logits.dtype)
