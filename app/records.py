"""What the services hand out: frozen records, free of rows and sessions.

Offsets of citations, windows and hits count bytes of the document's stored UTF-8 text.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any


class Role(StrEnum):
    """What a person is in the company."""

    EMPLOYEE = "employee"
    ADMIN = "admin"
    ENGINEER = "engineer"


class Permission(StrEnum):
    """One thing that a role may allow, as it is said in a refusal: "may not ..."."""

    CHAT = "ask questions"
    MANAGE_DOCUMENTS = "manage documents"
    MANAGE_USERS = "manage people"
    MANAGE_CORES = "manage cores"
    READ_AUDIT = "read the audit log"


@dataclass(frozen=True, slots=True)
class User:
    """A person with an account, or the local operator of the command line."""

    id: int
    email: str
    name: str
    role: Role
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Collection:
    """Documents that the same people may read."""

    name: str
    everyone: bool
    documents: int


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it is listed: its latest version."""

    name: str
    title: str
    collection: str
    version: int
    media_type: str
    size_bytes: int
    chunks: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a document, in force from `created_at` until `superseded_at`; None for the newest."""

    version: int
    title: str
    sha256: str
    size_bytes: int
    created_at: datetime
    superseded_at: datetime | None


@dataclass(frozen=True, slots=True)
class Folder:
    """A synced folder as it is listed; `problem` says why the last look changed nothing."""

    path: str
    prefix: str
    collection: str
    watched: bool
    documents: int
    looked_at: datetime | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class JobEntry:
    """A piece of durable work as it is listed; its state is queued, running, done, failed or cancelled.

    `done` of `total` count within the stage, `status` is what became of the file, `error` why it failed.
    """

    id: int
    kind: str
    name: str
    collection: str
    state: str
    stage: str | None
    done: int | None
    total: int | None
    status: str | None
    error: str | None
    attempts: int
    created_by: str
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of one file; `error` says why it failed.

    Its status is added, updated, unchanged, failed, cancelled or queued; of a synced folder also moved or removed,
    skipped where it is no file of its own, or waiting while somebody writes it.
    """

    path: str
    status: str
    chunks: int
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """One passage that a search found."""

    document: str
    version: int
    start: int
    end: int
    score: float
    text: str
    headings: tuple[str, ...]
    title: str = ""
    version_id: int = 0


@dataclass(frozen=True, slots=True)
class Citation:
    """Words of a document; `quote` is exactly its bytes `start` to `end`."""

    n: int
    document: str
    version: int
    start: int
    end: int
    quote: str


@dataclass(frozen=True, slots=True)
class WorkedLine:
    """One line of the working with the checker's verdict."""

    line: str
    holds: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class EvidencePassage:
    """A numbered passage: the whole chunk as `text`, and the window of it that the core read."""

    n: int
    document: str
    version: int
    title: str
    headings: tuple[str, ...]
    start: int
    end: int
    text: str
    window_start: int
    window_end: int


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """What the try that became the answer has cost; `cached` tokens of the prompt were not computed again."""

    prompt: int = 0
    cached: int = 0
    written: int = 0


@dataclass(frozen=True, slots=True)
class AnswerRecord:
    """An answer as it is stored and shown; `kind` is answer, refusal, question, quotation or stopped.

    `passages` are those found for this question, and earlier ones that it cites. `confidence` is the reader's, None
    where nothing was read or the core does not tell it. `turns_left_out` of the oldest turns were not read again.
    """

    id: int
    conversation: str
    question: str
    text: str
    kind: str
    refused: bool
    verified: bool
    problems: tuple[str, ...]
    citations: tuple[Citation, ...]
    working: tuple[WorkedLine, ...]
    passages: tuple[EvidencePassage, ...]
    core: str
    index_generation: int
    timings_ms: dict[str, float] = field(default_factory=dict)
    confidence: float | None = None
    turns_left_out: int = 0
    tokens: TokenCounts = field(default_factory=TokenCounts)


@dataclass(frozen=True, slots=True)
class Message:
    """One question of a conversation with its answer; `answer` is None while it is being made, or when that failed."""

    id: int
    question: str
    answer: AnswerRecord | None
    asked_at: datetime
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    id: str
    title: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Stage:
    """What an answer is being made of now: searching, reading or checking."""

    name: str


@dataclass(frozen=True, slots=True)
class Delta:
    """Text to append to the answer shown so far; it is not yet checked.

    With `restart` the text shown so far is dropped: the core tries again.
    """

    text: str
    restart: bool = False


@dataclass(frozen=True, slots=True)
class Worked:
    """A line of the working, as soon as it is checked."""

    line: str
    holds: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """The end of an answer."""

    record: AnswerRecord


ChatEvent = Stage | Delta | Worked | Answered


@dataclass(frozen=True, slots=True)
class CoreEntry:
    """One registered core; `serving` marks the one that answers."""

    name: str
    path: Path
    serving: bool
    parameters: int
    sha256: str


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """An API key as it is listed; its secret was shown once."""

    id: int
    name: str
    prefix: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked: bool


@dataclass(frozen=True, slots=True)
class AuditEntry:
    at: datetime
    who: str
    action: str
    subject: str
    detail: dict[str, Any]
