"""REINFORCE: make actions likelier in proportion to the return that followed them.

A policy over A actions is given by its logits, real numbers on the last axis of a tensor;
pi = softmax(logits). Log-probabilities and entropies are in nats. A batch holds B episodes of at
most T steps, time last; `mask` says which steps count.
"""

import torch
from torch import Tensor, nn


def action_log_probs(logits: Tensor, actions: Tensor) -> Tensor:
    """The log-probability of each action that was taken.

        log pi(a) = logits[a] - log(sum over b of exp(logits[b]))

    It stays finite wherever the logits are, also where pi(a) itself is too small for a float.
    Source: Sutton and Barto (2018), equation 13.2.

    Args:
        logits: [..., A] float, any finite numbers; no unit.
        actions: [...] int64, each from 0 to A - 1.

    Returns:
        [...] float, in nats. Carries gradient to `logits`. Float64 in, float64 out.

    Raises:
        ValueError: the shape of `actions` is not that of `logits` without its last axis.
    """
    # BEGIN SOLUTION
    _expect_shape(logits.shape[:-1], actions=actions)
    log_probs = torch.log_softmax(logits, dim=-1)
    return log_probs.gather(-1, actions.unsqueeze(-1)).squeeze(-1)
    # END SOLUTION


def sample_actions(logits: Tensor, *, generator: torch.Generator) -> Tensor:
    """One action for each row of logits, drawn from the policy.

        a ~ softmax(logits)

    Entries are drawn independently of each other. All randomness comes from `generator`: the same
    state gives the same actions, and every call with a choice to make, A > 1, moves the state on.
    Source: Sutton and Barto (2018), section 13.1.

    Args:
        logits: [..., A] float, any finite numbers; no unit. May require gradient.
        generator: where the randomness comes from.

    Returns:
        [...] int64, each from 0 to A - 1.
    """
    # BEGIN SOLUTION
    probabilities = torch.softmax(logits.detach(), dim=-1)
    rows = probabilities.reshape(-1, logits.shape[-1])
    drawn = torch.multinomial(rows, num_samples=1, generator=generator)
    return drawn.reshape(logits.shape[:-1])
    # END SOLUTION


def policy_entropy(logits: Tensor) -> Tensor:
    """How undecided the policy is.

        H = - sum over a of pi(a) * log pi(a),   with 0 log 0 = 0

    From 0, one action is certain, to log A, all are equally likely. The value and its gradient
    stay finite where a probability underflows to 0.
    Source: Shannon (1948), section 6; Mnih et al. (arXiv:1602.01783), section 4, for its use.

    Args:
        logits: [..., A] float, any finite numbers; no unit.

    Returns:
        [...] float, in nats. Carries gradient to `logits`. Float64 in, float64 out.
    """
    # BEGIN SOLUTION
    log_probs = torch.log_softmax(logits, dim=-1)
    return -(log_probs.exp() * log_probs).sum(dim=-1)
    # END SOLUTION


def reinforce_loss(log_probs: Tensor, returns: Tensor, mask: Tensor) -> Tensor:
    """The number whose gradient is minus the policy gradient, estimated from B episodes.

        L = - 1/B * sum over episodes b, sum over counted steps t of log_probs[b, t] * returns[b, t]

    The returns are constants: no gradient reaches them. There is no factor gamma^t, and nothing is
    divided by the number of steps. An episode without a counted step adds 0 and still counts in B.
    Only the gradient of L means anything; its value need not fall while the policy improves.
    Source: Williams (1992), theorem 2; Sutton and Barto (2018), section 13.3 at gamma = 1.

    Args:
        log_probs: [B, T] float, log pi(a[t] | s[t]) of the actions taken, in nats.
        returns: [B, T] float or int, the reward from step t on, in reward units.
        mask: [B, T] bool, True where a step counts. Elsewhere the other two hold finite numbers
            that mean nothing; their products are finite, too.

    Returns:
        [] float, in nats times reward units. Carries gradient to `log_probs`. The dtype of
        `log_probs`, whatever that of the returns.

    Raises:
        ValueError: `log_probs` is not [B, T], or the shape of another argument differs from it.
    """
    # BEGIN SOLUTION
    if log_probs.ndim != 2:
        raise ValueError(f"log_probs should have shape [B, T], got {list(log_probs.shape)}")
    _expect_shape(log_probs.shape, returns=returns, mask=mask)
    weights = returns.detach().to(log_probs.dtype)
    counted = torch.where(mask, log_probs * weights, 0.0)
    return -counted.sum(dim=-1).mean()
    # END SOLUTION


def reinforce_update(
    policy: nn.Module, optimizer: torch.optim.Optimizer, batch: dict[str, Tensor]
) -> float:
    """Improve the policy by one optimiser step on the loss of a batch.

        theta <- theta - learning rate * gradient of L(theta)       for plain gradient descent

    The policy is called once, on all observations as they are and in the mode it is in (training or
    evaluation), for its logits may depend on whole episodes and on the whole batch. There is one
    `optimizer.step()`, also if no step of the batch counts. Gradients that something else left in
    the parameters have no part in it.
    Source: Sutton and Barto (2018), section 13.3, once for a whole batch.

    Args:
        policy: maps observations [B, T, O] to logits [B, T, A]. All its parameters require
            gradient.
        optimizer: holds exactly the parameters of `policy`.
        batch: what happened in B episodes under this policy, under these keys:
            observations: [B, T, O] float, what the policy saw before it acted.
            actions: [B, T] int64, each from 0 to A - 1, also where a step does not count.
            returns: [B, T] float or int, the reward from step t on, in reward units.
            mask: [B, T] bool, True where a step counts. Elsewhere the others mean nothing, but
                the policy sees those observations, too.

    Returns:
        The loss of the batch before the step, as a Python float, in nats times reward units.

    Raises:
        ValueError: the actions, returns or mask of `batch` do not have the shape [B, T], as in
            `action_log_probs` and `reinforce_loss`.
    """
    # BEGIN SOLUTION
    logits = policy(batch["observations"])
    log_probs = action_log_probs(logits, batch["actions"])
    loss = reinforce_loss(log_probs, batch["returns"], batch["mask"])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
    # END SOLUTION


# BEGIN SOLUTION
def _expect_shape(shape: torch.Size, **arguments: Tensor) -> None:
    """Raise ValueError for the first argument of another shape; broadcasting would hide it."""
    for name, tensor in arguments.items():
        if tensor.shape != shape:
            raise ValueError(f"{name} should have shape {list(shape)}, got {list(tensor.shape)}")


# END SOLUTION
