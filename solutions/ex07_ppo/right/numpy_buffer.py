"""As Stable-Baselines3 has it: a buffer in numpy, float64 estimates, an update in torch.

Actions by the Gumbel-max trick in inference mode; minibatches from a numpy generator, seeded by a
draw.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class RolloutBuffer:
    """What has been seen, step after step, in numpy arrays [T, B]."""

    def __init__(self, steps: int, envs: int, size: tuple[int, ...]) -> None:
        self.observations = np.zeros((steps, envs, *size), dtype=np.float32)
        self.successors = np.zeros((steps, envs, *size), dtype=np.float32)
        self.actions = np.zeros((steps, envs), dtype=np.int64)
        self.log_probs = np.zeros((steps, envs), dtype=np.float32)
        self.rewards = np.zeros((steps, envs), dtype=np.float32)
        self.values = np.zeros((steps, envs), dtype=np.float32)
        self.terminated = np.zeros((steps, envs), dtype=bool)
        self.truncated = np.zeros((steps, envs), dtype=bool)

    def tensor(self, name: str) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(getattr(self, name).swapaxes(0, 1)))


@dataclass
class RolloutSamples:
    observations: Tensor
    actions: Tensor
    log_probs: Tensor
    advantages: Tensor
    targets: Tensor


def sample_actions(logits: Tensor, generator: torch.Generator) -> Tensor:
    """The Gumbel-max trick: the largest of logits plus noise has the softmax's probabilities."""
    uniform = torch.rand(logits.shape, dtype=torch.float64, generator=generator)
    gumbel = -torch.log(-torch.log(uniform.clamp_min(1e-300)))
    return (logits.double() + gumbel).argmax(dim=-1)


def collect_rollout(envs, policy, observations, *, steps, generator):
    if steps < 1:
        raise ValueError(f"`steps` has to be at least 1 (is {steps})")
    last_obs = observations.detach().clone().numpy()
    buffer = RolloutBuffer(steps, last_obs.shape[0], last_obs.shape[1:])
    with torch.inference_mode():
        for t in range(steps):
            logits, values = policy(torch.tensor(last_obs))
            actions = sample_actions(logits, generator)
            log_probs = -F.cross_entropy(logits, actions, reduction="none")

            buffer.observations[t] = last_obs
            buffer.actions[t] = actions.numpy()
            buffer.log_probs[t] = log_probs.numpy()
            buffer.values[t] = values.numpy()

            new_obs, rewards, terminated, truncated, infos = envs.step(buffer.actions[t].copy())
            buffer.rewards[t] = rewards
            buffer.terminated[t] = terminated
            buffer.truncated[t] = truncated
            buffer.successors[t] = new_obs
            ended = infos.get("_final_obs", np.zeros(len(new_obs), dtype=bool))
            for env_index in np.nonzero(ended)[0]:
                buffer.successors[t, env_index] = infos["final_obs"][env_index]
            last_obs = np.array(new_obs, dtype=np.float32)
        next_values = policy(torch.from_numpy(buffer.successors))[1].numpy()
    names = set(vars(buffer)) - {"successors"}
    rollout = {name: buffer.tensor(name) for name in names}
    rollout["next_values"] = torch.tensor(next_values.swapaxes(0, 1).copy(), dtype=torch.float32)
    return rollout, torch.tensor(last_obs)


def advantages_and_targets(rollout, *, discount, lam):
    shape = tuple(rollout["rewards"].shape)
    arrays = {}
    for key in ("rewards", "values", "next_values", "terminated", "truncated"):
        tensor = rollout[key]
        if tuple(tensor.shape) != shape:
            raise ValueError(f"{key} is {tuple(tensor.shape)}, but the rewards are {shape}")
        arrays[key] = tensor.detach().numpy().astype(np.float64)
    terminated = arrays["terminated"]
    uncut = (1.0 - terminated) * (1.0 - arrays["truncated"])
    td = (
        arrays["rewards"] + discount * (1.0 - terminated) * arrays["next_values"] - arrays["values"]
    )
    advantages = np.zeros(shape)
    accumulator = np.zeros(shape[0])
    for t in range(shape[1] - 1, -1, -1):
        accumulator = td[:, t] + discount * lam * uncut[:, t] * accumulator
        advantages[:, t] = accumulator
    targets = advantages + arrays["values"]
    dtype = rollout["values"].dtype
    return torch.from_numpy(advantages).to(dtype), torch.from_numpy(targets).to(dtype)


def ppo_loss(logits, values, batch, *, epsilon, value_coefficient, entropy_coefficient):
    (size, _) = logits.shape
    shapes = {key: batch[key].shape for key in ("actions", "log_probs", "advantages", "targets")}
    shapes["values"] = values.shape
    for name, shape in shapes.items():
        if tuple(shape) != (size,):
            raise ValueError(f"`{name}` has to be of shape ({size},) (is {tuple(shape)})")
    with torch.no_grad():
        old = batch["log_probs"].clone()
        advantages = batch["advantages"].clone()
        targets = batch["targets"].clone()

    log_prob = -F.cross_entropy(logits, batch["actions"], reduction="none")
    ratio = torch.exp(log_prob - old)
    policy_loss_1 = advantages * ratio
    policy_loss_2 = advantages * torch.clamp(ratio, 1 - epsilon, 1 + epsilon)
    policy_loss = -torch.min(policy_loss_1, policy_loss_2).mean()
    value_loss = F.mse_loss(values, targets) / 2
    log_pi = F.log_softmax(logits, dim=1)
    entropy_loss = (F.softmax(logits, dim=1) * log_pi).sum(dim=1).mean()
    return policy_loss + entropy_coefficient * entropy_loss + value_coefficient * value_loss


def _parts(data: RolloutSamples, size: int, generator: torch.Generator):
    seed = int(torch.randint(2**62, (), generator=generator))
    indices = np.random.default_rng(seed).permutation(len(data.actions))
    for start in range(0, len(indices), size):
        part = torch.from_numpy(indices[start : start + size])
        yield RolloutSamples(
            data.observations[part],
            data.actions[part],
            data.log_probs[part],
            data.advantages[part],
            data.targets[part],
        )


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
    total = rollout["actions"].numel()
    if minibatches < 1 or total % minibatches or total < 2 * minibatches:
        raise ValueError(f"`minibatches` ({minibatches}) does not split {total} steps as it should")
    advantages, targets = advantages_and_targets(rollout, discount=discount, lam=lam)
    # time first, as the buffer of the library has it
    data = RolloutSamples(
        rollout["observations"].transpose(0, 1).flatten(0, 1),
        rollout["actions"].T.flatten(),
        rollout["log_probs"].T.flatten(),
        advantages.T.flatten(),
        targets.T.flatten(),
    )
    for _ in range(epochs):
        history: dict[str, list[float]] = {"loss": [], "approximate_kl": [], "clip_fraction": []}
        for samples in _parts(data, total // minibatches, generator):
            standard = samples.advantages - samples.advantages.mean()
            standard = standard / (samples.advantages.std(correction=1) + 1e-8)
            logits, values = policy(samples.observations)
            batch = {
                "actions": samples.actions,
                "log_probs": samples.log_probs,
                "advantages": standard,
                "targets": samples.targets,
            }
            loss = ppo_loss(
                logits,
                values,
                batch,
                epsilon=epsilon,
                value_coefficient=value_coefficient,
                entropy_coefficient=entropy_coefficient,
            )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(policy.parameters(), largest_norm)

            log_ratio = -F.cross_entropy(logits.detach(), samples.actions, reduction="none")
            log_ratio = (log_ratio - samples.log_probs).double()
            history["loss"].append(float(loss.detach()))
            history["approximate_kl"].append(float((torch.expm1(log_ratio) - log_ratio).mean()))
            moved = torch.expm1(log_ratio).abs() > epsilon
            history["clip_fraction"].append(float(moved.double().mean()))
            optimizer.step()
    return {name: float(np.mean(numbers)) for name, numbers in history.items()}


def train_ppo(envs, policy, optimizer, *, total_steps, steps=128, on_update, generator):
    initial, _infos = envs.reset()
    last_obs = torch.tensor(np.array(initial, dtype=np.float32))
    num_timesteps = 0
    while num_timesteps + steps * envs.num_envs <= total_steps:
        rollout, last_obs = collect_rollout(
            envs, policy, last_obs, steps=steps, generator=generator
        )
        num_timesteps += steps * envs.num_envs
        if not on_update(ppo_update(policy, optimizer, rollout, generator=generator)):
            break
