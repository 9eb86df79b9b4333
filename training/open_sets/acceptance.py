"""Whether the reader would accept a dialogue's answers: what it would refuse is not worth learning."""

from collections.abc import Mapping

from reasoning_core.grounding import citations, ungrounded
from reasoning_core.judgement import misfits
from reasoning_core.prompt import numbered
from reasoning_core.response import REFUSAL, Response, normalised, without_citations
from training.instructions import Dialogue, Exchange
from training.soundness import faults_of

_MAX_ANSWER_CHARACTERS = 240


def why_not(dialogue: Dialogue) -> str | None:
    """Return why a dialogue cannot be used, or None if it can."""
    if any(faults_of(dialogue)):
        return "a line of the working does not hold"
    turns = dialogue.turns()
    for number, exchange in enumerate(dialogue.exchanges, start=1):
        texts = {n: passage.text for n, passage in numbered(turns[:number]).items()}
        questions = [turn.question for turn in turns[:number]]
        if exchange.supervised and (reason := _why_not(exchange, texts, questions)):
            return reason
    return None


def _why_not(exchange: Exchange, texts: Mapping[int, str], questions: list[str]) -> str | None:
    if len(exchange.answer) > _MAX_ANSWER_CHARACTERS:
        return "the answer is long"
    if exchange.kind != "answer" or not texts or not exchange.working:
        return None  # without working it has the condition direct, under which the reader never asks
    response = Response(exchange.working, exchange.answer)
    found = citations(response, texts)
    reasons = {
        "nothing that is cited can be found": not found,
        "the answer holds a number or name that is not quoted": ungrounded(response, found, texts, questions),
        "the answer does not fit the question's form": misfits(response, questions[-1:]),
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def is_one_value(answer: str) -> bool:
    """Return whether an answer is read back whole as its short answer, and cannot be taken for something else."""
    short = Response((), f"{answer} [1].").short_answer
    fixed = answer.endswith("?") or answer == REFUSAL or without_citations(answer) != answer
    return bool(normalised(short)) and normalised(short) == normalised(answer) and not fixed
