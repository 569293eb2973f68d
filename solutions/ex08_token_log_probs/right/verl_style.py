"""The habits of verl: cumulative sums of EOS, a tiny number in the divisor, logsumexp entropy."""

import torch


def _same_shape(name, got, want):
    if tuple(got) != tuple(want):
        raise ValueError(f"{name}: shape {tuple(got)}, expected {tuple(want)}")


def _prepare(logits, temperature):
    if logits.ndim != 3:
        raise ValueError(f"logits: expected (bsz, seqlen, vocab), got {tuple(logits.shape)}")
    if temperature <= 0:
        raise ValueError(f"temperature: expected a positive number, got {temperature}")
    return logits.div(temperature)


def token_log_probs(logits, tokens, *, temperature=1.0):
    logits = _prepare(logits, temperature)
    _same_shape("tokens", tokens.shape, logits.shape[:2])
    labels = torch.roll(tokens, shifts=-1, dims=1)
    picked = torch.gather(logits, dim=-1, index=labels.unsqueeze(-1)).squeeze(-1)
    return (picked - torch.logsumexp(logits, dim=-1))[:, :-1]


def response_mask(tokens, prompt_lengths, *, eos_id, pad_id):
    if tokens.ndim != 2:
        raise ValueError(f"tokens: expected (bsz, seqlen), got {tuple(tokens.shape)}")
    _same_shape("prompt_lengths", prompt_lengths.shape, tokens.shape[:1])
    position = torch.arange(tokens.size(1)).unsqueeze(0)
    response = position.ge(prompt_lengths.unsqueeze(-1))
    eos = torch.isin(tokens, torch.tensor([eos_id])).logical_and(response).int()
    until_eos = (eos.cumsum(dim=1) - eos).eq(0)
    real = tokens.ne(pad_id).logical_or(eos.bool())
    return response.logical_and(until_eos).logical_and(real)


def masked_sum(values, mask, axis=None):
    valid = torch.where(mask, values, 0.0)
    return valid.sum() if axis is None else valid.sum(dim=axis)


def masked_mean(values, mask, *, axis=None):
    _same_shape("mask", mask.shape, values.shape)
    count = mask.sum() if axis is None else mask.sum(dim=axis)
    return masked_sum(values, mask, axis) / (count + 1e-8)


def aggregate_loss(per_token, mask, how, *, constant=None):
    if per_token.ndim != 2:
        raise ValueError(f"per_token: expected (bsz, seqlen), got {tuple(per_token.shape)}")
    _same_shape("mask", mask.shape, per_token.shape)
    if how == "token_mean":
        return masked_mean(per_token, mask)
    if how == "sequence_mean":
        lengths = mask.sum(dim=-1)
        per_sequence = masked_sum(per_token, mask, -1) / (lengths + 1e-8)
        return per_sequence.sum() / per_sequence.shape[0]
    if how == "constant":
        if constant is None:
            raise ValueError("how='constant' needs the argument constant")
        return torch.mean(masked_sum(per_token, mask, -1)) / constant
    raise ValueError(f"Invalid how: {how}")


def sequence_log_probs(log_probs, mask):
    if log_probs.ndim != 2:
        raise ValueError(f"log_probs: expected (bsz, seqlen), got {tuple(log_probs.shape)}")
    _same_shape("mask", mask.shape, log_probs.shape)
    return masked_sum(log_probs, mask, axis=-1)


def token_entropy(logits, *, temperature=1.0):
    logits = _prepare(logits, temperature)
    probabilities = torch.softmax(logits, dim=-1)
    return torch.logsumexp(logits, dim=-1) - torch.sum(probabilities * logits, dim=-1)
