"""What a question becomes for the keyword engines: SQLite's FTS5 reads every expression we make."""

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.keyword_index import MAX_TERMS, fts5_query, query_terms, tsquery


@pytest.fixture(scope="module")
def fts5() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE chunks USING fts5(text, tokenize='porter unicode61')")
    texts = ["Meals are paid up to $1,500 a year.", "Travel NEAR Paris needs approval.", "Printers OR toner."]
    connection.executemany("INSERT INTO chunks(text) VALUES (?)", [(text,) for text in texts])
    return connection


def matches(connection: sqlite3.Connection, question: str) -> list[int]:
    rows = connection.execute(
        "SELECT rowid FROM chunks WHERE chunks MATCH ? ORDER BY bm25(chunks)", (fts5_query(question),)
    )
    return [row[0] for row in rows]


def test_a_question_finds_what_shares_a_word_in_any_form(fts5: sqlite3.Connection) -> None:
    assert matches(fts5, "Which meal is paid?") == [1]
    assert matches(fts5, "Is 1,500 the limit?") == [1]
    assert matches(fts5, "Who approves travelling?") == [2]


@given(st.text(max_size=200))
def test_no_question_is_read_as_query_syntax(question: str) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE chunks USING fts5(text)")
    if expression := fts5_query(question):
        connection.execute("SELECT rowid FROM chunks WHERE chunks MATCH ?", (expression,)).fetchall()
    connection.close()


def test_operators_of_the_query_languages_are_words_like_others() -> None:
    assert fts5_query('NEAR("a b" NOT c*) AND text:x') == '"near" OR "text"'
    assert tsquery("it's 5 o'clock & !(x | y) <-> ':*'") == "'5' | 'clock'"


def test_a_very_long_question_searches_a_bounded_number_of_terms() -> None:
    question = " ".join(f"word{n}" for n in range(100_000))
    assert len(query_terms(question)) == MAX_TERMS


def test_a_question_without_words_gives_no_query() -> None:
    assert fts5_query("?!") == tsquery("") == ""
