"""Conversations: a person's own, and nobody else's, whatever their role."""

import secrets
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import audit
from app.answers import answer_records
from app.database import Database, utc_now
from app.errors import InvalidRequest, NotFound
from app.identity import current_user
from app.names import clean_text, plain_line
from app.records import Conversation, Message, User
from app.schema import Feedback, StoredConversation, StoredMessage

TITLE_CHARS = 120
_COMMENT_CHARS = 2000


class Conversations:
    """Reading and arranging one's conversations; `app.chat` adds to them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self, actor: User) -> list[Conversation]:
        """Return a person's conversations, the newest first."""
        with self._database.read() as session:
            rows = session.scalars(
                select(StoredConversation)
                .where(StoredConversation.user_id == current_user(session, actor).id)
                .order_by(StoredConversation.updated_at.desc(), StoredConversation.id)
            )
            return [_as_conversation(row) for row in rows]

    def create(self, actor: User, title: str) -> Conversation:
        with self._database.write() as session:
            current_user(session, actor)
            row = new_conversation(session, actor, title)
            return _as_conversation(row)

    def messages(self, actor: User, conversation_id: str) -> Sequence[Message]:
        """Return the questions and answers in order; passages that were removed, or closed to them, are left out."""
        with self._database.read() as session:
            actor = current_user(session, actor)
            owned_conversation(session, actor, conversation_id)
            rows = session.scalars(
                select(StoredMessage).where(StoredMessage.conversation_id == conversation_id).order_by(StoredMessage.id)
            ).all()
            answers = answer_records(session, actor, rows)
            return [Message(row.id, row.question, answers.get(row.id), row.asked_at, row.error) for row in rows]

    def rename(self, actor: User, conversation_id: str, title: str) -> None:
        title = plain_line(title, "title", TITLE_CHARS)
        with self._database.write() as session:
            owned_conversation(session, current_user(session, actor), conversation_id).title = title

    def delete(self, actor: User, conversation_id: str) -> None:
        """Delete a conversation with everything in it."""
        with self._database.write() as session:
            session.delete(owned_conversation(session, current_user(session, actor), conversation_id))
            audit.record(session, actor, "conversation.delete", conversation_id)

    def rate(self, actor: User, message_id: int, *, liked: bool, comment: str = "") -> None:
        """Keep what a person thinks of an answer of theirs; the newest opinion counts."""
        comment = clean_text(comment)
        if len(comment) > _COMMENT_CHARS:
            raise InvalidRequest(f"The comment has {len(comment)} characters: use at most {_COMMENT_CHARS}.")
        with self._database.write() as session:
            actor = current_user(session, actor)
            row = session.get(StoredMessage, message_id)
            if row is None:
                raise NotFound(f"There is no answer {message_id}.")
            owned_conversation(session, actor, row.conversation_id, f"answer {message_id}")
            rated = Feedback(message_id=message_id, user_id=actor.id, liked=liked, comment=comment, at=utc_now())
            session.merge(rated)


def new_conversation(session: Session, actor: User, title: str) -> StoredConversation:
    """Add a conversation, titled by its first words."""
    words = " ".join(clean_text(title).split())
    now = utc_now()
    row = StoredConversation(
        id=secrets.token_hex(16),
        user_id=actor.id,
        title=words if len(words) <= TITLE_CHARS else f"{words[: TITLE_CHARS - 1]}…",
        created_at=now,
        updated_at=now,
    )
    session.add(row)
    session.flush()
    return row


def owned_conversation(session: Session, actor: User, conversation_id: str, what: str = "") -> StoredConversation:
    """Return a person's own conversation.

    Raises:
        NotFound: there is none, or it is somebody else's; which of them is not said.
    """
    row = session.get(StoredConversation, conversation_id[:32])
    if row is None or row.user_id != actor.id or row.id != conversation_id:
        raise NotFound(f"There is no {what or 'conversation ' + repr(conversation_id[:40])}.")
    return row


def _as_conversation(row: StoredConversation) -> Conversation:
    return Conversation(row.id, row.title, row.created_at, row.updated_at)
