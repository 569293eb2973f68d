"""Every answer becomes one canonical text, so that matching is string equality."""

import math
import re

import torch

HEAD = r"\boxed{"


def split_at_box(completion):
    """(before, inside, after), or three empty texts."""
    nothing = "", "", ""
    first = completion.find(HEAD)
    if first == -1 or completion.find(HEAD, first + 1) != -1:
        return nothing
    start = first + len(HEAD)
    depth = 1
    pieces = re.split(r"([{}])", completion[start:])  # text, brace, text, brace, ...
    length = len(pieces[0])
    for brace, text in zip(pieces[1::2], pieces[2::2], strict=True):
        depth += {"{": 1, "}": -1}[brace]
        if depth == 0:
            end = start + length
            return completion[:first], completion[start:end], completion[end + 1 :]
        length += 1 + len(text)
    return nothing


def extract_answer(completion):
    return split_at_box(completion)[1].strip() or None


def canonical(text):
    text = " ".join(text.split()).lower()
    if text in {"", *(s + w for s in ("", "+", "-") for w in ("nan", "inf", "infinity"))}:
        return None
    if len(text) > 1000:
        return text
    plain = re.sub(r"^([+-]?)\\frac\{([0-9,]+)\}\{([0-9,]+)\}$", r"\1\2/\3", text)
    sign, body = (plain[0], plain[1:]) if plain[0] in "+-" else ("+", plain)
    whole = "([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)"
    if match := re.fullmatch(rf"{whole}/{whole}", body):
        top, bottom = (int(part.replace(",", "")) for part in match.groups())
    elif body and (match := re.fullmatch(rf"{whole}?(?:\.([0-9]+))?", body)):
        left, right = (match.group(1) or "").replace(",", ""), match.group(2) or ""
        top, bottom = int(left + right), 10 ** len(right)
    else:
        return text
    if bottom == 0:
        return None
    shared = math.gcd(top, bottom)
    minus = "-" if sign == "-" and top else ""
    return f"N {minus}{top // shared}/{bottom // shared}"  # no normalised text has a capital N


def answers_match(answer, reference):
    one, other = canonical(answer), canonical(reference)
    return one is not None and other is not None and one == other


def format_reward(completion):
    before, inside, after = (bool(part.strip()) for part in split_at_box(completion))
    return 1.0 if before and inside and not after else 0.0


def verifiable_reward(completion, reference, *, format_weight=0.1):
    if format_weight < 0 or not format_weight < 1:
        raise ValueError("format_weight: from 0 up to, not including, 1")
    boxed = extract_answer(completion)
    if boxed and answers_match(boxed, reference):
        return 1.0
    return format_weight if format_reward(completion) else 0.0


def pass_at_k(n, c, k):
    if not (c >= 0 and c <= n):
        raise ValueError("c out of range")
    if not (k >= 1 and k <= n):
        raise ValueError("k out of range")
    wrong = torch.arange(n - c, n - c - k, -1, dtype=torch.float64).clamp(min=0)
    return 1.0 - (wrong / torch.arange(n, n - k, -1, dtype=torch.float64)).prod().item()


class Trainer:
    """The habit of TRL: a trainer object, an EOS index, a float mask, no old log-probs at first."""

    def __init__(self, policy, optimizer, decode, eos_id, max_tokens, temperature, epsilon):
        self.policy, self.optimizer, self.decode = policy, optimizer, decode
        self.eos_id, self.max_tokens = eos_id, max_tokens
        self.temperature, self.epsilon = temperature, epsilon

    def generate(self, prompt_ids, generator):
        ids = prompt_ids
        done = ids.new_zeros(len(ids)).bool()
        with torch.inference_mode():
            while ids.shape[1] < prompt_ids.shape[1] + self.max_tokens and not done.all():
                scores = self.policy(ids)[:, -1, :].div(self.temperature)
                new = torch.multinomial(torch.softmax(scores, -1), 1, generator=generator)[:, 0]
                new = torch.where(done, 0, new)
                done |= new == self.eos_id
                ids = torch.cat([ids, new[:, None]], dim=-1)
        return ids.clone()

    def completion_mask(self, completion_ids):
        is_eos = completion_ids == self.eos_id
        size = completion_ids.shape[1]
        eos_idx = torch.where(is_eos.any(1), is_eos.int().argmax(1), size)
        return (torch.arange(size)[None] <= eos_idx[:, None]).int()

    def per_token_logps(self, ids, keep):
        logits = self.policy(ids)[:, :-1, :][:, -keep:, :] / self.temperature
        picked = torch.gather(logits, 2, ids[:, -keep:, None]).squeeze(2)
        return picked - torch.logsumexp(logits, dim=-1)

    def compute_loss(self, batch):
        logps = self.per_token_logps(batch["ids"], batch["mask"].shape[1])
        if batch["old"] is None:
            batch["old"] = logps.detach()
        coef_1 = torch.exp(logps - batch["old"])
        coef_2 = torch.clamp(coef_1, 1 - self.epsilon, 1 + self.epsilon)
        advantages = batch["advantages"].unsqueeze(1)
        per_token_loss = -torch.min(coef_1 * advantages, coef_2 * advantages)
        return (per_token_loss * batch["mask"]).sum() / batch["mask"].sum()

    def batch(self, prompt_ids, answers, group_size, generator):
        prompt_ids = prompt_ids[torch.arange(len(prompt_ids) * group_size) // group_size]
        ids = self.generate(prompt_ids, generator)
        completion_ids = ids[:, prompt_ids.shape[1] :]
        texts = self.decode(completion_ids)
        solutions = [answer for answer in answers for _ in range(group_size)]
        rewards = torch.tensor([*map(verifiable_reward, texts, solutions)], dtype=torch.float64)
        grouped = rewards.view(-1, group_size)
        std = grouped.std(dim=1, keepdim=True)
        advantages = (grouped - grouped.mean(dim=1, keepdim=True)) / (std + 1e-4)
        tied = (grouped == grouped[:, :1]).all(dim=1, keepdim=True)
        advantages = advantages.masked_fill(tied, 0.0).flatten()
        mask = self.completion_mask(completion_ids)
        metrics = {
            "reward": rewards.mean().item(),
            "signal": 1.0 - tied.double().mean().item(),
            "length": mask.sum(1).double().mean().item(),
        }
        return {"ids": ids, "mask": mask, "advantages": advantages, "old": None}, metrics


def train_grpo(
    policy,
    optimizer,
    *,
    draw_prompts,
    decode,
    eos_id,
    max_tokens,
    updates,
    prompts=16,
    group_size=8,
    epochs=2,
    epsilon=0.2,
    temperature=1.0,
    on_update,
    generator,
):
    if not group_size > 1:
        raise ValueError("group_size has to be larger than 1")
    trainer = Trainer(policy, optimizer, decode, eos_id, max_tokens, temperature, epsilon)
    for _ in range(updates):
        batch, metrics = trainer.batch(*draw_prompts(prompts), group_size, generator)
        for _ in range(epochs):
            policy.zero_grad(set_to_none=True)
            trainer.compute_loss(batch).backward()
            optimizer.step()
        if not on_update(metrics):
            return
