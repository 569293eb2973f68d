"""The habits of OpenRLHF: the last token by `fliplr().argmax`, the score by `scatter_`.

Rows with holes are packed to the left first, so that a plain recursion over equal steps does, and
what comes out is put back where it belongs.
"""

import torch
import torch.nn.functional as F


def _require(shape, name, tensor):
    if list(tensor.shape) != list(shape):
        raise ValueError(f"`{name}` has shape {list(tensor.shape)}, not {list(shape)}")


def _require_matrix(name, tensor):
    if tensor.ndim != 2:
        raise ValueError(f"`{name}` has {tensor.ndim} axes, not 2")


def _packing(action_mask):
    """The places of each row, counted ones first, each kind in its order."""
    return torch.argsort((~action_mask).long(), dim=1, stable=True)


def token_rewards(scores, log_probs, ref_log_probs, mask, *, beta):
    _require_matrix("log_probs", log_probs)
    _require(log_probs.shape, "ref_log_probs", ref_log_probs)
    _require(log_probs.shape, "mask", mask)
    _require(log_probs.shape[:1], "scores", scores)
    kl_reward = -beta * (log_probs.detach() - ref_log_probs.detach())
    kl_reward = kl_reward.masked_fill(~mask, 0.0)
    eos_indices = mask.size(1) - 1 - mask.long().fliplr().argmax(dim=1, keepdim=True)
    r = scores.detach().unsqueeze(1).to(kl_reward.dtype)
    last_reward = torch.zeros_like(kl_reward).scatter_(dim=1, index=eos_indices, src=r)
    return last_reward * mask + kl_reward


def token_advantages(rewards, values, mask, *, discount, lam):
    _require_matrix("rewards", rewards)
    _require(rewards.shape, "values", values)
    _require(rewards.shape, "mask", mask)
    order = _packing(mask)
    action_mask = mask.gather(1, order)
    packed_values = action_mask * values.detach().gather(1, order)
    packed_rewards = action_mask * rewards.detach().gather(1, order)
    following = F.pad(packed_values[:, 1:], (0, 1))
    deltas = packed_rewards + discount * following - packed_values
    lastgaelam, columns = 0, []
    for delta in reversed(deltas.unbind(1)):
        lastgaelam = delta + discount * lam * lastgaelam
        columns.insert(0, lastgaelam)
    packed = torch.stack(columns, dim=1) * action_mask
    advantages = torch.empty_like(packed).scatter_(1, order, packed)
    returns = torch.empty_like(packed).scatter_(1, order, packed + packed_values)
    return advantages, returns


def whiten(advantages, mask, *, eps=1e-8):
    _require_matrix("advantages", advantages)
    _require(advantages.shape, "mask", mask)
    data = advantages.detach().masked_select(mask)
    if data.numel() < 2 or bool((data == data[-1]).all()):
        return torch.zeros_like(advantages)
    mean = data.mean()
    std = data.std(correction=1)
    return torch.where(mask, (advantages.detach() - mean) / (std + eps), 0.0)


class PolicyLoss:
    def __init__(self, clip_eps):
        self.clip_eps = clip_eps

    def __call__(self, log_probs, old_log_probs, advantages):
        ratio = (log_probs - old_log_probs).exp()
        surr1 = ratio * advantages
        surr2 = ratio.clamp(1 - self.clip_eps, 1 + self.clip_eps) * advantages
        return -torch.min(surr1, surr2)


class ValueLoss:
    def __init__(self, clip_eps):
        self.clip_eps = clip_eps

    def __call__(self, values, old_values, returns):
        values_clipped = old_values + (values - old_values).clamp(-self.clip_eps, self.clip_eps)
        surr1 = (values_clipped - returns) ** 2
        surr2 = (values - returns) ** 2
        return 0.5 * torch.max(surr1, surr2)


def rlhf_ppo_loss(
    log_probs,
    old_log_probs,
    values,
    old_values,
    advantages,
    targets,
    mask,
    *,
    epsilon,
    value_epsilon,
    value_coefficient,
):
    _require_matrix("log_probs", log_probs)
    rest = {"old_log_probs": old_log_probs, "values": values, "old_values": old_values}
    rest |= {"advantages": advantages, "targets": targets, "mask": mask}
    for name, tensor in rest.items():
        _require(log_probs.shape, name, tensor)

    def counted(tensor):
        return torch.masked_select(tensor, mask)

    actor_loss = PolicyLoss(epsilon)(
        counted(log_probs), counted(old_log_probs.detach()), counted(advantages.detach())
    )
    critic_loss = ValueLoss(value_epsilon)(
        counted(values), counted(old_values.detach()), counted(targets.detach())
    )
    tokens = max(actor_loss.numel(), 1)
    return (actor_loss + value_coefficient * critic_loss).sum() / tokens


def kl_to_reference(log_probs, ref_log_probs, mask):
    _require_matrix("log_probs", log_probs)
    _require(log_probs.shape, "ref_log_probs", ref_log_probs)
    _require(log_probs.shape, "mask", mask)
    with torch.no_grad():
        return (log_probs - ref_log_probs)[mask].sum() / len(mask)


def explained_variance(values, targets, mask):
    _require_matrix("values", values)
    _require(values.shape, "targets", targets)
    _require(values.shape, "mask", mask)
    y = targets.detach().masked_select(mask)
    if y.numel() == 0 or bool(y.eq(y[0]).all()):
        return values.new_zeros([])
    error = y - values.detach().masked_select(mask)
    return 1 - (error - error.mean()).square().sum() / (y - y.mean()).square().sum()
