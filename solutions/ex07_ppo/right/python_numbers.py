"""Python numbers where no gradient is needed; actions by inverting the distribution function.

Minibatches are every m-th card of a deck, and gradients come from `torch.autograd.grad`, scaled by
hand.
"""

import math

import torch
from torch import Tensor


def log_softmax(logits: Tensor) -> Tensor:
    return logits - torch.logsumexp(logits, dim=-1, keepdim=True)


def rows_to_tensor(rows) -> Tensor:
    return torch.tensor([[float(x) for x in row] for row in rows], dtype=torch.float32)


def draw(log_pi: Tensor, generator: torch.Generator) -> Tensor:
    """One action for each row, by inverting the distribution function."""
    steps = torch.cumsum(log_pi.double().exp(), dim=-1)
    u = torch.rand(len(log_pi), 1, dtype=torch.float64, generator=generator)
    return (u >= steps).sum(dim=-1).clamp(max=log_pi.shape[-1] - 1)


def collect_rollout(envs, policy, observations, *, steps, generator):
    if steps < 1:
        raise ValueError(f"expected steps >= 1, got steps = {steps}")
    count = observations.shape[0]
    seen = torch.zeros(count, steps, *observations.shape[1:], dtype=torch.float32)
    acted = torch.zeros(count, steps, dtype=torch.int64)
    log_probs = torch.zeros(count, steps, dtype=torch.float32)
    rewards = torch.zeros(count, steps, dtype=torch.float32)
    values = torch.zeros(count, steps, dtype=torch.float32)
    next_values = torch.zeros(count, steps, dtype=torch.float32)
    terminated = torch.zeros(count, steps, dtype=torch.bool)
    truncated = torch.zeros(count, steps, dtype=torch.bool)

    current = observations.detach().clone()
    for t in range(steps):
        with torch.no_grad():
            logits, v = policy(current)
        log_pi = log_softmax(logits)
        actions = draw(log_pi, generator)
        seen[:, t] = current
        acted[:, t] = actions
        values[:, t] = v
        for b in range(count):
            log_probs[b, t] = log_pi[b, actions[b]]

        shown, r, term, trunc, infos = envs.step(actions.numpy())
        after = torch.zeros_like(current)
        for b in range(count):
            rewards[b, t] = float(r[b])
            terminated[b, t] = bool(term[b])
            truncated[b, t] = bool(trunc[b])
            ended = "_final_obs" in infos and infos["_final_obs"][b]
            last = infos["final_obs"][b] if ended else shown[b]
            after[b] = torch.tensor([float(x) for x in last], dtype=torch.float32)
        with torch.no_grad():
            next_values[:, t] = policy(after)[1]
        current = rows_to_tensor(shown)

    rollout = {
        "observations": seen,
        "actions": acted,
        "log_probs": log_probs,
        "rewards": rewards,
        "values": values,
        "next_values": next_values,
        "terminated": terminated,
        "truncated": truncated,
    }
    return rollout, current


def advantages_and_targets(rollout, *, discount, lam):
    expected = rollout["rewards"].shape
    for key in ["values", "next_values", "terminated", "truncated"]:
        if rollout[key].shape != expected:
            raise ValueError(f"{key}: expected shape {expected}, got {rollout[key].shape}")
    r = rollout["rewards"].tolist()
    v = rollout["values"].tolist()
    v_next = rollout["next_values"].tolist()
    term = rollout["terminated"].tolist()
    trunc = rollout["truncated"].tolist()
    advantages, targets = [], []
    for b in range(expected[0]):
        row = [0.0] * expected[1]
        following = 0.0
        for t in range(expected[1] - 1, -1, -1):
            bootstrap = 0.0 if term[b][t] else v_next[b][t]
            if term[b][t] or trunc[b][t]:
                following = 0.0
            following = r[b][t] + discount * bootstrap - v[b][t] + discount * lam * following
            row[t] = following
        advantages.append(row)
        targets.append([a + value for a, value in zip(row, v[b], strict=True)])
    dtype = rollout["values"].dtype
    return torch.tensor(advantages, dtype=dtype), torch.tensor(targets, dtype=dtype)


def ppo_loss(logits, values, batch, *, epsilon, value_coefficient, entropy_coefficient):
    size = len(logits)
    if tuple(values.shape) != (size,):
        raise ValueError(f"values: expected shape ({size},), got {tuple(values.shape)}")
    for key in ["actions", "log_probs", "advantages", "targets"]:
        if tuple(batch[key].shape) != (size,):
            raise ValueError(f"{key}: expected shape ({size},), got {tuple(batch[key].shape)}")

    advantage = batch["advantages"].detach()
    log_pi = log_softmax(logits)
    chosen = log_pi[torch.arange(size), batch["actions"]]
    ratio = torch.exp(chosen - batch["log_probs"].detach())
    # the edge that ends the incentive: above for good actions, below for bad ones
    gone_too_far = ((advantage > 0) & (ratio > 1 + epsilon)) | (
        (advantage < 0) & (ratio < 1 - epsilon)
    )
    edge = torch.where(advantage > 0, 1 + epsilon, 1 - epsilon).to(advantage.dtype)
    objective = torch.where(gone_too_far, edge * advantage, ratio * advantage)
    policy_term = -objective.sum() / size

    difference = values - batch["targets"].detach()
    value_term = (difference * difference).sum() / (2 * size)

    entropy = -(log_pi.exp() * log_pi).sum() / size
    return policy_term + value_coefficient * value_term - entropy_coefficient * entropy


def ppo_update(
    policy,
    optimizer,
    rollout,
    *,
    discount=0.99,
    lam=0.95,
    epochs=4,
    minibatches=4,
    epsilon=0.2,
    value_coefficient=0.5,
    entropy_coefficient=0.0,
    largest_norm=0.5,
    generator,
):
    count, length = rollout["rewards"].shape
    total = count * length
    if minibatches < 1 or total % minibatches != 0:
        raise ValueError(f"minibatches = {minibatches} does not divide {total} steps")
    if total // minibatches < 2:
        raise ValueError(f"minibatches = {minibatches} leaves fewer than 2 steps for each")

    advantages, targets = advantages_and_targets(rollout, discount=discount, lam=lam)
    parameters = [p for p in policy.parameters() if p.requires_grad]
    for _ in range(epochs):
        loss_sum = kl_sum = outside_sum = 0.0
        deck = torch.rand(total, dtype=torch.float64, generator=generator).argsort()
        for m in range(minibatches):
            hand = deck[m::minibatches]
            rows, columns = hand // length, hand % length
            advantage = advantages[rows, columns].double()
            mean = advantage.sum() / len(advantage)
            std = math.sqrt(float(((advantage - mean) ** 2).sum()) / (len(advantage) - 1))
            batch = {
                "actions": rollout["actions"][rows, columns],
                "log_probs": rollout["log_probs"][rows, columns],
                "advantages": ((advantage - mean) / (std + 1e-8)).to(advantages.dtype),
                "targets": targets[rows, columns],
            }
            logits, values = policy(rollout["observations"][rows, columns])
            loss = ppo_loss(
                logits,
                values,
                batch,
                epsilon=epsilon,
                value_coefficient=value_coefficient,
                entropy_coefficient=entropy_coefficient,
            )

            now = log_softmax(logits.detach())[torch.arange(len(hand)), batch["actions"]]
            log_ratios = now - batch["log_probs"]
            loss_sum += loss.item() * len(hand)
            for log_ratio, ratio in zip(
                log_ratios.tolist(), log_ratios.double().exp().tolist(), strict=True
            ):
                kl_sum += ratio - 1 - log_ratio
                if ratio < 1 - epsilon or ratio > 1 + epsilon:
                    outside_sum += 1.0

            gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
            norm = math.sqrt(sum(float((g**2).sum()) for g in gradients if g is not None))
            scale = min(1.0, largest_norm / (norm + 1e-6))
            optimizer.zero_grad(set_to_none=True)
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = None if gradient is None else gradient * scale
            optimizer.step()
    return {
        "loss": loss_sum / total,
        "approximate_kl": kl_sum / total,
        "clip_fraction": outside_sum / total,
    }


def train_ppo(envs, policy, optimizer, *, total_steps, steps=128, on_update, generator):
    first = envs.reset()[0]
    observations = rows_to_tensor(first)
    per_rollout = steps * envs.num_envs
    left = total_steps
    go_on = True
    while go_on and left >= per_rollout:
        rollout, observations = collect_rollout(
            envs, policy, observations, steps=steps, generator=generator
        )
        left -= per_rollout
        go_on = bool(on_update(ppo_update(policy, optimizer, rollout, generator=generator)))
