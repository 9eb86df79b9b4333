"""Sentences and content words of plain text, as the checks compare them."""

import re
from collections.abc import Iterator, Sequence

_WORD = re.compile(r"[A-Za-z][A-Za-z'-]*|\d{4}-\d{2}-\d{2}|\d+(?:[.,]\d+)*")
# A sentence ends at . ? or ! before space, or at a line end; list items and table rows are lines.
_BOUNDARY = re.compile(r"(?<=[.?!])\s+(?=[A-Z0-9\"'(\[])|\n+")

# Words that carry no topic: question words, auxiliaries, pronouns, prepositions, fillers of follow-up questions.
_FUNCTION_WORDS = frozenset(
    re.findall(
        r"\S+",
        """
        a about above after all allowed am an and any are as ask asked at be been before being below but by can
        could did do does doing done each else ever every for from get gets give given go going got had happen
        happens has have having he her here him his how i if in into is it its just know let like long made make
        many may me mean might more most much must my need needed needs new no not now of off ok okay on once one
        only or our out over own per please possible rule rules same say says she should so some something still
        such take tell than that the their them then there these they thing this those to too under until up us use
        used using very want was we were what when where whether which while who whom whose why will with within
        without would yes you your company policy document documents sorry meant wait oh correct today soon fast
        """,
    )
)
_ENDINGS = re.compile(r"(?<=\w{3})(ations?|ments?|ings?|als?|ers?|ie[sd]|e[sd]?|s|y)$")


def sentence_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) character offsets of the sentences, list items and table rows of `text`."""
    start = 0
    for boundary in _BOUNDARY.finditer(text):
        if text[start : boundary.start()].strip():
            yield start, boundary.start()
        start = boundary.end()
    if text[start:].strip():
        yield start, len(text)


def content_words(text: str) -> set[str]:
    """Return the stems of the words that carry the topic; numbers and dates are left out."""
    words = (word.casefold().strip("'-").removesuffix("'s") for word in _WORD.findall(text) if not word[0].isdigit())
    return {stem(word) for word in words if word not in _FUNCTION_WORDS and len(word) > 1}


def coverage(question: str, texts: Sequence[str]) -> float:
    """Return the share of the question's content words that occur in `texts`, 1.0 for a question without any."""
    words = content_words(question)
    found = content_words("\n".join(texts))
    return len(words & found) / len(words) if words else 1.0


def stem(word: str) -> str:
    """Strip the common endings of English, so that `approval`, `approves` and `approved` meet."""
    return _ENDINGS.sub("", word)
