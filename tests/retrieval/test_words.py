"""Words, stems and question words."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snowballstemmer.english_stemmer import EnglishStemmer

from retrieval.words import content_words, identifiers, index_terms, query_terms, stem, stems


def test_question_words_are_left_out_unless_nothing_else_is_there() -> None:
    assert content_words("What is the limit for meals in Berlin?") == ["limit", "meals", "berlin"]
    assert content_words("What is it?") == ["what", "is", "it"]
    assert content_words("?!") == []


def test_numbers_keep_their_separators_and_lose_their_commas_as_stems() -> None:
    assert content_words("Is 1,500.50 more than 60?") == ["1,500.50", "60"]
    assert stems("1,500 dollars") == ["1500", stem("dollars")]


@pytest.mark.parametrize(
    "forms",
    [
        ("reimburse", "reimbursed", "reimbursement", "reimbursements", "reimbursing"),
        ("policy", "policies"),
        ("employ", "employed", "employer", "employers"),
        ("approve", "approved", "approval", "approvals", "approves"),
        ("plan", "plans", "planned", "planning"),
        ("day", "days"),
        ("carry", "carries", "carried"),
        ("expense", "expenses"),
        ("travel", "travels", "traveling"),
        ("receipt", "receipts"),
        ("notify", "notifies", "notified"),
    ],
)
def test_the_forms_of_a_word_have_one_stem(forms: tuple[str, ...]) -> None:
    assert len({stem(form) for form in forms}) == 1


@pytest.mark.parametrize(("one", "other"), [("meal", "medal"), ("leave", "level"), ("60", "600"), ("access", "excess")])
def test_different_words_keep_different_stems(one: str, other: str) -> None:
    assert stem(one) != stem(other)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("See RF-2291.", ["#rf2291"]),
        ("RF 2291, RF/2291", ["#rf2291", "#rf2291"]),
        ("under § 4.2 and §§ 7", ["#§4.2", "#§7"]),
        ("ISO-27001 or ISO 27001", ["#iso27001", "#iso27001"]),
        ("since 2024-03-01, file 12/2024", ["#20240301", "#122024"]),
        ("self-service, and 3.5 of 60 per cent", []),
    ],
)
def test_what_names_one_thing_exactly_has_one_spelling(text: str, expected: list[str]) -> None:
    assert identifiers(text) == expected


@given(st.text(max_size=60))
def test_terms_of_an_index_hold_no_space_and_those_of_a_question_are_among_them(text: str) -> None:
    assert all(term.split() == [term] for term in index_terms(text))
    assert set(query_terms(text)) <= set(index_terms(text))
    assert not any(mark in term for term in index_terms(text) for mark in "'\\\"")


def test_stems_are_the_same_from_many_threads() -> None:
    forms = [f"{word}{ending}" for word in ("travel", "approv", "notif") for ending in ("ing", "ed", "es", "ation")]
    forms = [form + "s" * n for form in forms for n in range(20)]
    expected = [EnglishStemmer().stemWord(form) for form in forms]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(stem, forms)) == expected
