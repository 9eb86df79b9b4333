"""The rows: SQL is the truth, and every index is rebuilt from what stands here.

Primary keys of documents and chunks are never used twice (`sqlite_autoincrement`), because indexes and stored answers
refer to them after the rows are gone. The keyword tables are no part of this: `app.keywords` owns them as a cache.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[datetime]):
    """An instant in UTC; SQLite forgets the zone, so it is put back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value} has no time zone; store instants in UTC")
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        instant: datetime = value
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map = {  # noqa: RUF012 - read once by SQLAlchemy
        datetime: UtcDateTime,
        dict[str, Any]: JSON().with_variant(JSONB, "postgresql"),
        list[str]: JSON().with_variant(JSONB, "postgresql"),
        bytes: LargeBinary,
    }


class UserAccount(Base):
    """A person; the local operator is the row without a password."""

    __tablename__ = "user_account"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(20))
    password_hash: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class SignInSession(Base):
    """A signed-in browser; only the SHA-256 of its token is kept."""

    __tablename__ = "sign_in_session"

    token_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class ApiKey(Base):
    """A key for programs; only the SHA-256 of its secret is kept."""

    __tablename__ = "api_key"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    prefix: Mapped[str] = mapped_column(String(16))
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class SignInAttempt(Base):
    """A failed sign-in, by account name and by address, until its window has passed."""

    __tablename__ = "sign_in_attempt"
    __table_args__ = (Index("ix_sign_in_attempt_key_at", "key", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(300))
    at: Mapped[datetime]


class Setting(Base):
    """A value the application itself keeps: the index generation, the hash of the first-run token."""

    __tablename__ = "setting"

    name: Mapped[str] = mapped_column(String(50), primary_key=True)
    value: Mapped[str] = mapped_column(String(1000))


class DocumentCollection(Base):
    """Documents that the same people may read: everyone, or its readers."""

    __tablename__ = "collection"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    everyone: Mapped[bool]
    created_at: Mapped[datetime]


class CollectionReader(Base):
    """A person who may read a collection that is not for everyone."""

    __tablename__ = "collection_reader"

    collection_id: Mapped[int] = mapped_column(ForeignKey("collection.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True)


class StoredDocument(Base):
    """A document by its name; `job_id` is the newest job that published a version of it."""

    __tablename__ = "document"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(500), unique=True)
    collection_id: Mapped[int] = mapped_column(ForeignKey("collection.id"), index=True)
    version: Mapped[int]
    job_id: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class DocumentVersion(Base):
    """The text of one version, in force from `created_at` until `superseded_at`; None while it is the newest."""

    __tablename__ = "document_version"
    __table_args__ = (UniqueConstraint("document_id", "version"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("document.id", ondelete="CASCADE"))
    version: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    title: Mapped[str] = mapped_column(String(300))
    media_type: Mapped[str] = mapped_column(String(100))
    text: Mapped[bytes]
    size_bytes: Mapped[int]
    created_at: Mapped[datetime]
    superseded_at: Mapped[datetime | None]


class StoredChunk(Base):
    """Bytes `start` to `end` of a text in force; `vector` is float16, of the embedder named beside it.

    Only newest versions have rows here, and every index holds just these: what is superseded cannot answer.
    """

    __tablename__ = "chunk"
    __table_args__ = (Index("ix_chunk_embedder", "embedder"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("document_version.id", ondelete="CASCADE"), index=True)
    collection_id: Mapped[int] = mapped_column(ForeignKey("collection.id"), index=True)
    start: Mapped[int]
    end: Mapped[int]
    headings: Mapped[list[str]]
    vector: Mapped[bytes | None]
    embedder: Mapped[str | None] = mapped_column(String(100))


class PastChunk(Base):
    """A chunk of a superseded version, moved here when the next one was published; for searches as of a date."""

    __tablename__ = "past_chunk"

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("document_version.id", ondelete="CASCADE"), index=True)
    start: Mapped[int]
    end: Mapped[int]
    headings: Mapped[list[str]]
    vector: Mapped[bytes | None]
    embedder: Mapped[str | None] = mapped_column(String(100))


class SyncedFolder(Base):
    """A folder whose files are documents called `prefix`/path; a worker looks at a watched one every few seconds.

    `problem` is why the last look changed nothing.
    """

    __tablename__ = "synced_folder"

    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(String(1000), unique=True)
    prefix: Mapped[str] = mapped_column(String(400), unique=True)
    collection_id: Mapped[int] = mapped_column(ForeignKey("collection.id"))
    watched: Mapped[bool]
    created_by: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    looked_at: Mapped[datetime | None]
    problem: Mapped[str | None] = mapped_column(String(500))


class SyncedFile(Base):
    """A file of a synced folder as it was read last; `document_id` is None where nothing stands for it.

    `error` is why it could not be read. A file whose document was removed by hand stays without one until it changes.
    """

    __tablename__ = "synced_file"

    folder_id: Mapped[int] = mapped_column(ForeignKey("synced_folder.id", ondelete="CASCADE"), primary_key=True)
    path: Mapped[str] = mapped_column(String(1000), primary_key=True)
    document_id: Mapped[int | None] = mapped_column(ForeignKey("document.id", ondelete="SET NULL"), unique=True)
    sha256: Mapped[str | None] = mapped_column(String(64))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    modified_ns: Mapped[int] = mapped_column(BigInteger)
    error: Mapped[str | None] = mapped_column(String(2000))


class Job(Base):
    """One piece of durable work; `fence` grows with each claim, and a worker with an older one may write nothing.

    `steps_done` of `steps` count within the stage; `cancelled_by` is the account that asked for the end.
    """

    __tablename__ = "job"
    __table_args__ = (
        Index("ix_job_state_id", "state", "id"),
        Index(
            "uq_job_active_key",
            "key",
            unique=True,
            sqlite_where=text("state IN ('queued', 'running')"),
            postgresql_where=text("state IN ('queued', 'running')"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(30))
    key: Mapped[str] = mapped_column(String(64))
    payload: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(10))
    attempts: Mapped[int]
    fence: Mapped[int]
    owner: Mapped[str | None] = mapped_column(String(200))
    lease_until: Mapped[datetime | None]
    result: Mapped[dict[str, Any] | None]
    error: Mapped[str | None] = mapped_column(String(2000))
    created_by: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    stage: Mapped[str | None] = mapped_column(String(10))
    steps_done: Mapped[int | None]
    steps: Mapped[int | None]
    cancelled_by: Mapped[int | None]


class StoredConversation(Base):
    __tablename__ = "conversation"
    __table_args__ = (Index("ix_conversation_user_id_updated_at", "user_id", "updated_at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class StoredMessage(Base):
    """A question with its answer; `answer` refers to document texts by version and bytes and holds none of them."""

    __tablename__ = "message"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012

    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversation.id", ondelete="CASCADE"), index=True)
    question: Mapped[str]
    state: Mapped[str] = mapped_column(String(10))
    owner: Mapped[str] = mapped_column(String(200))
    answer: Mapped[dict[str, Any] | None]
    error: Mapped[str | None] = mapped_column(String(500))
    asked_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]


class Feedback(Base):
    """What a person thinks of an answer of theirs; one opinion each, the newest counts."""

    __tablename__ = "feedback"

    message_id: Mapped[int] = mapped_column(ForeignKey("message.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True)
    liked: Mapped[bool]
    comment: Mapped[str] = mapped_column(String(2000))
    at: Mapped[datetime]


class ImportedCore(Base):
    """A checkpoint folder under the home."""

    __tablename__ = "core"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    folder: Mapped[str] = mapped_column(String(1000))
    sha256: Mapped[str] = mapped_column(String(64))
    parameters: Mapped[int]
    imported_at: Mapped[datetime]


class Promotion(Base):
    """Which core served from when; the newest row that is not rolled back serves."""

    __tablename__ = "promotion"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012

    id: Mapped[int] = mapped_column(primary_key=True)
    core: Mapped[str] = mapped_column(String(100))
    at: Mapped[datetime]
    rolled_back_at: Mapped[datetime | None]


class AuditEvent(Base):
    """Who changed what; triggers refuse to change or delete a row."""

    __tablename__ = "audit_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    user_id: Mapped[int | None]
    who: Mapped[str] = mapped_column(String(254))
    action: Mapped[str] = mapped_column(String(50))
    subject: Mapped[str] = mapped_column(String(500))
    detail: Mapped[dict[str, Any]]
