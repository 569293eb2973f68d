"""The habit of textbooks and first tutorials: lists, one episode and one step at a time."""

import torch


def action_log_probs(logits, actions):
    if actions.shape != logits.shape[:-1]:
        raise ValueError(f"actions have shape {actions.shape}, logits {logits.shape}")
    if actions.ndim == 0:
        return logits[actions] - torch.logsumexp(logits, dim=0)
    return torch.stack([action_log_probs(*pair) for pair in zip(logits, actions, strict=True)])


def sample_actions(logits, *, generator):
    if logits.ndim == 1:
        probabilities = torch.softmax(logits.detach(), dim=0)
        return torch.multinomial(probabilities, 1, generator=generator)[0]
    return torch.stack([sample_actions(row, generator=generator) for row in logits])


def policy_entropy(logits):
    if logits.ndim > 1:
        return torch.stack([policy_entropy(row) for row in logits])
    log_probs = logits - torch.logsumexp(logits, dim=0)
    entropy = logits.new_zeros(())
    for log_prob in log_probs:
        entropy = entropy - log_prob.exp() * log_prob
    return entropy


def reinforce_loss(log_probs, returns, mask):
    if log_probs.ndim != 2:
        raise ValueError("log_probs should have the axes B and T")
    if returns.shape != log_probs.shape:
        raise ValueError("returns and log_probs should have the same shape")
    if mask.shape != log_probs.shape:
        raise ValueError("mask and log_probs should have the same shape")
    policy_losses = [log_probs.sum() * 0]  # so that an empty batch of steps has a graph, too
    for episode, weights, counts in zip(log_probs, returns.tolist(), mask.tolist(), strict=True):
        for log_prob, weight, count in zip(episode, weights, counts, strict=True):
            if count:
                policy_losses.append(-log_prob * weight)
    return torch.stack(policy_losses).sum() / len(log_probs)


def reinforce_update(policy, optimizer, batch):
    for name in ("actions", "returns", "mask"):
        if batch[name].shape != batch["observations"].shape[:-1]:
            raise ValueError(f"{name} and observations should have the same axes B and T")
    optimizer.zero_grad()
    episodes = len(batch["mask"])
    total = 0.0
    names = ("actions", "returns", "mask")
    logits = policy(batch["observations"])
    for scores, actions, returns, mask in zip(logits, *(batch[n] for n in names), strict=True):
        log_probs = action_log_probs(scores, actions)
        loss = reinforce_loss(log_probs[None], returns[None], mask[None]) / episodes
        loss.backward(retain_graph=True)  # the episodes share the policy's part of the graph
        total += loss.item()
    optimizer.step()
    return total
