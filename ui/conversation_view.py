"""What a conversation looks like: its messages, its evidence, its heading, and the list of all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypedDict

from app.records import AnswerRecord, Conversation, EvidencePassage, Message
from ui.evidence import answer_html, error_html, evidence_html, plain, streaming_evidence_html, streaming_html
from ui.live_answers import Progress

LISTED_CONVERSATIONS = 60
TITLE_CHARACTERS = 60


class ChatMessage(TypedDict):
    """One bubble, as Gradio takes it."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class ConversationView:
    """A conversation ready to be shown; `id` is empty for one that has no question yet."""

    id: str
    title: str
    messages: list[ChatMessage]
    evidence: str

    @property
    def heading(self) -> str:
        """The page's one first-level heading; the page's script reads the address from its id."""
        return f'<h1 class="here" id="conversation-{plain(self.id)}">{plain(self.title)}</h1>'


def new_conversation() -> ConversationView:
    return ConversationView("", "New chat", [], evidence_html(None))


def stored(conversation: Conversation, history: Sequence[Message]) -> ConversationView:
    """Show a conversation as the database has it."""
    messages = [bubble for message in history for bubble in _bubbles(message)]
    answers = [message.answer for message in history if message.answer]
    evidence = evidence_html(answers[-1], _earlier(answers)) if answers else evidence_html(None)
    return ConversationView(conversation.id, conversation.title, messages, evidence)


def running(before: ConversationView, progress: Progress) -> ConversationView:
    """Show a conversation with an answer in the making below it."""
    messages = [*before.messages, _asked(progress.question), _said(_live_answer(progress))]
    return ConversationView(before.id, before.title, messages, _live_evidence(progress))


def refused(before: ConversationView, question: str, sentence: str) -> ConversationView:
    """Show a question that was not taken, and why."""
    messages = [*before.messages, _asked(question), _said(error_html(sentence))]
    return ConversationView(before.id, before.title, messages, before.evidence)


def title_of(question: str) -> str:
    """Name a conversation after its first question."""
    words = " ".join(question.split())
    return words if len(words) <= TITLE_CHARACTERS else words[: TITLE_CHARACTERS - 1].rsplit(" ", 1)[0] + "…"


def by_day(conversations: Sequence[Conversation], today: date) -> list[tuple[str, list[Conversation]]]:
    """Group the latest conversations under the days people think in, newest first."""
    groups: dict[str, list[Conversation]] = {}
    newest_first = sorted(conversations, key=lambda conversation: conversation.updated_at, reverse=True)
    for conversation in newest_first[:LISTED_CONVERSATIONS]:
        day = conversation.updated_at.astimezone().date()
        groups.setdefault(_day_name(day, today), []).append(conversation)
    return list(groups.items())


def _day_name(day: date, today: date) -> str:
    if day >= today:
        return "Today"
    if day == today - timedelta(days=1):
        return "Yesterday"
    if day > today - timedelta(days=7):
        return "Previous 7 days"
    return "Older"


def _bubbles(message: Message) -> list[ChatMessage]:
    bubbles = [_asked(message.question)]
    if message.answer:
        bubbles.append(_said(answer_html(message.answer)))
    elif message.error:
        bubbles.append(_said(error_html(message.error)))
    return bubbles


def _asked(question: str) -> ChatMessage:
    return {"role": "user", "content": f'<p class="asked">{plain(question)}</p>'}


def _said(html: str) -> ChatMessage:
    return {"role": "assistant", "content": html}


def _live_answer(progress: Progress) -> str:
    if progress.record:
        return answer_html(progress.record)
    if progress.refusal:
        return error_html(progress.refusal, progress.error_id)
    return streaming_html(progress.stage, progress.text)


def _live_evidence(progress: Progress) -> str:
    if progress.record:
        return evidence_html(progress.record)
    return streaming_evidence_html(progress.working)


def _earlier(answers: Sequence[AnswerRecord]) -> list[EvidencePassage]:
    """Passages of earlier answers that the last one does not show again, in their order."""
    shown = {passage.n for passage in answers[-1].passages}
    earlier = {passage.n: passage for answer in answers[:-1] for passage in answer.passages if passage.n not in shown}
    return [earlier[n] for n in sorted(earlier)]
