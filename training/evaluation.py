"""Asking a core the questions of a suite, by the very reader that serves (DESIGN 4), and scoring the answers.

Each exchange is one case; the history given to the reader is the expected one, so that a mistake is counted once.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from reasoning_core.prompt import Turn
from reasoning_core.reader import Answer, Reader
from reasoning_core.response import Response
from training.case_file import CaseFile
from training.instructions import Dialogue, Exchange
from training.scoring import ScoredCase
from training.suites import unit_of, variant_of


def evaluate(
    reader: Reader,
    dialogues: Iterable[Dialogue],
    on_case: Callable[[ScoredCase], None],
    kept: CaseFile | None = None,
) -> list[ScoredCase]:
    """Ask every question of the dialogues and return the scored cases; those that are `kept` are not asked again."""
    cases = []
    for dialogue in dialogues:
        for turn in range(1, len(dialogue.exchanges) + 1):
            case = kept.find(dialogue, turn) if kept else None
            if case is None:
                case = _asked(reader, dialogue, turn)
                if kept:
                    kept.keep(dialogue, turn, case)
            on_case(case)
            cases.append(case)
    return cases


def scored(case_id: str, exchange: Exchange, answer: Answer) -> ScoredCase:
    """Hold one answer against what its exchange expects."""
    expected = Response(exchange.working, exchange.answer)
    gold = set(expected.cited)
    given = answer.citations if answer.kind == "answer" else ()
    return ScoredCase(
        id=case_id,
        group=exchange.family,
        expected=exchange.kind,
        accepted=(expected.short_answer,),
        given=answer.kind,
        short_answer=answer.response.short_answer,
        num_citations=len(given),
        num_right_citations=sum(citation.n in gold for citation in given),
        num_lines=len(answer.working),
        num_lines_that_hold=sum(verdict.holds for verdict in answer.working),
        verified=answer.verified,
        confidence=answer.confidence,
        num_tokens=answer.new_tokens,
        text=answer.text,
        working=answer.working,
        problems=answer.problems,
    )


def _asked(reader: Reader, dialogue: Dialogue, turn: int) -> ScoredCase:
    """Ask one question after the expected turns before it."""
    history: tuple[Turn, ...] = dialogue.turns()[: turn - 1]
    asked = dialogue.turns()[turn - 1]
    started = time.perf_counter()
    *_, last = reader.read(history, asked.question, asked.passages)
    seconds = time.perf_counter() - started
    assert isinstance(last, Answer)
    case = scored(f"{dialogue.id}#{turn}", dialogue.exchanges[turn - 1], last)
    return replace(case, dialogue=unit_of(dialogue), turn=turn, variant=variant_of(dialogue), seconds=round(seconds, 3))
