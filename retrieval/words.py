"""Words as the indexes compare them: case folded, question words left out, lightly stemmed."""

import re

_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W_]+")

_QUESTION_WORDS = (
    "a about after all also am an and any anyone anything are as at be because been before being but by can could "
    "did do does doing each else ever for from get gets give go had has have having he her here hers him his how "
    "i if in into is it its just let like many may me might mine more most much must my need no nor not of off on "
    "once only or other our ours out over own per please shall she should so some someone something still such "
    "tell than that the their theirs them then there these they this those through to too under until up us use "
    "very want was we were what when where which while who whom whose why will with within would yes you your "
    "yours"
)
QUESTION_WORDS = frozenset(_QUESTION_WORDS.split())


_SUFFIXES = (
    "izations",
    "ization",
    "ements",
    "ations",
    "ement",
    "ation",
    "ments",
    "ings",
    "ment",
    "ies",
    "ied",
    "ing",
    "als",
    "ers",
    "ed",
    "es",
    "er",
    "al",
    "ly",
    "s",
    "e",
    "y",
)


def words(text: str) -> list[str]:
    """Return the words and numbers of `text` in order, case folded; a number keeps its separators."""
    return [match.group() for match in _WORD.finditer(text.casefold())]


def content_words(text: str) -> list[str]:
    """Return the words that carry meaning, in order; when every word is a question word, all of them."""
    found = [word for word in words(text) if len(word) > 1 or word.isdigit() or not word.isascii()]
    kept = [word for word in found if word not in QUESTION_WORDS]
    return kept or found


def stem(word: str) -> str:
    """Return a crude common beginning of a word's forms: 'reimbursed' and 'reimbursement' give the same."""
    if word[:1].isdigit() or len(word) < 4:
        return word.replace(",", "")
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3 and not (suffix == "y" and word[-2] in "aeou"):
            return _undoubled(word[: -len(suffix)])
    return word


def stems(text: str) -> list[str]:
    """Return the stems of the words that carry meaning, in order."""
    return [stem(word) for word in content_words(text)]


def _undoubled(root: str) -> str:
    """Return 'plan' for 'plann': English doubles a last consonant before -ed and -ing."""
    doubled = len(root) > 3 and root[-1] == root[-2] and root[-1] not in "aeiouls"
    return root[:-1] if doubled else root.rstrip("e") if len(root) > 3 else root
