"""The gradients are written out by hand, as in a fused kernel."""

import torch
from torch.autograd import Function


class LogProb(Function):
    """Scores tokens; backward is (one-hot - pi) / temperature."""

    @staticmethod
    def forward(ctx, logits, labels, temperature):
        pi = torch.softmax(logits / temperature, dim=-1)
        ctx.save_for_backward(pi, labels)
        ctx.temperature = temperature
        scaled = logits / temperature
        normalizer = scaled.logsumexp(-1)
        return scaled.gather(-1, labels[..., None])[..., 0] - normalizer

    @staticmethod
    def backward(ctx, upstream):
        pi, labels = ctx.saved_tensors
        slope = -pi
        slope.scatter_add_(-1, labels[..., None], torch.ones_like(pi[..., :1]))
        return slope * (upstream / ctx.temperature)[..., None], None, None


class Entropy(Function):
    """Entropy; backward is -pi * (log pi + H) / temperature."""

    @staticmethod
    def forward(ctx, logits, temperature):
        logs = torch.log_softmax(logits / temperature, dim=-1)
        entropy = -(logs.exp() * logs).sum(-1)
        ctx.save_for_backward(logs, entropy)
        ctx.temperature = temperature
        return entropy

    @staticmethod
    def backward(ctx, upstream):
        logs, entropy = ctx.saved_tensors
        slope = -logs.exp() * (logs + entropy[..., None])
        return slope * (upstream / ctx.temperature)[..., None], None


class WeightedSum(Function):
    """Sums values times constant weights along the last axis."""

    @staticmethod
    def forward(ctx, values, weights):
        ctx.save_for_backward(weights)
        return (values * weights).sum(-1)

    @staticmethod
    def backward(ctx, upstream):
        (weights,) = ctx.saved_tensors
        return upstream.unsqueeze(-1) * weights, None


def _shaped(name, tensor, shape):
    if list(tensor.shape) != list(shape):
        raise ValueError(f"bad {name}: {list(tensor.shape)} instead of {list(shape)}")


def _axes(name, tensor, count):
    if tensor.dim() != count:
        raise ValueError(f"bad {name}: {list(tensor.shape)} instead of {count} axes")


def _positive(temperature):
    if not temperature > 0:
        raise ValueError(f"bad temperature: {temperature}")


def token_log_probs(logits, tokens, *, temperature=1.0):
    _axes("logits", logits, 3)
    _shaped("tokens", tokens, logits.shape[:2])
    _positive(temperature)
    return LogProb.apply(logits[:, :-1], tokens[:, 1:], temperature)


def response_mask(tokens, prompt_lengths, *, eos_id, pad_id):
    _axes("tokens", tokens, 2)
    _shaped("prompt_lengths", prompt_lengths, tokens.shape[:1])
    alive = torch.zeros(len(tokens), dtype=torch.bool)
    finished = torch.zeros(len(tokens), dtype=torch.bool)
    columns = []
    for t, column in enumerate(tokens.unbind(dim=1)):
        alive = (prompt_lengths <= t) & ~finished
        if pad_id != eos_id:
            alive = alive & (column != pad_id)
        columns.append(alive)
        finished = finished | (alive & (column == eos_id))
    return torch.stack(columns, dim=1)


def masked_mean(values, mask, *, axis=None):
    _shaped("mask", mask, values.shape)
    if axis is None:
        values, mask, axis = values.reshape(-1), mask.reshape(-1), 0
    values, mask = values.movedim(axis, -1), mask.movedim(axis, -1).to(values.dtype)
    return WeightedSum.apply(values, mask / mask.sum(-1, keepdim=True).clamp(min=1))


def aggregate_loss(per_token, mask, how, *, constant=None):
    _axes("per_token", per_token, 2)
    _shaped("mask", mask, per_token.shape)
    weights = mask.to(per_token.dtype)
    if how == "token_mean":
        weights = weights / weights.sum().clamp(min=1)
    elif how == "sequence_mean":
        weights = weights / weights.sum(1, keepdim=True).clamp(min=1) / len(weights)
    elif how != "constant":
        raise ValueError(f"bad how: {how!r}")
    elif constant is None:
        raise ValueError("bad constant: None")
    else:
        weights = weights / (len(weights) * constant)
    return WeightedSum.apply(per_token, weights).sum()


def sequence_log_probs(log_probs, mask):
    _axes("log_probs", log_probs, 2)
    _shaped("mask", mask, log_probs.shape)
    return WeightedSum.apply(log_probs, mask.to(log_probs.dtype))


def token_entropy(logits, *, temperature=1.0):
    _axes("logits", logits, 3)
    _positive(temperature)
    return Entropy.apply(logits, temperature)
