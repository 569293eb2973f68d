"""What the functions of exercise 8 promise: the right logits, the right tokens, the right divisor.

The oracles are float64 sums over the odds exp(logits[v] - logits[token]), loops that read a row
token by token, and a language model of three tokens: there a batch holds every string that the
model can say, so probabilities add up to one, and the gradient of an expected reward comes from
backward induction, which knows nothing of log-probabilities.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np

from rlgrade.author import (
    Array,
    Draw,
    Strategy,
    booleans,
    check,
    distinct_sizes,
    expect,
    expect_close,
    expect_dtype,
    expect_equal,
    expect_no_gradient,
    expect_raises,
    expect_shape,
    given,
    integer_tensors,
    integers,
    masks,
    one_of,
    permutations,
    prefix_masks,
    strategy,
    tensors,
)

ARGUMENTS = {
    "token_log_probs": ("logits", "tokens"),
    "response_mask": ("tokens", "prompt_lengths"),
    "masked_mean": ("values", "mask"),
    "aggregate_loss": ("per_token", "mask"),
    "sequence_log_probs": ("log_probs", "mask"),
    "token_entropy": ("logits",),
}
DIFFERENTIABLE = ("token_log_probs", "masked_mean", "aggregate_loss", "sequence_log_probs")
HOW = ("token_mean", "sequence_mean", "constant")
CONSTANTS = one_of(10, 8.0, 7, 12.5)
TEMPERATURES = one_of(2.0, 0.5, 1.5, 0.7)
GARBAGE = 1e6
ROUNDED = 2e-3  # float32 has steps of 6e-5 where scaled logits are as large as 600


# What is drawn


@dataclass(frozen=True)
class Scored:
    """Rows of tokens, and what a model said while it read them."""

    logits: Array
    tokens: Array


@dataclass(frozen=True)
class Batch:
    """What response_mask is called with."""

    tokens: Array
    prompt_lengths: Array
    eos_id: int
    pad_id: int

    @cached_property
    def mask(self) -> Array:
        """The definition, read token by token."""
        mask = np.zeros(self.tokens.shape, dtype=bool)
        for row, start in enumerate(self.prompt_lengths.tolist()):
            for t in range(start, self.tokens.shape[1]):
                token = int(self.tokens[row, t])
                if token == self.pad_id and token != self.eos_id:
                    break
                mask[row, t] = True
                if token == self.eos_id:
                    break
        return mask

    def arguments(self) -> dict[str, Any]:
        """What response_mask is called with."""
        names = ("tokens", "prompt_lengths", "eos_id", "pad_id")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class Numbers:
    """Numbers, and which of them count."""

    values: Array
    mask: Array

    def with_garbage(self, size: float) -> Numbers:
        """The same with numbers of this size, of either sign, wherever nothing counts."""
        junk = np.where(np.indices(self.mask.shape).sum(axis=0) % 2, -size, size)
        return replace(self, values=np.where(self.mask, self.values, junk).astype("float32"))


@dataclass(frozen=True)
class Change:
    """A batch, what a model says of it, and the same with other prompts and other padding."""

    tokens: Array
    changed_tokens: Array
    logits: Array
    changed_logits: Array
    prompt_lengths: Array
    eos_id: int
    pad_id: int

    @property
    def sides(self) -> tuple[tuple[Scored, Batch], tuple[Scored, Batch]]:
        """What is scored and what is masked, before and after."""
        rest = (self.prompt_lengths, self.eos_id, self.pad_id)
        return (
            (Scored(self.logits, self.tokens), Batch(self.tokens, *rest)),
            (Scored(self.changed_logits, self.changed_tokens), Batch(self.changed_tokens, *rest)),
        )


@dataclass(frozen=True)
class Situation:
    """One call of one function, with the arguments that the strategy chose."""

    function: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Vocabulary:
    """What a model that is nearly sure says of many tokens: the last, and all the rest."""

    size: int
    levels: Array

    @property
    def logits(self) -> Array:
        """[1, 2, V]: the levels in turn, and the last token far above them."""
        row = self.levels[np.arange(self.size) % len(self.levels)]
        logits = np.stack([row, row])[None]
        logits[..., -1] = 17.0, 20.0
        return logits


@dataclass(frozen=True)
class Misfit:
    """One argument of a function has a shape that it must not have."""

    function: str
    argument: str
    shapes: dict[str, tuple[int, ...]]


@strategy
def scored(draw: Draw, low: float = -3.0, high: float = 3.0) -> Scored:
    """Logits [B, T, V] of moderate size, all sizes different, with tokens."""
    b, t, v = draw(distinct_sizes((1, 3), (2, 4), (2, 5)))
    logits = draw(tensors(b, t, v, low=low, high=high))
    return Scored(logits, draw(integer_tensors(b, t, low=0, high=v - 1)))


@strategy
def extreme(draw: Draw) -> Scored:
    """Logits of which most are 100 or -100, here and there lowered by 200 at a whole position.

    No position has all its logits equal.
    """
    b, t, v = draw(distinct_sizes((1, 2), (2, 3), (2, 4)))
    sizes = np.array([-100.0, 100.0, 0.0, 99.0], dtype=np.float32)
    logits = sizes[draw(integer_tensors(b, t, v, low=0, high=3))]
    logits[..., 0] = np.where(logits[..., 1] == 100.0, -100.0, 100.0)
    logits -= draw(integer_tensors(b, t, 1, low=0, high=1)) * np.float32(200.0)
    return Scored(logits, draw(integer_tensors(b, t, low=0, high=v - 1)))


@strategy
def batches(
    draw: Draw,
    *,
    ends: str = "eos",
    after: str = "padding",
    prompt: str = "plain",
    pad: str = "other",
    empty: bool = False,
) -> Batch:
    """Rows of tokens: a prompt, a response, and what follows.

    Args:
        draw: draws the parts.
        ends: every response ends with "eos", is "cut" off, or "any" of the two.
        after: behind an EOS there is "padding", or "any" tokens.
        prompt: made of "plain" tokens, or of "any", an EOS among them.
        pad: the pad token is an "other" than EOS, the "same", or "any" of the two.
        empty: whether a prompt may fill its row, so that there is no response.
    """
    b, t, v = draw(distinct_sizes((1, 3), (2, 6), (4, 5)))
    names = draw(permutations(v))
    eos_id = pad_id = int(names[0])
    if pad == "other" or (pad == "any" and draw(booleans())):
        pad_id = int(names[1])
    plain = names[2:]
    tokens = plain[draw(integer_tensors(b, t, low=0, high=len(plain) - 1))]
    starts = draw(integer_tensors(b, low=1, high=t if empty else t - 1))
    lengths = 1 + draw(integer_tensors(b, low=0, high=255)) % np.maximum(t - starts, 1)
    ended = np.full(b, ends == "eos")
    if ends == "any":
        ended = draw(integer_tensors(b, low=0, high=1)) == 0
    anything = draw(integer_tensors(b, t, low=0, high=v - 1))
    positions = np.arange(t)
    last = (starts + lengths - 1)[:, None]
    tokens = np.where((positions == last) & ended[:, None], eos_id, tokens)
    follows = np.where(ended[:, None] & (after == "any"), anything, pad_id)
    tokens = np.where(positions > last, follows, tokens)
    if prompt == "any":
        anything[:, 0] = eos_id
        tokens = np.where(positions < starts[:, None], anything, tokens)
    return Batch(tokens, starts, eos_id, pad_id)


@strategy
def padded_far(draw: Draw) -> Batch:
    """Batches with more than 256 times the EOS token behind each response, as padding."""
    batch = draw(batches(pad="same"))
    rows = len(batch.tokens)
    padding = np.full((rows, draw(one_of(300, 555))), batch.pad_id)
    return replace(batch, tokens=np.concatenate([batch.tokens, padding], axis=1))


@strategy
def vocabularies(draw: Draw) -> Vocabulary:
    """Vocabularies of many thousands of tokens."""
    return Vocabulary(draw(one_of(20_000, 20_001)), draw(tensors(5, low=-1, high=1)))


@strategy
def changes(draw: Draw) -> Change:
    """Changes of every token and all logits that a loss on the responses has nothing to do with.

    The padding behind a response without EOS stays, for it marks the end.
    """
    batch = draw(batches(ends="any", pad="any"))
    rows, length = batch.tokens.shape
    vocabulary = int(max(batch.tokens.max(), batch.eos_id, batch.pad_id, 2)) + 1
    ended = (batch.mask & (batch.tokens == batch.eos_id)).any(axis=1, keepdims=True)
    in_prompt = np.arange(length) < batch.prompt_lengths[:, None]
    free = in_prompt | (~batch.mask & ended)
    others = draw(integer_tensors(rows, length, low=0, high=vocabulary - 1))
    logits = draw(tensors(rows, length, vocabulary, low=-2, high=2))
    relevant = np.pad(batch.mask[:, 1:], ((0, 0), (0, 1)))[..., None]
    noise = np.where(np.arange(vocabulary) % 2, 50.0, -50.0).astype("float32")
    return Change(
        tokens=batch.tokens,
        changed_tokens=np.where(free, others, batch.tokens),
        logits=logits,
        changed_logits=np.where(relevant, logits, noise),
        prompt_lengths=batch.prompt_lengths,
        eos_id=batch.eos_id,
        pad_id=batch.pad_id,
    )


@strategy
def numbers(draw: Draw, mask: str = "any") -> Numbers:
    """Numbers [B, T]; the mask is any or a prefix of each row, with something in every row.

    It is "sparse" where rows without anything are wanted: there is at least one.
    """
    t, b = draw(distinct_sizes((2, 5), (1, 3)))
    kinds = {
        "any": masks(b, t),
        "prefix": prefix_masks(b, t),
        "sparse": masks(b, t, at_least=0),
    }
    counts = draw(kinds[mask])
    if mask == "sparse":
        counts = counts.copy()
        counts[draw(integers(0, b - 1))] = False
        if draw(one_of(False, False, True)):
            counts[:] = False
    return Numbers(draw(tensors(b, t)), counts)


def unequal(*, rows: tuple[int, int] = (2, 3), empty: int = 0) -> Strategy[Numbers]:
    """Numbers [B, T] whose rows count different numbers of entries, the first few perhaps none.

    At most `empty` rows count nothing.
    """

    @strategy
    def drawn(draw: Draw) -> Numbers:
        t, b = draw(distinct_sizes((3, 5), rows))
        lengths = 1 + draw(permutations(t))[: min(b, t)]
        lengths = np.concatenate([lengths, np.ones(b - len(lengths), dtype=np.int64)])
        shift = draw(integers(0, 1))
        mask = (np.arange(t) + shift * b) % t < lengths[:, None]
        mask[: draw(integers(0, empty))] = False
        return Numbers(draw(tensors(b, t)), mask)

    return drawn()


@strategy
def along_an_axis(draw: Draw) -> tuple[Numbers, int]:
    """Numbers of two or three axes, small or large, and one axis; all along it something counts."""
    shape = draw(one_of((2, 3), (3, 2), (2, 3, 4), (3, 1, 2)))
    axis = draw(integers(-len(shape), len(shape) - 1))
    moved = [size for i, size in enumerate(shape) if i != axis % len(shape)]
    mask = np.moveaxis(draw(masks(*moved, shape[axis])), -1, axis)
    values = draw(tensors(*shape)) * np.float32(draw(one_of(1, 1000)))
    return Numbers(values, np.ascontiguousarray(mask)), axis


@strategy
def situations(draw: Draw, functions: tuple[str, ...] = tuple(ARGUMENTS)) -> Situation:
    """A call of one of the functions; what does not count is garbage; memory has gaps."""
    function = draw(one_of(*functions))
    arguments: dict[str, Any] = {}
    if function == "response_mask":
        arguments = draw(batches(ends="any", after="any", prompt="any", pad="any")).arguments()
    elif ARGUMENTS[function][0] == "logits":
        example = draw(scored())
        arguments = {name: getattr(example, name) for name in ARGUMENTS[function]}
        arguments["temperature"] = draw(TEMPERATURES)
    else:
        pair = draw(numbers()).with_garbage(GARBAGE)
        arguments = dict(zip(ARGUMENTS[function], (pair.values, pair.mask), strict=True))
    if function == "masked_mean":
        arguments["axis"] = draw(one_of(None, -1, 1))
    if function == "aggregate_loss":
        arguments |= {"how": draw(one_of(*HOW)), "constant": draw(CONSTANTS)}
    return Situation(function, with_gaps(arguments))


@strategy
def precise(draw: Draw) -> Situation:
    """Calls in float64 with numbers that float32 cannot hold.

    Those that are added up are thirds on top of a million and minus a million in turn, so that
    rounding shows and the small constant that some add to a divisor does not.
    """
    function = draw(one_of("token_log_probs", "token_entropy", *DIFFERENTIABLE[1:]))
    if ARGUMENTS[function][0] == "logits":
        example = draw(scored())
        logits, temperature = example.logits.astype("float64") / 3, draw(one_of(1.0, 0.5))
        logits[..., 0] += temperature * draw(one_of(0, 15, 20))
        arguments = {"logits": logits, "tokens": example.tokens}
        chosen = {name: arguments[name] for name in ARGUMENTS[function]}
        return Situation(function, chosen | {"temperature": temperature})
    b, pairs = draw(one_of((3, 1), (1, 2), (3, 2)))
    thirds = draw(tensors(b, 2 * pairs)).astype("float64") / 3
    values = thirds + np.where(np.arange(2 * pairs) % 2, -1048576.0, 1048576.0)
    arguments = dict(zip(ARGUMENTS[function], (values, values > -np.inf), strict=True))
    if function == "masked_mean":
        arguments["axis"] = draw(one_of(None, -1))
    if function == "aggregate_loss":
        arguments |= {"how": draw(one_of(*HOW)), "constant": draw(one_of(8, 4.0))}
    return Situation(function, arguments)


@strategy
def three_of_five(draw: Draw) -> Situation:
    """Means in float64 over three of five entries, a share that float32 cannot hold."""
    rows = draw(integers(1, 3))
    values = draw(tensors(rows, 5, low=1, high=4)).astype("float64") / 3
    mask = np.stack([draw(permutations(5)) < 3 for _ in range(rows)])
    if draw(booleans()):
        options: dict[str, Any] = {"how": draw(one_of("token_mean", "sequence_mean"))}
        return Situation(
            "aggregate_loss", {"per_token": values, "mask": mask, "constant": None} | options
        )
    return Situation(
        "masked_mean", {"values": values, "mask": mask, "axis": draw(one_of(None, -1))}
    )


@strategy
def misfits(draw: Draw) -> Misfit:
    """Misfits, most of which broadcasting, gathering or slicing would let through."""
    b, t, v = draw(distinct_sizes((2, 3), (2, 4), (2, 4)))
    pair = [(t,), (b, 1), (1, t), (b, t, 1), (b, t + 1)]
    wrong = {
        ("token_log_probs", "logits"): [(t, v), (b, t, v, 1), (1, b, t, v)],
        ("token_log_probs", "tokens"): [(t,), (b, t - 1), (b, t + 1), (1, t), (b, t, 1)],
        ("response_mask", "tokens"): [(t,), (b, t, 1)],
        ("response_mask", "prompt_lengths"): [(1,), (b, 1), (b + 1,), (b, t), ()],
        ("masked_mean", "mask"): pair,
        ("aggregate_loss", "per_token"): [(t,), (b, t, 1)],
        ("aggregate_loss", "mask"): pair,
        ("sequence_log_probs", "log_probs"): [(t,), (b, t, 1)],
        ("sequence_log_probs", "mask"): pair,
        ("token_entropy", "logits"): [(t, v), (b, t, v, 1)],
    }
    function, argument = draw(one_of(*wrong))
    shape = draw(one_of(*wrong[function, argument]))
    right = {"logits": (b, t, v), "prompt_lengths": (b,)}
    shapes = {name: right.get(name, (b, t)) for name in ARGUMENTS[function]}
    shapes[argument] = shape
    if argument in ("per_token", "log_probs"):  # the mask agrees, but neither is [B, T]
        shapes["mask"] = shape
    return Misfit(function, argument, shapes)


def with_gaps(arguments: dict[str, Any]) -> dict[str, Any]:
    """The same, with tensors that are not contiguous in memory."""
    return {
        name: np.asfortranarray(value) if isinstance(value, np.ndarray) else value
        for name, value in arguments.items()
    }


# A language model of three tokens


@dataclass(frozen=True)
class TinyModel:
    """A model that says a, b or EOS, at most `LONGEST` of them, and all that it can say.

    `table[c]` are the logits of a, b and EOS after context c; contexts are numbered (), a, b, aa,
    ab, ba, bb. Every string is one row of the batch, behind a prompt of one or two tokens.
    """

    table: Array
    temperature: float
    names: Array
    pad_is_eos: bool
    noise: int

    LONGEST = 3

    @cached_property
    def eos_id(self) -> int:
        """The number of the EOS token."""
        return int(self.names[2])

    @cached_property
    def pad_id(self) -> int:
        """The number of the pad token, which the model never says."""
        return self.eos_id if self.pad_is_eos else int(self.names[3])

    @cached_property
    def strings(self) -> list[tuple[int, ...]]:
        """Everything that the model can say: it stops at EOS or at the longest length."""
        stopped = [
            (*words, 2)
            for length in range(self.LONGEST)
            for words in product((0, 1), repeat=length)
        ]
        return stopped + list(product((0, 1), repeat=self.LONGEST))

    @cached_property
    def policy(self) -> Array:
        """pi(v | c), [contexts, 3], in float64."""
        return 1.0 / odds_against(self.table / self.temperature)

    @staticmethod
    def context(words: tuple[int, ...]) -> int:
        """The number of a context."""
        return 2 ** len(words) - 1 + sum(w << i for i, w in enumerate(reversed(words)))

    @cached_property
    def probabilities(self) -> Array:
        """The probability of each string: a product of conditional probabilities."""
        return np.array(
            [
                math.prod(self.policy[self.context(s[:k]), word] for k, word in enumerate(s))
                for s in self.strings
            ]
        )

    @cached_property
    def places(self) -> list[tuple[int, int, int]]:
        """Row, position of the logits, and context of every token that the model says."""
        return [
            (row, self.prompt_lengths[row] - 1 + k, self.context(words[:k]))
            for row, words in enumerate(self.strings)
            for k in range(len(words))
        ]

    @cached_property
    def prompt_lengths(self) -> Array:
        """[B] int64, 1 and 2 in turn; 2 where padding behind a cut-off string would be an EOS."""
        cut = np.array([self.pad_is_eos and words[-1] != 2 for words in self.strings])
        return np.where(cut, 2, 1 + np.arange(len(self.strings)) % 2)

    @cached_property
    def scored(self) -> Scored:
        """The batch; logits of no consequence and tokens of the prompts are noise."""
        rows, length = len(self.strings), 2 + self.LONGEST
        vocabulary = 3 if self.pad_is_eos else 4
        tokens = np.full((rows, length), self.pad_id)
        prompts = (self.noise + np.arange(rows)[:, None]) // np.array([1, 3]) % 3
        tokens[:, :2] = self.names[prompts]
        logits = np.where(np.indices((rows, length, vocabulary)).sum(axis=0) % 3, 3.0, -5.0)
        for row, words in enumerate(self.strings):
            start = self.prompt_lengths[row]
            tokens[row, start:] = self.pad_id
            tokens[row, start : start + len(words)] = self.names[list(words)]
        for row, t, context in self.places:
            logits[row, t] = -100.0
            logits[row, t, self.names[:3]] = self.table[context]
        return Scored(logits.astype("float32"), tokens)

    @property
    def batch(self) -> Batch:
        """What response_mask is called with."""
        return Batch(self.scored.tokens, self.prompt_lengths, self.eos_id, self.pad_id)

    def gather(self, by_token: Array) -> Array:
        """[B, T, V] summed over the places where a context stands: [contexts, 3]."""
        total = np.zeros_like(self.table, dtype=np.float64)
        for row, t, context in self.places:
            total[context] += by_token[row, t, self.names[:3]]
        return total

    def gradient(self, rewards: Array) -> Array:
        """dJ / dtable of the expected reward J of a string, by backward induction."""
        worth: dict[tuple[int, ...], float] = dict(zip(self.strings, rewards, strict=True))
        gradient = np.zeros_like(self.table, dtype=np.float64)
        for length in reversed(range(self.LONGEST)):
            for words in product((0, 1), repeat=length):
                pi = self.policy[self.context(words)]
                following = np.array([worth[(*words, word)] for word in range(3)])
                worth[words] = float(pi @ following)
                reached = math.prod(
                    self.policy[self.context(words[:k]), word] for k, word in enumerate(words)
                )
                slope = reached * pi * (following - worth[words]) / self.temperature
                gradient[self.context(words)] = slope
        return gradient


@strategy
def tiny_models(draw: Draw) -> TinyModel:
    """Models of three tokens, with and without a pad token of their own."""
    pad_is_eos = draw(booleans())
    return TinyModel(
        table=draw(tensors(7, 3, low=-2, high=2)),
        temperature=draw(one_of(1.0, 2.0, 0.5)),
        names=draw(permutations(3 if pad_is_eos else 4)),
        pad_is_eos=pad_is_eos,
        noise=draw(integers(0, 8)),
    )


# The definitions


def odds_against(logits: Array) -> Array:
    """1 / pi(v): the sum over u of exp(logits[u] - logits[v])."""
    exact = logits.astype(np.float64)
    return np.exp(exact[..., None, :] - exact[..., :, None]).sum(axis=-1)


def true_log_probs(example: Scored, temperature: float) -> Array:
    """log pi of each token but the first."""
    against = odds_against(example.logits[:, :-1].astype(np.float64) / temperature)
    chosen = example.tokens[:, 1:, None]
    return -np.log(np.take_along_axis(against, chosen, axis=-1)[..., 0])


def score(example: Scored, temperature: float, cotangent: Array) -> Array:
    """The gradient of the log-probs: (one-hot - pi) / temperature, zero at the last position."""
    policy = 1.0 / odds_against(example.logits.astype(np.float64) / temperature)
    hit = np.eye(policy.shape[-1])[np.roll(example.tokens, -1, axis=1)]
    weights = np.pad(cotangent.astype(np.float64), ((0, 0), (0, 1)))
    return weights[..., None] * (hit - policy) / temperature


def true_entropy(logits: Array, temperature: float) -> Array:
    """The expectation of log (1 / pi(v))."""
    against = odds_against(logits.astype(np.float64) / temperature)
    return (np.log(against) / against).sum(axis=-1)


def entropy_of_many(logits: Array) -> Array:
    """The same where the odds of each token against each other are too many."""
    exact = logits.astype(np.float64)
    logs = exact - np.log(np.exp(exact).sum(axis=-1, keepdims=True))
    return np.asarray(-(np.exp(logs) * logs).sum(axis=-1))


def entropy_slope(logits: Array, temperature: float) -> Array:
    """The derivative of the entropy: pi(v) * (log (1 / pi(v)) - H) / temperature."""
    against = odds_against(logits.astype(np.float64) / temperature)
    spread = np.log(against) - true_entropy(logits, temperature)[..., None]
    return spread / against / temperature


def shares(mask: Array, how: str, constant: float | None) -> Array:
    """What each entry adds to a loss for each unit of its own: the gradient."""
    rows = mask.tolist()
    everything = sum(map(sum, rows))
    found = np.zeros(mask.shape)
    for row, counts in enumerate(rows):
        for t, counted in enumerate(counts):
            if counted:
                divisor = {
                    "token_mean": everything,
                    "sequence_mean": sum(counts) * len(rows),
                    "constant": len(rows) * (constant or 0),
                }
                found[row, t] = 1.0 / divisor[how]
    return found


def mean_shares(mask: Array, axis: int | None) -> Array:
    """What each entry adds to a mean for each unit of its own."""
    if axis is None:
        return shares(mask.reshape(1, -1), "token_mean", None).reshape(mask.shape)
    moved = np.moveaxis(mask, axis, -1)
    rows = [shares(row[None], "token_mean", None)[0] for row in moved.reshape(-1, moved.shape[-1])]
    return np.moveaxis(np.array(rows).reshape(moved.shape), -1, axis)


def truth(situation: Situation) -> Array:
    """What a call should answer."""
    given = situation.arguments
    if situation.function == "response_mask":
        return Batch(**given).mask
    if situation.function == "token_log_probs":
        return true_log_probs(Scored(given["logits"], given["tokens"]), given["temperature"])
    if situation.function == "token_entropy":
        return true_entropy(given["logits"], given["temperature"])
    first, mask = (given[name] for name in ARGUMENTS[situation.function])
    counted = np.where(mask, first.astype(np.float64), 0.0)
    if situation.function == "sequence_log_probs":
        return counted.sum(axis=1)
    if situation.function == "masked_mean":
        return (counted * mean_shares(mask, given["axis"])).sum(axis=given["axis"])
    return (counted * shares(mask, given["how"], given["constant"])).sum()


def slope(situation: Situation) -> Array:
    """The gradient of a call's sum in its first argument, for the functions of a mask."""
    given = situation.arguments
    mask = given["mask"]
    if situation.function == "sequence_log_probs":
        return mask.astype(np.float64)
    if situation.function == "masked_mean":
        return mean_shares(mask, given["axis"])
    return shares(mask, given["how"], given["constant"])


# Calls


def expect_truth(submission: Any, situation: Situation, **tolerance: float) -> Any:
    """The call answers as it should; what it answered."""
    answer = getattr(submission, situation.function)(**situation.arguments)
    if situation.function == "response_mask":
        expect_equal("response_mask", answer, truth(situation))
    else:
        expect_close(situation.function, answer, truth(situation), **tolerance)
    return answer


def expect_value_and_gradient(submission: Any, function: str, **arguments: Any) -> None:
    """A function of numbers and a mask has the value and the gradient of the definition."""
    situation = Situation(function, arguments)
    name = ARGUMENTS[function][0]
    answer = getattr(submission, function).gradients(name, **arguments)
    terms = np.where(arguments["mask"], arguments[name], 0.0)
    expect_close(function, answer.value, truth(situation), scale=float(np.abs(terms).max()))
    wanted = slope(situation)
    if not wanted.any():
        expect_no_gradient(name, answer.gradients[name])
        expect(
            answer.carries_gradient,
            f"{function} should lead back to {name}, also where nothing counts: "
            "backward() fails on yours",
        )
        return
    expect_close(f"the gradient of {function} in {name}", answer.gradients[name], wanted)


def expect_probabilities(model: TinyModel, found: Array) -> None:
    """Every string has its probability; the first that has not is named."""
    row = int(np.argmax(~(np.abs(found - model.probabilities) <= 1e-5)))
    words = " ".join(("a", "b", "EOS")[word] for word in model.strings[row])
    name = f"the probability of '{words}'"
    expect_close(name, float(found[row]), float(model.probabilities[row]), scale=1.0)


def loss_of_logits(submission: Any, example: Scored, batch: Batch, **how: Any) -> tuple[Any, Any]:
    """The loss -log pi of the response tokens, aggregated, and its gradient in the logits.

    Every step is the submission's; the chain rule between them is ours.
    """
    log_probs = submission.token_log_probs(example.logits, example.tokens)
    expect_shape("log_probs", log_probs, (example.tokens.shape[0], example.tokens.shape[1] - 1))
    mask = submission.response_mask(**batch.arguments())
    expect_shape("response_mask", mask, example.tokens.shape)
    expect_dtype("response_mask", mask, "bool")
    loss = submission.aggregate_loss.gradients(
        "per_token", per_token=-log_probs, mask=mask[:, 1:], **how
    )
    pull = loss.gradients["per_token"]
    expect_shape("the gradient of the loss in per_token", pull, log_probs.shape)
    by_logits = submission.token_log_probs.gradients(
        "logits", logits=example.logits, tokens=example.tokens, cotangent=-pull
    )
    return loss.value, by_logits.gradients["logits"]


# The promises: log-probabilities


@check("scores every token but the first by the logits one position before it")
@given(example=scored(), examples=40)
def scores_the_next_token(submission, example):
    log_probs = submission.token_log_probs(example.logits, example.tokens)
    expect_close("log_probs", log_probs, true_log_probs(example, 1.0))


@check("divides the logits by the temperature before it takes a softmax")
@given(example=scored(), temperature=TEMPERATURES, examples=25)
def temperature_divides_the_logits(submission, example, temperature):
    log_probs = submission.token_log_probs(example.logits, example.tokens, temperature=temperature)
    expect_close("log_probs", log_probs, true_log_probs(example, temperature))


@check("gives log-probs whose gradient is (one-hot - pi) / temperature")
@given(example=scored(), temperature=one_of(1.0, 2.0, 0.5, 1.5), examples=25)
def gradient_of_log_probs(submission, example, temperature):
    rows, length = example.tokens.shape
    cotangent = np.arange(1.0, 1 + rows * (length - 1), dtype=np.float32).reshape(rows, -1)
    answer = submission.token_log_probs.gradients(
        "logits",
        logits=example.logits,
        tokens=example.tokens,
        temperature=temperature,
        cotangent=cotangent,
    )
    expect_shape("log_probs", answer.value, cotangent.shape)
    wanted = score(example, temperature, cotangent)
    expect_close("the gradient in logits", answer.gradients["logits"], wanted)


@check("scores logits of 100 and -100 without an infinity")
@given(example=extreme(), temperature=one_of(1.0, 0.5), examples=25)
def finite_log_probs(submission, example, temperature):
    answer = submission.token_log_probs.gradients(
        "logits", logits=example.logits, tokens=example.tokens, temperature=temperature
    )
    wanted = true_log_probs(example, temperature)
    expect_close("log_probs", answer.value, wanted, rtol=0.0, atol=ROUNDED)
    wanted = score(example, temperature, np.ones(wanted.shape))
    expect_close("the gradient in logits", answer.gradients["logits"], wanted, atol=ROUNDED)


@check("gives all strings of a language model probabilities that add up to one")
@given(model=tiny_models(), examples=12)
def strings_add_up_to_one(submission, model):
    log_probs = submission.token_log_probs(
        model.scored.logits, model.scored.tokens, temperature=model.temperature
    )
    expect_shape("log_probs", log_probs, (len(model.strings), 1 + model.LONGEST))
    logs = np.zeros(len(model.strings))
    for row, t, _ in model.places:
        logs[row] += log_probs[row, t]
    expect_close("the sum of all probabilities", float(np.exp(logs).sum()), 1.0)
    expect_probabilities(model, np.exp(logs))


# The promises: which tokens count


@check("counts a response from its first token to its EOS, both included")
@given(batch=batches(), examples=40)
def response_and_eos(submission, batch):
    mask = submission.response_mask(**batch.arguments())
    expect_dtype("response_mask", mask, "bool")
    expect_equal("response_mask", mask, batch.mask)


@check("counts a response that was cut off to its last token, and no padding")
@given(batch=batches(ends="cut"), examples=30)
def cut_off_responses(submission, batch):
    expect_equal("response_mask", submission.response_mask(**batch.arguments()), batch.mask)


@check("takes no notice of EOS and pad tokens inside a prompt")
@given(batch=batches(prompt="any"), examples=30)
def eos_in_the_prompt(submission, batch):
    expect_equal("response_mask", submission.response_mask(**batch.arguments()), batch.mask)


@check("counts the first EOS and not the padding where both are the same token")
@given(batch=batches(pad="same"), examples=30)
def padding_with_eos(submission, batch):
    expect_equal("response_mask", submission.response_mask(**batch.arguments()), batch.mask)


@check("counts no padding, however much of it there is", needs="padding_with_eos")
@given(batch=padded_far(), examples=4)
def long_padding(submission, batch):
    expect_equal("response_mask", submission.response_mask(**batch.arguments()), batch.mask)


@check("counts nothing after the first EOS, whatever stands there")
@given(batch=batches(after="any"), examples=30)
def nothing_after_eos(submission, batch):
    expect_equal("response_mask", submission.response_mask(**batch.arguments()), batch.mask)


@check("finds the response in any batch, also where there is none")
@given(
    batch=batches(ends="any", after="any", prompt="any", pad="any", empty=True),
    examples=50,
)
def any_batch(submission, batch):
    mask = submission.response_mask(**with_gaps(batch.arguments()))
    expect_equal("response_mask", mask, batch.mask)


# The promises: means, sums, entropies


@check("averages over the entries that count")
@given(pair=numbers(), examples=25)
def mean_of_what_counts(submission, pair):
    expect_value_and_gradient(
        submission, "masked_mean", values=pair.values, mask=pair.mask, axis=None
    )


@check("averages along one axis, which disappears")
@given(example=along_an_axis(), examples=25)
def mean_along_an_axis(submission, example):
    pair, axis = example
    expect_value_and_gradient(
        submission, "masked_mean", values=pair.values, mask=pair.mask, axis=axis
    )


@check("gives 0 and no gradient where nothing counts in a mean")
@given(pair=numbers("sparse"), axis=one_of(None, 1, -1), examples=25)
def mean_of_nothing(submission, pair, axis):
    expect_value_and_gradient(
        submission, "masked_mean", values=pair.values, mask=pair.mask, axis=axis
    )


@check("adds up the counted log-probs of each sequence")
@given(pair=numbers("sparse"), size=one_of(1, 1000), examples=25)
def sums_of_sequences(submission, pair, size):
    log_probs = pair.values * np.float32(size)
    expect_value_and_gradient(submission, "sequence_log_probs", log_probs=log_probs, mask=pair.mask)


@check("measures entropy in nats, at every position, at the given temperature")
@given(example=scored(), temperature=one_of(1.0, 2.0, 0.5, 1.5), examples=30)
def entropy_in_nats(submission, example, temperature):
    entropy = submission.token_entropy(example.logits, temperature=temperature)
    expect_close("token_entropy", entropy, true_entropy(example.logits, temperature))


@check("gives an entropy whose gradient is right")
@given(example=scored(), temperature=one_of(1.0, 2.0, 0.5), examples=20)
def gradient_of_entropy(submission, example, temperature):
    answer = submission.token_entropy.gradients(
        "logits", logits=example.logits, temperature=temperature
    )
    wanted = entropy_slope(example.logits, temperature)
    expect_shape("token_entropy", answer.value, example.tokens.shape)
    expect_close("the gradient in logits", answer.gradients["logits"], wanted)


@check("adds up the entropy of all unlikely tokens of a large vocabulary", seconds=20.0)
@given(vocabulary=vocabularies(), examples=2)
def unlikely_tokens(submission, vocabulary):
    entropy = submission.token_entropy(vocabulary.logits)
    expect_shape("token_entropy", entropy, (1, 2))
    for t, wanted in enumerate(entropy_of_many(vocabulary.logits)[0]):
        # a sum of 20,000 numbers in float32 may be off by a part in a thousand
        expect_close(f"the entropy at position {t}", entropy[0, t], float(wanted), rtol=0.02)


@check("gives a finite entropy and gradient where probabilities underflow")
@given(example=extreme(), temperature=one_of(1.0, 0.5), examples=20)
def finite_entropy(submission, example, temperature):
    answer = submission.token_entropy.gradients(
        "logits", logits=example.logits, temperature=temperature
    )
    wanted = true_entropy(example.logits, temperature)
    expect_close("token_entropy", answer.value, wanted, atol=ROUNDED)
    wanted = entropy_slope(example.logits, temperature)
    expect_close("the gradient in logits", answer.gradients["logits"], wanted, atol=ROUNDED)


# The promises: one loss from many tokens


@check("gives every counted token of the batch the same weight under token_mean")
@given(pair=unequal(), constant=one_of(None, 7.0, 0), examples=25)
def token_mean(submission, pair, constant):
    expect_value_and_gradient(
        submission,
        "aggregate_loss",
        per_token=pair.values,
        mask=pair.mask,
        how="token_mean",
        constant=constant,
    )


@check("gives every sequence the same weight under sequence_mean")
@given(pair=unequal(), constant=one_of(None, 7.0, 0), examples=25)
def sequence_mean(submission, pair, constant):
    expect_value_and_gradient(
        submission,
        "aggregate_loss",
        per_token=pair.values,
        mask=pair.mask,
        how="sequence_mean",
        constant=constant,
    )


@check("divides by the number of sequences times the constant under constant")
@given(pair=unequal(), constant=CONSTANTS, examples=25)
def constant_divisor(submission, pair, constant):
    expect_value_and_gradient(
        submission,
        "aggregate_loss",
        per_token=pair.values,
        mask=pair.mask,
        how="constant",
        constant=constant,
    )


@check("adds 0 for a sequence without a counted token, and still counts the sequence")
@given(pair=numbers("sparse"), how=one_of(*HOW), constant=CONSTANTS, examples=40)
def empty_sequences(submission, pair, how, constant):
    expect_value_and_gradient(
        submission,
        "aggregate_loss",
        per_token=pair.values,
        mask=pair.mask,
        how=how,
        constant=constant,
    )


@check("lets no number behind the mask change a mean, a sum, a loss or its gradient")
@given(situation=situations(DIFFERENTIABLE[1:]), examples=40)
def garbage_behind_the_mask(submission, situation):
    expect_value_and_gradient(submission, situation.function, **situation.arguments)


@check("gives the same loss and gradient when a batch is split into weighted parts")
@given(
    pair=unequal(rows=(3, 5), empty=2),
    how=one_of(*HOW),
    constant=CONSTANTS,
    cut=integers(1, 4),
    examples=30,
)
def parts_add_up(submission, pair, how, constant, cut):
    cut = min(cut, len(pair.mask) - 1)

    def loss_of(rows: slice) -> Any:
        answer = submission.aggregate_loss.gradients(
            "per_token",
            per_token=pair.values[rows],
            mask=pair.mask[rows],
            how=how,
            constant=constant,
        )
        expect_shape("aggregate_loss", answer.value, ())
        gradient = answer.gradients["per_token"]
        nothing = np.zeros(pair.mask[rows].shape)
        return answer.value, nothing if gradient is None else gradient

    value, gradient = loss_of(slice(None))
    values, gradients = [], []
    for rows in (slice(cut), slice(cut, None)):
        of_part, slopes = loss_of(rows)
        weight = len(pair.mask[rows]) / len(pair.mask)
        if how == "token_mean":
            weight = pair.mask[rows].sum() / max(pair.mask.sum(), 1)
        values.append(weight * float(of_part))
        gradients.append(weight * slopes)
    scale = float(np.abs(pair.values).max())
    expect_close(
        "the weighted sum of the parts' losses", float(sum(values)), float(value), scale=scale
    )
    expect_close("the parts' weighted gradients", np.concatenate(gradients), gradient)


@check("refuses an option that it cannot use with a ValueError that names it")
@given(
    pair=numbers(),
    example=scored(),
    case=one_of(
        ("aggregate_loss", "how", {"how": "mean", "constant": 8.0}),
        ("aggregate_loss", "how", {"how": "seq_mean"}),
        ("aggregate_loss", "how", {"how": "", "constant": 8.0}),
        ("aggregate_loss", "constant", {"how": "constant"}),
        ("aggregate_loss", "constant", {"how": "constant", "constant": None}),
        ("token_log_probs", "temperature", {"temperature": 0.0}),
        ("token_log_probs", "temperature", {"temperature": -1.0}),
        ("token_entropy", "temperature", {"temperature": 0.0}),
        ("token_entropy", "temperature", {"temperature": -1.0}),
    ),
    examples=50,
)
def options_are_checked(submission, pair, example, case):
    function, option, options = case
    inputs = {"per_token": pair.values, "mask": pair.mask} | vars(example)
    tensors = {name: inputs[name] for name in ARGUMENTS[function]}
    with expect_raises(ValueError, naming=option):
        getattr(submission, function)(**tensors, **options)


# The promises: all functions together


@check("finds the probability of every response of a language model")
@given(model=tiny_models(), examples=12)
def probabilities_of_responses(submission, model):
    log_probs = submission.token_log_probs(
        model.scored.logits, model.scored.tokens, temperature=model.temperature
    )
    mask = submission.response_mask(**model.batch.arguments())
    expect_shape("response_mask", mask, model.scored.tokens.shape)
    logs = submission.sequence_log_probs(log_probs, mask[:, 1:])
    expect_shape("sequence_log_probs", logs, (len(model.strings),))
    expect_probabilities(model, np.exp(logs))
    expect_close("the sum of all probabilities", float(np.exp(logs).sum()), 1.0)


@check("gives a REINFORCE loss the exact gradient of a language model's expected reward")
@given(model=tiny_models(), rewards=tensors(15), examples=12)
def policy_gradient(submission, model, rewards):
    example = model.scored
    settings = {"temperature": model.temperature}
    log_probs = submission.token_log_probs(example.logits, example.tokens, **settings)
    expect_shape("log_probs", log_probs, (len(rewards), 1 + model.LONGEST))
    mask = submission.response_mask(**model.batch.arguments())
    expect_shape("response_mask", mask, example.tokens.shape)
    # Each string is there once, so its chance is put into its weight; B cancels the loss's 1 / B.
    weights = (len(rewards) * model.probabilities * rewards)[:, None].astype("float32")
    loss = submission.aggregate_loss.gradients(
        "per_token",
        per_token=-weights * log_probs,
        mask=mask[:, 1:],
        how="constant",
        constant=1,
    )
    pull = loss.gradients["per_token"]
    expect_shape("the gradient of the loss in per_token", pull, log_probs.shape)
    found = submission.token_log_probs.gradients(
        "logits",
        logits=example.logits,
        tokens=example.tokens,
        temperature=model.temperature,
        cotangent=-weights * pull,
    ).gradients["logits"]
    expect_shape("the gradient in logits", found, example.logits.shape)
    expect_close(
        "the gradient of the loss in the table of logits",
        model.gather(found),
        -model.gradient(rewards),
        scale=float(np.abs(rewards).max()),
    )


@check("lets nothing in a prompt or behind a response change the loss or its gradient")
@given(change=changes(), how=one_of(*HOW), examples=16)
def prompt_and_padding_do_not_matter(submission, change, how):
    before, after = change.sides
    value, gradient = loss_of_logits(submission, *before, how=how, constant=10)
    expect_shape("the gradient in logits", gradient, change.logits.shape)
    new_value, new_gradient = loss_of_logits(submission, *after, how=how, constant=10)
    expect_close("the loss after the change", new_value, value)
    expect_close("the gradient after the change", new_gradient, gradient)
    irrelevant = np.where(change.logits == change.changed_logits, 0.0, gradient)
    expect_close("the gradient at a prompt or padding", irrelevant, np.zeros(gradient.shape))


# The promises: tensors


@check("answers float64 with float64, to all its digits")
@given(situation=precise(), mean=three_of_five(), examples=40)
def float64_stays(submission, situation, mean):
    tight = {"rtol": 0.0, "atol": 1e-6 if "mask" in situation.arguments else 1e-9}
    answer = expect_truth(submission, situation, **tight)
    expect_dtype(situation.function, answer, "float64")
    # 1e-8 added to a count of 3 makes 3e-9; a count or a share in float32 4e-8
    expect_truth(submission, mean, rtol=1.2e-8, atol=0.0)


@check("takes tensors with gaps in memory")
@given(situation=situations(), examples=40)
def gaps_in_memory(submission, situation):
    expect_truth(submission, situation)


@check("leaves its inputs as they were")
@given(situation=situations(), examples=70)
def inputs_stay(submission, situation):
    _, after = getattr(submission, situation.function).arguments_after(**situation.arguments)
    for name in ARGUMENTS[situation.function]:
        expect_equal(f"the caller's {name}", after[name], situation.arguments[name])


@check("refuses an argument of another shape with a ValueError that names it")
@given(misfit=misfits(), examples=100)
def shapes_are_checked(submission, misfit):
    kinds = {"tokens": np.int64, "prompt_lengths": np.int64, "mask": bool}
    arguments: dict[str, Any] = {
        name: np.zeros(shape, kinds.get(name, np.float32)) for name, shape in misfit.shapes.items()
    }
    if misfit.function == "response_mask":
        arguments |= {"eos_id": 1, "pad_id": 2}
    if misfit.function == "aggregate_loss":
        arguments["how"] = "token_mean"
    with expect_raises(ValueError, naming=misfit.argument):
        getattr(submission, misfit.function)(**arguments)
