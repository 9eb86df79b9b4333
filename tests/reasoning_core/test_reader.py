"""The reader over a real untrained core, and over a core that says what it is told to."""

import threading

import pytest

from reasoning_core.engine import Engine, Generation, Usage
from reasoning_core.prompt import Passage, Turn, response_ids
from reasoning_core.reader import Answer, Reader, ReaderOptions, Retrying, TextDelta, WorkingLine
from reasoning_core.response import REFUSAL, Response
from tests.reasoning_core.tiny import tiny_checkpoint, tiny_tokenizer

MEALS = Passage("Travel", "Meals are paid up to 60 EUR per day. Hotels are booked by the office.")
LEAVE = Passage("Leave", "Leave requests are filed at least 14 days before the first day of leave.")
QUESTION = "Can I claim 75 EUR for meals per day?"
RIGHT = Response(('"Meals are paid up to 60 EUR per day." [1]', "75 > 60"), "No. 75 is more than 60 [1].")
FALSE_LINE = Response(('"Meals are paid up to 60 EUR per day." [1]', "75 < 60"), "Yes. 75 is less than 60 [1].")
WRONG_VERDICT = Response(RIGHT.working, "Yes. 75 and 60 [1].")
UNSOURCED = Response(('"Meals are paid up to 60 EUR per day." [1]',), "No. The limit is 50 [1].")


class Rehearsed:
    """A core that gives prepared responses one after another, through the interface that a remote core has too."""

    name, max_tokens = "rehearsed", 2048

    def __init__(self, *responses: Response) -> None:
        self.tokenizer = tiny_tokenizer()
        self._responses = iter(responses)

    def generate(self, spans, sampling, guide=None, cancel=None, *, caller=""):
        ids = iter(response_ids(next(self._responses), self.tokenizer))
        return Generation((token for token in ids), Usage(10, 4), lambda: None)


def read(*responses: Response, question: str = QUESTION, history: tuple[Turn, ...] = (), passages=(MEALS,)):
    """Return all events but the last, and the answer."""
    *events, answer = Reader(Rehearsed(*responses)).read(history, question, passages)
    assert isinstance(answer, Answer)
    return events, answer


def test_a_right_answer_streams_its_working_and_text_and_is_verified():
    events, answer = read(RIGHT)
    assert (answer.kind, answer.verified, answer.problems) == ("answer", True, ())
    assert [e.verdict.line for e in events if isinstance(e, WorkingLine)] == list(RIGHT.working)
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == RIGHT.answer == answer.text
    assert [MEALS.text[c.start : c.end] for c in answer.citations] == ["Meals are paid up to 60 EUR per day."]
    assert (answer.prompt_tokens, answer.cached_tokens, answer.core) == (10, 4, "rehearsed")


@pytest.mark.parametrize("failing", [FALSE_LINE, UNSOURCED, Response((), "Yes."), Response(("75 is 60",), "No [1].")])
def test_a_failed_check_withdraws_the_try_and_the_next_one_may_succeed(failing):
    events, answer = read(failing, RIGHT)
    assert [type(e) for e in events].count(Retrying) == 1
    assert answer.verified
    assert answer.text == RIGHT.answer


def test_when_every_try_fails_the_best_sentence_is_quoted_verbatim():
    events, answer = read(FALSE_LINE, UNSOURCED, FALSE_LINE)
    assert [type(e) for e in events].count(Retrying) == 2
    assert (answer.kind, answer.verified) == ("quotation", False)
    (citation,) = answer.citations
    assert answer.text == MEALS.text[citation.start : citation.end] == "Meals are paid up to 60 EUR per day."
    assert "75 < 60" in answer.problems[0]


def test_a_verdict_that_does_not_follow_is_never_verified():
    _, answer = read(WRONG_VERDICT, WRONG_VERDICT, WRONG_VERDICT)
    assert (answer.kind, answer.verified) == ("quotation", False)
    assert "does not follow" in " ".join(answer.problems)


def test_a_refusal_is_shown_as_the_fixed_sentence_without_citations():
    _, answer = read(Response((), REFUSAL), question="Which laptop do engineers get for travel?")
    assert (answer.kind, answer.text, answer.citations) == ("refusal", REFUSAL, ())


def test_a_refusal_beside_a_sentence_that_fits_is_read_again_and_stands_unless_the_answer_is_verified():
    refusal = Response((), REFUSAL)
    assert read(refusal, RIGHT)[1].text == RIGHT.answer
    assert read(refusal, FALSE_LINE, WRONG_VERDICT)[1].kind == "refusal"


def test_an_answer_from_the_wrong_sentence_gives_way_to_one_from_the_right_sentence_or_to_a_quotation():
    wrong = Response(('"Hotels are booked by the office." [1]',), "The office [1].")
    question = "How much is paid for meals per day?"
    right = Response(('"up to 60 EUR per day" [1]',), "60 EUR per day [1].")
    assert read(wrong, right, question=question)[1].text == right.answer
    assert read(wrong, FALSE_LINE, FALSE_LINE, question=question)[1].kind == "quotation"


@pytest.mark.parametrize(
    ("question", "response"),
    [
        ("How much is paid for meals per day?", Response(RIGHT.working, "No. 75 is more than 60 [1].")),
        ("Can I claim 60 EUR for meals per day?", Response(RIGHT.working[:1], "60 EUR per day [1].")),
        ("How much is paid for meals per day?", Response(('"per " [1]',), "60 EUR [1].")),
        ("How much is paid for meals per day?", Response(RIGHT.working[:1], " [1].")),
    ],
)
def test_an_answer_of_the_wrong_kind_is_a_failed_check(question, response):
    assert read(response, response, response, question=question)[1].kind == "quotation"


def test_a_question_back_is_told_apart():
    assert read(Response((), "Which country do you travel to?"))[1].kind == "question"


def test_an_answer_about_something_that_no_passage_mentions_is_a_refusal():
    _, answer = read(
        Response(('"14 days" [1]',), "14 [1]."), question="Which laptop do engineers get?", passages=(LEAVE,)
    )
    assert (answer.kind, answer.text) == ("refusal", REFUSAL)


def test_passages_of_earlier_turns_keep_their_numbers():
    history = (Turn((LEAVE,), "How early is leave requested?", Response((), "14 days [1].")),)
    second = Response(('"Meals are paid up to 60 EUR per day." [2]', "75 > 60"), "No. 75 is more than 60 [2].")
    _, answer = read(second, history=history)
    assert answer.verified
    assert {c.n for c in answer.citations} == {2}


@pytest.mark.parametrize("seed", range(4))
def test_an_untrained_core_ends_in_an_answer_event_and_never_in_a_false_citation(seed):
    reader = Reader(Engine(tiny_checkpoint(seed=seed)), ReaderOptions(tries=2, max_new_tokens=24))
    *_, answer = reader.read((), QUESTION, (MEALS, LEAVE))
    assert isinstance(answer, Answer)
    assert answer.kind in {"answer", "refusal", "question", "quotation"}
    if answer.kind == "quotation":
        (c,) = answer.citations
        assert answer.text == (MEALS, LEAVE)[c.n - 1].text[c.start : c.end]


def test_a_cancelled_answer_is_marked_stopped_and_gives_its_slot_back():
    engine, cancel = Engine(tiny_checkpoint(), max_sessions=1), threading.Event()
    cancel.set()
    *_, answer = Reader(engine).read((), QUESTION, (MEALS,), cancel)
    assert (answer.kind, answer.verified) == ("stopped", False)
    *_, again = Reader(engine, ReaderOptions(tries=1, max_new_tokens=4)).read((), QUESTION, (MEALS,))
    assert again.kind != "stopped"


def test_a_reader_that_is_left_in_the_middle_gives_its_slot_back():
    engine = Engine(tiny_checkpoint(), max_sessions=1)
    options = ReaderOptions(tries=1, max_new_tokens=40)
    for _ in range(2):
        events = Reader(engine, options).read((), QUESTION, (MEALS,))
        next(events)
        events.close()  # type: ignore[attr-defined]
