"""Everything is computed in float64 and cast back to the dtype of the values at the end."""

import torch


def as_doubles(reference, **tensors):
    doubles = []
    for name, tensor in tensors.items():
        if tensor.shape != reference.shape:
            raise ValueError(
                f"{name!r} must match {tuple(reference.shape)}, but it is {tuple(tensor.shape)}"
            )
        doubles.append(tensor.detach().double())
    return doubles


def td_errors(rewards, values, next_values, terminated, *, discount):
    r, v, v_next, end = as_doubles(
        rewards, rewards=rewards, values=values, next_values=next_values, terminated=terminated
    )
    return (r - v + discount * (1.0 - end) * v_next).to(values.dtype)


def gae(rewards, values, next_values, terminated, truncated, *, discount, lam):
    r, v, v_next, end, stop = as_doubles(
        rewards,
        rewards=rewards,
        values=values,
        next_values=next_values,
        terminated=terminated,
        truncated=truncated,
    )
    delta = r - v + discount * (1.0 - end) * v_next
    goes_on = (1.0 - end) * (1.0 - stop)
    columns = [delta[..., -1]]
    for t in range(delta.shape[-1] - 2, -1, -1):
        columns.insert(0, delta[..., t] + discount * lam * goes_on[..., t] * columns[0])
    return torch.stack(columns, dim=-1).to(values.dtype)


def value_targets(advantages, values):
    a, v = as_doubles(advantages, advantages=advantages, values=values)
    return (a + v).to(values.dtype)
