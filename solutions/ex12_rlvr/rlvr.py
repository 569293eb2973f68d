"""Verifiers: programs that turn a completion into a reward, read by a policy that looks for holes.

A completion is what the model wrote after the prompt, of any length and with anything in it. No
verifier ever raises because of what a completion contains, runs any part of it, or takes more than
linear time in its length. They take and return text and plain Python numbers, whatever they use in
between. Tensors appear only in the last function, the loop in which a language model is trained on
what the verifiers pay.
"""

import re
from collections.abc import Callable
from fractions import Fraction

import torch
from torch import Generator, Tensor, nn

BOX = r"\boxed{"  # how an answer begins: these seven characters, exactly
LONGEST_NUMBER = 1000  # characters; a longer text is never read as a number


def extract_answer(completion: str) -> str | None:
    r"""The text inside the only box of a completion, or None.

    A box begins with `BOX`, the seven characters `\boxed{` with no space between them, and ends at
    the brace that closes it: from there on `{` opens, `}` closes, and a brace after a backslash
    counts like any other. What stands before and after the box does not matter, braces included.

    There is no answer where `BOX` occurs more than once, whatever the further ones hold and
    wherever they stand, inside the first one too: who gives two answers gives none.
    Source: the `\boxed` convention of MATH (Hendrycks et al., arXiv:2103.03874), section 3.

    Args:
        completion: what the model wrote, of any length.

    Returns:
        The text between the braces, without the whitespace around it (`str.strip`), otherwise as
        it stands. None where `BOX` occurs never or more than once, the box is never closed, or
        nothing but whitespace is in it. In time linear in the length.
    """
    # BEGIN SOLUTION
    inside = _inside_of_the_box(completion)
    return completion[inside].strip() or None if inside else None
    # END SOLUTION


def answers_match(answer: str, reference: str) -> bool:
    r"""Whether two answers are the same number or the same text.

    Both are normalised first: whitespace around the text goes, a run of whitespace inside becomes
    one space (whitespace is where `str.split()` splits), and `str.lower` is applied. Nothing else
    is changed: no Unicode normalisation, and punctuation, quotes, braces, LaTeX commands, units,
    `$` and `%` stay.

    A normalised text of at most `LONGEST_NUMBER` characters is a number if all of it is

        [sign] integer                  42     +7     007     1,234,567
        [sign] [integer] . digits       0.50   -.5    1,234.5
        [sign] integer / integer        1/2    -84/2
        [sign] \frac{integer}{integer}  \frac{1}{2}

    A sign is `+` or `-`. Digits are the ASCII digits 0 to 9. An integer is one or more digits, or
    one to three digits followed by one or more groups of a comma and exactly three digits. There
    is no space in a number. So `1e3`, `50%`, `5.`, `1_000`, `1,23`, `$42`, `42 m` and digits of
    other scripts are texts, which match no number. `\FRAC{1}{2}` is a number: case goes first.

    Two numbers match when they are equal exactly, as rational numbers: 0.5 is 1/2, but 0.333 is not
    1/3, however many threes it has. Where at least one of the two is no number, equal texts match.
    Some texts match nothing, not even themselves: the empty text; `nan`, `inf` and `infinity`, with
    or without a sign; a fraction of the forms above whose denominator is zero (one that is longer
    than `LONGEST_NUMBER` is a text like any other).

    Nothing is ever evaluated: `6*7` is a text, and so is `__import__('os')`.
    Source: none; each library has its own rules. Why exact and narrow: Huang et al., Pitfalls of
    rule- and model-based verifiers (arXiv:2505.22203).

    Args:
        answer: what the model answered, as `extract_answer` returns it; any text.
        reference: the right answer, by the same rules.

    Returns:
        True or False. In time linear in the lengths.
    """
    # BEGIN SOLUTION
    value = _value(answer)
    return value is not None and value == _value(reference)
    # END SOLUTION


def format_reward(completion: str) -> float:
    """1.0 if a completion is reasoning, then one box, then nothing; otherwise 0.0.

    It has the format when all of this holds:

        1. `extract_answer` finds an answer in it;
        2. something other than whitespace stands before the box;
        3. nothing but whitespace stands after the brace that closes the box: no full stop, no `$`.

    Whether the answer is right plays no part.
    Source: the format reward of DeepSeek-R1 (arXiv:2501.12948), section 2.2.2, with a box for tags.

    Args:
        completion: what the model wrote, of any length.

    Returns:
        The float 1.0 or 0.0, in reward units. In time linear in the length.
    """
    # BEGIN SOLUTION
    inside = _inside_of_the_box(completion)
    if inside is None or not completion[inside].strip():
        return 0.0
    reasoning = completion[: inside.start - len(BOX)]
    rest = completion[inside.stop + 1 :]
    return 1.0 if reasoning.strip() and not rest.strip() else 0.0
    # END SOLUTION


def verifiable_reward(completion: str, reference: str, *, format_weight: float = 0.1) -> float:
    """The reward of a completion: 1.0 for a right answer, else at most `format_weight`.

        1.0                                         extract_answer finds an answer that matches
        format_weight * format_reward(completion)   otherwise

    A right answer earns 1.0 with the format or without it, never more. So writing nicely is worth
    something only to a policy that cannot do better yet.
    Source: the accuracy and format rewards of DeepSeek-R1 (arXiv:2501.12948), section 2.2.2; here
    the larger counts instead of their sum.

    Args:
        completion: what the model wrote, of any length.
        reference: the right answer, compared by `answers_match`.
        format_weight: from 0 to 1, 0 included and 1 not; in reward units.

    Returns:
        A float from 0.0 to 1.0, in reward units. In time linear in the length.

    Raises:
        ValueError: `format_weight` is negative, 1 or more, whatever the completion is; the message
            names it.
    """
    # BEGIN SOLUTION
    if not 0 <= format_weight < 1:
        raise ValueError(f"format_weight should be at least 0 and below 1, got {format_weight}")
    answer = extract_answer(completion)
    if answer is not None and answers_match(answer, reference):
        return 1.0
    return format_weight * format_reward(completion)
    # END SOLUTION


def pass_at_k(n: int, c: int, k: int) -> float:
    """How probably at least one of k samples is right, estimated from n samples, c of them right.

        pass@k = 1 - C(n - c, k) / C(n, k)

    This is the share of the k-subsets of the n samples with a right one in them, which makes it
    unbiased: drawn without replacement. Where fewer than k samples are wrong it is 1.
    Source: Chen et al., Evaluating Large Language Models Trained on Code (arXiv:2107.03374),
    equation 1.

    Args:
        n: samples drawn for one problem, at least 1.
        c: how many of them are right, from 0 to n.
        k: how many a user would look at, from 1 to n.

    Returns:
        A float from 0 to 1, no unit, off by less than 1e-6. For n up to 10**6 in well under a
        second, whatever c and k are; the binomial coefficients themselves take half a minute.

    Raises:
        ValueError: c or k is out of its range; the message names it. Where n is below 1, c and k
            have no range, and the message may name any of the three.
    """
    # BEGIN SOLUTION
    if not 0 <= c <= n:
        raise ValueError(f"c should be from 0 to n = {n}, got {c}")
    if not 1 <= k <= n:
        raise ValueError(f"k should be from 1 to n = {n}, got {k}")
    fewer, more = sorted((c, k))  # the ratio is the same with c and k swapped
    all_wrong = 1.0
    for i in range(min(fewer, n - more + 1)):  # beyond that a factor was 0
        all_wrong *= (n - more - i) / (n - i)
    return 1.0 - all_wrong
    # END SOLUTION


def train_grpo(
    policy: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    draw_prompts: Callable[[int], tuple[Tensor, list[str]]],
    decode: Callable[[Tensor], list[str]],
    eos_id: int,
    max_tokens: int,
    updates: int,
    prompts: int = 16,
    group_size: int = 8,
    epochs: int = 2,
    epsilon: float = 0.2,
    temperature: float = 1.0,
    on_update: Callable[[dict[str, float]], bool],
    generator: Generator,
) -> None:
    r"""Train a language model in place on verifiable rewards, by GRPO without a KL penalty.

    Up to `updates` times, with pi(v | tokens) = softmax(logits / temperature)[v] throughout:

        1. `draw_prompts(prompts)` once: P prompts and the right answer to each.
        2. G completions of each prompt are sampled from pi, token by token, each up to and
           including its first EOS, at most `max_tokens` long.
        3. r[p, g] = verifiable_reward(its text, the reference of p), with the default weight.
        4. A[p, g] = (r[p, g] - mean(r[p])) / (std(r[p]) + 1e-4), where std divides by G - 1. A tied
           group has A = 0 exactly.
        5. `epochs` steps of the optimizer, each on the gradient of this loss over all P * G
           completions, at once or collected part by part, and on nothing left from before, not even
           from before the call:

               ratio[i] = pi(token i) / pi_old(token i)
               L = - mean over i of min(ratio[i] * A, clip(ratio[i], 1 - epsilon, 1 + epsilon) * A)

           The mean is over every sampled token of the batch: all up to and including the EOS,
           none of the prompt. pi_old is the policy that sampled, at the same temperature; whether
           noted while sampling or computed before the first step is the same. The gradient is taken
           as it is; its norm is not clipped. Where every group is tied there is no gradient, and
           whether the steps are taken or left out is open: with momentum they differ.
        6. `on_update(...)` once; the training ends when it returns False.

    The policy runs with gradient only for the losses of step 5, at most `epochs` times on each
    completion.
    Source: Shao et al., DeepSeekMath (arXiv:2402.03300), algorithm 1; without a KL penalty and with
    a mean over tokens, Yu et al., DAPO (arXiv:2503.14476), sections 2.3 and 3.3.

    Args:
        policy: maps tokens [B, L] int64 to logits [B, L, V]; `logits[:, t]` is about the token at
            t + 1. It reads rows of up to T + `max_tokens` tokens.
        optimizer: holds the parameters of `policy`.
        draw_prompts: maps a number P of prompts to their tokens [P, T] int64, all equally long, and
            a list of P references, texts.
        decode: maps completions [N, any length] int64 to a list of N texts. It reads a row up to
            its first EOS; what stands behind does not matter, and nothing need stand there. It gets
            each completion once, without the prompt, group after group: all G of the first prompt,
            then all of the second. In one call or in several, down to one row in each; a row has
            the completion as it was sampled, EOS included.
        eos_id: the token that ends a completion.
        max_tokens: R, at least 1, in tokens.
        updates: how often, at most.
        prompts: P, the prompts of one update.
        group_size: G, the completions of each; at least 2.
        epochs: steps on one batch.
        epsilon: half-width of the clip, above 0.
        temperature: above 0, no unit.
        on_update: is told of each update, in Python floats: "reward", the mean of r; "signal", the
            share of groups that are not tied; "length", the mean number of tokens of a completion,
            EOS included. Says whether to go on, as a bool.
        generator: where the randomness of the samples comes from.

    Raises:
        ValueError: `group_size` is below 2; the message names it.
    """
    # BEGIN SOLUTION
    if group_size < 2:
        raise ValueError(f"group_size should be at least 2, got {group_size}")
    for _ in range(updates):
        questions, references = draw_prompts(prompts)
        repeated = questions.repeat_interleave(group_size, dim=0)
        completions = _sampled(policy, repeated, max_tokens, eos_id, temperature, generator)
        texts = decode(completions)
        paid = [
            verifiable_reward(text, references[row // group_size]) for row, text in enumerate(texts)
        ]
        rewards = torch.tensor(paid).view(-1, group_size)
        advantages = _advantages(rewards).view(-1, 1)
        tokens = torch.cat([repeated, completions], dim=1)
        mask = _until_the_end(completions, eos_id)
        with torch.no_grad():
            old_log_probs = _log_probs(policy, tokens, questions.shape[1], temperature)
        for _ in range(epochs):
            log_probs = _log_probs(policy, tokens, questions.shape[1], temperature)
            ratio = (log_probs - old_log_probs).exp()
            clipped = ratio.clamp(1.0 - epsilon, 1.0 + epsilon)
            surrogate = torch.minimum(ratio * advantages, clipped * advantages)
            loss = -surrogate[mask].mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        told = {
            "reward": rewards.mean().item(),
            "signal": (rewards != rewards[:, :1]).any(dim=1).float().mean().item(),
            "length": mask.sum(dim=1).float().mean().item(),
        }
        if not on_update(told):
            break
    # END SOLUTION


# BEGIN SOLUTION
@torch.no_grad()
def _sampled(
    policy: nn.Module, prompts: Tensor, most: int, eos_id: int, temperature: float, by: Generator
) -> Tensor:
    """[B, R] one completion of each prompt; behind its EOS a row has further ones."""
    tokens = prompts
    ended = torch.zeros(len(prompts), 1, dtype=torch.bool)
    for _ in range(most):
        probabilities = (policy(tokens)[:, -1] / temperature).softmax(dim=-1)
        drawn = torch.multinomial(probabilities, 1, generator=by)
        drawn = drawn.masked_fill(ended, eos_id)
        ended = ended | (drawn == eos_id)
        tokens = torch.cat([tokens, drawn], dim=1)
    return tokens[:, prompts.shape[1] :]


def _log_probs(policy: nn.Module, tokens: Tensor, start: int, temperature: float) -> Tensor:
    """[B, R] of the tokens from `start` on, each from the logits one place before it."""
    logits = policy(tokens[:, :-1])[:, start - 1 :] / temperature
    chosen = tokens[:, start:].unsqueeze(-1)
    return logits.log_softmax(dim=-1).gather(-1, chosen).squeeze(-1)


def _until_the_end(completions: Tensor, eos_id: int) -> Tensor:
    """[B, R] bool, True up to the first EOS and there."""
    ends = (completions == eos_id).long()
    return ends.cumsum(dim=1) - ends == 0


def _advantages(rewards: Tensor) -> Tensor:
    """[P, G] standardised within each group; measured from its first reward, so ties are zero."""
    relative = rewards - rewards[:, :1]
    centred = relative - relative.mean(dim=1, keepdim=True)
    return centred / (centred.std(dim=1, keepdim=True) + 1e-4)


BRACE = re.compile(r"[{}]")
INTEGER = r"(?:\d{1,3}(?:,\d{3})+|\d+)"
FRAC = re.compile(rf"([+-]?)\\frac\{{({INTEGER})\}}\{{({INTEGER})\}}", re.ASCII)
NUMBER = re.compile(rf"[+-]?(?:{INTEGER}(?:/{INTEGER})?|(?:{INTEGER})?\.\d+)", re.ASCII)
UNDEFINED = re.compile(r"[+-]?(?:nan|inf|infinity)")


def _inside_of_the_box(completion: str) -> slice | None:
    """Where the inside of the only box is; None unless there is one box, and it is closed."""
    if completion.count(BOX) != 1:
        return None
    start = completion.index(BOX) + len(BOX)
    depth = 1
    for brace in BRACE.finditer(completion, start):
        depth += 1 if brace.group() == "{" else -1
        if depth == 0:
            return slice(start, brace.start())
    return None


def _value(text: str) -> Fraction | str | None:
    """What a text stands for: a number, or itself, or None for what matches nothing."""
    text = " ".join(text.split()).lower()
    if not text or UNDEFINED.fullmatch(text):
        return None
    if len(text) > LONGEST_NUMBER:
        return text
    ratio = FRAC.sub(r"\1\2/\3", text) if FRAC.fullmatch(text) else text
    if not NUMBER.fullmatch(ratio):
        return text
    try:
        return Fraction(ratio.replace(",", ""))
    except ZeroDivisionError:
        return None


# END SOLUTION
