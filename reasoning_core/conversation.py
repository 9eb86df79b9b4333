"""A conversation as a core reads it: laid out, and cut to what fits.

Where it outgrew the core, the oldest turns leave, whole, and never a part of the current one. The numbers of passages
are written in the prompt blocks themselves, so those of the turns that stay are what they were. Positions are
absolute: what stays is read anew, as if the conversation had begun with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from reasoning_core.core import ContextOverflow
from reasoning_core.layout import Layout, RowLayout, Span, SpanKind, lay_out


@dataclass(frozen=True, slots=True)
class Conversation:
    """Spans that end in a prompt block, with their tokens, the block each lies in, and who sees whom."""

    spans: tuple[Span, ...]
    tokens: list[int]
    row: RowLayout
    blocks: list[int]
    layout: Layout
    turns_left_out: int = 0

    @classmethod
    def fitting(cls, spans: Sequence[Span], layout: Layout, max_tokens: int, room: int) -> "Conversation":
        """Lay out the newest turns behind which `room` tokens fit, or the current one where it leaves at least one.

        Raises:
            ValueError: the spans do not end in a prompt block.
            ContextOverflow: the current turn leaves no room at all.
        """
        if not spans or spans[-1].kind is not SpanKind.PROMPT or not spans[-1].tokens:
            raise ValueError("a response is written to a prompt block: the conversation must end in one")
        left_out = turns_to_leave_out(spans, max_tokens, room)
        kept = tuple(spans[turn_starts(spans)[left_out] :])
        tokens = [token for span in kept for token in span.tokens]
        if len(tokens) >= max_tokens:
            raise ContextOverflow(f"{len(tokens)} tokens leave no room in the {max_tokens} positions of this core")
        row = lay_out([kept], layout)
        return cls(kept, tokens, row, row.block_T.tolist(), layout, left_out)

    def followed_by(self, response: Sequence[int]) -> tuple[list[int], RowLayout]:
        """Return all tokens and their layout with a response, or its beginning, behind them."""
        spans = (*self.spans, Span(SpanKind.RESPONSE, tuple(response)))
        return [*self.tokens, *response], lay_out([spans], self.layout)


def turns_to_leave_out(spans: Sequence[Span], max_tokens: int, room: int) -> int:
    """Return how many of the oldest turns must leave so that `room` tokens of a response fit behind the others."""
    excess = sum(len(span.tokens) for span in spans) + room - max_tokens
    starts, left_out = turn_starts(spans), 0
    while excess > 0 and left_out < len(starts) - 1:
        excess -= sum(len(span.tokens) for span in spans[starts[left_out] : starts[left_out + 1]])
        left_out += 1
    return left_out


def turn_starts(spans: Sequence[Span]) -> list[int]:
    """Return the index of the first span of each turn; what stands before the first prompt block belongs to it."""
    prompts = [index for index, span in enumerate(spans) if span.kind is SpanKind.PROMPT]
    return [0, *prompts[1:]]
