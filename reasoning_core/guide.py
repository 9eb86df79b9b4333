"""Guided working: the core chooses what to quote and what to compute, exact code supplies what must be exact.

While the core writes a quote, only tokens that continue words of a passage it was shown are allowed, and the number
behind the quote must be a passage in which the words stand. Behind ` =`, only the exact result of the expression is
allowed. Where the questions are given, a number in a comparison, a sum or the answer must be one that was asked, quoted
or computed. Everything else (which words, which comparison, which verdict) is the core's own and is checked afterwards.
"""

import re
from collections.abc import Mapping, Sequence, Set
from typing import Any

from reasoning_core.tokenizer import CoreTokenizer
from reasoning_core.working import calculate, parse_quote, spellings

_MAX_QUOTE_CHARACTERS = 160
_MIN_QUOTE_CHARACTERS = 4
_OPEN_NUMBER = re.compile(r"\d[\d,.-]*$")
_NUMBER_MARKS = re.compile(r"[,.-]")
_NUMBER_JOINT = re.compile(r"^\d[,.-]\d$")
_OPEN_CITATION = re.compile(r"\[(\d*)$")


class WorkingGuide:
    """A `Guide` for one response over what may be quoted of the passages shown so far."""

    def __init__(
        self,
        tokenizer: CoreTokenizer,
        passages: Mapping[int, str],
        questions: Sequence[str] | None = None,
        *,
        must_work: bool = False,
    ) -> None:
        self._tokenizer = tokenizer
        self._passages = passages
        self._questions = questions
        self._must_work = must_work
        self._pieces = tokenizer.pieces()
        digits = {token for piece, token in self._pieces.items() if any(c.isdigit() for c in piece)}
        self._without_digits = [token for token in range(tokenizer.vocabulary_size) if token not in digits]
        self._digits = digits
        self._quote_starts: list[int] | None = None
        self._numbers: dict[tuple[str, ...], set[str]] = {}
        self._longest = max(map(len, self._pieces))
        # A quote opens with its mark alone: a piece like `"(` would begin words that nobody has looked up.
        fused = {token for piece, token in self._pieces.items() if piece.startswith('"') and piece != '"'}
        self._line_starts = [token for token in range(tokenizer.vocabulary_size) if token not in fused]
        self._line_ends = [self._pieces["\n"], tokenizer.work_end_id]

    @property
    def recipe(self) -> dict[str, Any]:
        """What, beside the tokenizer, makes this guide again, as JSON."""
        return {
            "passages": {str(n): text for n, text in self._passages.items()},
            "questions": None if self._questions is None else list(self._questions),
            "must_work": self._must_work,
        }

    def allowed(self, generated: Sequence[int]) -> Sequence[int] | None:
        """Return the ids that may come next, or None where anything may."""
        if not generated:
            return [self._tokenizer.work_start_id] if self._must_work else None
        if generated[0] != self._tokenizer.work_start_id:
            return None
        if self._tokenizer.work_end_id in generated:
            end = list(generated).index(self._tokenizer.work_end_id)
            working = self._tokenizer.decode(generated[1:end]).split("\n")
            return self._sourced(working, self._tokenizer.decode(generated[end + 1 :]))
        *lines, line = self._tokenizer.decode(generated[1:]).split("\n")
        if not line:
            return self._line_starts
        if line.startswith('"'):
            return self._in_quote(line[1:])
        return self._in_result(line) or self._sourced(lines, line)

    def _sourced(self, lines: Sequence[str], written: str) -> Sequence[int] | None:
        """Return what keeps every number of `written` one of those asked, quoted or computed in `lines`."""
        if self._questions is None:
            return None
        if citation := _OPEN_CITATION.search(written):
            cited = {str(quote.n) for line in lines if (quote := parse_quote(line))}
            return self._spelled_number(citation[1], cited or set(map(str, self._passages)), must_begin=True)
        known = self._known(lines)
        number = _OPEN_NUMBER.search(written)
        whole = number[0] if number else ""
        # Behind punctuation another number begins, as in the account 29-440.
        parts = (whole, _NUMBER_MARKS.split(whole)[-1], "")
        begun = next(part for part in parts if not part or any(value.startswith(part) for value in known))
        return self._spelled_number(begun, known)

    def _spelled_number(self, begun: str, known: Set[str], *, must_begin: bool = False) -> Sequence[int] | None:
        """Return the digits that lead on to a known number, and everything else where none is begun or one is whole."""
        following = {value[len(begun)] for value in known if value.startswith(begun) and len(value) > len(begun)}
        continuing = sorted(self._pieces[character] for character in following if character in self._pieces)
        if begun in known or not (begun or must_begin):
            return [*(token for token in continuing if token in self._digits), *self._without_digits]
        return continuing or None

    def _known(self, lines: Sequence[str]) -> set[str]:
        """Return every number that was asked, quoted or computed; the same for all tokens of a line."""
        if (key := tuple(lines)) not in self._numbers:
            self._numbers[key] = self._numbers_of(lines)
        return self._numbers[key]

    def _numbers_of(self, lines: Sequence[str]) -> set[str]:
        quotes = [quote.words for line in lines if (quote := parse_quote(line))]
        results = [line.rpartition(" = ")[2] for line in lines if " = " in line and not parse_quote(line)]
        return spellings("\n".join((*(self._questions or ()), *quotes, *results)))

    def _in_quote(self, written: str) -> Sequence[int] | None:
        words, closed, rest = written.partition('"')
        if not closed:
            return self._continuing(words) if words else self._starting()
        numbers = [f" [{n}]" for n, text in self._passages.items() if words in text]
        return self._line_ends if rest in numbers else self._spelling(numbers, rest)

    def _starting(self) -> list[int]:
        """Return the tokens that a quote may start with, which are the same for every quote of a response."""
        if self._quote_starts is None:
            self._quote_starts = self._continuing("")
        return self._quote_starts

    def _continuing(self, words: str) -> list[int]:
        """Return the tokens that go on in some passage behind `words`, and those that close the quote.

        Where neither can be (a line of three characters, a character that no single piece holds, a word that runs past
        the longest quote), the quote closes where it is: still verbatim, if not at the end of a word.
        """
        allowed: set[int] = set()
        for text in self._passages.values():
            for rest in _rests(text, words):
                line_rest = rest.partition("\n")[0].partition('"')[0]
                for length in range(1, min(self._longest, len(line_rest)) + 1):
                    token = self._pieces.get(line_rest[:length])
                    if token is not None and len(words) < _MAX_QUOTE_CHARACTERS:
                        allowed.add(token)
                if len(words) >= _MIN_QUOTE_CHARACTERS and _ends_word(words, rest):
                    allowed.update(self._closing(line_rest))
        return sorted(allowed) or self._closing("")

    def _closing(self, line_rest: str) -> list[int]:
        """Return the closing quotation mark, alone or fused with the punctuation that stands before it."""
        fused = (line_rest[:length] + '"' for length in range(min(3, len(line_rest)) + 1))
        return [self._pieces[piece] for piece in fused if piece in self._pieces]

    def _in_result(self, line: str) -> Sequence[int] | None:
        expression, equals, rest = line.rpartition(" =")
        if not equals or (result := calculate(expression)) is None:
            return None
        target = f" {result}"
        return self._line_ends if rest == target else self._spelling([target], rest)

    def _spelling(self, targets: Sequence[str], written: str) -> list[int] | None:
        """Return the tokens that spell one of `targets` on from `written`."""
        allowed = set()
        for target in targets:
            if target.startswith(written):
                rest = target[len(written) :]
                # The tokenizer's own first token of the rest is what the core has seen in training.
                allowed.add(self._tokenizer.encode(rest)[0])
        return sorted(allowed) or None


def _rests(text: str, words: str) -> list[str]:
    """Return what follows each place where `words` stand in `text`; an empty quote may start at any word."""
    if not words:
        return [text[start:] for start in range(len(text)) if not text[start].isspace() and not _inside(text, start)]
    rests, start = [], text.find(words)
    while start >= 0:
        if not _inside(text, start):
            rests.append(text[start + len(words) :])
        start = text.find(words, start + 1)
    return rests


def _ends_word(words: str, rest: str) -> bool:
    return not _inside(words + rest, len(words))


def _inside(text: str, at: int) -> bool:
    """Return whether `at` cuts a word or a number of `text`."""
    before, after = text[:at][-1:], text[at : at + 1]
    if before.isalnum() and after.isalnum():
        return True
    return bool(
        _NUMBER_JOINT.search(text[max(0, at - 2) : at + 1]) or _NUMBER_JOINT.search(text[max(0, at - 1) : at + 2])
    )
