"""The attention layouts: who may see whom (DESIGN 3.2; the paper, section 5.3).

A conversation is a sequence of spans, prompt blocks and responses in turn. Under `TURN_BLOCKS`, token i sees token j
iff both belong to one conversation and (j <= i, or i and j lie in the same prompt block). Under `SINGLE_PREFIX`,
the upstream checkpoints' own layout, everything before the last response is one bidirectional prefix. Under `CAUSAL`,
which only baselines are trained with, there is no bidirectional block at all.

Shape suffixes: T tokens of a row, Q queries, K keys.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor


class Layout(StrEnum):
    """The attention layout a checkpoint was trained with; a field of its manifest."""

    TURN_BLOCKS = "turn_blocks"
    SINGLE_PREFIX = "single_prefix"
    CAUSAL = "causal"


class SpanKind(StrEnum):
    PROMPT = "prompt"
    RESPONSE = "response"


@dataclass(frozen=True, slots=True)
class Span:
    """Consecutive tokens of one kind: a whole prompt block, or a response."""

    kind: SpanKind
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RowLayout:
    """Three numbers for every token of a row; together they decide the mask.

    `conversation_T` tells packed conversations apart (-1 is padding), `block_T` numbers the prompt block a token lies
    in (-1 in a response), `position_T` counts tokens from the start of the conversation.
    """

    conversation_T: Tensor
    block_T: Tensor
    position_T: Tensor

    def mask_QK(self, first_query: int = 0) -> Tensor:
        """Return which keys each query from `first_query` on may see, as booleans."""
        query = slice(first_query, None)
        same = self.conversation_T[query, None] == self.conversation_T[None, :]
        order = torch.arange(len(self.position_T))
        earlier = order[query, None] >= order[None, :]
        together = (self.block_T[query, None] == self.block_T[None, :]) & (self.block_T[query, None] >= 0)
        return same & (earlier | together)


def lay_out(conversations: Sequence[Sequence[Span]], layout: Layout) -> RowLayout:
    """Return the layout of conversations packed one after another into one row."""
    conversation: list[int] = []
    block: list[int] = []
    position: list[int] = []
    for number, spans in enumerate(conversations):
        blocks = _block_numbers(spans, layout)
        length = sum(len(span.tokens) for span in spans)
        conversation += [number] * length
        position += range(length)
        for span, block_number in zip(spans, blocks, strict=True):
            # Block numbers need be unique only inside one conversation: the mask compares conversations first.
            block += [block_number] * len(span.tokens)
    return RowLayout(torch.tensor(conversation), torch.tensor(block), torch.tensor(position))


def _block_numbers(spans: Sequence[Span], layout: Layout) -> list[int]:
    if layout is Layout.CAUSAL:
        return [-1] * len(spans)
    if layout is Layout.TURN_BLOCKS:
        return [index if span.kind is SpanKind.PROMPT else -1 for index, span in enumerate(spans)]
    last_prompt = max((index for index, span in enumerate(spans) if span.kind is SpanKind.PROMPT), default=-1)
    return [0 if index <= last_prompt else -1 for index in range(len(spans))]
