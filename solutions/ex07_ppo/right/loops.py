"""Python loops over steps and environments wherever a tensor would do, and whole-batch forwards."""

import math
import random

import torch
from torch import nn


def one_log_prob(row, action):
    return row[action] - torch.logsumexp(row, 0)


def collect_rollout(envs, policy, observations, *, steps, generator):
    if steps < 1:
        raise ValueError("steps has to be 1 or more")
    count = len(observations)
    table = {
        name: [[None] * steps for _ in range(count)]
        for name in ("rewards", "values", "next_values", "log_probs")
    }
    flags = {
        name: torch.zeros(count, steps, dtype=torch.bool) for name in ("terminated", "truncated")
    }
    actions = torch.zeros(count, steps, dtype=torch.long)
    seen = torch.zeros(count, steps, observations.shape[1])
    for t in range(steps):
        seen[:, t] = observations
        with torch.no_grad():
            logits, values = policy(observations)
        for b in range(count):
            left = torch.rand((), generator=generator).item()
            probabilities = torch.softmax(logits[b], 0).tolist()
            action = 0
            while action < len(probabilities) - 1 and left >= probabilities[action]:
                left -= probabilities[action]
                action += 1
            actions[b, t] = action
            table["log_probs"][b][t] = one_log_prob(logits[b], action).item()
            table["values"][b][t] = values[b].item()
        shown, rewards, terminated, truncated, infos = envs.step(actions[:, t].numpy())
        for b in range(count):
            ended = bool(terminated[b] or truncated[b])
            following = infos["final_obs"][b] if ended else shown[b]
            with torch.no_grad():
                value = policy(torch.tensor(following, dtype=torch.float32))[1]
            table["next_values"][b][t] = value.item()
            table["rewards"][b][t] = float(rewards[b])
            flags["terminated"][b, t] = bool(terminated[b])
            flags["truncated"][b, t] = bool(truncated[b])
        observations = torch.tensor(shown, dtype=torch.float32)
    numbers = {name: torch.tensor(rows) for name, rows in table.items()}
    return {"observations": seen, "actions": actions, **numbers, **flags}, observations


def advantages_and_targets(rollout, *, discount, lam):
    for name in ("values", "next_values", "terminated", "truncated"):
        if list(rollout[name].shape) != list(rollout["rewards"].shape):
            raise ValueError("wrong shape of " + name)
    r, v, v2 = (rollout[n].detach().tolist() for n in ("rewards", "values", "next_values"))
    over, cut = rollout["terminated"].tolist(), rollout["truncated"].tolist()
    advantages = [[0.0] * len(row) for row in r]
    for b in range(len(r)):
        later = 0.0
        for t in range(len(r[b]) - 1, -1, -1):
            if over[b][t]:
                later = r[b][t] - v[b][t]
            elif cut[b][t]:
                later = r[b][t] + discount * v2[b][t] - v[b][t]
            else:
                later = r[b][t] + discount * v2[b][t] - v[b][t] + discount * lam * later
            advantages[b][t] = later
    answer = torch.tensor(advantages, dtype=rollout["values"].dtype)
    return answer, answer + rollout["values"].detach()


def ppo_loss(logits, values, batch, *, epsilon, value_coefficient, entropy_coefficient):
    n = len(logits)
    if values.shape != (n,):
        raise ValueError("wrong shape of values")
    for name in ("actions", "log_probs", "advantages", "targets"):
        if batch[name].shape != (n,):
            raise ValueError("wrong shape of " + name)
    log_probs = torch.log_softmax(logits, 1)
    new = log_probs[range(n), batch["actions"]]
    old, advantages = batch["log_probs"].detach(), batch["advantages"].detach()
    ratio = (new - old).exp()
    up, r = advantages > 0, ratio.detach()
    stopped = (up & (r > 1 + epsilon)) | (~up & (r < 1 - epsilon))
    edge = torch.where(up, torch.full_like(ratio, 1 + epsilon), torch.full_like(ratio, 1 - epsilon))
    gain = torch.where(stopped, edge, ratio) * advantages
    error = values - batch["targets"].detach()
    entropy = -(log_probs * log_probs.exp()).sum() / n
    critic = error.dot(error) / (2 * n)
    return -gain.sum() / n + value_coefficient * critic - entropy_coefficient * entropy


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
    advantages, targets = advantages_and_targets(rollout, discount=discount, lam=lam)
    places = [(b, t) for b in range(advantages.shape[0]) for t in range(advantages.shape[1])]
    size, left = divmod(len(places), minibatches)
    if left or size < 2:
        raise ValueError("minibatches does not fit the rollout")
    shuffler = random.Random(torch.randint(2**60, (), generator=generator).item())
    for _ in range(epochs):
        shuffler.shuffle(places)
        losses, kls, outside = [], [], []
        for number in range(minibatches):
            rows, columns = map(
                list, zip(*places[number * size : (number + 1) * size], strict=True)
            )
            a = advantages[rows, columns]
            mean = sum(a.tolist()) / size
            std = math.sqrt(sum((x - mean) ** 2 for x in a.tolist()) / (size - 1))
            batch = {
                "actions": rollout["actions"][rows, columns],
                "log_probs": rollout["log_probs"][rows, columns],
                "advantages": (a - mean) / (std + 1e-8),
                "targets": targets[rows, columns],
            }
            # all steps go through the network, and those of this minibatch are taken out
            logits, values = (part[rows, columns] for part in policy(rollout["observations"]))
            loss = ppo_loss(
                logits,
                values,
                batch,
                epsilon=epsilon,
                value_coefficient=value_coefficient,
                entropy_coefficient=entropy_coefficient,
            )
            policy.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(policy.parameters(), largest_norm)
            optimizer.step()
            new = torch.log_softmax(logits.detach(), 1)[range(size), batch["actions"]]
            losses.append(loss.item())
            for difference in (new - batch["log_probs"]).tolist():
                kls.append(math.exp(difference) - 1 - difference)
                outside.append(abs(math.exp(difference) - 1) > epsilon)
    return {
        "loss": sum(losses) / len(losses),
        "approximate_kl": sum(kls) / len(kls),
        "clip_fraction": sum(outside) / len(outside),
    }


def train_ppo(envs, policy, optimizer, *, total_steps, steps=128, on_update, generator):
    observations = torch.tensor(envs.reset()[0], dtype=torch.float32)
    while True:
        total_steps -= steps * envs.num_envs
        if total_steps < 0:
            return
        rollout, observations = collect_rollout(
            envs, policy, observations, steps=steps, generator=generator
        )
        if not on_update(ppo_update(policy, optimizer, rollout, generator=generator)):
            return
