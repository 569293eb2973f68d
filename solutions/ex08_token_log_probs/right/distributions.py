"""torch.distributions does the logarithms; the mask comes from lengths."""

import torch
from torch.distributions import Categorical


def demand(ok, text):
    if not ok:
        raise ValueError(text)


def policy(logits, temperature):
    demand(logits.ndim == 3, f"logits: [B, T, V] expected, {list(logits.shape)} found")
    demand(temperature > 0, f"temperature: a positive number expected, {temperature} found")
    return Categorical(logits=logits / temperature, validate_args=False)


def token_log_probs(logits, tokens, *, temperature=1.0):
    demand(logits.ndim == 3, f"logits: [B, T, V] expected, {list(logits.shape)} found")
    demand(logits.shape[:2] == tokens.shape, f"tokens: {list(tokens.shape)} do not fit the logits")
    return policy(logits[:, :-1], temperature).log_prob(tokens[:, 1:])


def response_mask(tokens, prompt_lengths, *, eos_id, pad_id):
    demand(tokens.ndim == 2, f"tokens: [B, T] expected, {list(tokens.shape)} found")
    demand(prompt_lengths.shape == tokens.shape[:1], "prompt_lengths: [B] expected")
    length = tokens.shape[1]
    position = torch.arange(length).repeat(len(tokens), 1)
    starts = prompt_lengths[:, None]
    nowhere = torch.full_like(position, length)
    past_eos = torch.where((tokens == eos_id) & (position >= starts), position + 1, nowhere)
    at_pad = torch.where((tokens == pad_id) & (position >= starts), position, nowhere)
    ends = past_eos.amin(dim=1)
    if pad_id != eos_id:
        ends = torch.minimum(ends, at_pad.amin(dim=1))
    return (position >= starts) & (position < ends[:, None])


def masked_mean(values, mask, *, axis=None):
    demand(values.shape == mask.shape, f"mask: {list(values.shape)} expected")
    if axis is None:
        values, mask, axis = values.flatten(), mask.flatten(), 0
    count = mask.sum(axis, keepdim=True)
    weights = mask.to(values.dtype) / torch.where(count == 0, torch.ones_like(count), count)
    return (weights * values).sum(axis)


def aggregate_loss(per_token, mask, how, *, constant=None):
    demand(per_token.ndim == 2, f"per_token: [B, T] expected, {list(per_token.shape)} found")
    demand(per_token.shape == mask.shape, f"mask: {list(per_token.shape)} expected")
    demand(how in ("token_mean", "sequence_mean", "constant"), f"how: {how!r} is unknown")
    demand(how != "constant" or constant is not None, "constant: a number is needed")
    counts = mask.sum(dim=1, keepdim=True)
    if how == "token_mean":
        divisor = counts.sum()
    elif how == "sequence_mean":
        divisor = counts * len(mask)
    else:
        divisor = torch.tensor(float(constant) * len(mask))
    weights = torch.where(mask, 1.0 / divisor.to(per_token.dtype), 0.0)
    return (weights * per_token).sum()


def sequence_log_probs(log_probs, mask):
    demand(log_probs.ndim == 2, f"log_probs: [B, T] expected, {list(log_probs.shape)} found")
    demand(log_probs.shape == mask.shape, f"mask: {list(log_probs.shape)} expected")
    return log_probs.where(mask, torch.zeros(())).sum(-1).to(log_probs.dtype)


def token_entropy(logits, *, temperature=1.0):
    return policy(logits, temperature).entropy()
