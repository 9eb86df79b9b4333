"""A value is told in words that were read; a verdict and what follows a value are free."""

import pytest

from reasoning_core.answer_words import AnswerWords, words_read
from reasoning_core.checkpoint import default_core_folder, load_checkpoint
from reasoning_core.guide import WorkingGuide
from reasoning_core.prompt import numbered, response_ids
from reasoning_core.tokenizer import CoreTokenizer
from training.suites import load_suite

PASSAGES = {1: "Event plans go to the head of security.\nTrips go to the treasurer.", 2: "Taxis are paid up to $30."}
LINES = ('"the head of security" [1]',)


@pytest.fixture(scope="module")
def tokenizer() -> CoreTokenizer:
    return load_checkpoint(default_core_folder()).tokenizer


def test_the_words_read_are_those_of_the_quoted_line_and_the_question():
    words = words_read(LINES, PASSAGES, ["Who gets visits?"])
    assert {"Event", "plans", "head", "security", "visits"} <= words
    assert not {"treasurer", "Taxis"} & words


@pytest.mark.parametrize(
    ("answer", "goes_on", "forbidden"),
    [
        ("The ", ["head", "se"], ["treasurer", "tax"]),
        ("The head of", [" security", " se"], [" treasurer", " sales"]),
        ("The head of se", ["c", "curity"], ["ll", "t"]),
        ("The treasurer", [], [" of"]),
    ],
)
def test_only_words_that_were_read_can_be_gone_on_with(tokenizer: CoreTokenizer, answer, goes_on, forbidden):
    pieces = tokenizer.pieces()
    allowed = AnswerWords(pieces).allowed(answer, words_read(LINES, PASSAGES, ["Who gets visits?"])) or set()
    assert {pieces[piece] for piece in goes_on if piece in pieces} <= allowed
    assert not {pieces[piece] for piece in forbidden if piece in pieces} & allowed


def test_a_word_is_not_left_before_its_end(tokenizer: CoreTokenizer):
    pieces = tokenizer.pieces()
    allowed = AnswerWords(pieces).allowed("The head of secu", words_read(LINES, PASSAGES, []))
    assert allowed is not None
    assert pieces["."] not in allowed
    assert pieces["r"] in allowed


@pytest.mark.parametrize("answer", ["Yes. ", "No", "No. 75 is", "The head of security [1]", "4 days. The special"])
def test_verdicts_and_what_stands_behind_a_value_are_free(tokenizer: CoreTokenizer, answer: str):
    assert AnswerWords(tokenizer.pieces()).allowed(answer, []) is None


@pytest.mark.parametrize("suite", ["entities", "families"])
def test_no_answer_of_a_suite_is_forbidden(tokenizer: CoreTokenizer, suite: str):
    num_tokens = 0
    for dialogue in load_suite(suite, 25):
        turns = dialogue.turns()
        for number, turn in enumerate(turns, start=1):
            if turn.response is None or not turn.response.working:
                continue
            texts = {n: passage.text for n, passage in numbered(turns[:number]).items()}
            guide = WorkingGuide(tokenizer, texts, [each.question for each in turns[:number]])
            ids = response_ids(turn.response, tokenizer)
            for place in range(ids.index(tokenizer.work_end_id) + 1, len(ids)):
                allowed = guide.allowed(ids[:place])
                assert allowed is None or ids[place] in allowed, turn.response.answer
                num_tokens += 1
    assert num_tokens > 100
