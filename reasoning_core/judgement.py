"""A second, mechanical reading of the cited words, against which the core's reading is held.

Arithmetic that holds can still be applied to the wrong rule or turned into the wrong verdict. So an answer is called
verified only where code, reading the cited sentence by itself, comes to the same end:

- the cited sentence speaks of what was asked, names what it is asked of, and no other sentence fits better;
- a yes or no follows from it (`reasoning_core.verdicts`);
- a value is of the kind asked for, stands in the quote, and has no rival of its kind beside it
  (`reasoning_core.rivals`);
- no exception stands beside the cited words that the working passes over.

Where code cannot tell, the answer is shown as unconfirmed. It never turns a verdict round.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from reasoning_core.asking import (
    asks_for_a_number,
    asks_for_a_person,
    asks_for_a_place_in_an_order,
    asks_for_a_value,
    asks_for_a_verdict,
    asks_for_money,
    counted,
    last_question,
    objects,
    typed,
)
from reasoning_core.grounding import PassageCitation, sentence_span
from reasoning_core.prompt import Passage, table_columns
from reasoning_core.response import Response
from reasoning_core.rivals import amounts, rivals
from reasoning_core.verdicts import is_verdict, wrong_verdict
from reasoning_core.words import content_words, coverage, sentence_spans
from reasoning_core.working import numbers_in, parse_quote, spellings

# The doubts that reading again, with the eye on the sentence that fits best, may remove.
OFF_TOPIC = "the cited words share too little with the question"
BETTER_SENTENCE = "another sentence fits the question better"
UNNAMED = "the cited words do not name what is asked about"

_EXCEPTION = re.compile(
    r"\b(unless|except\w*|however|(does|do) not apply|not eligible|excluded|instead|supersede\w*|replaced|only)\b",
    re.I,
)
_MONTHS = (
    "January|February|March|April|May|June|July|August|September|October|November|December"  # also a day and a month
)
_DATE = re.compile(rf"\d{{4}}-\d{{2}}-\d{{2}}|\d(st|nd|rd|th)\b|\b({_MONTHS})\b", re.I)
_SHIFT = re.compile(r"\d{4}-\d{2}-\d{2} ([+-]) \d+ [dwmy] = ")
_BACK = re.compile(r"\b(before|ahead|in advance|prior|earlier)\b", re.I)
_ON = re.compile(r"\b(after|within|later|from|since)\b", re.I)
_MIN_COVERAGE = 0.5
# "Until when can I cancel Shiftport?" "And Clearvault?": what the follow-up replaces need not be there.
_MIN_COVERAGE_OF_TWO = 0.3


def unconfirmed(
    response: Response, questions: Sequence[str], cited: Sequence[PassageCitation], passages: Mapping[int, Passage]
) -> tuple[str, ...]:
    """Return why the reading behind a response cannot be confirmed; nothing means that it is.

    `questions` is the question asked, led by the one before it where it is an elliptical follow-up.
    """
    if not cited:
        return ("no passage is cited",)
    sentences = [_with_table_header(passages[c.n], *sentence_span(passages[c.n].text, c)) for c in cited]
    contexts = [f"{passages[c.n].heading}\n{sentence}" for c, sentence in zip(cited, sentences, strict=True)]
    reasons = [
        *_off_topic(questions, sentences, contexts, passages),
        *_unnamed(questions[-1], contexts),
        *_passed_over_exceptions(cited, passages),
        *wrong_verdict(response, questions, sentences, contexts),
        *(() if is_verdict(response.short_answer) else _unsure_value(response, questions, sentences)),
    ]
    return tuple(dict.fromkeys(reasons))


def misfits(response: Response, questions: Sequence[str]) -> tuple[str, ...]:
    """Return why a response cannot be an answer to this kind of question at all."""
    short, asked = response.short_answer, typed(questions)
    values = [quote.words for line in response.working if (quote := parse_quote(line))]
    reasons = []
    if any(not content_words(words) and not numbers_in(words) for words in values):
        reasons.append("a quote says nothing")
    verdict = is_verdict(short)
    if not verdict and not content_words(short) and not numbers_in(short):
        reasons.append("the answer says nothing")
    if not verdict and asks_for_a_number(asked) and not numbers_in(short):
        reasons.append("the question asks for a number")
    if verdict and asks_for_a_value(asked):
        reasons.append("a yes or no does not answer this question")
    if not verdict and asks_for_a_verdict(asked):
        reasons.append("the question asks for a yes or no")
    return tuple(reasons)


def _off_topic(
    questions: Sequence[str], sentences: Sequence[str], contexts: Sequence[str], passages: Mapping[int, Passage]
) -> list[str]:
    question = " ".join(questions)
    asked = coverage(question, contexts)
    least = _MIN_COVERAGE if len(questions) == 1 else _MIN_COVERAGE_OF_TWO
    if asked < least or coverage(questions[-1], contexts) < _MIN_COVERAGE:
        return [OFF_TOPIC]
    with_numbers = any(numbers_in(sentence) for sentence in sentences)
    for passage in passages.values():
        for start, end in sentence_spans(passage.text):
            rival = _with_table_header(passage, start, end)
            if rival in sentences or (with_numbers and not numbers_in(rival)):
                continue
            if coverage(question, [passage.heading, rival]) >= asked:
                return [BETTER_SENTENCE]
    return []


def _unnamed(question: str, contexts: Sequence[str]) -> list[str]:
    """Doubt a rule about another thing: the useful life of lifts says nothing "of cameras"."""
    missing = objects(question) - content_words("\n".join(contexts))
    return [UNNAMED] if missing else []


def _passed_over_exceptions(cited: Sequence[PassageCitation], passages: Mapping[int, Passage]) -> list[str]:
    for n in {c.n for c in cited}:
        text = passages[n].text
        for start, end in sentence_spans(text):
            if _EXCEPTION.search(text[start:end]) and not any(
                c.n == n and c.start < end and start < c.end for c in cited
            ):
                return ["an exception stands beside the cited words"]
    return []


def _unsure_value(response: Response, questions: Sequence[str], sentences: Sequence[str]) -> Iterator[str]:
    """Doubt a value that the question's own words call for differently, or that is not the only one of its kind."""
    short, text = response.short_answer, " ".join(sentences)
    last, kind = last_question(questions[-1]), typed(questions)
    if re.search(r"\bdate\b", last, re.I) and not _DATE.search(short):
        yield "the question asks for a date"
    if asks_for_a_person(kind) and numbers_in(short):
        yield "the question asks for a person"
    if asks_for_money(last) and all(amount.kind != "money" for amount in amounts(short)):
        yield "the question asks for money"
    kinds = {amount.kind for amount in amounts(short)} - {"", "money"}
    if kinds and (words := counted(last)) and not kinds & words:
        yield "the question counts something else"
    if not numbers_in(short) and content_words(short) <= content_words(last):
        yield "the answer repeats the question"
    if not numbers_in(short) and asks_for_a_place_in_an_order(f"{last} {kind}"):
        yield "the question asks for a place in an order"
    least = re.search(r"\b(minimum|at least)\b", text, re.I) and not re.search(
        r"\b(maximum|at most|up to)\b", text, re.I
    )
    if least and re.search(r"\b(at most|maximum|limit)\b", last, re.I):
        yield "the question asks for a maximum"
    yield from _unsure_source(response, questions, sentences)


def _unsure_source(response: Response, questions: Sequence[str], sentences: Sequence[str]) -> Iterator[str]:
    """Doubt a value that was not read where the working says, or beside which another could have been read."""
    short, text = response.short_answer, " ".join(sentences)
    claims = [line for line in response.working if parse_quote(line) is None]
    computed = [line for line in claims if " = " in line]
    if not numbers_in(short) and not _stands_whole_in(text, short):
        yield "the answer is no wording of the cited words"
    quotes = [quote.words for line in response.working if (quote := parse_quote(line))]
    if computed and len(set(quotes)) < len(quotes) and len(set(quotes)) == 1:
        yield "the same words are counted twice"
    if any(_runs_the_wrong_way(line, " ".join(quotes)) for line in computed):
        yield "the date runs the other way"
    if claims and not set(numbers_in(claims[0])) & spellings(text):
        yield "the working does not use the cited words"
    if not computed and (others := rivals(short, " ".join(questions), sentences)):
        yield f"the cited words hold another value of this kind ({others[0]})"
    only_asked = set(numbers_in(short)) & set(numbers_in(questions[-1]))
    if only_asked - spellings("\n".join((*sentences, *computed))):
        yield "the value stands only in the question"


def _runs_the_wrong_way(line: str, quoted: str) -> bool:
    """Tell a day "before" that was counted forwards, and one "after" or "within" that was counted back."""
    if not (match := _SHIFT.match(line)):
        return False
    back, on = bool(_BACK.search(quoted)), bool(_ON.search(quoted))
    return back != on and (match[1] == "+") == back


def _stands_whole_in(text: str, short_answer: str) -> bool:
    """Tell whether the words stand there side by side; "the team" does not stand in "the Security team"."""
    words = re.sub(r"^(the|an?) ", "", short_answer.casefold())
    opening = r"(^|[|:;,(\n*-]\s*|\b(the|an?|is|are|to|by|in|with) )"
    return bool(re.search(rf"{opening}{re.escape(words)}(?!\w)", text.casefold()))


def _with_table_header(passage: Passage, start: int, end: int) -> str:
    """Return a sentence; a table row is led by the first row of its table, which names the columns.

    Where a window left that row out, the heading names them.
    """
    text = passage.text
    if not text.startswith("|", start):
        return text[start:end]
    top = start
    while top > 0 and text.startswith("|", text.rfind("\n", 0, top - 1) + 1):
        top = text.rfind("\n", 0, top - 1) + 1
    header = text[top : text.find("\n", top)] if top < start else ""
    if columns := table_columns(passage.heading):
        header = columns
    return f"{header}\n{text[start:end]}".strip()
