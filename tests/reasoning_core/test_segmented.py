"""Attention conversation by conversation against the whole mask: same outputs, same gradients."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoning_core.attention import AttentionView
from reasoning_core.layout import Layout, RowLayout, Span, SpanKind, lay_out
from tests.reasoning_core.tiny import tiny_config, tiny_model

spans = st.lists(st.integers(1, 9), min_size=1, max_size=4).map(
    lambda lengths: [
        Span(SpanKind.RESPONSE if i % 2 else SpanKind.PROMPT, (20 + i,) * length) for i, length in enumerate(lengths)
    ]
)
packed_rows = st.lists(st.lists(spans, min_size=1, max_size=3), min_size=1, max_size=3)


def padded(row: RowLayout, length: int) -> RowLayout:
    missing = length - len(row.position_T)
    pad = torch.full((missing,), -1)
    zeros = torch.zeros(missing, dtype=torch.long)
    return RowLayout(
        *(
            torch.cat(pair)
            for pair in zip((row.conversation_T, row.block_T, row.position_T), (pad, pad, zeros), strict=True)
        )
    )


@settings(max_examples=25, deadline=None)
@given(packed_rows, st.sampled_from(Layout))
def test_outputs_and_gradients_are_those_of_the_whole_mask(packed, layout):
    rows = [lay_out(conversations, layout) for conversations in packed]
    longest = max(len(row.position_T) for row in rows)
    rows = [padded(row, longest) for row in rows]
    model = tiny_model(tiny_config(num_layers_per_stack=2))
    tokens = torch.randint(18, 300, (len(rows), longest), generator=torch.Generator().manual_seed(5))
    found = []
    for view in (AttentionView.of_rows(rows), AttentionView.of_segments(rows)):
        model.zero_grad()
        logits = model(tokens, view, grad_calls=5)
        logits.square().mean().backward()
        found.append([logits.detach(), *(p.grad for p in model.parameters() if p.grad is not None)])
    for whole, by_segment in zip(*found, strict=True):
        torch.testing.assert_close(by_segment, whole, rtol=1e-4, atol=1e-5)


def test_the_operator_declares_what_it_does_so_that_a_compiled_model_may_call_it():
    row = lay_out([[Span(SpanKind.PROMPT, (20,) * 5)], [Span(SpanKind.PROMPT, (20,) * 3)]], Layout.TURN_BLOCKS)
    segments = AttentionView.of_segments([row]).segments
    assert segments is not None
    q, k, v = (torch.randn(1, 2, 8, 16, requires_grad=True) for _ in range(3))
    operator = torch.ops.precept.segmented_attention.default
    results = torch.library.opcheck(
        operator,
        (q, k, v, segments.bounds, segments.masks),
        test_utils=("test_schema", "test_autograd_registration", "test_faketensor"),
    )
    assert set(results.values()) == {"SUCCESS"}


@pytest.mark.parametrize("length", [1, 7])
def test_segments_tile_the_tokens_padding_included(length: int):
    row = padded(lay_out([[Span(SpanKind.PROMPT, (20,) * length)]], Layout.TURN_BLOCKS), 9)
    segments = AttentionView.of_segments([row, row]).segments
    assert segments is not None
    assert segments.bounds.tolist() == [0, length, 9, 9 + length, 18]
    assert len(segments.masks) == 2 * (length**2 + (9 - length) ** 2)
