"""Words, stems and question words."""

import pytest

from retrieval.words import content_words, stem, stems


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
