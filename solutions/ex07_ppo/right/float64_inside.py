"""Advantages, targets, loss and norm in float64; advantages as a product with a matrix."""

import math

import torch
from torch.distributions import Categorical


def collect_rollout(envs, policy, observations, *, steps, generator):
    if steps < 1:
        raise ValueError(f"steps is {steps}")
    now = observations.double()
    kept = {name: [] for name in ("o", "a", "lp", "r", "end", "cut", "o2")}
    for _ in range(steps):
        with torch.no_grad():
            logits = policy(now.float())[0].double()
        weights = (logits - logits.max(dim=1, keepdim=True).values).exp()
        action = torch.multinomial(weights, 1, replacement=True, generator=generator)
        kept["o"].append(now)
        kept["a"].append(action[:, 0])
        kept["lp"].append(torch.log(weights / weights.sum(1, keepdim=True)).gather(1, action)[:, 0])
        shown, reward, end, cut, infos = envs.step(action[:, 0].numpy())
        now = torch.tensor(shown, dtype=torch.float64)
        led_to = now.clone()
        for b, is_there in enumerate(infos.get("_final_obs", ())):
            if is_there:
                led_to[b] = torch.tensor(infos["final_obs"][b], dtype=torch.float64)
        kept["o2"].append(led_to)
        kept["r"].append(torch.tensor(reward, dtype=torch.float64))
        kept["end"].append(torch.tensor(end))
        kept["cut"].append(torch.tensor(cut))
    wide = {name: torch.stack(tensors, dim=1) for name, tensors in kept.items()}
    with torch.no_grad():
        values, next_values = policy(wide["o"].float())[1], policy(wide["o2"].float())[1]
    return {
        "observations": wide["o"].float(),
        "actions": wide["a"],
        "log_probs": wide["lp"].float(),
        "rewards": wide["r"].float(),
        "values": values,
        "next_values": next_values,
        "terminated": wide["end"],
        "truncated": wide["cut"],
    }, now.float()


def advantages_and_targets(rollout, *, discount, lam):
    shape = rollout["rewards"].shape
    for name, tensor in rollout.items():
        if name in ("values", "next_values", "terminated", "truncated") and tensor.shape != shape:
            raise ValueError(f"{name}: {list(tensor.shape)}, wanted {list(shape)}")
    dtype = rollout["values"].dtype
    r, v, v2 = (rollout[name].detach().double() for name in ("rewards", "values", "next_values"))
    over = rollout["terminated"]
    deltas = r + discount * torch.where(over, torch.zeros_like(v2), v2) - v
    time = torch.arange(shape[1])
    ahead = time[None, :] - time[:, None]  # [t, k]
    weights = torch.where(ahead >= 0, (discount * lam) ** ahead.clamp(min=0).double(), 0.0)
    ends = (over | rollout["truncated"]).long()
    episode = ends.cumsum(1) - ends  # [B, T]: the number of each step's episode
    same = episode[:, :, None] == episode[:, None, :]
    advantages = ((weights * same) @ deltas[:, :, None])[:, :, 0]
    return advantages.to(dtype), (advantages + v).to(dtype)


def ppo_loss(logits, values, batch, *, epsilon, value_coefficient, entropy_coefficient):
    n = logits.shape[0]
    columns = {name: batch[name] for name in ("actions", "log_probs", "advantages", "targets")}
    for name, tensor in {"values": values, **columns}.items():
        if list(tensor.shape) != [n]:
            raise ValueError(f"{name}: {list(tensor.shape)}, wanted {[n]}")
    policy = Categorical(logits=logits.double(), validate_args=False)
    old, a, target = (columns[k].detach().double() for k in ("log_probs", "advantages", "targets"))
    ratio = (policy.log_prob(columns["actions"]) - old).exp()
    low, high = torch.full_like(a, -math.inf), torch.full_like(a, math.inf)
    low[a < 0], high[a > 0] = 1 - epsilon, 1 + epsilon
    held = torch.min(torch.max(ratio, low), high)
    squared = (values.double() - target).pow(2)
    terms = -held * a + value_coefficient * squared / 2 - entropy_coefficient * policy.entropy()
    return (terms.sum() / n).to(logits.dtype)


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
    n = rollout["rewards"].numel()
    if minibatches not in [m for m in range(1, n // 2 + 1) if n % m == 0]:
        raise ValueError(f"minibatches: {n} steps cannot be dealt out in {minibatches}")
    advantages, targets = advantages_and_targets(rollout, discount=discount, lam=lam)
    a, g = advantages.flatten().double(), targets.flatten()
    o = rollout["observations"].flatten(0, 1)
    u, old = rollout["actions"].flatten(), rollout["log_probs"].flatten()
    last = []
    for epoch in range(epochs):
        permutation = torch.randperm(n, generator=generator)
        for rows in torch.tensor_split(permutation, minibatches):
            mine = a[rows]
            centred = mine - mine.mean()
            spread = (centred.pow(2).sum() / (len(rows) - 1)).sqrt()
            batch = {
                "actions": u[rows],
                "log_probs": old[rows],
                "advantages": centred / (spread + 1e-8),
                "targets": g[rows],
            }
            for parameter in policy.parameters():
                parameter.grad = None
            logits, values = policy(o[rows])
            loss = ppo_loss(
                logits,
                values,
                batch,
                epsilon=epsilon,
                value_coefficient=value_coefficient,
                entropy_coefficient=entropy_coefficient,
            )
            loss.backward()
            gradients = [p.grad for p in policy.parameters() if p.grad is not None]
            norm = math.sqrt(sum(float(x.double().pow(2).sum()) for x in gradients))
            if norm > largest_norm:
                for x in gradients:
                    x.mul_(largest_norm / norm)
            optimizer.step()
            if epoch == epochs - 1:
                new = Categorical(logits=logits.detach().double(), validate_args=False)
                log_ratio = new.log_prob(u[rows]) - old[rows]
                ratio = log_ratio.exp()
                last.append((loss.item(), ratio - 1 - log_ratio, (ratio - 1).abs() > epsilon))
    return {
        "loss": sum(part[0] for part in last) / len(last),
        "approximate_kl": float(torch.cat([part[1] for part in last]).mean()),
        "clip_fraction": float(torch.cat([part[2] for part in last]).double().mean()),
    }


def train_ppo(envs, policy, optimizer, *, total_steps, steps=128, on_update, generator):
    observations = torch.tensor(envs.reset()[0], dtype=torch.float32)
    rollouts_left = total_steps // (steps * envs.num_envs)
    go_on = True
    while go_on and rollouts_left:
        rollouts_left -= 1
        rollout, observations = collect_rollout(
            envs, policy, observations, steps=steps, generator=generator
        )
        go_on = bool(on_update(ppo_update(policy, optimizer, rollout, generator=generator)))
