"""The chat page: components above, wiring below; what is done stands in `chat_handlers`."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import gradio as gr

from app.records import User
from ui.chat_handlers import ChatHandlers
from ui.conversation_view import ConversationView, by_day, new_conversation
from ui.evidence import plain
from ui.page_edge import edge, streaming_edge
from ui.suggestions import EMPTY_STATE, suggestions

Updates = Mapping[Any, Any]
PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
ASKING = {"submit_btn": True, "stop_btn": False}
ANSWERING = {"submit_btn": False, "stop_btn": True}


class ChatPage:
    """The page for everybody who is signed in; it holds components, never anything of a person."""

    def __init__(self, handlers: ChatHandlers) -> None:
        self._handlers = handlers

    def build(self) -> gr.Blocks:
        """Return the page, ready to be mounted behind the guard."""
        with gr.Blocks(title="Precept", analytics_enabled=False, fill_width=True, fill_height=True) as page:
            self._conversation = gr.State("")
            self._selected = gr.State(("", 0))
            self._list_version = gr.State(0)
            self._lay_out_sidebar()
            with gr.Row(elem_id="desk", equal_height=False):
                with gr.Column(scale=3, min_width=320, elem_id="talk"):
                    self._lay_out_heading()
                    self._lay_out_talk()
                with gr.Column(scale=2, min_width=320, elem_id="evidence-column"):
                    self._evidence = _html(new_conversation().evidence)
            self._wire_talk(page)
            self._wire_heading()
        page.queue(max_size=256, default_concurrency_limit=64, api_open=False)
        return page

    def _lay_out_sidebar(self) -> None:
        with gr.Sidebar(open=False, width=288, elem_id="conversations") as self._drawer:
            _html('<p class="brand">Precept</p>')
            self._new = gr.Button("New chat", variant="primary", elem_id="new-chat")
            self._collection = gr.Dropdown(label="Search in", visible=False, interactive=True)
            self._list = gr.Column(elem_id="conversation-list")
            self._person = _html("", elem_id="person")

    def _lay_out_heading(self) -> None:
        with gr.Row(elem_id="heading"):
            self._title = _html(new_conversation().heading)
            self._rename = gr.Button("Rename", size="sm", visible=False, elem_classes="quiet-button")
            self._delete = gr.Button("Delete", size="sm", visible=False, elem_classes="quiet-button")
        with gr.Row(visible=False, elem_id="renaming") as self._renaming:
            self._new_title = gr.Textbox(label="New title", max_length=200, scale=3)
            self._save = gr.Button("Save", variant="primary", size="sm")
            self._keep_title = gr.Button("Cancel", size="sm")
        with gr.Row(visible=False, elem_id="deleting") as self._deleting:
            _html("<p>Delete this conversation and its answers for good?</p>")
            self._confirm = gr.Button("Delete for good", variant="stop", size="sm")
            self._keep = gr.Button("Keep it", size="sm")

    def _lay_out_talk(self) -> None:
        self._chat = gr.Chatbot(
            label="Conversation",
            show_label=False,
            container=False,
            height="100%",
            layout="bubble",
            placeholder=EMPTY_STATE,
            allow_tags=False,
            latex_delimiters=[],
            feedback_options=None,
            buttons=[],
            elem_id="chat",
        )
        self._question = gr.Textbox(
            label="Question",
            show_label=False,
            placeholder="Ask a question about your company’s documents",
            max_lines=8,
            submit_btn=True,
            autofocus=True,
            elem_id="question",
        )

    def _wire_talk(self, page: gr.Blocks) -> None:
        shown = [
            *(self._conversation, self._title, self._chat, self._evidence, self._question),
            *(self._rename, self._delete, self._renaming, self._deleting, self._list_version),
        ]
        everything = [*shown, self._person, self._collection, self._drawer]
        opened = page.load(streaming_edge(self._open), None, everything, **PRIVATE)
        asking = [self._question, self._conversation, self._collection]
        asked = self._question.submit(streaming_edge(self._ask), asking, shown, **PRIVATE)
        suggested = self._chat.example_select(
            streaming_edge(self._ask_suggestion), [self._conversation, self._collection], shown, **PRIVATE
        )
        selected = self._selected.change(
            streaming_edge(self._follow), [self._selected], [*shown, self._drawer], trigger_mode="multiple", **PRIVATE
        )
        watching = [opened, asked, suggested, selected]
        stopped = self._question.stop(edge(self._handlers.stop), self._conversation, None, **PRIVATE)
        stopped.then(edge(self._show), self._conversation, shown, cancels=watching, **PRIVATE)
        self._new.click(edge(self._select_new), None, self._selected, cancels=watching, **PRIVATE)
        self._wire_list(watching)

    def _wire_list(self, watching: Sequence[Any]) -> None:
        def draw(conversation: str, request: gr.Request) -> None:
            for day, conversations in by_day(self._handlers.conversations(request), datetime.now().astimezone().date()):
                _html(f'<h2 class="day">{day}</h2>')
                for each in conversations:
                    classes = ["conversation", *(["current"] if each.id == conversation else [])]
                    button = gr.Button(each.title, size="sm", elem_classes=classes)
                    chosen = gr.State(each.id)
                    button.click(edge(self._select), chosen, self._selected, cancels=list(watching), **PRIVATE)

        with self._list:
            gr.render(self._conversation, triggers=[self._list_version.change], show_progress="hidden")(edge(draw))

    def _wire_heading(self) -> None:
        changed = [self._title, self._renaming, self._list_version]
        self._rename.click(self._begin_renaming, None, [self._renaming, self._deleting], **PRIVATE)
        self._keep_title.click(_hide, None, self._renaming, **PRIVATE)
        saving = (edge(self._save_title), [self._conversation, self._new_title], changed)
        self._save.click(*saving, **PRIVATE)
        self._new_title.submit(*saving, **PRIVATE)
        self._delete.click(self._begin_deleting, None, [self._renaming, self._deleting], **PRIVATE)
        self._keep.click(_hide, None, self._deleting, **PRIVATE)
        self._confirm.click(edge(self._delete_for_good), self._conversation, self._selected, **PRIVATE)

    async def _open(self, request: gr.Request) -> AsyncIterator[Updates]:
        """Greet, then show the conversation that the address names."""
        user = self._handlers.user(request)
        collections = self._handlers.collections(request)
        yield {
            self._person: _person(user),
            self._collection: gr.Dropdown(
                choices=[("All documents", ""), *((name, name) for name in collections)],
                value="",
                visible=len(collections) > 1,
            ),
            self._drawer: gr.Sidebar(open=not _on_a_phone(request)),
            self._chat: gr.Chatbot(
                examples=[{"text": text} for text in suggestions(self._handlers.documents(request))]
            ),
        }
        async for updates in self._follow((request.query_params.get("c", ""), 0), request):
            yield {key: update for key, update in updates.items() if key is not self._drawer}

    async def _follow(self, selected: tuple[str, int], request: gr.Request) -> AsyncIterator[Updates]:
        shown, view = 0, new_conversation()
        async for view in self._handlers.follow(selected[0], request):
            updates = dict(self._updates(view, answering=False, listed=shown == 0))
            if shown == 0 and _on_a_phone(request):
                updates[self._drawer] = gr.Sidebar(open=False)
            if shown == 1:
                updates[self._question] = gr.Textbox(**ANSWERING)
            yield updates
            shown += 1
        if shown > 1:
            yield self._updates(view, answering=False, listed=True)

    async def _ask(
        self, question: str, conversation: str, collection: str | None, request: gr.Request
    ) -> AsyncIterator[Updates]:
        first, view = True, None
        async for view in self._handlers.ask(question, conversation, collection or None, request):
            updates = dict(self._updates(view, answering=True, listed=first))
            if first:
                updates[self._question] = gr.Textbox(value="", **ANSWERING)
            yield updates
            first = False
        if view is not None:
            yield self._updates(view, answering=False, listed=True)

    async def _ask_suggestion(
        self, conversation: str, collection: str | None, chosen: gr.SelectData, request: gr.Request
    ) -> AsyncIterator[Updates]:
        async for updates in self._ask(chosen.value["text"], conversation, collection, request):
            yield updates

    def _show(self, conversation: str, request: gr.Request) -> Updates:
        return self._updates(self._handlers.show(conversation, request), answering=False, listed=True)

    def _select(self, conversation: str) -> tuple[str, int]:
        """The moment makes choosing the same conversation again a change."""
        return conversation, time.monotonic_ns()

    def _select_new(self) -> tuple[str, int]:
        return self._select("")

    def _begin_renaming(self) -> Updates:
        return {self._renaming: gr.Row(visible=True), self._deleting: gr.Row(visible=False)}

    def _begin_deleting(self) -> Updates:
        return {self._renaming: gr.Row(visible=False), self._deleting: gr.Row(visible=True)}

    def _save_title(self, conversation: str, title: str, request: gr.Request) -> Updates:
        view = self._handlers.rename(conversation, title, request)
        return {
            self._title: view.heading,
            self._renaming: gr.Row(visible=False),
            self._list_version: time.monotonic_ns(),
        }

    def _delete_for_good(self, conversation: str, request: gr.Request) -> tuple[str, int]:
        self._handlers.delete(conversation, request)
        return self._select("")

    def _updates(self, view: ConversationView, *, answering: bool, listed: bool) -> Updates:
        """What changes on the page for this view; `listed` redraws the list of conversations too."""
        stored = bool(view.id)
        updates: dict[Any, Any] = {self._chat: view.messages, self._evidence: view.evidence}
        if listed:
            updates |= {
                self._conversation: view.id,
                self._title: view.heading,
                self._rename: gr.Button(visible=stored),
                self._delete: gr.Button(visible=stored),
                self._renaming: gr.Row(visible=False),
                self._deleting: gr.Row(visible=False),
                self._question: gr.Textbox(**(ANSWERING if answering else ASKING)),
                self._list_version: time.monotonic_ns(),
            }
        return updates


def _html(value: str, elem_id: str | None = None) -> gr.Markdown:
    """HTML of our own; gr.HTML would need `unsafe-eval`, gr.Markdown also sanitises it in the browser."""
    return gr.Markdown(value, latex_delimiters=[], elem_id=elem_id, container=False, padding=False)


def _on_a_phone(request: gr.Request) -> bool:
    """An open sidebar would cover the whole page there."""
    return "Mobi" in request.headers.get("user-agent", "")


def _hide() -> gr.Row:
    return gr.Row(visible=False)


def _person(user: User) -> str:
    role = f'<span class="quiet">{user.role.value}</span>'
    return f'<p><b>{plain(user.name)}</b> {role}<br><a class="sign-out" href="/sign-out">Sign out</a></p>'
