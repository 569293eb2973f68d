"""Everything is computed in float64 and cast back at the end; the rounding of ties cannot show."""

import torch


def doubles(rewards):
    if rewards.ndim != 2 or rewards.shape[1] < 2:
        raise ValueError(f"expected rewards as [P, G], G >= 2; got {list(rewards.shape)}")
    dtype = rewards.dtype if rewards.dtype.is_floating_point else torch.get_default_dtype()
    return rewards.detach().double(), dtype


def dr_grpo_advantages(rewards):
    r, dtype = doubles(rewards)
    return (r - r.sum(1, True) / r.shape[1]).to(dtype)


def leave_one_out_advantages(rewards):
    r, dtype = doubles(rewards)
    baseline = (r.sum(1, True) - r) / (r.shape[1] - 1)
    return (r - baseline).to(dtype)


def group_advantages(rewards, *, eps=1e-4):
    r, dtype = doubles(rewards)
    variance, mean = torch.var_mean(r, dim=1, correction=1, keepdim=True)
    mean = torch.where(variance == 0, r[:, :1], mean)
    return ((r - mean) / (variance.sqrt() + eps)).to(dtype)


def group_signal(rewards):
    r, dtype = doubles(rewards)
    return (r.diff(dim=1) != 0).any(1).double().mean().to(dtype)


def grpo_loss(
    log_probs,
    old_log_probs,
    ref_log_probs,
    advantages,
    mask,
    *,
    epsilon,
    beta,
    aggregation,
    constant=None,
):
    b, t = log_probs.shape
    for name, tensor, shape in (
        ("old_log_probs", old_log_probs, (b, t)),
        ("ref_log_probs", ref_log_probs, (b, t)),
        ("advantages", advantages, (b,)),
        ("mask", mask, (b, t)),
    ):
        if tuple(tensor.shape) != shape:
            raise ValueError(f"{name} must be {shape}, not {tuple(tensor.shape)}")
    m = mask.double()
    blank = torch.zeros((), dtype=torch.float64)
    new = torch.where(mask, log_probs.double(), blank)
    with torch.no_grad():
        old = torch.where(mask, old_log_probs.double(), blank)
        ref = torch.where(mask, ref_log_probs.double(), blank)
        a = advantages.double().view(b, 1)
        counts = m.sum(1, keepdim=True)
        divisors = {
            "token_mean": m.sum().expand(b, 1),
            "sequence_mean": b * counts,
            "constant": None if constant is None else torch.full_like(counts, b * constant),
        }
        if aggregation not in divisors:
            raise ValueError(f"aggregation {aggregation!r}: choose one of {sorted(divisors)}")
        if divisors[aggregation] is None:
            raise ValueError("aggregation 'constant' needs the argument constant")
        w = m / divisors[aggregation].clamp(min=1e-300)
    rho = (new - old).exp()
    clipped_away = ((a > 0) & (rho > 1 + epsilon)) | ((a < 0) & (rho < 1 - epsilon))
    bound = 1 + epsilon * a.sign()
    policy = -a * torch.where(clipped_away, bound, rho)
    kl = (ref - new).exp() + new - ref - 1
    return (w * (policy + beta * kl)).sum().to(log_probs.dtype)
