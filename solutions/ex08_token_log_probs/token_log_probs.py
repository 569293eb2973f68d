"""From a language model's logits to one number: score tokens, say which count, aggregate.

A batch holds B rows of T tokens: a prompt, the model's response to it, then padding. Logits are
[B, T, V] for a vocabulary of V tokens. `logits[:, t]` is what the model says after it has read
`tokens[:, :t + 1]`, so it is about the token at t + 1. All log-probabilities are natural logs.
"""

import torch
from torch import Tensor


def token_log_probs(logits: Tensor, tokens: Tensor, *, temperature: float = 1.0) -> Tensor:
    """The log-probability of every token but the first, given those before it.

        pi(v | tokens[:t + 1]) = softmax(logits[t] / temperature)[v]
        out[t] = log pi(tokens[t + 1] | tokens[:t + 1])            t = 0 ... T - 2

    The first token has no logits before it, and the last logits have no token after them: the
    answer is one shorter than the input. For tokens [5, 7, 2] it holds log pi(7 | 5) from
    logits[0] and log pi(2 | 5, 7) from logits[1]. Prompt and padding are scored like the rest;
    which entries count is said by `response_mask(...)[:, 1:]`. All stays finite where a
    probability is too small for a float.
    Source: Bengio et al., A Neural Probabilistic Language Model (2003), section 2; for temperature
    Huang, Liu and von Werra, The N Implementation Details of RLHF with PPO (2023), policy training.

    Args:
        logits: [B, T, V] float, any finite numbers; T at least 2. No unit.
        tokens: [B, T] int64, each from 0 to V - 1; what the model has read.
        temperature: above 0, the one that the tokens were sampled with; no unit.

    Returns:
        [B, T - 1] float, in nats. Carries gradient to `logits`. Float64 in, float64 out.

    Raises:
        ValueError: `logits` is not [B, T, V]; the shape of `tokens` is not [B, T]; `temperature`
            is not above 0.
    """
    # BEGIN SOLUTION
    scaled = _scaled(logits, temperature)
    _expect_shape(logits.shape[:2], tokens=tokens)
    log_probs = torch.log_softmax(scaled[:, :-1], dim=-1)
    following = tokens[:, 1:].unsqueeze(-1)
    return log_probs.gather(-1, following).squeeze(-1)
    # END SOLUTION


def response_mask(tokens: Tensor, prompt_lengths: Tensor, *, eos_id: int, pad_id: int) -> Tensor:
    """Which tokens the model chose: its response, up to and including the first EOS.

        out[t] = t >= prompt_length  and  no EOS among tokens[prompt_length : t]  and  not padding

    EOS counts, because stopping was a choice; what follows it does not, whatever it is. An EOS or
    a pad token inside the prompt means nothing. A response that was cut off has no EOS; it ends
    where its padding begins, or with the row. Where `pad_id` equals `eos_id`, the first such token
    after the prompt is the EOS and the others are padding.
    The mask is as long as `tokens`. For log-probs, which are one shorter, use `mask[:, 1:]`: its
    entry t is about the token at t + 1, too.
    Source: Huang et al., The N+ Implementation Details of RLHF with PPO (arXiv:2403.17031), on EOS
    and padding tokens.

    Args:
        tokens: [B, T] int64. Padding that is not EOS stands in the prompt or after the response,
            never between two tokens of a response.
        prompt_lengths: [B] int64, in tokens, each from 1 to T. T leaves no room for a response.
        eos_id: the token with which the model ends a response.
        pad_id: the token that fills up a row; may be the same.

    Returns:
        [B, T] bool, True where a token counts.

    Raises:
        ValueError: `tokens` is not [B, T]; the shape of `prompt_lengths` is not [B].
    """
    # BEGIN SOLUTION
    _expect_axes("[B, T]", tokens=tokens)
    _expect_shape(tokens.shape[:1], prompt_lengths=prompt_lengths)
    positions = torch.arange(tokens.shape[1], device=tokens.device)
    after_prompt = positions >= prompt_lengths.unsqueeze(1)
    is_eos = after_prompt & (tokens == eos_id)
    ended_before = is_eos.cumsum(dim=1) > is_eos.long()
    is_padding = (tokens == pad_id) & (tokens != eos_id)
    return after_prompt & ~ended_before & ~is_padding
    # END SOLUTION


def masked_mean(values: Tensor, mask: Tensor, *, axis: int | None = None) -> Tensor:
    """The mean over the entries that count.

        sum of values where the mask is True / how many these are

    Where none counts the mean is 0 and still leads back to `values`: `backward()` works and gives
    0. Other entries change nothing, whatever finite number they hold.
    Source: the definition.

    Args:
        values: [...] float, one axis or more, any unit.
        mask: same shape, bool, True where an entry counts.
        axis: the axis to average over, which disappears; None averages over all of them.

    Returns:
        [] float, or the shape of `values` without `axis`; in the unit of `values`. Carries
        gradient to `values`. Float64 in, float64 out.

    Raises:
        ValueError: the shape of `mask` differs from that of `values`.
    """
    # BEGIN SOLUTION
    _expect_shape(values.shape, mask=mask)
    total = values.masked_fill(~mask, 0.0).sum(dim=axis)
    return total / mask.sum(dim=axis).clamp(min=1)
    # END SOLUTION


def aggregate_loss(
    per_token: Tensor, mask: Tensor, how: str, *, constant: float | None = None
) -> Tensor:
    """One loss from the losses of B sequences of tokens.

        "token_mean"     sum over the counted tokens of the batch / how many these are
        "sequence_mean"  sum over sequences of the mean over each one's counted tokens / B
        "constant"       sum over the counted tokens of the batch / (B * constant)

    A sequence without a counted token adds 0 and is still one of the B; a batch without any gives
    0, and so does `backward()`. Finite numbers where the mask is False change nothing.

    A batch may be split into parts that are aggregated one by one. Weigh a part of b sequences
    with n counted tokens, of B and N, by n / N for "token_mean" and by b / B for the other two;
    then values and gradients add up to those of the whole.
    Source: "sequence_mean" Shao et al., DeepSeekMath (arXiv:2402.03300), equation 3; "token_mean"
    Yu et al., DAPO (arXiv:2503.14476), section 3.3; "constant" Liu et al., Understanding
    R1-Zero-Like Training (arXiv:2503.20783), section 3.2.

    Args:
        per_token: [B, T] float, the loss of each token, any unit.
        mask: [B, T] bool, True where a token counts.
        how: "token_mean", "sequence_mean" or "constant".
        constant: in tokens, usually the longest response allowed. "constant" needs it, above 0;
            the other two never look at it, and take any.

    Returns:
        [] float, in the unit of `per_token`. Carries gradient to `per_token`. Float64 in, float64
        out.

    Raises:
        ValueError: `per_token` is not [B, T]; the shape of `mask` differs from it; `how` is none
            of the three; `constant` is missing where it is needed.
    """
    # BEGIN SOLUTION
    _expect_axes("[B, T]", per_token=per_token)
    _expect_shape(per_token.shape, mask=mask)
    if how == "token_mean":
        return masked_mean(per_token, mask)
    if how == "sequence_mean":
        return masked_mean(per_token, mask, axis=1).mean()
    if how != "constant":
        raise ValueError(f"how should be token_mean, sequence_mean or constant, got {how!r}")
    if constant is None:
        raise ValueError("constant should be a number of tokens where how is 'constant', got None")
    return per_token.masked_fill(~mask, 0.0).sum() / (len(mask) * constant)
    # END SOLUTION


def sequence_log_probs(log_probs: Tensor, mask: Tensor) -> Tensor:
    """The log-probability of each whole response.

        out[b] = sum over counted t of log_probs[b, t]

    A sum, no mean: the exponential of the answer is the probability of the response. A response of
    no tokens has log-probability 0. Finite numbers where the mask is False change nothing.
    Source: the chain rule of probability; Rafailov et al., Direct Preference Optimization
    (arXiv:2305.18290), section 4, for its use.

    Args:
        log_probs: [B, T] float, of single tokens, in nats.
        mask: [B, T] bool, True where a token counts.

    Returns:
        [B] float, in nats. Carries gradient to `log_probs`. Float64 in, float64 out.

    Raises:
        ValueError: `log_probs` is not [B, T]; the shape of `mask` differs from it.
    """
    # BEGIN SOLUTION
    _expect_axes("[B, T]", log_probs=log_probs)
    _expect_shape(log_probs.shape, mask=mask)
    return log_probs.masked_fill(~mask, 0.0).sum(dim=1)
    # END SOLUTION


def token_entropy(logits: Tensor, *, temperature: float = 1.0) -> Tensor:
    """How undecided the model is about each next token.

        pi(v) = softmax(logits[t] / temperature)[v]
        out[t] = - sum over v of pi(v) * log pi(v),   with 0 log 0 = 0

    From 0, one token is certain, to log V, all are equally likely. Entry t is about the token at
    t + 1, as in `token_log_probs`, but the last one is there too: drop it, `[:, :-1]`, to go with
    `mask[:, 1:]`. Value and gradient stay finite where a probability underflows to 0. None is
    too small to count: 50,000 tokens of probability 1e-8 add 0.009 nats.
    Source: Shannon (1948), section 6; Mnih et al. (arXiv:1602.01783), section 4, for its use.

    Args:
        logits: [B, T, V] float, any finite numbers; no unit.
        temperature: above 0, the one that tokens are sampled with; no unit.

    Returns:
        [B, T] float, in nats. Carries gradient to `logits`. Float64 in, float64 out.

    Raises:
        ValueError: `logits` is not [B, T, V]; `temperature` is not above 0.
    """
    # BEGIN SOLUTION
    log_probs = torch.log_softmax(_scaled(logits, temperature), dim=-1)
    return -(log_probs.exp() * log_probs).sum(dim=-1)
    # END SOLUTION


# BEGIN SOLUTION
def _scaled(logits: Tensor, temperature: float) -> Tensor:
    """The logits that tokens are drawn from at this temperature."""
    _expect_axes("[B, T, V]", logits=logits)
    if not temperature > 0:
        raise ValueError(f"temperature should be above 0, got {temperature}")
    return logits / temperature


def _expect_axes(axes: str, **arguments: Tensor) -> None:
    """Raise ValueError for the first argument that has another number of axes."""
    for name, tensor in arguments.items():
        if tensor.ndim != axes.count(",") + 1:
            raise ValueError(f"{name} should have shape {axes}, got {list(tensor.shape)}")


def _expect_shape(shape: torch.Size, **arguments: Tensor) -> None:
    """Raise ValueError for the first argument of another shape; broadcasting would hide it."""
    for name, tensor in arguments.items():
        if tensor.shape != shape:
            raise ValueError(f"{name} should have shape {list(shape)}, got {list(tensor.shape)}")


# END SOLUTION
