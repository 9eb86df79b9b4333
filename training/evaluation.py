"""Suites of held-out dialogues, read by the very reader that serves (DESIGN 4), and scored.

A suite is a split of the generator with a fixed seed, or a file of dialogues. Each exchange is one case; the history
given to the reader is the expected one, so that a mistake is counted once.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from reasoning_core.prompt import Turn
from reasoning_core.reader import Answer, Reader
from reasoning_core.response import Response
from training.generator import generate
from training.instructions import Dialogue, Exchange, read_dialogues
from training.rulebook import load_rulebooks
from training.scoring import ScoredCase

SUITES = ("values", "entities", "phrasings", "families", "turns", "refusal", "ask-back", "counterfactual")
_SEED = 20_260_523


def load_suite(name: str, limit: int) -> list[Dialogue]:
    """Return the dialogues of a named suite, or of a JSONL file, until they hold `limit` questions.

    Raises:
        ValueError: neither a suite nor a file.
    """
    if name in SUITES:
        return list(_until(generate(load_rulebooks(None), limit, _SEED, name), limit))
    if not Path(name).is_file():
        raise ValueError(f"unknown suite {name!r}: use one of {', '.join(SUITES)}, or a JSONL file of dialogues")
    return list(_until(read_dialogues(Path(name)), limit))


def evaluate(reader: Reader, dialogues: Iterable[Dialogue], on_case: Callable[[ScoredCase], None]) -> list[ScoredCase]:
    """Ask every question of the dialogues and return the scored cases."""
    cases = []
    for dialogue in dialogues:
        history: list[Turn] = []
        for number, (exchange, turn) in enumerate(zip(dialogue.exchanges, dialogue.turns(), strict=True), start=1):
            *_, last = reader.read(history, turn.question, turn.passages)
            assert isinstance(last, Answer)
            case = scored(f"{dialogue.id}#{number}", exchange, last)
            on_case(case)
            cases.append(case)
            history.append(turn)
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
    )


def _until(dialogues: Iterable[Dialogue], limit: int) -> Iterator[Dialogue]:
    questions = 0
    for dialogue in dialogues:
        if questions >= limit:
            return
        questions += len(dialogue.exchanges)
        yield dialogue
