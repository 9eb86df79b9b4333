"""Dialogues to rows: whole conversations packed first-fit into rows of equal length, padded at the end.

A row is laid out once, by the same `lay_out` that serving uses. Only response tokens are supervised: the target of a
position is the next token iff that token belongs to a response. The order is a function of seed and epoch alone, so a
position in it, (epoch, batch), is all that a resumed run needs.

Shape suffixes: B rows, T tokens.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from reasoning_core import prompt
from reasoning_core.attention import AttentionView
from reasoning_core.layout import Layout, RowLayout, Span, SpanKind, lay_out
from reasoning_core.tokenizer import CoreTokenizer
from training.instructions import Dialogue

IGNORED = -100
_SHUFFLE_WINDOW = 512


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of packed conversations with their targets; `num_tokens` leaves padding out."""

    tokens_BT: Tensor
    targets_BT: Tensor
    view: AttentionView
    num_tokens: int
    num_supervised: int


class DialogueRows:
    """All dialogues of a training set as spans, handed out as batches of packed rows."""

    def __init__(
        self, dialogues: Iterable[Dialogue], tokenizer: CoreTokenizer, *, row_tokens: int, batch_rows: int, seed: int
    ) -> None:
        self.row_tokens, self.batch_rows, self.seed = row_tokens, batch_rows, seed
        self._pad_id = tokenizer.pad_id
        self.num_cut = 0
        self._conversations: list[list[Span]] = []
        for dialogue in dialogues:
            spans = self._fitted(prompt.spans(dialogue.turns(), tokenizer))
            if spans:
                self._conversations.append(spans)
        if not self._conversations:
            raise ValueError(f"no dialogue fits a row of {row_tokens} tokens: raise --row-tokens")

    def __len__(self) -> int:
        return len(self._conversations)

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Yield the batches of one epoch, the same ones for the same seed; a last short batch is dropped."""
        order = np.random.Generator(np.random.PCG64([self.seed, epoch])).permutation(len(self._conversations))
        rows: list[list[int]] = []
        for start in range(0, len(order), _SHUFFLE_WINDOW):
            rows += self._pack(order[start : start + _SHUFFLE_WINDOW].tolist())
            while len(rows) >= self.batch_rows:
                yield self._batch(rows[: self.batch_rows])
                del rows[: self.batch_rows]

    def _fitted(self, spans: list[Span]) -> list[Span]:
        """Drop turns from the end until the conversation fits a row."""
        while spans and sum(len(span.tokens) for span in spans) > self.row_tokens:
            spans = spans[:-2]
            self.num_cut += 1
        return spans

    def _pack(self, indices: Sequence[int]) -> list[list[int]]:
        """First-fit decreasing over one shuffled window; rows then go back to a shuffled order."""
        lengths = {i: sum(len(span.tokens) for span in self._conversations[i]) for i in indices}
        rows: list[list[int]] = []
        room: list[int] = []
        for i in sorted(indices, key=lambda i: -lengths[i]):
            place = next((row for row, free in enumerate(room) if free >= lengths[i]), None)
            if place is None:
                rows.append([])
                room.append(self.row_tokens)
                place = len(rows) - 1
            rows[place].append(i)
            room[place] -= lengths[i]
        shuffle = np.random.Generator(np.random.PCG64([self.seed, indices[0]])).permutation(len(rows))
        return [rows[i] for i in shuffle]

    def _batch(self, rows: Sequence[Sequence[int]]) -> Batch:
        tokens = torch.full((len(rows), self.row_tokens), self._pad_id)
        targets = torch.full((len(rows), self.row_tokens), IGNORED)
        layouts = []
        for number, row in enumerate(rows):
            conversations = [self._conversations[i] for i in row]
            ids = [token for spans in conversations for span in spans for token in span.tokens]
            tokens[number, : len(ids)] = torch.tensor(ids)
            _write_targets(targets[number], conversations)
            layouts.append(_padded(lay_out(conversations, Layout.TURN_BLOCKS), self.row_tokens))
        num_tokens = int(sum((layout.conversation_T >= 0).sum() for layout in layouts))
        supervised = int((targets != IGNORED).sum())
        return Batch(tokens, targets, AttentionView.of_rows(layouts), num_tokens, supervised)


def _write_targets(targets_T: Tensor, conversations: Sequence[Sequence[Span]]) -> None:
    position = 0
    for spans in conversations:
        for span in spans:
            if span.kind is SpanKind.RESPONSE:
                # The last prompt token predicts the first response token.
                targets_T[position - 1 : position - 1 + len(span.tokens)] = torch.tensor(span.tokens)
            position += len(span.tokens)


def _padded(row: RowLayout, length: int) -> RowLayout:
    missing = length - len(row.position_T)
    pad = torch.full((missing,), -1)
    return RowLayout(
        torch.cat((row.conversation_T, pad)),
        torch.cat((row.block_T, pad)),
        # Padding sees only padding; its positions only have to exist.
        torch.cat((row.position_T, torch.zeros(missing, dtype=torch.long))),
    )
