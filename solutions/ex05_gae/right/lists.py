"""Python lists and floats only; tensors at the door."""

import torch


def same_shapes(**tensors):
    (_, first), *rest = tensors.items()
    for name, tensor in rest:
        if tensor.shape != first.shape:
            raise ValueError(f"{name}: {list(tensor.shape)}, but {list(first.shape)} was expected")


def by_rows(function, *tensors):
    """Apply a function of lists to every row, and make a tensor of the answers."""
    dtype = tensors[1].dtype
    lists = [tensor.tolist() for tensor in tensors]
    if tensors[0].dim() == 1:
        return torch.tensor(function(*lists), dtype=dtype)
    return torch.tensor([function(*row) for row in zip(*lists, strict=True)], dtype=dtype)


def row_of_errors(rewards, values, next_values, terminated, discount):
    errors = []
    for r, v, v_next, end in zip(rewards, values, next_values, terminated, strict=True):
        errors.append(r - v if end else r + discount * v_next - v)
    return errors


def td_errors(rewards, values, next_values, terminated, *, discount):
    same_shapes(rewards=rewards, values=values, next_values=next_values, terminated=terminated)
    return by_rows(
        lambda *row: row_of_errors(*row, discount), rewards, values, next_values, terminated
    )


def gae(rewards, values, next_values, terminated, truncated, *, discount, lam):
    same_shapes(
        rewards=rewards,
        values=values,
        next_values=next_values,
        terminated=terminated,
        truncated=truncated,
    )

    def row_of_advantages(r, v, v_next, ended, cut_off):
        errors = row_of_errors(r, v, v_next, ended, discount)
        advantages = []
        for start in range(len(errors)):
            total, weight = 0.0, 1.0
            for error, stop, limit in zip(
                errors[start:], ended[start:], cut_off[start:], strict=True
            ):
                total += weight * error
                weight *= discount * lam
                if stop or limit:
                    break
            advantages.append(total)
        return advantages

    return by_rows(row_of_advantages, rewards, values, next_values, terminated, truncated)


def value_targets(advantages, values):
    same_shapes(advantages=advantages, values=values)
    return by_rows(lambda a, v: [x + y for x, y in zip(a, v, strict=True)], advantages, values)
