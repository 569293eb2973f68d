"""As Spinning Up has it: episodes are finished one by one, each by its discounted sums."""

from itertools import pairwise

import numpy as np
import torch
from torch import nn


def discount_cumsum(x, factor):
    """Sums from each entry on, discounted."""
    total, sums = 0.0, np.zeros(len(x))
    for i in reversed(range(len(x))):
        total = x[i] + factor * total
        sums[i] = total
    return sums


def collect_rollout(envs, policy, observations, *, steps, generator):
    if steps < 1:
        raise ValueError("steps must be positive")
    o, buf = observations, []
    for _ in range(steps):
        with torch.no_grad():
            logits, v = policy(o)
            p = torch.softmax(logits, -1)
            # by the inverse of the distribution function
            u = torch.rand(len(o), 1, generator=generator)
            a = (p.cumsum(-1) < u).sum(-1).clamp(max=p.shape[-1] - 1)
            logp = torch.log_softmax(logits, -1)[torch.arange(len(o)), a]
            o2, r, term, trunc, infos = envs.step(a.numpy())
            o2 = torch.as_tensor(np.array(o2), dtype=torch.float32)
            led_to = o2.clone()
            if "final_obs" in infos:
                done = infos["_final_obs"]
                led_to[torch.as_tensor(done)] = torch.as_tensor(
                    np.stack(list(infos["final_obs"][done])), dtype=torch.float32
                )
            v2 = policy(led_to)[1]
        row = [o, a, logp, np.array(r, np.float32), v, v2, np.array(term), np.array(trunc)]
        buf.append([torch.as_tensor(x) for x in row])
        o = o2
    names = [
        *("observations", "actions", "log_probs", "rewards", "values"),
        *("next_values", "terminated", "truncated"),
    ]
    stacked = (torch.stack(column, 1) for column in zip(*buf, strict=True))
    return dict(zip(names, stacked, strict=True)), o


def advantages_and_targets(rollout, *, discount, lam):
    shape = rollout["rewards"].shape
    data = {}
    for name in ("rewards", "values", "next_values", "terminated", "truncated"):
        if rollout[name].shape != shape:
            raise ValueError(f"{name} must be {list(shape)}")
        data[name] = rollout[name].detach().numpy()
    adv = np.zeros(shape)
    for b in range(shape[0]):
        ends = np.flatnonzero(data["terminated"][b] | data["truncated"][b]) + 1
        bounds = sorted({0, *ends.tolist(), shape[1]})
        for start, stop in pairwise(bounds):
            path = slice(start, stop)
            rews, vals = data["rewards"][b, path].astype(float), data["values"][b, path]
            following = data["next_values"][b, path].astype(float)
            following[data["terminated"][b, path]] = 0.0
            adv[b, path] = discount_cumsum(rews + discount * following - vals, discount * lam)
    adv = torch.as_tensor(adv, dtype=rollout["values"].dtype)
    return adv, adv + rollout["values"].detach()


def check_sizes(n, **tensors):
    for name, tensor in tensors.items():
        if tensor.shape != (n,):
            raise ValueError(f"{name} must be [{n}]")


def ppo_loss(logits, values, batch, *, epsilon, value_coefficient, entropy_coefficient):
    act, adv, ret, logp_old = (
        batch[name] for name in ("actions", "advantages", "targets", "log_probs")
    )
    n = logits.shape[0]
    check_sizes(n, values=values, actions=act, advantages=adv, targets=ret, log_probs=logp_old)
    adv, ret, logp_old = adv.detach(), ret.detach(), logp_old.detach()
    all_logp = torch.log_softmax(logits, -1)
    logp = all_logp[torch.arange(n), act]
    ratio = torch.exp(logp - logp_old)
    best = torch.where(adv > 0, (1 + epsilon) * adv, (1 - epsilon) * adv)
    loss_pi = -torch.min(ratio * adv, best).mean()
    loss_v = ((values - ret) ** 2).mean() / 2
    ent = -(all_logp.exp() * all_logp).sum(-1).mean()
    return loss_pi + value_coefficient * loss_v - entropy_coefficient * ent


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
    adv, ret = advantages_and_targets(rollout, discount=discount, lam=lam)
    n = adv.numel()
    if n % minibatches != 0 or n // minibatches < 2:
        raise ValueError(f"{n} steps, {minibatches} minibatches")
    obs = rollout["observations"].reshape(n, -1)
    act, logp_old = rollout["actions"].reshape(n), rollout["log_probs"].reshape(n)
    adv, ret = adv.reshape(n), ret.reshape(n)
    report = np.zeros((minibatches, 3))
    for _ in range(epochs):
        # the order in which random keys stand
        order = torch.rand(n, generator=generator).argsort().reshape(minibatches, -1)
        for i, rows in enumerate(order):
            std, mean = torch.std_mean(adv[rows])
            data = {
                "actions": act[rows],
                "log_probs": logp_old[rows],
                "targets": ret[rows],
                "advantages": (adv[rows] - mean) / (std + 1e-8),
            }
            optimizer.zero_grad()
            logits, values = policy(obs[rows])
            loss = ppo_loss(
                logits,
                values,
                data,
                epsilon=epsilon,
                value_coefficient=value_coefficient,
                entropy_coefficient=entropy_coefficient,
            )
            loss.backward()
            nn.utils.clip_grad_norm_(list(policy.parameters()), largest_norm)
            optimizer.step()
            logp = torch.log_softmax(logits.detach(), -1)[torch.arange(len(rows)), act[rows]]
            diff = (logp - logp_old[rows]).double().numpy()
            ratio = np.exp(diff)
            outside = (ratio > 1 + epsilon) | (ratio < 1 - epsilon)
            report[i] = loss.item(), np.mean(ratio - 1 - diff), np.mean(outside)
    loss, kl, frac = report.mean(axis=0)
    return {"loss": float(loss), "approximate_kl": float(kl), "clip_fraction": float(frac)}


def train_ppo(envs, policy, optimizer, *, total_steps, steps=128, on_update, generator):
    o = torch.as_tensor(np.array(envs.reset()[0]), dtype=torch.float32)
    steps_left = total_steps
    while steps_left >= envs.num_envs * steps:
        data, o = collect_rollout(envs, policy, o, steps=steps, generator=generator)
        steps_left -= envs.num_envs * steps
        if on_update(ppo_update(policy, optimizer, data, generator=generator)) is False:
            return
