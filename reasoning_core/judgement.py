"""A second, mechanical reading of the cited words, against which the core's reading is held.

Arithmetic that holds can still be applied to the wrong rule or turned into the wrong verdict. So an answer is called
verified only where code, reading the cited sentence by itself, comes to the same end:

- the cited sentence speaks of what was asked, and no other sentence that was read fits the question better;
- for a yes or no: the sentence states a bound, the question asks for permission or for a duty, and the comparison
  in the working, turned by both, gives the verdict that the core gave;
- no exception stands beside the cited words that the working passes over.

Where code cannot tell, the answer is shown as unconfirmed. It never turns a verdict round.
"""

import re
from collections.abc import Mapping, Sequence

from reasoning_core.grounding import PassageCitation, sentence_span
from reasoning_core.prompt import Passage
from reasoning_core.response import Response
from reasoning_core.words import content_words, sentence_spans
from reasoning_core.working import check, numbers_in, parse_quote, spellings

# The doubts that reading again, with the eye on the sentence that fits best, may remove.
OFF_TOPIC = "the cited words share too little with the question"
BETTER_SENTENCE = "another sentence fits the question better"
# The doubt that is a failed check: the mechanical reading says the opposite.
CONTRADICTED = "the verdict does not follow from the cited words"

_MAXIMUM = re.compile(
    r"\b(up to|at most|no more than|not more than|maximum|max|not exceed|limited to|limit|capped|cap|within|or less|"
    r"or fewer|no later than|ceiling|below|under|less than)\b",
    re.I,
)
_MINIMUM = re.compile(
    r"\b(at least|minimum|min|no less than|not less than|or more|or longer|no fewer than|no earlier than|after|"
    r"once|above|over|more than|exceed\w*|from)\b",
    re.I,
)
_DUTY = re.compile(r"\b(need|needs|must|have to|has to|required|require|requires|necessary|obliged)\b", re.I)
_PERMISSION = re.compile(
    r"\b(can|may|could|allowed|ok|okay|fine|within|eligible|qualify|qualifies|enough|permitted|covered|cover|covers|"
    r"claim|acceptable|comply|complies|in time|reimburse\w*)\b",
    re.I,
)
_NEGATION = re.compile(r"\b(not|n't|without|never|no|too|over|exceed\w*)\b|n't\b", re.I)
_EXCEPTION = re.compile(
    r"\b(unless|except\w*|however|(does|do) not apply|not eligible|excluded|instead|supersede\w*|replaced|only)\b",
    re.I,
)
# Bounds that leave the bound itself out; at the bound they decide the other way than "at most" and "at least".
_STRICT = re.compile(r"\b(below|under|less than|more than|above|over|exceed\w*|after)\b", re.I)
_BOUND_NEGATION = re.compile(r"\b(no|not) (more|less|fewer|later|earlier) than\b|\bnot exceed\b", re.I)
_NEGATION_IN_RULE = re.compile(r"\b(not|never|no|without|cannot|neither|nor)\b|n't\b", re.I)
_THRESHOLD_DUTY = re.compile(r"\b(need\w*|requir\w*|approv\w*|sign\w*|authori[sz]\w*)\b", re.I)
_FORBIDS = re.compile(
    r"\b(not (permitted|allowed|eligible|covered|included)|forbidden|prohibited|excluded|(does|do) not apply|cannot|"
    r"may not|must not|never)\b",
    re.I,
)
_ALLOWS = re.compile(r"\b(permitted|allowed|welcome|eligible|covered|included|may|can)\b", re.I)
_VERDICT = re.compile(r"^(yes|no)\b", re.I)
_ASKS_FOR_VERDICT = re.compile(
    r"^(and |so |but )?(can|may|could|is|are|am|was|were|do|does|did|will|would|must|should|have|has|had)\b", re.I
)
_ASKS_FOR_VALUE = re.compile(
    r"^((and|so|but|by|on|in|at|for|from|within|until|after|to|under) )*"
    r"(which|what|who|whom|whose|when|where|how)\b",
    re.I,
)
_LEAST = re.compile(r"\b(minimum|at least)\b", re.I)
_MOST = re.compile(r"\b(maximum|at most|up to|limit)\b", re.I)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}|\d(st|nd|rd|th)\b", re.I)
_ASKS_FOR_NUMBER = re.compile(r"\bhow (much|many|long|often|large|high|far|early|old|big)\b", re.I)
_CONDITIONAL = re.compile(r"^what (about|if)\b", re.I)
_MIN_COVERAGE = 0.5


def unconfirmed(
    response: Response, questions: Sequence[str], cited: Sequence[PassageCitation], passages: Mapping[int, Passage]
) -> tuple[str, ...]:
    """Return why the reading behind a response cannot be confirmed; nothing means that it is.

    `questions` is the question asked, led by the one before it where it is an elliptical follow-up.
    """
    if not cited:
        return ("no passage is cited",)
    sentences = [_with_table_header(passages[c.n].text, *sentence_span(passages[c.n].text, c)) for c in cited]
    contexts = [f"{passages[c.n].heading}\n{sentence}" for c, sentence in zip(cited, sentences, strict=True)]
    reasons = [
        *_off_topic(" ".join(questions), questions[-1], sentences, contexts, passages),
        *_passed_over_exceptions(cited, passages),
        *_wrong_verdict(response, questions, sentences, contexts),
        *_wrong_kind_of_value(response, questions[-1], sentences),
    ]
    return tuple(dict.fromkeys(reasons))


def misfits(response: Response, questions: Sequence[str]) -> tuple[str, ...]:
    """Return why a response cannot be an answer to this kind of question at all.

    "And for one of $21?" asks in the way of the question before it.
    """
    asking = [_last_question(question) for question in questions]
    typed = [
        q for q in asking if (_ASKS_FOR_VALUE.match(q) and not _CONDITIONAL.match(q)) or _ASKS_FOR_VERDICT.match(q)
    ]
    short, last = response.short_answer, (typed or asking)[-1]
    values = [quote.words for line in response.working if (quote := parse_quote(line))]
    reasons = []
    if any(not content_words(words) and not numbers_in(words) for words in values):
        reasons.append("a quote says nothing")
    is_verdict = bool(_VERDICT.match(short))
    if not is_verdict and not content_words(short) and not numbers_in(short):
        reasons.append("the answer says nothing")
    if not is_verdict and _ASKS_FOR_NUMBER.search(last) and not numbers_in(short):
        reasons.append("the question asks for a number")
    if is_verdict and _ASKS_FOR_VALUE.match(last):
        reasons.append("a yes or no does not answer this question")
    if not is_verdict and _ASKS_FOR_VERDICT.match(last):
        reasons.append("the question asks for a yes or no")
    return tuple(reasons)


def _last_question(question: str) -> str:
    """Return the sentence that asks, behind those that tell."""
    sentences = [question[start:end].strip() for start, end in sentence_spans(question)]
    asking = [sentence for sentence in sentences if sentence.endswith("?")]
    return (asking or sentences or [question])[-1]


def coverage(question: str, texts: Sequence[str]) -> float:
    """Return the share of the question's content words that occur in `texts`, 1.0 for a question without any."""
    words = content_words(question)
    found = content_words("\n".join(texts))
    return len(words & found) / len(words) if words else 1.0


def _off_topic(
    question: str, newest: str, sentences: Sequence[str], contexts: Sequence[str], passages: Mapping[int, Passage]
) -> list[str]:
    asked = coverage(question, contexts)
    if min(asked, coverage(newest, contexts)) < _MIN_COVERAGE:
        return [OFF_TOPIC]
    with_numbers = any(numbers_in(sentence) for sentence in sentences)
    for passage in passages.values():
        for start, end in sentence_spans(passage.text):
            rival = _with_table_header(passage.text, start, end)
            if rival in sentences or (with_numbers and not numbers_in(rival)):
                continue
            if coverage(question, [passage.heading, rival]) >= asked:
                return [BETTER_SENTENCE]
    return []


def _passed_over_exceptions(cited: Sequence[PassageCitation], passages: Mapping[int, Passage]) -> list[str]:
    for n in {c.n for c in cited}:
        text = passages[n].text
        for start, end in sentence_spans(text):
            if _EXCEPTION.search(text[start:end]) and not any(
                c.n == n and c.start < end and start < c.end for c in cited
            ):
                return ["an exception stands beside the cited words"]
    return []


def _wrong_kind_of_value(response: Response, question: str, sentences: Sequence[str]) -> list[str]:
    """Doubt a value that the question's own words call for differently: a date, a maximum, a minimum."""
    if _VERDICT.match(response.short_answer):
        return []
    last, text = _last_question(question), " ".join(sentences)
    if re.search(r"\bdate\b", last, re.I) and not _DATE.search(response.short_answer):
        return ["the question asks for a date"]
    least = re.search(r"\b(minimum|at least)\b", text, re.I) and not re.search(
        r"\b(maximum|at most|up to)\b", text, re.I
    )
    if least and re.search(r"\b(at most|maximum|limit)\b", last, re.I):
        return ["the question asks for a maximum"]
    claims = [line for line in response.working if parse_quote(line) is None]
    if claims and not set(numbers_in(claims[0])) & spellings(text):
        return ["the working does not use the cited words"]
    only_asked = set(numbers_in(response.short_answer)) & set(numbers_in(question))
    read = spellings("\n".join((*sentences, *(line for line in response.working if " = " in line))))
    return ["the value stands only in the question"] if only_asked - read else []


def _wrong_verdict(
    response: Response, questions: Sequence[str], sentences: Sequence[str], contexts: Sequence[str]
) -> list[str]:
    stated = _VERDICT.match(response.short_answer)
    if stated is None:
        return []
    claims = [line for line in response.working if parse_quote(line) is None and check(line, {}).holds]
    if claims:
        expected = _verdict(claims[-1], questions, " ".join(sentences))
    else:
        expected = _said_outright(" ".join(questions), " ".join(sentences), contexts)
    if expected is None:
        return ["code cannot derive the verdict from the cited words"]
    if expected != (stated[1].casefold() == "yes"):
        return [CONTRADICTED]
    return []


def _verdict(claim: str, questions: Sequence[str], sentence: str) -> bool | None:
    """Return what a comparison means for a question about a bounded thing, or None where the words leave it open."""
    words, question = claim.split(" "), " ".join(questions)
    if len(words) != 3 or _NEGATION.search(question):
        return None
    maximum, minimum = bool(_MAXIMUM.search(sentence)), bool(_MINIMUM.search(sentence))
    duty, permission = bool(_DUTY.search(question)), bool(_PERMISSION.search(question))
    if maximum == minimum or duty == permission or _turns_on_more_than_its_bound(sentence, maximum, duty):
        return None
    asked, relation, bound = words
    # "What if it were 80?" replaces the number of the question before it.
    if asked not in (spellings(questions[-1]) or spellings(question)) or bound not in spellings(sentence):
        return None
    if _STRICT.search(sentence) and check(f"{asked} = {bound}", {}).holds:
        return None
    if maximum:
        return relation in ("<", "<=", "=") if permission else relation == ">"
    return relation in (">", ">=", "=")


def _turns_on_more_than_its_bound(sentence: str, maximum: bool, duty: bool) -> bool:
    """Tell a rule that forbids, or that puts a duty on one side of its bound, from one that simply allows up to it."""
    if _NEGATION_IN_RULE.search(_BOUND_NEGATION.sub("", sentence)):
        return True
    if maximum:
        return duty and bool(_DUTY.search(sentence))
    return not duty and bool(_THRESHOLD_DUTY.search(sentence))


def _said_outright(question: str, sentence: str, contexts: Sequence[str]) -> bool | None:
    """Return what a sentence that permits or forbids without any bound says, or None where it does neither.

    It must name all that is asked about: "contractors are excluded" says nothing of interns.
    """
    if (
        coverage(_PERMISSION.sub(" ", question), contexts) < 1.0
        or _NEGATION.search(question)
        or not _PERMISSION.search(question)
        or numbers_in(question)
    ):
        return None
    forbids, allows = bool(_FORBIDS.search(sentence)), bool(_ALLOWS.search(_FORBIDS.sub("", sentence)))
    return None if forbids == allows else allows


def _with_table_header(text: str, start: int, end: int) -> str:
    """Return a sentence; a table row is led by the first row of its table, which names the columns."""
    if not text.startswith("|", start):
        return text[start:end]
    top = start
    while top > 0 and text.startswith("|", text.rfind("\n", 0, top - 1) + 1):
        top = text.rfind("\n", 0, top - 1) + 1
    header = text[top : text.find("\n", top)] if top < start else ""
    return f"{header}\n{text[start:end]}".strip()
