"""Only steps that count are ever shown to the policy; rows are drawn one at a time."""

import torch
from torch.nn.functional import one_hot


def _expect(tensor, name, axes):
    if list(tensor.shape) != list(axes):
        raise ValueError(f"{name} has axes {list(tensor.shape)}, expected {list(axes)}")


def action_log_probs(logits, actions):
    _expect(actions, "actions", logits.shape[:-1])
    taken = one_hot(actions, logits.shape[-1]).bool()
    return torch.log_softmax(logits, -1)[taken].reshape(actions.shape)


def sample_actions(logits, *, generator):
    drawn = [
        torch.multinomial(torch.softmax(row, 0), 1, generator=generator)
        for row in logits.detach().reshape(-1, logits.shape[-1])
    ]
    return torch.cat(drawn).reshape(logits.shape[:-1])


def policy_entropy(logits):
    centred = logits - logits.mean(-1, keepdim=True)
    return torch.logsumexp(centred, -1) - (torch.softmax(centred, -1) * centred).sum(-1)


def reinforce_loss(log_probs, returns, mask):
    if log_probs.ndim != 2:
        raise ValueError("log_probs has axes that are not B and T")
    _expect(returns, "returns", log_probs.shape)
    _expect(mask, "mask", log_probs.shape)
    per_episode = [
        torch.dot(log_prob[counts], weight[counts].detach().to(log_prob.dtype))
        for log_prob, weight, counts in zip(log_probs, returns, mask, strict=True)
    ]
    return -torch.stack(per_episode).mean()


def reinforce_update(policy, optimizer, batch):
    mask = batch["mask"]
    for name in ("actions", "returns", "mask"):
        _expect(batch[name], name, batch["observations"].shape[:-1])
    log_probs = action_log_probs(policy(batch["observations"])[mask], batch["actions"][mask])
    loss = -(log_probs * batch["returns"][mask].detach()).sum() / len(mask)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
