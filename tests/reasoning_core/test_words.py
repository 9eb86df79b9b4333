"""Sentences tile what is written; content words meet across inflection."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning_core.words import content_words, sentence_spans, stem

prose = st.lists(st.sampled_from(["Up to 60.", "No", "Is it?", "\n", "- item 4.2", " ", "(See 3.)", "e.g. x"])).map(
    " ".join
)


@given(st.text() | prose)
def test_sentences_are_disjoint_in_order_and_leave_out_only_space(text):
    end = 0
    for start, stop in sentence_spans(text):
        assert end <= start < stop <= len(text)
        assert not text[end:start].strip()
        assert text[start:stop].strip()
        end = stop
    assert not text[end:].strip()


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Up to 60. No more.", ["Up to 60.", "No more."]),
        ("See 4.2 for 3.5 days.", ["See 4.2 for 3.5 days."]),
        ("- one\n- two\n\nThree", ["- one", "- two", "Three"]),
        ('Ask first! "Yes" is enough? (Sometimes.)', ["Ask first!", '"Yes" is enough?', "(Sometimes.)"]),
        (" \n ", []),
    ],
)
def test_sentences_list_items_and_rows_are_told_apart(text, sentences):
    assert [text[start:end] for start, end in sentence_spans(text)] == sentences


@pytest.mark.parametrize(
    "words",
    [("approval", "approves", "approved", "approve"), ("meal", "meals"), ("policy", "policies"), ("book", "booking")],
)
def test_inflections_of_one_word_share_a_stem(words):
    assert len({stem(word) for word in words}) == 1


@given(st.text())
def test_content_words_do_not_depend_on_case_or_order(text):
    assert content_words(text.casefold()) == content_words(text.casefold().title().casefold())


def test_numbers_dates_and_function_words_carry_no_topic():
    assert content_words("May I have 75 of the 1,500 on 2024-03-01?") == set()
    assert content_words("What is the Employee's hotel limit?") == content_words("hotels limits employee")
