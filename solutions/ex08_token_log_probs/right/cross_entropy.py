"""The negative cross-entropy that supervised training knows, labels with an ignored index."""

import torch
import torch.nn.functional as F

IGNORED = -100


def _need(name, tensor, *sizes):
    fits = tensor.ndim == len(sizes) and all(
        want is None or want == have for want, have in zip(sizes, tensor.shape, strict=True)
    )
    if not fits:
        raise ValueError(f"{name} has shape {list(tensor.shape)}; wanted {list(sizes)}")


def _need_temperature(temperature):
    if not temperature > 0:
        raise ValueError(f"temperature must be positive; it is {temperature}")


def token_log_probs(logits, tokens, *, temperature=1.0):
    _need("logits", logits, None, None, None)
    _need("tokens", tokens, *logits.shape[:2])
    _need_temperature(temperature)
    labels = F.pad(tokens[:, 1:], (0, 1), value=IGNORED)
    flat = (logits / temperature).reshape(-1, logits.shape[-1])
    loss = F.cross_entropy(flat, labels.reshape(-1), ignore_index=IGNORED, reduction="none")
    return -loss.reshape(tokens.shape)[:, :-1]


def response_mask(tokens, prompt_lengths, *, eos_id, pad_id):
    _need("tokens", tokens, None, None)
    _need("prompt_lengths", prompt_lengths, len(tokens))
    masks = []
    for row, start in zip(tokens, prompt_lengths, strict=True):
        response = row[start:]
        stops = (response == eos_id).nonzero()
        if len(stops):
            length = int(stops[0]) + 1
        elif pad_id == eos_id:
            length = len(response)
        else:
            length = int((response != pad_id).sum())
        mask = torch.zeros(len(row), dtype=torch.bool)
        mask[start : start + length] = True
        masks.append(mask)
    return torch.stack(masks)


def masked_mean(values, mask, *, axis=None):
    _need("mask", mask, *values.shape)
    axes = tuple(range(values.ndim)) if axis is None else (axis,)
    total = values.masked_fill(mask.logical_not(), 0).sum(axes)
    count = mask.sum(axes)
    return torch.where(count > 0, total / count.clamp(min=1), torch.zeros_like(total))


def aggregate_loss(per_token, mask, how, *, constant=None):
    _need("per_token", per_token, None, None)
    _need("mask", mask, *per_token.shape)
    match how:
        case "token_mean":
            return masked_mean(per_token, mask)
        case "sequence_mean":
            return masked_mean(per_token, mask, axis=-1).mean()
        case "constant" if constant is not None:
            return sequence_log_probs(per_token, mask).mean() / constant
        case "constant":
            raise ValueError("constant is missing")
        case _:
            raise ValueError(f"how is {how!r}")


def sequence_log_probs(log_probs, mask):
    _need("log_probs", log_probs, None, None)
    _need("mask", mask, *log_probs.shape)
    return torch.einsum("bt,bt->b", log_probs, mask.to(log_probs.dtype))


def token_entropy(logits, *, temperature=1.0):
    _need("logits", logits, None, None, None)
    _need_temperature(temperature)
    flat = (logits / temperature).reshape(-1, logits.shape[-1])
    entropy = F.cross_entropy(flat, flat.softmax(dim=-1), reduction="none")
    return entropy.reshape(logits.shape[:2])
