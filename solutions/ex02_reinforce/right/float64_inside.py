"""Everything is computed in float64 and cast back; sampling inverts the distribution function."""

import torch


def _demand(condition, message):
    if not condition:
        raise ValueError(message)


def _log_softmax(logits):
    doubles = logits.double()
    shifted = doubles - doubles.amax(dim=-1, keepdim=True).detach()
    return shifted - shifted.exp().sum(dim=-1, keepdim=True).log()


def action_log_probs(logits, actions):
    wanted = logits.shape[:-1]
    _demand(actions.shape == wanted, f"actions: {tuple(actions.shape)} is not {tuple(wanted)}")
    picked = torch.take_along_dim(_log_softmax(logits), actions[..., None], dim=-1)
    return picked[..., 0].to(logits.dtype)


def sample_actions(logits, *, generator):
    with torch.no_grad():
        below = _log_softmax(logits).exp().cumsum(dim=-1)
        draws = torch.rand(logits.shape[:-1], generator=generator, dtype=torch.float64)
        actions = torch.searchsorted(below, draws.unsqueeze(-1), right=True).squeeze(-1)
        return actions.clamp(max=logits.shape[-1] - 1)


def policy_entropy(logits):
    log_pi = _log_softmax(logits)
    return torch.where(log_pi < -700, 0.0, -log_pi.exp() * log_pi).sum(dim=-1).to(logits.dtype)


def reinforce_loss(log_probs, returns, mask):
    _demand(log_probs.ndim == 2, f"log_probs: [B, T] is wanted, not {tuple(log_probs.shape)}")
    for name, other in (("returns", returns), ("mask", mask)):
        _demand(other.shape == log_probs.shape, f"{name}: {other.shape} is not {log_probs.shape}")
    product = log_probs.double() * returns.detach().double() * mask.double()
    return -(product.sum() / product.shape[0]).to(log_probs.dtype)


def reinforce_update(policy, optimizer, batch):
    optimizer.zero_grad(set_to_none=False)
    logits = policy(batch["observations"])
    log_probs = action_log_probs(logits, batch["actions"])
    loss = reinforce_loss(log_probs, batch["returns"], batch["mask"])
    loss.backward()
    optimizer.step()
    return float(loss.detach())
