"""Plain Python lists, one row after the other."""

import torch


def discounted_return(rewards, *, discount):
    dtype = rewards.dtype if rewards.is_floating_point() else torch.get_default_dtype()

    def of(row):
        total = 0.0
        for reward in reversed(row):
            total = reward + discount * total
        return total

    numbers = rewards.tolist()
    if rewards.dim() == 1:
        return torch.tensor(of(numbers), dtype=dtype)
    return torch.tensor([of(row) for row in numbers], dtype=dtype)


def rewards_to_go(rewards, next_values, terminated, truncated, *, discount):
    def of(r, v, over, cut):
        returns = []
        for t in reversed(range(len(r))):
            if over[t]:
                returns.insert(0, r[t])
            elif cut[t] or not returns:
                returns.insert(0, r[t] + discount * v[t])
            else:
                returns.insert(0, r[t] + discount * returns[0])
        return returns

    return _by_row(of, rewards, next_values, terminated, truncated)


def n_step_returns(rewards, next_values, terminated, truncated, *, discount, n):
    if n < 1:
        raise ValueError(f"n must be an integer from 1 on; got {n}")

    def of(r, v, over, cut):
        returns = []
        for start in range(len(r)):
            total, k = 0.0, start
            while True:
                total += discount ** (k - start) * r[k]
                if over[k]:
                    break
                if cut[k] or k + 1 in (len(r), start + n):
                    total += discount ** (k - start + 1) * v[k]
                    break
                k += 1
            returns.append(total)
        return returns

    return _by_row(of, rewards, next_values, terminated, truncated)


def _by_row(function, rewards, next_values, terminated, truncated):
    shape = rewards.shape
    if next_values.shape != shape:
        raise ValueError(f"next_values: want {list(shape)}, have {list(next_values.shape)}")
    if terminated.shape != shape:
        raise ValueError(f"terminated: want {list(shape)}, have {list(terminated.shape)}")
    if truncated.shape != shape:
        raise ValueError(f"truncated: want {list(shape)}, have {list(truncated.shape)}")
    columns = [x.tolist() for x in (rewards, next_values, terminated, truncated)]
    if rewards.dim() == 1:
        return torch.tensor(function(*columns), dtype=next_values.dtype)
    rows = [function(*row) for row in zip(*columns, strict=True)]
    return torch.tensor(rows, dtype=next_values.dtype)
