"""Dialogues to rows: whole conversations packed into rows of equal length, padded at the end, dealt out evenly.

A row is laid out once, by the same `lay_out` that serving uses. Only responses that are to be learned are supervised:
the target of a position is the next token iff that token belongs to one. The order is a function of seed and epoch
alone, so a position in it, (epoch, step), is all that a resumed run needs. What a step trains on does not depend on
how many processes share it: they deal out the same rows.

Shape suffixes: B rows, T tokens.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

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

Row = tuple[int, ...]
"""The numbers of the conversations packed into one row."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of packed conversations with their targets; `num_tokens` leaves padding out."""

    tokens_BT: Tensor
    targets_BT: Tensor
    view: AttentionView
    num_tokens: int
    num_supervised: int

    def to(self, device: torch.device) -> "Batch":
        """Return the batch where it is computed; segments are a matter of the CPU and stay there."""
        if device.type == "cpu":
            return self
        mask = self.view.mask_B1TK
        assert mask is not None, "rows for another device are laid out with `segmented` off"
        view = AttentionView(self.view.position_BT.to(device), mask.to(device))
        return replace(self, tokens_BT=self.tokens_BT.to(device), targets_BT=self.targets_BT.to(device), view=view)


class DialogueRows:
    """All dialogues of a training set as tokens, handed out as the rows of one step after another.

    `curriculum` is the share of the first epoch that draws on the shorter half of the dialogues alone.
    """

    def __init__(
        self,
        dialogues: Iterable[Dialogue],
        tokenizer: CoreTokenizer,
        *,
        row_tokens: int,
        rows_per_step: int,
        seed: int,
        layout: Layout = Layout.TURN_BLOCKS,
        curriculum: float = 0.0,
    ) -> None:
        self.row_tokens, self.rows_per_step, self.seed = row_tokens, rows_per_step, seed
        self._layout, self._curriculum, self._pad_id = layout, curriculum, tokenizer.pad_id
        self.num_cut = 0
        tokens: list[np.ndarray] = []
        self._span_ends: list[tuple[int, ...]] = []  # of each conversation: prompt, response, prompt, response, ...
        self._supervised: list[tuple[bool, ...]] = []  # of each conversation, also for turns that did not fit
        for dialogue in dialogues:
            if spans := self._fitted(prompt.spans(dialogue.turns(), tokenizer, dialogue.conditions)):
                tokens.append(np.array([token for span in spans for token in span.tokens], dtype=np.int32))
                self._span_ends.append(tuple(np.cumsum([len(span.tokens) for span in spans]).tolist()))
                self._supervised.append(tuple(exchange.supervised for exchange in dialogue.exchanges))
        if not tokens:
            raise ValueError(f"no dialogue fits a row of {row_tokens} tokens: raise --row-tokens")
        self._lengths = np.array([len(part) for part in tokens])
        self._tokens, self._starts = np.concatenate(tokens), np.cumsum(self._lengths) - self._lengths

    def __len__(self) -> int:
        return len(self._span_ends)

    def steps(self, epoch: int) -> Iterator[list[Row]]:
        """Yield the rows of each step of one epoch, the same ones for the same seed; a last short step is dropped."""
        order = self._order(epoch)
        rows: list[Row] = []
        for start in range(0, len(order), _SHUFFLE_WINDOW):
            rows += self._pack(order[start : start + _SHUFFLE_WINDOW].tolist())
            while len(rows) >= self.rows_per_step:
                yield rows[: self.rows_per_step]
                del rows[: self.rows_per_step]

    def deal(self, rows: Sequence[Row], num_shares: int) -> list[list[Row]]:
        """Split the rows of a step into shares of equal number and about equal attention cost.

        Raises:
            ValueError: the rows cannot be shared out evenly.
        """
        if len(rows) % num_shares:
            raise ValueError(f"{len(rows)} rows cannot be shared by {num_shares}: make --batch-rows a multiple of it")
        dearest_first = sorted(rows, key=self._cost, reverse=True)
        shares: list[list[Row]] = [[] for _ in range(num_shares)]
        for round_number, start in enumerate(range(0, len(rows), num_shares)):
            turn = dearest_first[start : start + num_shares]
            # There and back again: whoever got the dearest row of one round gets the cheapest of the next.
            for share, row in zip(shares, turn if round_number % 2 == 0 else reversed(turn), strict=True):
                share.append(row)
        return shares

    def num_supervised(self, rows: Iterable[Row]) -> int:
        """Return how many response tokens the rows hold."""
        return sum(end - start for row in rows for i in row for start, end in self._responses(i))

    def batch(self, rows: Sequence[Row], *, segmented: bool = False) -> Batch:
        """Lay rows out as tensors; `segmented` views are the quicker ones on a CPU."""
        tokens = torch.full((len(rows), self.row_tokens), self._pad_id)
        targets = torch.full((len(rows), self.row_tokens), IGNORED)
        layouts = []
        for number, row in enumerate(rows):
            position = 0
            for i in row:
                ids = torch.from_numpy(self._tokens_of(i).astype(np.int64))
                tokens[number, position : position + len(ids)] = ids
                for start, end in self._responses(i):
                    # The last prompt token predicts the first response token.
                    targets[number, position + start - 1 : position + end - 1] = ids[start:end]
                position += len(ids)
            layouts.append(_padded(lay_out([self._spans(i) for i in row], self._layout), self.row_tokens))
        num_tokens = int(sum((layout.conversation_T >= 0).sum() for layout in layouts))
        supervised = int((targets != IGNORED).sum())
        view = AttentionView.of_segments(layouts) if segmented else AttentionView.of_rows(layouts)
        return Batch(tokens, targets, view, num_tokens, supervised)

    def _order(self, epoch: int) -> np.ndarray:
        order: np.ndarray = np.random.Generator(np.random.PCG64([self.seed, epoch])).permutation(len(self))
        num_first = int(self._curriculum * len(order)) if epoch == 0 else 0
        if num_first:
            is_short = self._lengths[order] <= np.median(self._lengths)
            is_first = is_short & (np.cumsum(is_short) <= num_first)
            order = np.concatenate((order[is_first], order[~is_first]))
        return order

    def _fitted(self, spans: list[Span]) -> list[Span]:
        """Drop turns from the end until the conversation fits a row."""
        while spans and sum(len(span.tokens) for span in spans) > self.row_tokens:
            spans = spans[:-2]
            self.num_cut += 1
        return spans

    def _pack(self, indices: Sequence[int]) -> list[Row]:
        """First-fit decreasing over one shuffled window; rows then go back to a shuffled order."""
        rows: list[list[int]] = []
        room: list[int] = []
        for i in sorted(indices, key=lambda i: -self._lengths[i]):
            length = int(self._lengths[i])
            place = next((row for row, free in enumerate(room) if free >= length), None)
            if place is None:
                rows.append([])
                room.append(self.row_tokens)
                place = len(rows) - 1
            rows[place].append(i)
            room[place] -= length
        shuffle = np.random.Generator(np.random.PCG64([self.seed, indices[0]])).permutation(len(rows))
        return [tuple(rows[i]) for i in shuffle]

    def _cost(self, row: Row) -> int:
        """Return the pairs of tokens that attend to each other: what tells two full rows apart."""
        return int((self._lengths[list(row)] ** 2).sum())

    def _tokens_of(self, i: int) -> np.ndarray:
        return self._tokens[self._starts[i] : self._starts[i] + self._lengths[i]]

    def _responses(self, i: int) -> list[tuple[int, int]]:
        """Return where each response of a conversation that is to be learned starts and ends."""
        responses = list(pairwise(self._span_ends[i]))[::2]
        return [place for place, learned in zip(responses, self._supervised[i], strict=False) if learned]

    def _spans(self, i: int) -> list[Span]:
        ids, kinds = self._tokens_of(i).tolist(), (SpanKind.PROMPT, SpanKind.RESPONSE)
        bounds = pairwise((0, *self._span_ends[i]))
        return [Span(kinds[n % 2], tuple(ids[start:end])) for n, (start, end) in enumerate(bounds)]


def _padded(row: RowLayout, length: int) -> RowLayout:
    missing = length - len(row.position_T)
    pad = torch.full((missing,), -1)
    return RowLayout(
        torch.cat((row.conversation_T, pad)),
        torch.cat((row.block_T, pad)),
        # Padding sees only padding; its positions only have to exist.
        torch.cat((row.position_T, torch.zeros(missing, dtype=torch.long))),
    )
