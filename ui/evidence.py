"""The evidence column and the answers, drawn as HTML that we escape ourselves.

Every text here comes from a person, a document or the core, so everything is escaped, and line ends are written as
character references: what reaches Gradio's Markdown is one line of our own elements, in which no Markdown is read.
"""

import re
from collections.abc import Iterable, Sequence
from html import escape
from urllib.parse import quote, urlencode

from app.records import AnswerRecord, Citation, EvidencePassage, WorkedLine

_CITATION = re.compile(r"\s?\[(\d+)\]")

KIND_NOTES = {
    "refusal": ("says-nothing", "The nearest passages are shown as evidence."),
    "question": ("asks", "Precept needs this detail before it can answer."),
    "quotation": ("quoted", "Quoted from the documents, not an answer: the written answer did not pass its checks."),
    "stopped": ("stopped", "Stopped. What was written so far has not been checked."),
}


def plain(text: str) -> str:
    """Escape `text` onto one line; a line end stays a line end where CSS keeps it."""
    return escape(text).replace("\r\n", "&#10;").replace("\n", "&#10;").replace("\r", "&#10;")


def answer_html(record: AnswerRecord) -> str:
    """One finished answer: its text with citations to click, and what the checks found."""
    known = {passage.n for passage in record.passages}
    if record.kind == "quotation":
        text = f'<blockquote class="said">{_cited_text(record.text, known)}</blockquote>'
    else:
        text = f'<p class="said">{_cited_text(record.text, known)}</p>'
    return f'<div class="answer">{text}{_note(record)}</div>'


def streaming_html(stage: str, text: str) -> str:
    """An answer while it is being made: the stage as a line, then the words as they come."""
    said = f'<p class="said">{plain(text)}</p>' if text else ""
    return f'<div class="answer"><p class="stage" role="status">{plain(stage)}</p>{said}</div>'


def error_html(sentence: str, error_id: str = "") -> str:
    """An error is shown as an error, never as a missing answer."""
    known_as = f' <span class="error-id">Error {escape(error_id)}</span>' if error_id else ""
    return f'<div class="answer"><p class="note fails" role="alert">{plain(sentence)}{known_as}</p></div>'


def evidence_html(record: AnswerRecord | None, earlier: Sequence[EvidencePassage] = ()) -> str:
    """The column beside the chat: the working, the passages of this answer, then the earlier ones."""
    if record is None:
        return _empty("Each answer’s sources appear here: the passages it read, the words it cites, and its working.")
    cited = {citation.n for citation in record.citations}
    shown = sorted(record.passages, key=lambda passage: (passage.n not in cited, passage.n))
    parts = [working_html(record.working)]
    if record.turns_left_out:
        parts.append(f'<p class="quiet">{_left_out(record.turns_left_out)}</p>')
    if record.kind == "refusal":
        parts.append('<p class="note says-nothing">None of these passages answers the question.</p>')
    parts += [passage_html(passage, record.citations, is_open=passage.n in cited) for passage in shown]
    if earlier:
        cards = "".join(passage_html(passage, ()) for passage in earlier)
        parts.append(f"<h3>Earlier in this conversation</h3>{cards}")
    if not record.passages and not earlier:
        parts.append('<p class="quiet">No passage was found for this question.</p>')
    return f'<section class="evidence"><h2>Evidence</h2>{"".join(parts)}{_made_by(record)}</section>'


def working_html(lines: Sequence[WorkedLine]) -> str:
    """Each line of the working with its verdict in words, because colour alone tells nothing to many."""
    if not lines:
        return ""
    items = "".join(_working_item(line) for line in lines)
    return f'<section class="working"><h3>Working</h3><ol>{items}</ol></section>'


def streaming_evidence_html(lines: Sequence[WorkedLine]) -> str:
    """The column while an answer is being made: its working, line by line as it is checked."""
    if not lines:
        return _empty("Looking for the passages that matter…")
    return f'<section class="evidence"><h2>Evidence</h2>{working_html(lines)}</section>'


def passage_html(passage: EvidencePassage, citations: Iterable[Citation], *, is_open: bool = False) -> str:
    """One numbered passage: the whole of it, what the core read of it, and the cited words marked."""
    cited = [citation for citation in citations if citation.n == passage.n]
    tick = '<span class="verdict holds">✓ cited words verified</span>' if cited else ""
    path = "".join(f"<span>{plain(heading)}</span>" for heading in passage.headings)
    return (
        f'<details class="passage" id="passage-{passage.n}"{" open" if is_open else ""}>'
        f'<summary><span class="number">{passage.n}</span><span class="source"><b>{plain(passage.title)}</b>'
        f'<span class="where">{path}</span></span>{tick}</summary>'
        f'<div class="text">{_marked(passage, cited)}</div>'
        f'<p class="facts"><span>{plain(passage.document)} · version {passage.version}</span> '
        f'<a href="{_document_link(passage, cited)}">Open document</a></p></details>'
    )


def document_url(document: str, version: int, start: int, end: int) -> str:
    """The address of a stored document with bytes `start` to `end` marked."""
    query = urlencode({"version": version, "start": start, "end": end})
    return f"/documents/{quote(document)}?{query}#cited"


def marked_html(data: bytes, spans: Iterable[tuple[int, int]]) -> str:
    """Escape UTF-8 `data` with the byte ranges in `spans` marked; overlapping ranges become one."""
    parts: list[str] = []
    position = 0
    for start, end in _merged(spans, len(data)):
        parts.append(plain(data[position:start].decode("utf-8", "replace")))
        parts.append(f"<mark>{plain(data[start:end].decode('utf-8', 'replace'))}</mark>")
        position = end
    return "".join(parts) + plain(data[position:].decode("utf-8", "replace"))


def _cited_text(text: str, known: set[int]) -> str:
    """Escape an answer and turn each [n] that names a shown passage into a link to its card."""
    parts: list[str] = []
    position = 0
    for match in _CITATION.finditer(text):
        n = int(match[1])
        if n in known:
            parts.append(plain(text[position : match.start()]))
            parts.append(f'&nbsp;<a class="cite" href="#passage-{n}" title="Show passage {n}">{n}</a>')
            position = match.end()
    return "".join(parts) + plain(text[position:])


def _left_out(turns: int) -> str:
    first = "The first question" if turns == 1 else f"The first {turns} questions"
    return f"{first} of this conversation no longer fit and were not read again."


def _note(record: AnswerRecord) -> str:
    if record.kind in KIND_NOTES:
        kind, sentence = KIND_NOTES[record.kind]
        return f'<p class="note {kind}">{sentence}</p>'
    if record.verified:
        return '<p class="note holds">✓ Citations and working checked</p>'
    problems = "; ".join(record.problems) or "a claim could not be traced to a passage"
    return f'<p class="note fails">✗ Not verified: {plain(problems)}</p>'


def _working_item(line: WorkedLine) -> str:
    verdict = "✓ holds" if line.holds else f"✗ does not hold{': ' + plain(line.reason) if line.reason else ''}"
    kind = "holds" if line.holds else "fails"
    return f'<li><code>{plain(line.line)}</code><span class="verdict {kind}">{verdict}</span></li>'


def _marked(passage: EvidencePassage, cited: Sequence[Citation]) -> str:
    """The whole passage; what the core did not read of it is quieter, what the answer cites is marked."""
    data = passage.text.rstrip().encode()
    read_start = max(0, passage.window_start - passage.start)
    read_end = min(len(data), passage.window_end - passage.start)
    parts: list[str] = []
    for start, end, kind in (
        (0, read_start, "unread"),
        (read_start, read_end, "read"),
        (read_end, len(data), "unread"),
    ):
        if start < end:
            first = passage.start + start
            inside = marked_html(data[start:end], ((each.start - first, each.end - first) for each in cited))
            parts.append(f'<span class="{kind}">{inside}</span>')
    return "".join(parts)


def _document_link(passage: EvidencePassage, cited: Sequence[Citation]) -> str:
    start = min((citation.start for citation in cited), default=passage.start)
    end = max((citation.end for citation in cited), default=passage.end)
    return escape(document_url(passage.document, passage.version, start, end))


def _made_by(record: AnswerRecord) -> str:
    total_ms = record.timings_ms.get("total", sum(record.timings_ms.values()))
    return (
        f'<p class="made-by">Core {plain(record.core)} · {total_ms / 1000:.1f} s · answer {plain(str(record.id))}</p>'
    )


def _empty(sentence: str) -> str:
    return f'<section class="evidence"><h2>Evidence</h2><p class="quiet">{sentence}</p></section>'


def _merged(spans: Iterable[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted((max(0, start), min(length, end)) for start, end in spans):
        if start >= end:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
