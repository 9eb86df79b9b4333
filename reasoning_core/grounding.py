"""Where an answer's facts come from: citations to the character, and numbers, dates and names to their source.

A citation `[n]` is worth what the working quotes of passage n; an answer without working is held to the sentence of
passage n that it repeats. A number, date or name in the answer is grounded iff it stands in a cited quote, in a
question of the conversation, or in a line of the working that holds.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reasoning_core.response import Response, without_citations
from reasoning_core.words import content_words, sentence_spans
from reasoning_core.working import numbers_in, parse_quote, spellings

_VERDICT = re.compile(r"(yes|no)\b", re.I)
_PUNCTUATION = ".,;:!?()[]\"'$"
_NAME = re.compile(r"(?<![.?!]\s)(?<!^)\b[A-Z][\w'-]+")


@dataclass(frozen=True, slots=True)
class PassageCitation:
    """Characters `start` to `end` of the text of passage `n`, cited as evidence."""

    n: int
    start: int
    end: int


def citations(response: Response, passages: Mapping[int, str]) -> tuple[PassageCitation, ...]:
    """Return the places that the response cites; what cannot be found is not a citation."""
    found: list[PassageCitation] = []
    quoted: set[int] = set()
    for line in response.working:
        quote = parse_quote(line)
        if quote is None or quote.n not in passages:
            continue
        start = passages[quote.n].find(quote.words)
        if start >= 0:
            found.append(PassageCitation(quote.n, start, start + len(quote.words)))
            quoted.add(quote.n)
    for n in response.cited:
        if n in passages and n not in quoted and (span := _repeated_sentence(response.answer, passages[n])):
            found.append(PassageCitation(n, *span))
    return tuple(dict.fromkeys(found))


def ungrounded(
    response: Response, found: Sequence[PassageCitation], passages: Mapping[int, str], questions: Sequence[str]
) -> tuple[str, ...]:
    """Return the numbers, dates and names of the answer that no source holds."""
    claims = [line for line in response.working if parse_quote(line) is None]
    evidence = [passages[c.n][c.start : c.end] for c in found]
    source_text = "\n".join((*evidence, *questions))
    sourced = {_plain(value) for value in spellings(source_text)}
    missing: list[str] = []
    for line in claims:
        operands, results = _operands_and_results(line)
        missing += [value for value in operands if _plain(value) not in sourced]
        sourced |= {_plain(value) for value in spellings("\n".join(results))}
    answer = without_citations(response.answer)
    missing += [value for value in numbers_in(answer) if _plain(value) not in sourced]
    # A name may stand beside the quote: "Signvault is our tool for time sheets".
    read = "\n".join((*(passages[c.n][slice(*sentence_span(passages[c.n], c))] for c in found), source_text)).casefold()
    named = [*_NAME.findall(answer), *_words_of_a_value(response.short_answer)]
    missing += [name for name in named if not re.search(rf"(?<!\w){re.escape(name.casefold())}(?!\w)", read)]
    return tuple(dict.fromkeys(missing))


def sentence_span(text: str, citation: PassageCitation) -> tuple[int, int]:
    """Return where the whole sentences, items or rows lie that the cited characters are part of."""
    spans = [(s, e) for s, e in sentence_spans(text) if s < citation.end and citation.start < e]
    return (spans[0][0], spans[-1][1]) if spans else (citation.start, citation.end)


def _words_of_a_value(short_answer: str) -> list[str]:
    """Return the words of a short answer that must be copied; a verdict's are the core's own."""
    if _VERDICT.match(short_answer):
        return []
    words = (word.strip(_PUNCTUATION) for word in short_answer.split())
    return [word for word in words if content_words(word)]


def _repeated_sentence(answer: str, text: str) -> tuple[int, int] | None:
    """Return the sentence of `text` that holds every number of the answer and most of its words."""
    answer = without_citations(answer)
    numbers, words = {_plain(v) for v in numbers_in(answer)}, content_words(answer)
    best, best_share = None, 0.5
    for start, end in sentence_spans(text):
        sentence = text[start:end]
        if not numbers <= {_plain(v) for v in numbers_in(sentence)}:
            continue
        share = len(words & content_words(sentence)) / len(words) if words else float(bool(numbers))
        if share >= best_share:
            best, best_share = (start, end), share
    return best


def _operands_and_results(line: str) -> tuple[list[str], list[str]]:
    """Split the numbers of a claim; a comparison has operands alone, and the 3 of `+ 3 d` is an operand too."""
    expression, equals, result = line.rpartition(" = ")
    if equals and " " in expression:
        return numbers_in(expression), numbers_in(result)
    return numbers_in(line), []


def _plain(value: str) -> str:
    return value.replace(",", "")
