"""The words of a value: those of the lines that were quoted, of the questions, and the small words between them.

The checks refuse a value that says what nobody read ("the head of IT" behind a quote of the head of security); so the
core may as well not begin one. A verdict and its explanation are the core's own.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from reasoning_core.words import is_function_word
from reasoning_core.working import parse_quote

_WORD = re.compile(r"[^\W\d_]+")
_LETTERS = re.compile(r" ?[^\W\d_]+")
_BEGUN = re.compile(r"[^\W\d_]*$")
_VERDICT = re.compile(r"(yes|no)\b", re.I)
_END_OF_VALUE = re.compile(r"[.:;]\s|\s\[")
_ALWAYS = ("yes", "no", "passage", "day", "days", "week", "weeks", "month", "months", "year", "years", "hour", "hours")


class AnswerWords:
    """Restricts the tokens of an answer until its value is told."""

    def __init__(self, pieces: Mapping[str, int]) -> None:
        self._others: list[int] = []
        self._beginning: dict[str, list[int]] = {}  # by their letters, of pieces that open with a space
        self._joining: dict[str, list[int]] = {}
        for piece, token in pieces.items():
            if not _LETTERS.fullmatch(piece):
                self._others.append(token)
                continue
            group = self._beginning if piece.startswith(" ") else self._joining
            group.setdefault(piece.removeprefix(" ").casefold(), []).append(token)
        self._small = {letters for letters in self._beginning if is_function_word(letters)}

    def allowed(self, answer: str, words: Iterable[str]) -> set[int] | None:
        """Return the ids that go on with one of `words`, or None where the answer is free of them."""
        if _VERDICT.match(answer) or _END_OF_VALUE.search(answer):
            return None
        known = {word.casefold() for word in (*words, *_ALWAYS)}
        prefixes = {word[:length] for word in known for length in range(1, len(word) + 1)}
        match = _BEGUN.search(answer)
        begun = match[0].casefold() if match else ""
        whole = not begun or begun in known or is_function_word(begun)
        allowed = set(self._others) if whole else set()
        if whole:
            for letters in (self._beginning.keys() & prefixes) | self._small:
                allowed.update(self._beginning[letters])
        going_on = {prefix[len(begun) :] for prefix in prefixes if prefix.startswith(begun)}
        small = {letters for letters in self._joining if is_function_word(begun + letters)}
        for letters in (self._joining.keys() & going_on) | small:
            allowed.update(self._joining[letters])
        return allowed or None


def words_read(lines: Sequence[str], passages: Mapping[int, str], questions: Sequence[str]) -> set[str]:
    """Return the words of the questions and of every line of a passage out of which the working quotes."""
    quotes = [quote for line in lines if (quote := parse_quote(line)) is not None]
    read = [
        line
        for quote in quotes
        for line in passages.get(quote.n, "").split("\n")
        if quote.words in line or line in quote.words
    ]
    return set(_WORD.findall("\n".join((*read, *(quote.words for quote in quotes), *questions))))
