"""What leaves a conversation that outgrew its core, against the sentence of its module."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning_core import prompt
from reasoning_core.conversation import Conversation
from reasoning_core.core import ContextOverflow
from reasoning_core.layout import Layout, Span, SpanKind
from reasoning_core.prompt import Passage, Turn
from reasoning_core.response import Response
from tests.reasoning_core.tiny import tiny_tokenizer

tokens = st.lists(st.integers(20, 40), min_size=1, max_size=5).map(tuple)
turns = st.tuples(tokens, st.lists(tokens, max_size=2)).map(
    lambda turn: [Span(SpanKind.PROMPT, turn[0]), *(Span(SpanKind.RESPONSE, response) for response in turn[1])]
)


def length(spans: list[Span]) -> int:
    return sum(len(span.tokens) for span in spans)


@given(st.lists(turns, max_size=5), tokens, st.integers(6, 40), st.integers(1, 20), st.sampled_from(Layout))
def test_as_few_of_the_oldest_turns_leave_as_make_room_and_the_current_one_never_does(
    earlier, question, most, room, layout
):
    current = [Span(SpanKind.PROMPT, question)]
    without = [[*chain(*earlier[n:]), *current] for n in range(len(earlier) + 1)]
    kept = Conversation.fitting(without[0], layout, most, room)
    fewest = next((n for n, spans in enumerate(without) if length(spans) + room <= most), len(earlier))
    assert (kept.turns_left_out, list(kept.spans)) == (fewest, without[fewest])
    assert Conversation.fitting(kept.spans, layout, most, room).turns_left_out == 0, "what was cut stays as it is"


@given(st.lists(turns, min_size=1, max_size=3), tokens)
def test_a_current_turn_that_leaves_no_room_is_refused_whatever_came_before(earlier, question):
    whole = [*chain(*earlier), Span(SpanKind.PROMPT, question)]
    with pytest.raises(ContextOverflow, match=f"{len(question)} tokens leave no room in the {len(question)} positions"):
        Conversation.fitting(whole, Layout.TURN_BLOCKS, len(question), 3)


def test_passages_of_the_turns_that_stay_keep_their_numbers_and_their_tokens():
    asked = [
        Turn((Passage("", f"Rule {n}."), Passage("", f"Exception {n}.")), f"What of {n}?", Response((), f"It is {n}."))
        for n in range(4)
    ]
    tokenizer = tiny_tokenizer()
    spans = prompt.spans([*asked, Turn((Passage("", "The newest."),), "And now?")], tokenizer)
    most = length(spans) - 1
    kept = Conversation.fitting(spans, Layout.TURN_BLOCKS, most, 1)
    assert kept.turns_left_out == 1
    assert list(kept.spans) == spans[2:]
    read = tokenizer.decode([token for token in kept.tokens if token > 17])
    assert "[3]\nRule 1." in read
    assert "[9]\nThe newest." in read
    assert "[1]" not in read


@given(st.lists(turns, max_size=3), tokens, tokens, st.sampled_from(Layout))
def test_a_response_behind_a_conversation_is_laid_out_as_its_last_span(earlier, question, response, layout):
    whole = [*chain(*earlier), Span(SpanKind.PROMPT, question)]
    conversation = Conversation.fitting(whole, layout, 500, 1)
    all_tokens, row = conversation.followed_by(response)
    assert all_tokens == conversation.tokens + list(response)
    assert row.block_T.tolist() == conversation.blocks + [-1] * len(response)
