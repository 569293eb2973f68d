"""Everything is computed in float64 and cast back at the end."""

import torch


class ActorCritic(torch.nn.Module):
    def __init__(self, observation_size, action_count, *, hidden_size=64):
        super().__init__()
        self.observation_size = observation_size
        self.hidden = torch.nn.Linear(observation_size, hidden_size)
        self.to_logits = torch.nn.Linear(hidden_size, action_count)
        self.to_value = torch.nn.Linear(hidden_size, 1)
        with torch.no_grad():
            for layer, gain in (
                (self.hidden, 2.0**0.5),
                (self.to_logits, 0.01),
                (self.to_value, 1),
            ):
                layer.weight.copy_(gain * random_orthogonal(*layer.weight.shape))
                layer.bias.zero_()

    def forward(self, observations):
        if observations.shape[-1:] != (self.observation_size,):
            raise ValueError(
                f"observations must end in {self.observation_size}, got {observations.shape}"
            )
        hidden = self.apply_layer(self.hidden, observations.double()).tanh()
        logits = self.apply_layer(self.to_logits, hidden)
        value = self.apply_layer(self.to_value, hidden).select(-1, 0)
        return logits.to(observations.dtype), value.to(observations.dtype)

    @staticmethod
    def apply_layer(layer, inputs):
        return inputs @ layer.weight.double().T + layer.bias.double()


def random_orthogonal(rows, columns):
    """Left times right singular vectors of a random matrix."""
    left, _, right = torch.linalg.svd(
        torch.randn(rows, columns, dtype=torch.float64), full_matrices=False
    )
    return left @ right


def as_doubles(reference, **tensors):
    for name, tensor in tensors.items():
        if tensor.shape != reference:
            raise ValueError(
                f"{name} must match {tuple(reference)}, but it is {tuple(tensor.shape)}"
            )
    return [tensor.double() for tensor in tensors.values()]


def td_targets(rewards, next_values, terminated, *, discount):
    r, v_next, end = as_doubles(
        rewards.shape, rewards=rewards, next_values=next_values, terminated=terminated
    )
    return (r + discount * (1 - end) * v_next).detach().to(next_values.dtype)


def td_errors(rewards, values, next_values, terminated, *, discount):
    r, v, v_next, end = as_doubles(
        rewards.shape,
        rewards=rewards,
        values=values,
        next_values=next_values,
        terminated=terminated,
    )
    return (r - v + discount * (1 - end) * v_next).detach().to(values.dtype)


def actor_loss(log_probs, advantages):
    log_p, advantage = as_doubles(log_probs.shape, log_probs=log_probs, advantages=advantages)
    return (log_p * advantage.detach()).mean().neg().to(log_probs.dtype)


def critic_loss(values, targets):
    v, goal = as_doubles(values.shape, values=values, targets=targets)
    return torch.mean((v - goal.detach()) ** 2 / 2).to(values.dtype)


def actor_critic_loss(
    logits, actions, values, targets, *, value_coefficient=0.5, entropy_coefficient=0.01
):
    _, v, goal = as_doubles(logits.shape[:-1], actions=actions, values=values, targets=targets)
    z = logits.double()
    log_p = z - torch.logsumexp(z, dim=-1, keepdim=True)
    chosen = torch.nn.functional.one_hot(actions, logits.shape[-1])
    error = goal.detach() - v
    per_step = (
        -(chosen * log_p).sum(-1) * error.detach()
        + value_coefficient * error**2 / 2
        + entropy_coefficient * (log_p.exp() * log_p).sum(-1)
    )
    return per_step.mean().to(logits.dtype)
