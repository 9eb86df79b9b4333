"""What the chat page does when somebody acts on it, free of components.

Every method starts from the request's session cookie and the conversation's id; both are checked here, each time.
"""

import asyncio
from collections.abc import AsyncIterator

import gradio as gr
from starlette.concurrency import run_in_threadpool

from app.errors import AppError, InvalidRequest, NotSignedIn
from app.records import Conversation, User
from app.services import Services
from ui import conversation_view as view
from ui.conversation_view import ConversationView
from ui.live_answers import LiveAnswer, LiveAnswers
from ui.shell import session_token

STOP_PATIENCE_S = 5.0
TITLE_LIMIT = 200


class ChatHandlers:
    """The acts of the chat page over the application's services."""

    def __init__(self, services: Services, live: LiveAnswers) -> None:
        self._services = services
        self._live = live

    def user(self, request: gr.Request) -> User:
        """The person whose session this is.

        Raises:
            NotSignedIn: the session ended, also while the page was open.
        """
        user = self._services.identity.user_of(session_token(request.headers.get("cookie", "")))
        if user is None:
            raise NotSignedIn("Your session has ended; sign in again.")
        return user

    def conversations(self, request: gr.Request) -> list[Conversation]:
        return self._services.conversations.list(self.user(request))

    def collections(self, request: gr.Request) -> list[str]:
        return [collection.name for collection in self._services.documents.collections(self.user(request))]

    def documents(self, request: gr.Request) -> list[str]:
        return [document.name for document in self._services.documents.list(self.user(request))]

    def show(self, conversation: str, request: gr.Request) -> ConversationView:
        """Show a stored conversation; an empty id is a new one."""
        return self._stored(self.user(request), conversation)

    async def follow(self, conversation: str, request: gr.Request) -> AsyncIterator[ConversationView]:
        """Show a conversation and, where an answer is still being made in it, that answer to its end."""
        user = await run_in_threadpool(self.user, request)
        before = await run_in_threadpool(self._stored, user, conversation)
        yield before
        if answer := self._live.running(user, conversation):
            async for shown in self._watched(user, before, answer):
                yield shown

    async def ask(
        self, question: str, conversation: str, collection: str | None, request: gr.Request
    ) -> AsyncIterator[ConversationView]:
        """Ask in a conversation, or in a new one, and show the answer as it comes."""
        user = await run_in_threadpool(self.user, request)
        before = await run_in_threadpool(self._stored, user, conversation)
        try:
            before, answer = await run_in_threadpool(self._begin, user, question, before, collection)
        except AppError as error:
            yield view.refused(before, question[:TITLE_LIMIT], str(error))
            return
        async for shown in self._watched(user, before, answer):
            yield shown

    async def stop(self, conversation: str, request: gr.Request) -> None:
        """Stop the running answer and wait until what it wrote is stored."""
        user = await run_in_threadpool(self.user, request)
        if answer := self._live.stop(user, conversation):
            deadline = asyncio.get_running_loop().time() + STOP_PATIENCE_S
            while not answer.progress.finished and asyncio.get_running_loop().time() < deadline:
                await asyncio.sleep(0.02)

    def rename(self, conversation: str, title: str, request: gr.Request) -> ConversationView:
        user = self.user(request)
        if not title.strip():
            raise InvalidRequest("The title is empty; write a few words.")
        self._services.conversations.rename(user, conversation, " ".join(title.split())[:TITLE_LIMIT])
        return self._stored(user, conversation)

    def delete(self, conversation: str, request: gr.Request) -> ConversationView:
        user = self.user(request)
        self._live.stop(user, conversation)
        self._services.conversations.delete(user, conversation)
        return view.new_conversation()

    def _begin(
        self, user: User, question: str, before: ConversationView, collection: str | None
    ) -> tuple[ConversationView, LiveAnswer]:
        """Begin an answer; a conversation made for a question that is not taken is not kept."""
        if before.id:
            return before, self._live.start(user, question, before.id, collection)
        created = self._services.conversations.create(user, view.title_of(question) or "New chat")
        try:
            return view.stored(created, ()), self._live.start(user, question, created.id, collection)
        except AppError:
            self._services.conversations.delete(user, created.id)
            raise

    def _stored(self, user: User, conversation: str) -> ConversationView:
        if not conversation:
            return view.new_conversation()
        found = next((each for each in self._services.conversations.list(user) if each.id == conversation), None)
        history = self._services.conversations.messages(user, conversation)
        if found is None:
            return view.new_conversation()
        being_answered = self._live.running(user, conversation) is not None
        shown = [message for message in history if message.answer or message.error or not being_answered]
        return view.stored(found, shown)

    async def _watched(
        self, user: User, before: ConversationView, answer: LiveAnswer
    ) -> AsyncIterator[ConversationView]:
        async for progress in answer.watch():
            if not (progress.finished and progress.record):
                yield view.running(before, progress)
        if answer.progress.record:
            yield await run_in_threadpool(self._stored, user, before.id)
