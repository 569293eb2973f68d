"""KL divergence from a reference policy: exactly, from samples, in the reward, and in the loss."""

import torch
from torch import Tensor


def kl_categorical(logits: Tensor, ref_logits: Tensor) -> Tensor:
    """How far a categorical policy is from its reference: KL(pi || pi_ref), exactly.

        KL = sum over v of pi(v) * (log pi(v) - log pi_ref(v))

    The expectation is taken under pi, the policy that is trained.
    Source: Kullback and Leibler, On Information and Sufficiency (1951).

    Args:
        logits: [..., V] float, unnormalised log-probabilities of the policy.
        ref_logits: [..., V] float, the same of the reference. Gets no gradient.

    Returns:
        [...] float, in nats. Zero where the two agree, finite and right for logits of any size,
        also where a probability of the reference underflows to 0. Carries gradient to `logits`.
        Float64 in, float64 out.

    Raises:
        ValueError: the shape of `ref_logits` differs from that of `logits`.
    """
    raise NotImplementedError


def kl_estimate(log_probs: Tensor, ref_log_probs: Tensor, kind: str) -> Tensor:
    """An estimate of KL(pi || pi_ref) from each single sample of pi.

    With d = log pi_ref(x) - log pi(x) for a sample x of pi:

        k1 = -d        k2 = d^2 / 2        k3 = exp(d) - 1 - d

    Nothing is clamped: all three hold for every d whose exp is a finite number. k1 and k3 are
    unbiased, k2 is not. Each is differentiable in `log_probs`; what the gradient is
    worth as a loss is another question, and this exercise's README answers it.
    Source: Schulman, Approximating KL Divergence (2020), joschu.net/blog/kl-approx.html.

    Args:
        log_probs: [...] float, log pi of what was sampled, in nats.
        ref_log_probs: same shape, log pi_ref of the same, in nats. Gets no gradient.
        kind: "k1", "k2" or "k3".

    Returns:
        Same shape, float, in nats; one estimate a sample, nothing averaged. Float64 in, float64
        out.

    Raises:
        ValueError: the shape of `ref_log_probs` differs from that of `log_probs`, or `kind` is
            none of the three.
    """
    raise NotImplementedError


def kl_penalised_rewards(
    rewards: Tensor, log_probs: Tensor, ref_log_probs: Tensor, mask: Tensor, *, beta: float
) -> Tensor:
    """A reward for every token: the KL penalty on each, and the score on the last.

        r[b, t] = -beta * (log pi[b, t] - log pi_ref[b, t])        on counted tokens, else 0
        r[b, last counted t] += rewards[b]

    This is the k1 estimate, in the reward, of any size. A row without a counted token gets zeros.
    Where the mask is False stand finite numbers that mean nothing.
    Source: InstructGPT (arXiv:2203.02155), section 3.5; Ziegler et al. (arXiv:1909.08593), 2.2.

    Args:
        rewards: [B] float or int of any dtype, the score of each whole completion, reward units.
        log_probs: [B, T] float, log pi of each token, in nats.
        ref_log_probs: [B, T] float, log pi_ref of each token, in nats.
        mask: [B, T] bool, True where a token counts. Counted tokens need not be contiguous.
        beta: reward units per nat.

    Returns:
        [B, T] in the dtype of `log_probs`, whatever that of `rewards`, and to its precision; reward
        units. Carries no gradient.

    Raises:
        ValueError: the shape of `ref_log_probs` or `mask` differs from that of `log_probs`, or
            `rewards` is not [B].
    """
    raise NotImplementedError


def kl_loss(log_probs: Tensor, ref_log_probs: Tensor, mask: Tensor, *, kind: str) -> Tensor:
    """The mean of an estimate over all counted tokens of the batch, to be minimised.

        loss = sum over counted (b, t) of k[b, t] / number of counted (b, t)

    Nothing is added to that number. What stands where the mask is False changes neither the loss
    nor a gradient, as long as its own estimate is a finite number.
    Source: GRPO, DeepSeekMath (arXiv:2402.03300), equation 4, has k3 here.

    Args:
        log_probs: [B, T] float, log pi of each token, in nats.
        ref_log_probs: [B, T] float, log pi_ref of each token, in nats. Gets no gradient.
        mask: [B, T] bool, True where a token counts.
        kind: "k1", "k2" or "k3", as in `kl_estimate`.

    Returns:
        [] float, in nats. Zero if nothing counts. Float64 in, float64 out.

    Raises:
        ValueError: as in `kl_estimate`, or the shape of `mask` differs from that of `log_probs`.
    """
    raise NotImplementedError


class AdaptiveKLController:
    """Turns the KL coefficient until the observed KL is near a target.

        error = clip(observed / target - 1, -0.2, 0.2)
        beta  = beta * (1 + error * steps / horizon)

    Only the error is clipped; `steps` may be more than `horizon`.
    Source: Ziegler et al. (arXiv:1909.08593), section 2.2.

    Args:
        beta: the first coefficient, reward units per nat.
        target: the KL aimed at, in nats, above 0.
        horizon: in the unit of `steps`; the larger, the slower the change.

    Raises:
        ValueError: `target` or `horizon` is not above 0.
    """

    def __init__(self, beta: float, *, target: float, horizon: float) -> None:
        raise NotImplementedError

    def update(self, observed_kl: float, steps: int) -> float:
        """Adjust and return `beta`, which is an attribute too.

        Args:
            observed_kl: the mean KL since the last update, in nats.
            steps: how many samples that was, in the unit of `horizon`.

        Returns:
            The new coefficient.
        """
        raise NotImplementedError
