import asyncio

import gradio as gr
import pytest
from starlette.requests import Request

from app.errors import NotFound, NotSignedIn
from tests.ui.conftest import PASSWORD
from ui.chat_handlers import ChatHandlers
from ui.live_answers import LiveAnswers


@pytest.fixture
def handlers(services):
    return ChatHandlers(services, LiveAnswers(services.chat))


@pytest.fixture
def request_of(services):
    def build(email):
        token = services.identity.sign_in(email, PASSWORD, "test") if email else "unknown"
        headers = [(b"cookie", f"precept_session={token}".encode())]
        return gr.Request(Request({"type": "http", "headers": headers, "query_string": b""}))

    return build


def collect(views):
    async def run():
        return [view async for view in views]

    return asyncio.run(run())


def test_a_question_makes_a_conversation_and_ends_with_what_is_stored(handlers, services, request_of):
    ada = request_of("ada@example.com")
    shown = collect(handlers.ask("How much are meals reimbursed per day?", "", None, ada))
    assert 'class="stage"' in shown[0].messages[-1]["content"]
    last = shown[-1]
    assert last.title == "How much are meals reimbursed per day?"
    assert [message["role"] for message in last.messages] == ["user", "assistant"]
    assert last == handlers.show(last.id, ada)
    stored = services.conversations.messages(handlers.user(ada), last.id)
    assert stored[-1].answer is not None
    assert "passage-1" in last.evidence


def test_a_follow_up_goes_into_the_same_conversation(handlers, request_of):
    ada = request_of("ada@example.com")
    first = collect(handlers.ask("How much are meals reimbursed per day?", "", None, ada))[-1]
    second = collect(handlers.ask("And hotels?", first.id, None, ada))[-1]
    assert second.id == first.id
    assert len(second.messages) == 4


@pytest.mark.parametrize("question", ["", "   \n", "x" * 1_000_000])
def test_a_question_that_cannot_be_asked_is_refused_with_a_sentence(handlers, services, request_of, question):
    ada = request_of("ada@example.com")
    view = collect(handlers.ask(question, "", None, ada))[-1]
    assert 'role="alert"' in view.messages[-1]["content"]
    assert len(view.messages[-2]["content"]) < 1000
    assert handlers.conversations(ada) == []


def test_another_persons_conversation_is_not_found_by_any_act(handlers, request_of):
    ada, bob = request_of("ada@example.com"), request_of("bob@example.com")
    mine = collect(handlers.ask("How much are meals reimbursed per day?", "", None, ada))[-1].id
    for act in (
        lambda: handlers.show(mine, bob),
        lambda: handlers.rename(mine, "mine now", bob),
        lambda: handlers.delete(mine, bob),
        lambda: collect(handlers.follow(mine, bob)),
        lambda: collect(handlers.ask("And hotels?", mine, None, bob)),
    ):
        with pytest.raises(NotFound):
            act()
    assert len(handlers.show(mine, ada).messages) == 2
    assert handlers.conversations(bob) == []


def test_nobody_acts_without_a_session(handlers, request_of):
    nobody = request_of(None)
    with pytest.raises(NotSignedIn):
        handlers.show("", nobody)
    with pytest.raises(NotSignedIn):
        collect(handlers.ask("How much?", "", None, nobody))


def test_a_conversation_can_be_renamed_and_deleted(handlers, request_of):
    ada = request_of("ada@example.com")
    view = collect(handlers.ask("How much are meals reimbursed per day?", "", None, ada))[-1]
    assert handlers.rename(view.id, "  Meals\n<b> ", ada).title == "Meals <b>"
    assert "&lt;b&gt;" in handlers.show(view.id, ada).heading
    assert handlers.delete(view.id, ada).id == ""
    assert handlers.conversations(ada) == []
    with pytest.raises(NotFound):
        handlers.show(view.id, ada)


def test_stopping_stores_what_was_written(handlers, services, request_of):
    ada = request_of("ada@example.com")

    async def ask_and_stop():
        views = []
        async for view in handlers.ask("How much are meals reimbursed per day?", "", None, ada):
            views.append(view)
            await handlers.stop(view.id, ada)
        return views[-1]

    last = asyncio.run(ask_and_stop())
    answer = services.conversations.messages(handlers.user(ada), last.id)[-1].answer
    assert answer is not None
    assert answer.kind == "stopped"
    assert "Stopped" in last.messages[-1]["content"]
