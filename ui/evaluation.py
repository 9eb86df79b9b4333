"""Asking a file of questions through the whole application, and scoring the answers with training's metrics.

A question is one JSON line: `id`, `kind`, `turns` (the last is scored, those before it are context), `answer`,
`accept`, `refuse`, `ask_back`, and `evidence`: documents with words that stand in them.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.records import Answered, AnswerRecord, Citation, User
from app.sample import sample_questions
from reasoning_core.response import Response
from retrieval.windows import window
from training.scoring import ScoredCase, score

if TYPE_CHECKING:
    from app.services import Services

SAMPLE = "sample"
BASELINE_CHARACTERS = 240


@dataclass(frozen=True, slots=True)
class Question:
    """One line of a question file."""

    id: str
    kind: str
    turns: tuple[str, ...]
    expected: str
    accepted: tuple[str, ...]
    evidence: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """One question's scores: the application's, and those of quoting the first passage found."""

    ours: ScoredCase
    baseline: ScoredCase


def load_questions(name: str) -> list[Question]:
    """Read a question file; `sample` is the one of the sample company.

    Raises:
        ValueError: there is no such file, or a line of it is not a question.
    """
    file = sample_questions() if name == SAMPLE else Path(name)
    if not file.is_file():
        raise ValueError(f"There is no question file {name}; name a JSONL file, or `sample`.")
    questions = []
    for number, line in enumerate(file.read_text("utf-8").splitlines(), start=1):
        if line.strip():
            try:
                questions.append(_question(json.loads(line)))
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"{name}, line {number} is not a question: {error}.") from error
    return questions


def ask_and_score(services: "Services", actor: User, question: Question) -> Asked:
    """Ask one question after its earlier turns, score the last answer, and leave no conversation behind."""
    conversation: str | None = None
    for turn in question.turns:
        record = _answered(services, actor, turn, conversation)
        conversation = record.conversation
    places = _places(services, actor, question)
    scored = _scored(question, record, places)
    services.conversations.delete(actor, record.conversation)
    return Asked(scored, _baseline(services, actor, question, places))


def figures(name: str, asked: Sequence[Asked]) -> dict[str, Any]:
    """The report of a question file: our figures, and the baseline's under `baseline`."""
    suite = name if name == SAMPLE else Path(name).stem
    ours = score(suite, [each.ours for each in asked])
    return ours | {"baseline": score("first passage quoted", [each.baseline for each in asked])}


def _question(line: dict[str, Any]) -> Question:
    expected = "refusal" if line.get("refuse") else "question" if line.get("ask_back") else "answer"
    return Question(
        id=str(line["id"]),
        kind=str(line["kind"]),
        turns=tuple(line["turns"]),
        expected=expected,
        accepted=(str(line["answer"]), *line.get("accept", ())),
        evidence=tuple((each["document"], each["quote"]) for each in line.get("evidence", ())),
    )


def _answered(services: "Services", actor: User, turn: str, conversation: str | None) -> AnswerRecord:
    for event in services.chat.ask(actor, turn, conversation):
        if isinstance(event, Answered):
            return event.record
    raise ValueError(f"the question {turn!r} got no answer")


def _places(services: "Services", actor: User, question: Question) -> list[tuple[str, int, int]]:
    """Where the expected evidence stands: document and byte range."""
    places = []
    for document, quote in question.evidence:
        data, words = services.documents.text(actor, document), quote.encode()
        start = data.find(words)
        if start >= 0:
            places.append((document, start, start + len(words)))
    return places


def _scored(question: Question, record: AnswerRecord, places: Sequence[tuple[str, int, int]]) -> ScoredCase:
    return ScoredCase(
        id=question.id,
        group=question.kind,
        expected=question.expected,
        accepted=question.accepted,
        given=record.kind,
        short_answer=Response((), record.text).short_answer if record.text.strip() else "",
        num_citations=len(record.citations),
        num_right_citations=sum(_is_right(citation, places) for citation in record.citations),
        num_lines=len(record.working),
        num_lines_that_hold=sum(line.holds for line in record.working),
        verified=record.kind == "answer" and record.verified,
        turn=len(question.turns),
        confidence=record.confidence,
        seconds=record.timings_ms.get("total", 0.0) / 1000,
    )


def _baseline(
    services: "Services", actor: User, question: Question, places: Sequence[tuple[str, int, int]]
) -> ScoredCase:
    """What quoting the sentences that match best in the first passage found would score."""
    hits = services.documents.search(actor, " ".join(question.turns), 1)
    text, right = "", 0
    for hit in hits:
        start, end = window(question.turns[-1], hit.text, BASELINE_CHARACTERS)
        text = hit.text[start:end].strip()
        right = int(any(hit.document == name and hit.start < b and a < hit.end for name, a, b in places))
    given = "answer" if hits else "refusal"
    return ScoredCase(
        id=question.id,
        group=question.kind,
        expected=question.expected,
        accepted=question.accepted,
        given=given,
        short_answer=text,
        num_citations=len(hits),
        num_right_citations=right,
        num_lines=0,
        num_lines_that_hold=0,
        verified=False,
    )


def _is_right(citation: Citation, places: Sequence[tuple[str, int, int]]) -> bool:
    return any(citation.document == name and citation.start < b and a < citation.end for name, a, b in places)
