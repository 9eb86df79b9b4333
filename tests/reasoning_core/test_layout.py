"""The mask against the sentence of DESIGN 3.2, written as two loops."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from reasoning_core.layout import Layout, RowLayout, Span, SpanKind, lay_out

spans = st.builds(Span, st.sampled_from(SpanKind), st.lists(st.integers(5, 40), max_size=4).map(tuple))
conversations = st.lists(st.lists(spans, max_size=5), max_size=4)


def mask_by_the_sentence(packed: list[list[Span]], layout: Layout, padding: int) -> list[list[bool]]:
    """Write out every token as (conversation, prompt block, index) and ask the sentence about each pair."""
    tokens: list[tuple[int, int | None, int]] = []
    for c, conversation in enumerate(packed):
        prompts = [s for s, span in enumerate(conversation) if span.kind is SpanKind.PROMPT]
        index = 0
        for s, span in enumerate(conversation):
            if layout is Layout.TURN_BLOCKS:
                block = s if span.kind is SpanKind.PROMPT else None
            elif layout is Layout.CAUSAL:
                block = None
            else:
                block = 0 if prompts and s <= prompts[-1] else None
            for _ in span.tokens:
                tokens.append((c, block, index))
                index += 1
    tokens += [(-1, None, i) for i in range(padding)]
    return [[ci == cj and (j <= i or (bi is not None and bi == bj)) for cj, bj, j in tokens] for (ci, bi, i) in tokens]


def padded(row: RowLayout, padding: int) -> RowLayout:
    fill = torch.full((padding,), -1)
    return RowLayout(
        torch.cat((row.conversation_T, fill)),
        torch.cat((row.block_T, fill)),
        torch.cat((row.position_T, torch.arange(padding))),
    )


@given(conversations, st.sampled_from(Layout), st.integers(0, 3))
def test_the_mask_is_the_sentence_of_the_design_for_every_pair_of_tokens(packed, layout, padding):
    row = padded(lay_out(packed, layout), padding)
    assert row.mask_QK().tolist() == mask_by_the_sentence(packed, layout, padding)


@given(conversations, st.sampled_from(Layout), st.data())
def test_the_mask_of_later_queries_is_the_lower_part_of_the_whole_mask(packed, layout, data):
    row = lay_out(packed, layout)
    first = data.draw(st.integers(0, len(row.position_T)))
    assert torch.equal(row.mask_QK(first), row.mask_QK()[first:])


@given(conversations, st.sampled_from(Layout))
def test_positions_count_from_the_start_of_each_conversation(packed, layout):
    row = lay_out(packed, layout)
    expected = [i for conversation in packed for i in range(sum(len(span.tokens) for span in conversation))]
    assert row.position_T.tolist() == expected


@given(st.lists(st.integers(5, 40), min_size=1, max_size=6), st.lists(st.integers(5, 40), max_size=6))
def test_both_layouts_agree_on_a_conversation_of_one_turn(prompt, response):
    turn = [[Span(SpanKind.PROMPT, tuple(prompt)), Span(SpanKind.RESPONSE, tuple(response))]]
    assert torch.equal(lay_out(turn, Layout.TURN_BLOCKS).mask_QK(), lay_out(turn, Layout.SINGLE_PREFIX).mask_QK())
