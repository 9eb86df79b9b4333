"""The prompt layout: how passages, a question and a response become the spans of a conversation.

A prompt block is boq, condition tokens, each new passage (its marker, its number, its heading, its text), the
question, eoq; a response is the delimited working, the answer, eoa. Passages are numbered through the conversation:
one that was shown keeps its number and is not repeated. Training and serving both call this module (DESIGN 3.5).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reasoning_core.layout import Span, SpanKind
from reasoning_core.response import Response
from reasoning_core.tokenizer import CoreTokenizer

CONDITIONS = ("cot",)


@dataclass(frozen=True, slots=True)
class Passage:
    """What the core reads of one place in one document."""

    heading: str
    text: str


@dataclass(frozen=True, slots=True)
class Turn:
    """One question with the passages that are new in this turn, and its response once there is one."""

    passages: tuple[Passage, ...]
    question: str
    response: Response | None = None


def table_heading(heading: str, header_row: str) -> str:
    """Return the heading of rows that were cut out of a table: it names their columns, for the first row is not there.

    `header_row` is that first row as it stands in the table, with its bars.
    """
    return f"{heading}: {header_row.strip().strip('|').strip()}"


def table_columns(heading: str) -> str:
    """Return the first row of the table that a heading names the columns of, empty for another heading."""
    _, colon, columns = heading.rpartition(": ")
    return f"| {columns} |" if colon and " | " in columns else ""


def numbered(turns: Sequence[Turn]) -> Mapping[int, Passage]:
    """Return every passage shown in the conversation by its number, counted from 1."""
    shown = (passage for turn in turns for passage in turn.passages)
    return dict(enumerate(shown, start=1))


def spans(turns: Sequence[Turn], tokenizer: CoreTokenizer, conditions: Sequence[str] = CONDITIONS) -> list[Span]:
    """Return the conversation as spans: one prompt block for each turn, one response for each answered turn.

    Serving always opens a block with `CONDITIONS`; training data may be of another kind.
    """
    result: list[Span] = []
    first_number = 1
    for turn in turns:
        result.append(Span(SpanKind.PROMPT, tuple(_prompt_ids(turn, first_number, tokenizer, conditions))))
        first_number += len(turn.passages)
        if turn.response is not None:
            result.append(Span(SpanKind.RESPONSE, tuple(response_ids(turn.response, tokenizer))))
    return result


def response_ids(response: Response, tokenizer: CoreTokenizer) -> list[int]:
    """Return working, answer and end token; a response without working has no working delimiters."""
    ids: list[int] = []
    if response.working:
        ids += [tokenizer.work_start_id, *tokenizer.encode("\n".join(response.working)), tokenizer.work_end_id]
    return [*ids, *tokenizer.encode(response.answer), tokenizer.eoa_id]


def parse_response(ids: Sequence[int], tokenizer: CoreTokenizer) -> Response:
    """Read a finished or stopped response back from its ids."""
    tokens = list(ids)
    if tokens and tokens[-1] == tokenizer.eoa_id:
        tokens.pop()
    if not tokens or tokens[0] != tokenizer.work_start_id:
        return Response((), tokenizer.decode(tokens))
    end = tokens.index(tokenizer.work_end_id) if tokenizer.work_end_id in tokens else len(tokens)
    working = tokenizer.decode(tokens[1:end])
    return Response(tuple(line for line in working.split("\n") if line), tokenizer.decode(tokens[end + 1 :]))


def _prompt_ids(turn: Turn, first_number: int, tokenizer: CoreTokenizer, conditions: Sequence[str]) -> list[int]:
    ids = [tokenizer.boq_id, *tokenizer.condition_ids(conditions)]
    for number, passage in enumerate(turn.passages, start=first_number):
        heading = f" {passage.heading}\n" if passage.heading else "\n"
        ids += [tokenizer.passage_id, *tokenizer.encode(f"[{number}]{heading}{passage.text}\n")]
    return [*ids, tokenizer.question_id, *tokenizer.encode(turn.question), tokenizer.eoq_id]
