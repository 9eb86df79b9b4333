"""Drafts of the next tokens of a response, to be verified all at once (speculation by prompt lookup).

Answers copy spans of passages, of the question and of earlier answers. A draft goes on as the text did the last time
that it read like this; where a guide leaves one token, it takes that one, and what a guide forbids is never drafted. A
draft is a guess about time and never about text: each token of it is chosen again from logits before it is kept.
"""

from collections.abc import Sequence

from reasoning_core.core import Guide

MOST_DRAFTED = 7
_GRAMS = (3, 2)


class Lookup:
    """What followed every two and three tokens of a text, the newest time they stood there."""

    def __init__(self, text: Sequence[int]) -> None:
        self._text: list[int] = []
        self._following: dict[tuple[int, ...], int] = {}
        self.read(text)

    def read(self, tokens: Sequence[int]) -> None:
        """Take note of tokens behind the text so far."""
        for token in tokens:
            for n in _GRAMS:
                if len(self._text) >= n:
                    self._following[tuple(self._text[-n:])] = token
            self._text.append(token)

    def after(self, drafted: Sequence[int]) -> int | None:
        """Return what followed last where the text read as it now does with `drafted` behind it."""
        tail = [*self._text[-max(_GRAMS) :], *drafted][-max(_GRAMS) :]
        found = (self._following.get(tuple(tail[-n:])) for n in _GRAMS if len(tail) >= n)
        return next((token for token in found if token is not None), None)


class Drafter:
    """Drafts for one response; how far it looks ahead follows how well it has guessed."""

    def __init__(self, text: Sequence[int], guide: Guide | None) -> None:
        self._lookup = Lookup(text)
        self._guide = guide
        self._num_read = 0
        self._ahead = MOST_DRAFTED

    def draft(self, written: Sequence[int], most: int) -> list[int]:
        """Return up to `most` tokens that may come behind what is written."""
        self._lookup.read(written[self._num_read :])
        self._num_read = len(written)
        drafted: list[int] = []
        while len(drafted) < min(most, self._ahead):
            allowed = self._guide.allowed([*written, *drafted]) if self._guide is not None else None
            token = allowed[0] if allowed is not None and len(allowed) == 1 else self._lookup.after(drafted)
            if token is None or (allowed is not None and token not in allowed):
                break
            drafted.append(token)
        return drafted

    def learn(self, num_drafted: int, num_kept: int) -> None:
        """Look further ahead behind a draft that was kept whole, and no further than was right behind another."""
        if num_drafted:
            self._ahead = min(MOST_DRAFTED, 2 * self._ahead) if num_kept == num_drafted else max(1, num_kept)


class AskedOnce:
    """A guide that remembers its answers, so that drafting and choosing ask once for each beginning of a response."""

    def __init__(self, guide: Guide) -> None:
        self._guide = guide
        self._known: dict[int, tuple[list[int], Sequence[int] | None]] = {}

    def allowed(self, generated: Sequence[int]) -> Sequence[int] | None:
        """Return the ids that may come next, or None where anything may."""
        known = self._known.get(len(generated))
        if known is not None and known[0] == generated:
            return known[1]
        allowed = self._guide.allowed(generated)
        self._known[len(generated)] = list(generated), allowed
        return allowed
