"""A causal transformer small enough to be trained in seconds.

The worker loads this file too, for exercises whose loop runs there: it holds no more than a
network, nothing of any task, of sampling or of a loss.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Size:
    """How large a model is, and how many completions a step takes.

    symbols: in the vocabulary. places: the longest sequence that it can read.
    """

    width: int = 32
    layers: int = 2
    heads: int = 2
    prompts: int = 16
    group: int = 8
    symbols: int = 16
    places: int = 13


class Transformer(nn.Module):
    """A causal transformer: tokens [B, L] to logits [B, L, V] of each next token."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size
        self.tokens = nn.Embedding(size.symbols, size.width)
        self.places = nn.Embedding(size.places, size.width)
        self.blocks = nn.ModuleList(Block(size) for _ in range(size.layers))
        self.norm = nn.LayerNorm(size.width)
        self.head = nn.Linear(size.width, size.symbols)

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, L, V] logits."""
        logits: Tensor = self.head(self.hidden(tokens))
        return logits

    def hidden(self, tokens: Tensor, caches: list[Cache] | None = None, start: int = 0) -> Tensor:
        """[B, L, W] the last layer's output for tokens that stand at `start` and after."""
        places = torch.arange(start, start + tokens.shape[1], device=tokens.device)
        x = self.tokens(tokens) + self.places(places)
        for number, block in enumerate(self.blocks):
            x = block(x, caches[number] if caches is not None else None)
        normed: Tensor = self.norm(x)
        return normed


class Cache:
    """The keys and values of the tokens so far, of one layer."""

    def __init__(self) -> None:
        self.keys: Tensor | None = None
        self.values: Tensor | None = None

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """All keys and values, with these appended."""
        if self.keys is not None and self.values is not None:
            keys = torch.cat([self.keys, keys], dim=2)
            values = torch.cat([self.values, values], dim=2)
        self.keys, self.values = keys, values
        return keys, values


class Block(nn.Module):
    """Attention and a feed-forward network, each behind a norm and around a shortcut."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.heads = size.heads
        self.norm_1 = nn.LayerNorm(size.width)
        self.inward = nn.Linear(size.width, 3 * size.width)
        self.outward = nn.Linear(size.width, size.width)
        self.norm_2 = nn.LayerNorm(size.width)
        self.up = nn.Linear(size.width, 4 * size.width)
        self.down = nn.Linear(4 * size.width, size.width)

    def forward(self, x: Tensor, cache: Cache | None) -> Tensor:
        """[B, L, W] from [B, L, W]; what `cache` holds comes before."""
        batch, length, width = x.shape
        parts = self.inward(self.norm_1(x)).view(batch, length, 3, self.heads, width // self.heads)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)
        if cache is not None:
            keys, values = cache.extend(keys, values)
        mixed = F.scaled_dot_product_attention(queries, keys, values, is_causal=length > 1)
        x = x + self.outward(mixed.transpose(1, 2).reshape(batch, length, width))
        changed: Tensor = x + self.down(F.gelu(self.up(self.norm_2(x))))
        return changed
