"""Questions become stored answers whose every citation is the documents' own bytes."""

import threading
from pathlib import Path

import pytest

from app.errors import AppError, Conflict, InvalidRequest, NotFound, NotSignedIn, TooLarge
from app.records import Answered, AnswerRecord, Delta, Role, Stage, User, Worked
from app.services import Services, open_services
from app.settings import Settings
from reasoning_core.prompt import numbered
from reasoning_core.response import REFUSAL
from retrieval.embedding import HashingEmbedder
from tests.app.quoting_reader import QuotingReader
from tests.conftest import PASSWORD


@pytest.fixture
def filled(services: Services, operator: User, folder: Path) -> Services:
    services.documents.ingest(operator, [folder])
    return services


def ask(services: Services, user: User, question: str, conversation: str | None = None) -> AnswerRecord:
    *_, last = services.chat.ask(user, question, conversation)
    assert isinstance(last, Answered)
    return last.record


def test_every_citation_is_the_bytes_it_points_to(filled: Services, employee: User):
    for question in ("What may a hotel cost per night?", "How long are invoices kept?", "Are meals reimbursed?"):
        record = ask(filled, employee, question)
        assert record.kind == "answer" and record.verified and record.citations
        for citation in record.citations:
            text = filled.documents.text(employee, citation.document, citation.version)
            assert text[citation.start : citation.end] == citation.quote.encode()


def test_the_events_come_in_order_and_add_up(filled: Services, employee: User):
    events = list(filled.chat.ask(employee, "What may a hotel cost per night?"))
    assert [event.name for event in events if isinstance(event, Stage)] == ["searching", "reading", "checking"]
    record = events[-1].record
    assert "".join(event.text for event in events if isinstance(event, Delta)) == record.text
    assert [event.holds for event in events if isinstance(event, Worked)] == [line.holds for line in record.working]
    assert {"searching", "reading", "total"} <= record.timings_ms.keys()
    assert record.confidence == 0.75, "what the reader said of its own answer"


def test_a_second_try_restarts_what_is_shown(filled: Services, employee: User):
    events = list(filled.chat.ask(employee, "Say again what a hotel costs"))
    text = ""
    for event in events:
        if isinstance(event, Delta):
            text = event.text if event.restart else text + event.text
    assert text == events[-1].record.text


def test_a_shown_passage_keeps_its_number_and_is_not_repeated(filled: Services, employee: User):
    first = ask(filled, employee, "What may a hotel cost per night?")
    second = ask(filled, employee, "And what may a hotel cost per night in a city?", first.conversation)
    places = {(passage.document, passage.window_start): passage.n for passage in first.passages}
    for passage in second.passages:
        assert places.get((passage.document, passage.window_start), passage.n) == passage.n
    numbers = [passage.n for passage in (*first.passages, *second.passages)]
    assert len({(p.n, p.document, p.window_start) for p in (*first.passages, *second.passages)}) == len(set(numbers))


def test_the_core_reads_what_the_record_says_it_read(settings: Settings, folder: Path):
    reader = QuotingReader()
    with open_services(settings, reader=reader, embedder=HashingEmbedder()) as services:
        operator = services.identity.operator()
        services.documents.ingest(operator, [folder])
        conversation: str | None = None
        for question in ("What may a hotel cost?", "And meals?", "How long are invoices kept?", "Who gets leave?"):
            record = ask(services, operator, question, conversation)
            conversation = record.conversation
            read = {n: passage.text for n, passage in numbered(reader.prompts[-1]).items()}
            for passage in record.passages:
                text = services.documents.text(operator, passage.document, passage.version)
                assert text[passage.start : passage.end].decode() == passage.text
                assert text[passage.window_start : passage.window_end].decode() == read[passage.n]


def test_old_turns_leave_the_context_and_numbers_still_mean_one_thing(settings: Settings, folder: Path):
    reader = QuotingReader()
    short = settings.model_copy(update={"history_chars": 300, "passages_per_question": 1})
    with open_services(short, reader=reader, embedder=HashingEmbedder()) as services:
        operator = services.identity.operator()
        services.documents.ingest(operator, [folder])
        questions = [
            "What may a hotel cost per night?",
            "How long are invoices kept?",
            "How many days of annual leave?",
        ]
        conversation: str | None = None
        meaning: dict[int, str] = {}
        for question in questions * 3:
            record = ask(services, operator, question, conversation)
            conversation = record.conversation
            for citation in record.citations:
                assert meaning.setdefault(citation.n, citation.quote) == citation.quote
                assert f"[{citation.n}]" in record.text
        assert len(reader.prompts[-1]) < len(questions) * 3
        assert record.turns_left_out == len(questions) * 3 - len(reader.prompts[-1]) > 0
        (*_, last) = services.conversations.messages(operator, record.conversation)
        assert last.answer is not None
        assert last.answer.turns_left_out == record.turns_left_out
        assert len(meaning) > 1


def test_a_conversation_is_read_back_as_it_was_shown(filled: Services, employee: User):
    first = ask(filled, employee, "What may a hotel cost per night?")
    second = ask(filled, employee, "And meals?", first.conversation)
    messages = filled.conversations.messages(employee, first.conversation)
    assert [message.answer for message in messages] == [first, second]
    assert [conversation.title for conversation in filled.conversations.list(employee)] == [
        "What may a hotel cost per night?"
    ]


def test_another_persons_conversation_is_not_found(filled: Services, operator: User, employee: User):
    record = ask(filled, employee, "What may a hotel cost per night?")
    deeds = (
        lambda: ask(filled, operator, "And meals?", record.conversation),
        lambda: filled.conversations.messages(operator, record.conversation),
        lambda: filled.conversations.rename(operator, record.conversation, "mine"),
        lambda: filled.conversations.delete(operator, record.conversation),
        lambda: filled.conversations.rate(operator, record.id, liked=True),
        lambda: filled.conversations.messages(employee, "no such conversation"),
    )
    for deed in deeds:
        with pytest.raises(NotFound):
            deed()
    assert filled.conversations.list(operator) == []


def test_a_stopped_answer_is_kept_as_far_as_it_came(filled: Services, employee: User):
    cancel = threading.Event()
    events = filled.chat.ask(employee, "wait for it", cancel=cancel)
    for event in events:
        if isinstance(event, Delta):
            cancel.set()
        last = event
    assert last.record.kind == "stopped" and not last.record.verified


def test_a_closed_answer_is_stopped_and_kept(filled: Services, employee: User):
    events = filled.chat.ask(employee, "wait for it")
    while not isinstance(next(events), Delta):
        pass
    events.close()
    conversation = filled.conversations.list(employee)[0].id
    (message,) = filled.conversations.messages(employee, conversation)
    assert message.answer is not None and message.answer.kind == "stopped" and message.answer.text == "One moment"
    assert ask(filled, employee, "And meals?", conversation).kind == "answer"


def test_one_answer_at_a_time_is_written_in_a_conversation(filled: Services, employee: User):
    conversation = filled.conversations.create(employee, "Hotels").id
    events = filled.chat.ask(employee, "wait for it", conversation)
    next(events)
    with pytest.raises(Conflict):
        ask(filled, employee, "And meals?", conversation)
    events.close()
    assert ask(filled, employee, "And meals?", conversation).kind == "answer"


def test_nothing_of_a_removed_document_is_shown_any_more(filled: Services, operator: User):
    record = ask(filled, operator, "What may a hotel cost per night?")
    filled.documents.remove(operator, "policies/travel/meals.md")
    (message,) = filled.conversations.messages(operator, record.conversation)
    answer = message.answer
    assert answer is not None and not answer.citations and not answer.verified and answer.problems
    assert all(passage.document != "policies/travel/meals.md" for passage in answer.passages)
    ask(filled, operator, "And what does it cost?", record.conversation)


def test_an_old_answer_still_cites_the_version_it_read(filled: Services, operator: User, folder: Path):
    record = ask(filled, operator, "How many days of annual leave?")
    (folder / "leave.md").write_text("# Leave\n\nEmployees receive 28 days of annual leave per year.\n")
    filled.documents.ingest(operator, [folder])
    assert filled.conversations.messages(operator, record.conversation)[0].answer == record
    newer = ask(filled, operator, "How many days of annual leave per year?", record.conversation)
    assert any(citation.version == 2 and "28 days" in citation.quote for citation in newer.citations)


def test_a_closed_collection_takes_no_part_in_an_answer(
    services: Services, operator: User, employee: User, folder: Path
):
    services.documents.ingest(operator, [folder / "leave.md"], "people")
    record = ask(services, employee, "How many days of annual leave?")
    assert record.refused and record.text == REFUSAL and not record.passages
    services.documents.share(operator, "people", everyone=True)
    opened = ask(services, employee, "How many days of annual leave?")
    assert opened.citations
    services.documents.share(operator, "people", everyone=False)
    (message,) = services.conversations.messages(employee, opened.conversation)
    assert message.answer is not None and not message.answer.citations and not message.answer.passages


@pytest.mark.parametrize(
    ("question", "refusal"),
    [("", InvalidRequest), (" \n\t", InvalidRequest), ("\x00\x1b", InvalidRequest), ("x" * 1_000_000, TooLarge)],
)
def test_a_question_that_asks_nothing_or_too_much_is_refused(
    services: Services, operator: User, question: str, refusal: type[AppError]
):
    with pytest.raises(refusal) as caught:
        ask(services, operator, question)
    assert len(str(caught.value)) < 200
    assert services.conversations.list(operator) == []


def test_a_closed_account_asks_nothing(filled: Services, operator: User, employee: User):
    filled.identity.disable_user(operator, employee.email)
    with pytest.raises(NotSignedIn):
        ask(filled, employee, "What may a hotel cost per night?")


def test_an_unknown_collection_is_not_found(filled: Services, operator: User):
    with pytest.raises(NotFound):
        list(filled.chat.ask(operator, "Hotels?", collection="nowhere"))
    assert [m.error for m in filled.conversations.messages(operator, filled.conversations.list(operator)[0].id)] != [
        None
    ]


def test_an_opinion_replaces_the_one_before(filled: Services, employee: User):
    record = ask(filled, employee, "What may a hotel cost per night?")
    filled.conversations.rate(employee, record.id, liked=True)
    filled.conversations.rate(employee, record.id, liked=False, comment="too short")
    with pytest.raises(InvalidRequest):
        filled.conversations.rate(employee, record.id, liked=False, comment="x" * 3000)


def test_many_people_ask_at_once(filled: Services, operator: User):
    people = [
        filled.identity.add_user(operator, f"p{n}@company.example", f"P{n}", Role.EMPLOYEE, PASSWORD) for n in range(6)
    ]
    records: list[AnswerRecord] = []

    def question(user: User) -> None:
        record = ask(filled, user, "What may a hotel cost per night?")
        records.append(ask(filled, user, "And meals?", record.conversation))

    threads = [threading.Thread(target=question, args=(user,)) for user in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(records) == 6 and len({record.conversation for record in records}) == 6
