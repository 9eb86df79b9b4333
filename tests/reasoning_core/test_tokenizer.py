"""Text survives the tokenizer; special tokens never come out of text."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning_core.tokenizer import SPECIAL_TOKENS, CoreTokenizer
from tests.reasoning_core.tiny import SENTENCES, tiny_tokenizer

NUM_SPECIAL = len(SPECIAL_TOKENS)
hostile = st.lists(st.sampled_from(SPECIAL_TOKENS) | st.text(max_size=5), max_size=8).map("".join)


@given(st.text() | hostile)
def test_any_text_comes_back_and_never_makes_a_special_token(text):
    ids = tiny_tokenizer().encode(text)
    assert tiny_tokenizer().decode(ids) == text
    assert all(token >= NUM_SPECIAL for token in ids)


@given(st.text() | hostile)
def test_text_streamed_token_by_token_is_the_text_and_never_shows_half_a_character(text):
    pieces = list(tiny_tokenizer().stream(tiny_tokenizer().encode(text)))
    assert "".join(pieces) == text
    assert "\ufffd" in text or not any("\ufffd" in piece for piece in pieces)


@given(st.lists(st.integers(0, tiny_tokenizer().vocabulary_size - 1), max_size=30))
def test_any_ids_streamed_are_the_ids_decoded(ids):
    assert "".join(tiny_tokenizer().stream(ids)) == tiny_tokenizer().decode(ids)


def test_the_published_special_tokens_keep_their_published_ids():
    published = {
        "<|endoftext|>": 5,
        "<|im_start|>": 6,
        "<|im_end|>": 7,
        "<|object_ref_start|>": 8,
        "<|object_ref_end|>": 9,
        "<|box_start|>": 10,
        "<|box_end|>": 11,
        "<|quad_start|>": 12,
        "<|quad_end|>": 13,
    }
    tokenizer = tiny_tokenizer()
    assert {token: SPECIAL_TOKENS.index(token) for token in published} == published
    assert (tokenizer.pad_id, tokenizer.boq_id, tokenizer.eoq_id, tokenizer.eoa_id) == (5, 6, 7, 11)
    assert tokenizer.condition_ids(["direct", "cot", "noisy", "synth"]) == [8, 9, 12, 13]


@given(st.text("0123456789", min_size=1, max_size=12))
def test_digits_are_tokens_of_their_own(digits):
    tokenizer = tiny_tokenizer()
    assert [tokenizer.decode([token]) for token in tokenizer.encode(digits)] == list(digits)


def test_a_saved_tokenizer_encodes_as_before(tmp_path):
    tiny_tokenizer().save(tmp_path / "tokenizer.json")
    again = CoreTokenizer.load(tmp_path / "tokenizer.json")
    assert again.vocabulary_size == tiny_tokenizer().vocabulary_size
    for text in (*SENTENCES, *SPECIAL_TOKENS):
        assert again.encode(text) == tiny_tokenizer().encode(text)


def test_every_piece_is_the_text_of_its_token():
    tokenizer = tiny_tokenizer()
    assert {" per", "1", '"', "\n"} <= tokenizer.pieces().keys()
    assert all(tokenizer.decode([token]) == piece for piece, token in tokenizer.pieces().items())


def test_characters_common_in_documents_are_whole_tokens_although_training_never_showed_them():
    tokenizer = CoreTokenizer.train([*SENTENCES, "It’s €60 – café. It’s €70 – café."] * 3, 1024)
    assert tokenizer.vocabulary_size <= 1024
    for character in "€£’–éüß":
        assert character in tokenizer.pieces()
        assert tokenizer.decode(tokenizer.encode(f"a {character}5{character}b")) == f"a {character}5{character}b"
        assert set(tokenizer.encode(character)) <= {tokenizer.pieces()[character]}


def test_an_unknown_condition_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown condition 'fast': use one of direct, cot, noisy, synth"):
        tiny_tokenizer().condition_ids(["cot", "fast"])


def test_a_tokenizer_without_our_special_tokens_is_refused(tmp_path):
    values = tiny_tokenizer_values(tmp_path)
    vocabulary = values["model"]["vocab"]
    values["added_tokens"] = []
    values["model"]["vocab"] = {f"x{token}" if i < NUM_SPECIAL else token: i for token, i in vocabulary.items()}
    (tmp_path / "tokenizer.json").write_text(json.dumps(values))
    with pytest.raises(ValueError, match=r"the tokenizer gives .* the id None, not 0"):
        CoreTokenizer.load(tmp_path / "tokenizer.json")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"model": ', "\x00"])
def test_a_file_that_is_no_tokenizer_is_refused(content, tmp_path):
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(ValueError):
        CoreTokenizer.load(tmp_path / "tokenizer.json")


def tiny_tokenizer_values(tmp_path):
    tiny_tokenizer().save(tmp_path / "tokenizer.json")
    return json.loads((tmp_path / "tokenizer.json").read_text())
