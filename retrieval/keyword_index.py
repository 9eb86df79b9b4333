"""The port of keyword search, and how a question becomes a query of the engines behind it."""

from collections.abc import Collection
from typing import Protocol

from retrieval.words import content_words

MAX_TERMS = 48  # beyond it more terms cost time and find nothing new


class KeywordIndex(Protocol):
    """Ranks chunks by the words they share with a query."""

    def search(self, query: str, k: int, allowed: Collection[int] | None = None) -> list[tuple[int, float]]:
        """Return up to `k` (chunk id, score), best first, of the `allowed` ids; None allows all, empty allows none."""
        ...


def query_terms(query: str) -> list[str]:
    """Return the words to search for, each once, in order; question words are left out."""
    return list(dict.fromkeys(content_words(query)))[:MAX_TERMS]


def fts5_query(query: str) -> str:
    """Return an FTS5 MATCH expression, any term of which may match; '' where there is no term.

    Every term is quoted: no character of a question is read as query syntax.
    """
    return " OR ".join(f'"{term}"' for term in query_terms(query))


def tsquery(query: str) -> str:
    """Return the argument of PostgreSQL's ``to_tsquery``, any term of which may match; '' where there is no term."""
    return " | ".join(f"'{term}'" for term in query_terms(query))
