"""What a question asks for, told by its words alone."""

import re
from collections.abc import Sequence

from reasoning_core.words import content_words, sentence_spans, stem

_VERDICT = re.compile(
    r"^(and |so |but )?(can|may|could|is|are|am|was|were|do|does|did|will|would|must|should|have|has|had)\b", re.I
)
_VERDICT_IN_NOTE_FORM = re.compile(
    r"\b(possible|allowed|permitted|needed|necessary|required|ok|okay|or not)\s*\??$", re.I
)
_VALUE = re.compile(
    r"^((and|so|but|by|on|in|at|for|from|within|until|after|to|under) )*"
    r"(which|what|who|whom|whose|when|where|how)\b",
    re.I,
)
_ASKING = re.compile(r"\b(which|what|who|whom|whose|when|where|how)\b", re.I)
_NUMBER = re.compile(r"\bhow (much|many|long|often|large|high|far|early|old|big)\b", re.I)
_MONEY = re.compile(
    r"\bhow much (is|are|do|does|did|may|can|will|would|must)\b.*\b(due|pay|paid|costs?|spend|charged?)\b|"
    r"\bwhat (do|does|did|will|would|may|can) .*\bcosts?\b",
    re.I,
)
_COUNTED = re.compile(r"\bhow many ((?:[a-z-]+ )?[a-z-]+)", re.I)
_PERSON = re.compile(r"^((and|so|but|by|to|for|with) )*(who|whom|whose|(which|what) (person|team|office))\b", re.I)
_PLACE_IN_AN_ORDER = re.compile(
    r"\b(first|second|third|last|next|begins?|starts?|ends?|comes?|before|besides|else|ranks?|highest|lowest)\b", re.I
)
_CONDITIONAL = re.compile(r"^what (about|if)\b", re.I)
_CORRECTION = re.compile(r"^(wait|sorry|no|oh|actually|i meant?|rather|and|but|what (about|if))\b", re.I)
# "The useful life of cameras", "a rent for a garage", "if the parties negotiated": what it is asked of.
_OBJECT = re.compile(
    r"\b(?:of|for|on|if)\s+(?:(?:a|an|the|my|our|one|new|part(?:y|ies)|we|i|it|is|was)\s+)*([a-z][a-z'-]+)", re.I
)
_NO_OBJECTS = content_words("total all dollars euros pounds person mine advance days months years time them")


def last_question(text: str) -> str:
    """Return the sentence that asks, behind those that tell."""
    sentences = [text[start:end].strip() for start, end in sentence_spans(text)]
    asking = [sentence for sentence in sentences if sentence.endswith("?")]
    return (asking or sentences or [text])[-1]


def self_contained(questions: Sequence[str]) -> list[str]:
    """Return the last of a conversation's questions, led by the one before it where it is an elliptical follow-up."""
    newest = questions[-1]
    elliptical = len(content_words(newest)) < 3 or _CORRECTION.match(newest)
    return list(questions[-2:]) if elliptical else [newest]


def typed(questions: Sequence[str]) -> str:
    """Return the sentence that says what kind of answer is wanted: "And for one of $21?" asks as the one before it."""
    asking = [last_question(question) for question in questions]
    telling = [q for q in asking if (asks_for_a_value(q) and not _CONDITIONAL.match(q)) or asks_for_a_verdict(q)]
    return (telling or asking)[-1]


def asks_for_a_verdict(question: str) -> bool:
    """Tell it also from notes: "342 boxes on 9 pallets, possible"."""
    return bool(_VERDICT.match(question) or (_VERDICT_IN_NOTE_FORM.search(question) and not _ASKING.search(question)))


def asks_for_a_value(question: str) -> bool:
    return bool(_VALUE.match(question))


def asks_for_a_number(question: str) -> bool:
    return bool(_NUMBER.search(question))


def asks_for_money(question: str) -> bool:
    return bool(_MONEY.search(question))


def counted(question: str) -> set[str]:
    """Return the stems of the words behind "how many", empty for another question."""
    match = _COUNTED.search(question)
    return {stem(word.casefold()) for word in match[1].split()} if match else set()


def asks_for_a_person(question: str) -> bool:
    return bool(_PERSON.match(question))


def asks_for_a_place_in_an_order(question: str) -> bool:
    return bool(_PLACE_IN_AN_ORDER.search(question))


def objects(question: str) -> set[str]:
    """Return the stems of what a question asks about with "of", "for", "on" or "if"."""
    return {stem for match in _OBJECT.finditer(question) for stem in content_words(match[1])} - _NO_OBJECTS
