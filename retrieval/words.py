"""Words as the indexes compare them: case folded, question words left out, stemmed."""

import re
import threading
from functools import lru_cache

from snowballstemmer.english_stemmer import EnglishStemmer

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

_IDENTIFIER = re.compile(
    r"§{1,2} ?\d+(?:\.\d+)*|\b(?=[\w./-]*\d)(?=[\w./-]*[^\W\d_])\w+(?:[-/.]\w+)+|\b[A-Z]{2,6} ?\d{2,}\b"
    r"|\b\d+(?:[-/]\d+)+\b"
)
_BETWEEN = re.compile(r"[-/_\s]+")
# The class in Python and not the factory, which takes a compiled stemmer where one is installed: indexes must agree.
_ENGLISH = EnglishStemmer()
_STEMMING = threading.Lock()  # a stemmer holds the word that it works on


def words(text: str) -> list[str]:
    """Return the words and numbers of `text` in order, case folded; a number keeps its separators."""
    return [match.group() for match in _WORD.finditer(text.casefold())]


def content_words(text: str) -> list[str]:
    """Return the words that carry meaning, in order; when every word is a question word, all of them."""
    found = [word for word in words(text) if len(word) > 1 or word.isdigit() or not word.isascii()]
    kept = [word for word in found if word not in QUESTION_WORDS]
    return kept or found


@lru_cache(1 << 16)
def stem(word: str) -> str:
    """Return the common beginning of a word's forms (Snowball's English stemmer); a number loses its commas."""
    if word[:1].isdigit():
        return word.replace(",", "")
    with _STEMMING:
        return str(_ENGLISH.stemWord(word))


def stems(text: str) -> list[str]:
    """Return the stems of the words that carry meaning, in order."""
    return [stem(word) for word in content_words(text)]


def identifiers(text: str) -> list[str]:
    """Return what names one thing exactly, in order and in one spelling each: 'RF-2291' and 'RF 2291' give '#rf2291'.

    These are words of letters and digits joined by marks, capitals with a number, numbers joined by marks (dates, file
    numbers), and section signs with their number.
    """
    return ["#" + _BETWEEN.sub("", match.group()).replace("§§", "§").casefold() for match in _IDENTIFIER.finditer(text)]


def without_identifiers(text: str) -> str:
    return _IDENTIFIER.sub(" ", text)


def index_terms(text: str) -> list[str]:
    """Return what an index keeps of a text: the stem of every word, then its identifiers."""
    return [*map(stem, words(text)), *identifiers(text)]


def query_terms(text: str) -> list[str]:
    """Return what is looked up for a question, each once, in order: its stems, then its identifiers."""
    return list(dict.fromkeys([*stems(text), *identifiers(text)]))
