"""From turns to spans and back."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from reasoning_core.layout import SpanKind
from reasoning_core.prompt import Passage, Turn, numbered, parse_response, response_ids, spans
from reasoning_core.response import Response
from reasoning_core.tokenizer import CONDITIONS, SPECIAL_TOKENS
from tests.reasoning_core.tiny import tiny_tokenizer

text = st.text(max_size=20) | st.sampled_from(SPECIAL_TOKENS)
lines = text.map(lambda t: t.replace("\n", "")).filter(bool)
responses = st.builds(Response, st.lists(lines, max_size=4).map(tuple), text)
passages = st.lists(st.builds(Passage, text, text), max_size=3).map(tuple)
turns = st.lists(st.builds(Turn, passages, text, responses), min_size=1, max_size=4)


@given(responses)
def test_a_response_is_read_back_from_its_ids(response):
    assert parse_response(response_ids(response, tiny_tokenizer()), tiny_tokenizer()) == response


@given(responses, st.data())
def test_a_response_stopped_anywhere_is_read_back_as_far_as_it_came(response, data):
    ids = response_ids(response, tiny_tokenizer())
    cut = parse_response(ids[: data.draw(st.integers(0, len(ids)))], tiny_tokenizer())
    assert response.answer.startswith(cut.answer.rstrip("\ufffd"))
    for whole, part in zip(response.working, cut.working[:-1], strict=False):
        assert part == whole


@given(turns)
def test_each_turn_is_a_prompt_block_and_each_answer_a_response(conversation):
    tokenizer = tiny_tokenizer()
    result = spans(conversation, tokenizer)
    assert [span.kind for span in result] == [SpanKind.PROMPT, SpanKind.RESPONSE] * len(conversation)
    for turn, prompt, response in zip(conversation, result[::2], result[1::2], strict=True):
        assert prompt.tokens[:2] == (tokenizer.boq_id, 9)
        assert prompt.tokens[-1] == tokenizer.eoq_id
        assert prompt.tokens.count(tokenizer.passage_id) == len(turn.passages)
        assert prompt.tokens.count(tokenizer.question_id) == 1
        question = prompt.tokens.index(tokenizer.question_id)
        assert tokenizer.decode(prompt.tokens[question + 1 : -1]) == turn.question
        # Text of documents and people never makes a token that structures the prompt.
        assert prompt.tokens.count(tokenizer.eoq_id) == 1
        assert response.tokens.count(tokenizer.eoa_id) == 1
        assert parse_response(response.tokens, tokenizer) == turn.response


@given(turns)
def test_passages_are_numbered_through_the_conversation_and_read_verbatim(conversation):
    tokenizer, shown = tiny_tokenizer(), numbered(conversation)
    assert list(shown) == list(range(1, 1 + sum(len(turn.passages) for turn in conversation)))
    number = 0
    for prompt in spans(conversation, tokenizer)[::2]:
        end = prompt.tokens.index(tokenizer.question_id)
        starts = [i for i in range(end) if prompt.tokens[i] == tokenizer.passage_id]
        for start, stop in itertools.pairwise([*starts, end]):
            number += 1
            heading = f" {shown[number].heading}\n" if shown[number].heading else "\n"
            written = tokenizer.decode(prompt.tokens[start + 1 : stop])
            assert written == f"[{number}]{heading}{shown[number].text}\n"
    assert number == len(shown)


@given(turns, passages, text)
def test_a_conversation_that_goes_on_begins_with_the_very_same_tokens(conversation, new, question):
    before = spans(conversation, tiny_tokenizer())
    after = spans([*conversation, Turn(new, question)], tiny_tokenizer())
    assert after[: len(before)] == before
    assert len(after) == len(before) + 1


@given(turns, st.lists(st.sampled_from(sorted(CONDITIONS)), min_size=1, max_size=2))
def test_every_prompt_block_opens_with_the_conditions_and_is_otherwise_the_same(conversation, conditions):
    tokenizer = tiny_tokenizer()
    served, other = spans(conversation, tokenizer), spans(conversation, tokenizer, conditions)
    for ours, theirs in zip(served[::2], other[::2], strict=True):
        opening = 1 + len(conditions)
        assert list(theirs.tokens[1:opening]) == tokenizer.condition_ids(conditions)
        assert theirs.tokens[opening:] == ours.tokens[2:]
    assert served[1::2] == other[1::2]
