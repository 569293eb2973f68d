"""As a library has it: a buffer class, truncations paid out in the rewards, a loss with relu."""

import torch
from torch import nn
from torch.nn import functional as F


class RolloutBuffer:
    """Grows by one column a step."""

    def __init__(self):
        self.columns = {}

    def add(self, **column):
        for name, tensor in column.items():
            self.columns.setdefault(name, []).append(tensor)

    def full(self):
        return {name: torch.stack(columns, -1) for name, columns in self.columns.items()}

    def __len__(self):
        return len(self.columns.get("actions", []))


def collect_rollout(envs, policy, observations, *, steps, generator):
    if steps < 1:
        raise ValueError("steps: a rollout has at least one of them")
    buffer, seen, endings = RolloutBuffer(), [observations], {}
    while len(buffer) < steps:
        with torch.no_grad():
            logits, values = policy(seen[-1])
            log_probs = F.log_softmax(logits, dim=1)
            actions = torch.multinomial(log_probs.exp(), 1, generator=generator)
        new_obs, rewards, terminated, truncated, infos = envs.step(actions[:, 0].numpy())
        for b in range(len(new_obs)):
            if "_final_obs" in infos and infos["_final_obs"][b]:
                endings[b, len(buffer)] = torch.tensor(infos["final_obs"][b]).float()
        buffer.add(
            actions=actions[:, 0],
            log_probs=log_probs.gather(1, actions)[:, 0],
            rewards=torch.from_numpy(rewards.copy()).float(),
            values=values,
            terminated=torch.from_numpy(terminated.copy()),
            truncated=torch.from_numpy(truncated.copy()),
        )
        seen.append(torch.from_numpy(new_obs.copy()).float())
    rollout = buffer.full()
    with torch.no_grad():
        last_values = policy(seen[-1])[1]
        next_values = torch.cat([rollout["values"][:, 1:], last_values[:, None]], dim=1)
        for (b, t), ending in endings.items():
            next_values[b, t] = policy(ending[None])[1][0]
    rollout["next_values"] = next_values
    rollout["observations"] = torch.stack(seen[:-1], dim=1)
    return rollout, seen[-1]


@torch.no_grad()
def advantages_and_targets(rollout, *, discount, lam):
    rewards = rollout["rewards"].clone()
    for name in ("values", "next_values", "terminated", "truncated"):
        if rollout[name].shape != rewards.shape:
            raise ValueError(f"`{name}`: {rollout[name].shape} instead of {rewards.shape}")
    values, terminated, truncated = rollout["values"], rollout["terminated"], rollout["truncated"]
    timeout = truncated & ~terminated
    rewards[timeout] += discount * rollout["next_values"][timeout]
    running = (~(terminated | truncated)).to(rewards.dtype)
    advantages = torch.empty_like(rewards)
    last = torch.zeros(len(rewards), dtype=rewards.dtype)
    for step in range(rewards.shape[1] - 1, -1, -1):
        next_value = rollout["next_values"][:, step]
        delta = rewards[:, step] + discount * next_value * running[:, step] - values[:, step]
        last = delta + discount * lam * running[:, step] * last
        advantages[:, step] = last
    return advantages, advantages + values


def ppo_loss(logits, values, batch, *, epsilon, value_coefficient, entropy_coefficient):
    size = (len(logits),)
    for name in ("actions", "log_probs", "advantages", "targets"):
        if tuple(batch[name].shape) != size:
            raise ValueError(f"`{name}`: {tuple(batch[name].shape)} instead of {size}")
    if tuple(values.shape) != size:
        raise ValueError(f"`values`: {tuple(values.shape)} instead of {size}")
    new_log_probs = -F.cross_entropy(logits, batch["actions"], reduction="none")
    ratio = torch.exp(new_log_probs - batch["log_probs"].detach())
    advantages = batch["advantages"].detach()
    excess = F.relu(ratio - (1 + epsilon)) * F.relu(advantages)
    lack = F.relu((1 - epsilon) - ratio) * F.relu(-advantages)
    policy_loss = -(ratio * advantages - excess - lack).mean()
    value_loss = F.mse_loss(values, batch["targets"].detach())
    entropy = -(F.softmax(logits, dim=1) * F.log_softmax(logits, dim=1)).sum(1)
    return policy_loss + value_coefficient * value_loss / 2 - entropy_coefficient * entropy.mean()


def ppo_update(policy, optimizer, rollout, *, generator, **settings):
    defaults = {"discount": 0.99, "lam": 0.95, "epochs": 4, "minibatches": 4, "epsilon": 0.2}
    defaults |= {"value_coefficient": 0.5, "entropy_coefficient": 0.0, "largest_norm": 0.5}
    chosen = {**defaults, **settings}
    advantages, targets = advantages_and_targets(
        rollout, discount=chosen["discount"], lam=chosen["lam"]
    )
    steps, parts = targets.numel(), chosen["minibatches"]
    if steps % parts or steps == parts:
        raise ValueError(f"minibatches: {steps} steps do not make {parts} of them")
    size = steps // parts
    data = {name: rollout[name].flatten(0, 1) for name in ("observations", "actions", "log_probs")}
    data |= {"advantages": advantages.flatten(), "targets": targets.flatten()}
    for _ in range(chosen["epochs"]):
        sums = torch.zeros(3)
        indices = torch.randperm(steps, generator=generator)
        for first in range(0, steps, size):
            batch = {name: column[indices[first : first + size]] for name, column in data.items()}
            a = batch["advantages"]
            batch["advantages"] = (a - a.mean()) / (a.std() + 1e-8)
            logits, values = policy(batch["observations"])
            loss = ppo_loss(
                logits,
                values,
                batch,
                **{name: chosen[name] for name in chosen if name == "epsilon" or "coeff" in name},
            )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(policy.parameters(), chosen["largest_norm"])
            optimizer.step()
            with torch.no_grad():
                new = -F.cross_entropy(logits, batch["actions"], reduction="none")
                log_ratio = new - batch["log_probs"]
                kl = torch.mean((torch.exp(log_ratio) - 1) - log_ratio)
                clipped = torch.mean((torch.abs(log_ratio.exp() - 1) > chosen["epsilon"]).float())
                sums += torch.stack([loss, kl, clipped])
    return dict(
        zip(("loss", "approximate_kl", "clip_fraction"), (sums / parts).tolist(), strict=True)
    )


def train_ppo(envs, policy, optimizer, *, total_steps, steps=128, on_update, generator):
    last_obs = torch.from_numpy(envs.reset()[0].copy()).float()
    num_timesteps, going_on = 0, True
    while going_on and num_timesteps + steps * envs.num_envs <= total_steps:
        rollout, last_obs = collect_rollout(
            envs, policy, last_obs, steps=steps, generator=generator
        )
        num_timesteps += rollout["actions"].numel()
        going_on = on_update(ppo_update(policy, optimizer, rollout, generator=generator))
