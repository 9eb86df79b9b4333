"""The part of a chunk that matters to a question."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.sentences import sentences
from retrieval.windows import table_header, window

CHUNK = """## Meals

Meals are part of every business trip. Employees keep receipts. Breakfast and dinner are reimbursed up to $60 per day.
Alcohol is never reimbursed. Tips count as part of the meal.

Lodging is booked by the travel desk. A hotel may cost up to $180 per night. In Zurich the limit is $250.

- Trains are booked in second class.
- Flights over 6 hours may be booked in premium economy.

| City | Meals | Lodging |
| --- | --- | --- |
| Paris | 80 | 220 |
| Berlin | 65 | 170 |
"""


def shown(question: str, max_chars: int = 130, chunk: str = CHUNK) -> str:
    start, end = window(question, chunk, max_chars)
    return chunk[start:end]


@pytest.mark.parametrize(
    ("question", "needed"),
    [
        ("How much is reimbursed for dinner per day?", "up to $60 per day"),
        ("Can I expense alcohol?", "Alcohol is never reimbursed."),
        ("What may a hotel cost?", "up to $180 per night"),
        ("What is the hotel limit in Zurich?", "In Zurich the limit is $250."),
        ("May I fly premium economy on a 7 hour flight?", "Flights over 6 hours"),
        ("What is the lodging limit in Berlin?", "| Berlin | 65 | 170 |"),
        ("Which class do I book on the train?", "second class"),
    ],
)
def test_the_sentence_that_answers_is_in_the_window(question: str, needed: str) -> None:
    assert needed in shown(question)


def test_a_chunk_that_fits_is_shown_whole_without_its_heading() -> None:
    assert shown("Anything?", 5000) == CHUNK.removeprefix("## Meals\n\n").rstrip()


def test_a_question_without_a_shared_word_gets_the_beginning() -> None:
    assert shown("xyzzy", 60) == "Meals are part of every business trip."


def test_a_long_sentence_is_cut_between_words_around_what_was_asked() -> None:
    long = "filler words go on and on " * 40 + "the special zebra limit is 77 dollars " + "and on and on it goes " * 40
    text = shown("What is the zebra limit?", 100, long)
    assert "zebra limit is 77 dollars" in text
    assert len(text) <= 100
    assert not text[0].isspace()
    assert set(text.split()) <= set(long.split())


@given(st.text(alphabet=st.sampled_from("ab Z.!?\n|-#1é"), max_size=300), st.text(max_size=40), st.integers(1, 120))
def test_a_window_is_whole_units_within_the_limit_unless_one_is_longer(
    chunk: str, question: str, max_chars: int
) -> None:
    start, end = window(question, chunk, max_chars)
    assert 0 <= start <= end <= len(chunk)
    assert end - start <= max_chars
    spans = sentences(chunk)
    whole = start in {a for a, _ in spans} and end in {b for _, b in spans}
    inside = any(a <= start and end <= b and b - a > max_chars for a, b in spans)
    assert start == end or whole or inside


def test_a_window_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="max_chars is 0"):
        window("a", "b", 0)


def test_a_megabyte_takes_seconds() -> None:
    started = time.process_time()
    window("What is the meal limit?", CHUNK * 1200, 300)
    window("What is the meal limit?", "meal " * 20_000, 300)
    assert time.process_time() - started < 10


def test_a_window_that_lost_the_header_of_a_table_does_not_begin_with_the_line_under_it() -> None:
    rows = [f"| {name} | ${number} |" for number, name in enumerate(("Oslo", "Rome", "Lima", "Bern"), start=40)]
    chunk = "\n".join(("| The city where the night is spent by the person | Most that is paid |", "|---|---|", *rows))
    start, end = window("What is paid in Oslo?", chunk, 60)
    assert chunk[start:end].startswith("| Oslo")
    header = table_header(chunk, start)
    assert header is not None
    assert chunk[slice(*header)].startswith("| The city")


def test_a_row_knows_the_header_of_its_own_table() -> None:
    text = f"{CHUNK}\n| Car | Limit |\n| --- | --- |\n| Van | 20,000 |\n"
    headers = {
        "Berlin": "| City | Meals | Lodging |",
        "Van": "| Car | Limit |",
        "City": None,
        "Car": None,
        "Zurich": None,
    }
    for word, expected in headers.items():
        span = table_header(text, text.index(word))
        assert (text[span[0] : span[1]] if span else None) == expected
