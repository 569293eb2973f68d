"""As rlax has it: small pure functions of one environment or one step, mapped over the others."""

import torch
from torch import nn


def sample(generator, logits):
    """By the Gumbel trick."""
    uniform = torch.rand(logits.shape, generator=generator, dtype=torch.float64)
    return (logits - torch.log(-torch.log(uniform.clamp_min(1e-300)))).argmax(-1)


def log_prob(logits, action):
    return logits[action] - logits.logsumexp(-1)


log_prob_of_each = torch.vmap(log_prob)


def entropy(logits):
    p = logits.softmax(-1)
    return logits.logsumexp(-1) - (p * logits).sum(-1)


def truncated_gae(deltas, discounts):
    """One environment's advantages; `discounts` are zero where an episode ended."""
    carry, out = deltas.new_zeros(()), []
    for delta, factor in zip(deltas.flip(0), discounts.flip(0), strict=True):
        carry = delta + factor * carry
        out.append(carry)
    return torch.stack(out).flip(0)


def clipped_surrogate(ratio, advantage, epsilon):
    return torch.minimum(ratio * advantage, ratio.clip(1 - epsilon, 1 + epsilon) * advantage)


def assert_shape(shape, **tensors):
    for name, tensor in tensors.items():
        if tensor.shape != shape:
            raise ValueError(f"[{name}] has shape {tensor.shape}, expected {shape}")


def transition(envs, policy, observation, generator):
    logits, value = policy(observation)
    action = sample(generator, logits)
    shown, reward, terminated, truncated, infos = envs.step(action.numpy())
    shown = torch.tensor(shown, dtype=torch.float32)
    ended = torch.tensor(terminated) | torch.tensor(truncated)
    last = [
        torch.tensor(infos["final_obs"][b], dtype=torch.float32) if ended[b] else shown[b]
        for b in range(len(shown))
    ]
    timestep = {
        "observations": observation,
        "actions": action,
        "log_probs": log_prob_of_each(logits, action),
        "rewards": torch.tensor(reward, dtype=torch.float32),
        "values": value,
        "next_values": policy(torch.stack(last))[1],
        "terminated": torch.tensor(terminated),
        "truncated": torch.tensor(truncated),
    }
    return timestep, shown


@torch.no_grad()
def collect_rollout(envs, policy, observations, *, steps, generator):
    if not steps > 0:
        raise ValueError(f"[steps] is {steps}, expected a positive number")
    timesteps = []
    for _ in range(steps):
        timestep, observations = transition(envs, policy, observations, generator)
        timesteps.append(timestep)
    return {k: torch.stack([step[k] for step in timesteps], 1) for k in timesteps[0]}, observations


def advantages_and_targets(rollout, *, discount, lam):
    r, v, v_next = (rollout[k].detach() for k in ("rewards", "values", "next_values"))
    over, cut_off = rollout["terminated"], rollout["truncated"]
    assert_shape(r.shape, values=v, next_values=v_next, terminated=over, truncated=cut_off)
    deltas = r + discount * torch.where(over, 0.0, v_next) - v
    factors = torch.where(over | cut_off, 0.0, torch.full_like(r, discount * lam))
    advantages = torch.stack([truncated_gae(d, f) for d, f in zip(deltas, factors, strict=True)])
    return advantages, v + advantages


def ppo_loss(logits, values, batch, *, epsilon, value_coefficient, entropy_coefficient):
    fields = {k: batch[k].detach() for k in ("actions", "log_probs", "advantages", "targets")}
    assert_shape(logits.shape[:-1], values=values, **fields)
    ratio = torch.exp(log_prob_of_each(logits, fields["actions"]) - fields["log_probs"])
    gain = clipped_surrogate(ratio, fields["advantages"], epsilon)
    error = 0.5 * (fields["targets"] - values) ** 2
    return (value_coefficient * error - gain - entropy_coefficient * entropy(logits)).mean()


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
    n = advantages.numel()
    if divmod(n, minibatches)[1] or divmod(n, minibatches)[0] == 1:
        raise ValueError(f"[minibatches] is {minibatches}, expected a divisor of {n} that is less")
    data = {**rollout, "advantages": advantages, "targets": targets}
    data = {k: x.reshape(n, *x.shape[2:]) for k, x in data.items()}
    coefficients = {
        "epsilon": epsilon,
        "value_coefficient": value_coefficient,
        "entropy_coefficient": entropy_coefficient,
    }

    def sgd_step(indices):
        batch = {k: x[indices] for k, x in data.items()}
        a = batch["advantages"]
        batch["advantages"] = (a - a.mean()) / (a.var().sqrt() + 1e-8)
        logits, values = policy(batch["observations"])
        loss = ppo_loss(logits, values, batch, **coefficients)
        parameters = list(policy.parameters())
        gradients = torch.autograd.grad(loss, parameters)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        nn.utils.clip_grad_norm_(parameters, largest_norm)
        optimizer.step()
        rho = log_prob_of_each(logits.detach(), batch["actions"]) - batch["log_probs"]
        kl = torch.expm1(rho) - rho
        outside = (torch.expm1(rho).abs() > epsilon).float()
        return torch.stack([loss.detach(), kl.mean(), outside.mean()])

    for _ in range(epochs):
        order = torch.randperm(n, generator=generator).view(minibatches, -1)
        logs = torch.stack([sgd_step(indices) for indices in order]).mean(0)
    loss, kl, fraction = logs.tolist()
    return {"loss": loss, "approximate_kl": kl, "clip_fraction": fraction}


def train_ppo(envs, policy, optimizer, *, total_steps, steps=128, on_update, generator):
    observations, _ = envs.reset()
    observations = torch.tensor(observations, dtype=torch.float32)
    frames = steps * envs.num_envs
    for last in range(frames, total_steps + 1, frames):
        assert last <= total_steps
        rollout, observations = collect_rollout(
            envs, policy, observations, steps=steps, generator=generator
        )
        logs = ppo_update(policy, optimizer, rollout, generator=generator)
        if not on_update(logs):
            break
