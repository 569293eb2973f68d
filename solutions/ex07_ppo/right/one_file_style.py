"""As the single-file implementations have it: storage allocated beforehand, time first inside."""

import torch
from torch import nn
from torch.distributions import Categorical


def collect_rollout(envs, policy, observations, *, steps, generator):
    if steps <= 0:
        raise ValueError(f"steps = {steps}, but at least one is needed")
    count, size = observations.shape
    obs = torch.zeros((steps, count, size))
    actions = torch.zeros((steps, count), dtype=torch.int64)
    logprobs = torch.zeros((steps, count))
    rewards = torch.zeros((steps, count))
    values = torch.zeros((steps, count))
    next_values = torch.zeros((steps, count))
    terminations = torch.zeros((steps, count), dtype=torch.bool)
    truncations = torch.zeros((steps, count), dtype=torch.bool)

    next_obs = observations
    for step in range(steps):
        obs[step] = next_obs
        with torch.no_grad():
            logits, value = policy(next_obs)
            dist = Categorical(logits=logits, validate_args=False)
            action = torch.multinomial(dist.probs, 1, generator=generator).flatten()
            values[step] = value
        actions[step] = action
        logprobs[step] = dist.log_prob(action)

        shown, reward, termination, truncation, infos = envs.step(action.cpu().numpy())
        rewards[step] = torch.as_tensor(reward)
        terminations[step] = torch.as_tensor(termination)
        truncations[step] = torch.as_tensor(truncation)
        next_obs = torch.tensor(shown).float()

        real_next_obs = next_obs.clone()
        if "_final_obs" in infos:
            for idx, ended in enumerate(infos["_final_obs"]):
                if ended:
                    real_next_obs[idx] = torch.tensor(infos["final_obs"][idx]).float()
        with torch.no_grad():
            next_values[step] = policy(real_next_obs)[1]

    rollout = {
        "observations": obs,
        "actions": actions,
        "log_probs": logprobs,
        "rewards": rewards,
        "values": values,
        "next_values": next_values,
        "terminated": terminations,
        "truncated": truncations,
    }
    return {name: tensor.transpose(0, 1) for name, tensor in rollout.items()}, next_obs


def advantages_and_targets(rollout, *, discount, lam):
    for name in ("values", "next_values", "terminated", "truncated"):
        if rollout[name].shape != rollout["rewards"].shape:
            raise ValueError(f"{name} and rewards differ in shape")
    with torch.no_grad():
        rewards = rollout["rewards"].transpose(0, 1)
        values = rollout["values"].transpose(0, 1)
        next_values = rollout["next_values"].transpose(0, 1)
        nonterminal = 1.0 - rollout["terminated"].transpose(0, 1).float()
        ongoing = nonterminal * (1.0 - rollout["truncated"].transpose(0, 1).float())
        advantages = torch.zeros_like(rewards)
        lastgaelam = 0
        for t in reversed(range(rewards.shape[0])):
            delta = rewards[t] + discount * next_values[t] * nonterminal[t] - values[t]
            advantages[t] = lastgaelam = delta + discount * lam * ongoing[t] * lastgaelam
        returns = advantages + values
    return advantages.transpose(0, 1), returns.transpose(0, 1)


def ppo_loss(logits, values, batch, *, epsilon, value_coefficient, entropy_coefficient):
    for name, tensor in [("values", values)] + [
        (name, batch[name]) for name in ("actions", "log_probs", "advantages", "targets")
    ]:
        if tensor.shape != logits.shape[:1]:
            raise ValueError(f"{name} has shape {tuple(tensor.shape)}, not {logits.shape[0]}")
    dist = Categorical(logits=logits, validate_args=False)
    logratio = dist.log_prob(batch["actions"]) - batch["log_probs"].detach()
    ratio = logratio.exp()
    mb_advantages = batch["advantages"].detach()
    pg_loss1 = -mb_advantages * ratio
    pg_loss2 = -mb_advantages * torch.clamp(ratio, 1 - epsilon, 1 + epsilon)
    pg_loss = torch.max(pg_loss1, pg_loss2).mean()
    v_loss = 0.5 * ((values - batch["targets"].detach()) ** 2).mean()
    entropy_loss = dist.entropy().mean()
    return pg_loss - entropy_coefficient * entropy_loss + v_loss * value_coefficient


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
    advantages, returns = advantages_and_targets(rollout, discount=discount, lam=lam)
    b_obs = rollout["observations"].reshape(-1, rollout["observations"].shape[-1])
    b_actions = rollout["actions"].reshape(-1)
    b_logprobs = rollout["log_probs"].reshape(-1)
    b_advantages = advantages.reshape(-1)
    b_returns = returns.reshape(-1)

    batch_size = b_actions.shape[0]
    minibatch_size = batch_size // minibatches
    if minibatch_size * minibatches != batch_size or minibatch_size < 2:
        raise ValueError("minibatches must divide the batch into parts of two steps or more")
    for _ in range(epochs):
        clipfracs, kls, losses = [], [], []
        b_inds = torch.randperm(batch_size, generator=generator)
        for start in range(0, batch_size, minibatch_size):
            mb_inds = b_inds[start : start + minibatch_size]
            mb_advantages = b_advantages[mb_inds]
            mb_advantages = (mb_advantages - mb_advantages.mean()) / (mb_advantages.std() + 1e-8)
            logits, newvalue = policy(b_obs[mb_inds])
            loss = ppo_loss(
                logits,
                newvalue,
                {
                    "actions": b_actions[mb_inds],
                    "log_probs": b_logprobs[mb_inds],
                    "advantages": mb_advantages,
                    "targets": b_returns[mb_inds],
                },
                epsilon=epsilon,
                value_coefficient=value_coefficient,
                entropy_coefficient=entropy_coefficient,
            )
            with torch.no_grad():
                newlogprob = Categorical(logits=logits, validate_args=False).log_prob(
                    b_actions[mb_inds]
                )
                logratio = newlogprob - b_logprobs[mb_inds]
                ratio = logratio.exp()
                kls.append(((ratio - 1) - logratio).mean().item())
                clipfracs.append(((ratio - 1.0).abs() > epsilon).float().mean().item())
                losses.append(loss.item())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(policy.parameters(), largest_norm)
            optimizer.step()
    return {
        "loss": sum(losses) / len(losses),
        "approximate_kl": sum(kls) / len(kls),
        "clip_fraction": sum(clipfracs) / len(clipfracs),
    }


def train_ppo(envs, policy, optimizer, *, total_steps, steps=128, on_update, generator):
    batch_size = envs.num_envs * steps
    next_obs = torch.tensor(envs.reset()[0]).float()
    for _ in range(1, total_steps // batch_size + 1):
        rollout, next_obs = collect_rollout(
            envs, policy, next_obs, steps=steps, generator=generator
        )
        if not on_update(ppo_update(policy, optimizer, rollout, generator=generator)):
            return
