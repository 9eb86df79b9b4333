"""The sample company through the whole application: real embedder, real core, real documents."""

from collections.abc import Iterator

import pytest
import torch

from app.records import Answered, AnswerRecord
from app.sample import ingest_sample
from app.services import Services, open_services
from app.settings import Settings
from reasoning_core.response import Response, normalised
from ui.evaluation import Question, load_questions

# Ingestion and some thirty answers, also on a machine that has other work.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # a core this small is computed faster by one thread than by several that wait
    with open_services(Settings(home=tmp_path_factory.mktemp("home"))) as services:
        ingest_sample(services.documents, services.identity.operator())
        yield services
    torch.set_num_threads(threads)


def asked(company: Services, question: Question) -> AnswerRecord:
    conversation, record = None, None
    for turn in question.turns:
        for event in company.chat.ask(company.identity.operator(), turn, conversation):
            if isinstance(event, Answered):
                record, conversation = event.record, event.record.conversation
    assert record is not None
    return record


@pytest.fixture(scope="module")
def records(company: Services) -> list[tuple[Question, AnswerRecord]]:
    questions = [question for question in load_questions("sample") if question.kind in ("rule", "unanswerable")]
    return [(question, asked(company, question)) for question in questions[::2]]


def test_every_citation_is_the_bytes_it_points_to(company: Services, records: list[tuple[Question, AnswerRecord]]):
    actor = company.identity.operator()
    citations = [citation for _, record in records for citation in record.citations]
    assert citations
    for citation in citations:
        stored = company.documents.text(actor, citation.document, citation.version)
        assert stored[citation.start : citation.end].decode() == citation.quote


def test_no_wrong_verdict_is_shown_as_verified(records: list[tuple[Question, AnswerRecord]]):
    for question, record in records:
        given = Response((), record.text).short_answer
        if record.verified and normalised(question.expected) in ("yes", "no"):
            assert normalised(given) == normalised(question.expected), (question.turns, record.text)


def test_what_is_verified_has_working_that_holds_and_no_refusal_cites(records: list[tuple[Question, AnswerRecord]]):
    for _, record in records:
        if record.verified:
            assert record.citations
            assert all(line.holds for line in record.working)
        if record.refused:
            assert record.citations == ()


def test_most_questions_that_no_document_answers_are_never_answered_as_verified(
    records: list[tuple[Question, AnswerRecord]],
):
    unanswerable = [record for question, record in records if question.kind == "unanswerable"]
    assert sum(record.verified for record in unanswerable) <= len(unanswerable) // 5


def test_a_question_about_something_else_altogether_is_refused(company: Services):
    question = Question("x", "unanswerable", ("Which volcanoes erupted in Iceland in the ninth century?",), "", (), ())
    assert asked(company, question).refused
