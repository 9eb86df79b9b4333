"""Real text that answers nothing: windows of documents, cut as the application cuts them, for distractors.

Which of these windows could answer a question is decided by its words: one that has most of the question's content
words is not shown beside it.
"""

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from reasoning_core.prompt import Passage
from reasoning_core.words import sentence_spans
from retrieval.chunking import Chunk, chunk
from retrieval.loading import UnreadableDocument, load
from retrieval.sentences import UnitKind, units
from retrieval.windows import window
from retrieval.words import stems
from training.phrase_bank import PhraseBank
from training.real_sentences import states_a_number, states_something

WINDOW_CHARS = 240
_SUFFIXES = (".md", ".markdown", ".txt", ".html")
_CANDIDATES = 6
_LONGEST_SENTENCE = 170
_FEWEST_CHARS = 40
_MOST_SHARED = 0.5


class Background:
    """Chunks of irrelevant documents under the title of each."""

    def __init__(self, chunks: Sequence[tuple[str, Chunk]]) -> None:
        self._chunks = [(title, piece, frozenset(stems(piece.text))) for title, piece in chunks]
        self._sentences = [sentence for _, piece in chunks for sentence in _sentences(piece.text)]
        if not self._chunks or not self._sentences:
            raise ValueError("the background holds no running text: give folders with Markdown or text files")

    def passage(self, rng: random.Random, question: str) -> Passage:
        """Return the window of the chunk, of a few drawn, that has most to do with `question`."""
        asked = frozenset(stems(question))
        drawn = [rng.choice(self._chunks) for _ in range(_CANDIDATES)]
        title, piece, _ = max(drawn, key=lambda entry: len(entry[2] & asked))
        start, end = window(question, piece.text, WINDOW_CHARS)
        return Passage(" > ".join((title, *piece.headings[-1:])), piece.text[start:end])

    def excerpt(self, rng: random.Random, most_chars: int, near: str | None = None) -> tuple[str, str]:
        """Return a heading and the sentences around one that states something, out of one chunk.

        It is of the document under whose heading `near` stands, if there is one.
        """
        title, piece, at = rng.choice(self._statements_of.get((near or "").split(" > ")[0], self._statements))
        spans = [(unit.start, unit.end) for unit in units(piece.text)]
        first = last = next(k for k, (_, end) in enumerate(spans) if end > at)
        sides = [rng.random() < 0.5 for _ in range(8)]
        for before in sides:
            reach = (max(0, first - 1), last) if before else (first, min(len(spans) - 1, last + 1))
            if spans[reach[1]][1] - spans[reach[0]][0] <= most_chars:
                first, last = reach
        return " > ".join((title, *piece.headings[-1:])), piece.text[spans[first][0] : spans[last][1]].strip()

    @cached_property
    def _statements_of(self) -> dict[str, list[tuple[str, Chunk, int]]]:
        by_title: dict[str, list[tuple[str, Chunk, int]]] = defaultdict(list)
        for statement in self._statements:
            by_title[statement[0]].append(statement)
        return dict(by_title)

    @property
    def states_anything(self) -> bool:
        return bool(self._statements)

    @cached_property
    def _statements(self) -> list[tuple[str, Chunk, int]]:
        """Where the sentences begin of which something can be asked; those with numbers count three times."""
        return [
            (title, piece, start)
            for title, piece, _ in self._chunks
            for start, end in sentence_spans(piece.text)
            for _ in range(3 * states_a_number(piece.text[start:end]) or states_something(piece.text[start:end]))
        ]

    @cached_property
    def phrases(self) -> PhraseBank:
        return PhraseBank(piece.text for _, piece, _ in self._chunks)

    def sentence(self, rng: random.Random) -> str:
        """Return one sentence of running text."""
        return rng.choice(self._sentences)


def could_answer(text: str, question: str) -> bool:
    """Tell whether `text` has at least half of the content words of `question`, and so might answer it."""
    asked = set(stems(question))
    return len(asked.intersection(stems(text))) >= max(1.0, _MOST_SHARED * len(asked))


def load_background(folders: Iterable[Path]) -> Background:
    """Read every Markdown, text and HTML file below `folders`; a file that cannot be read as text is passed over.

    Raises:
        ValueError: a folder that does not exist, or no text in any.
    """
    chunks: list[tuple[str, Chunk]] = []
    for folder in folders:
        if not folder.is_dir():
            raise ValueError(f"{folder} is not a folder: give --background folders with Markdown or text files")
        for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES and path.is_file()):
            try:
                document = load(path)
            except UnreadableDocument:
                continue  # an empty page or a binary file with a text's name says nothing
            pieces = chunk(document.text, document.title)
            chunks += [(document.title, piece) for piece in pieces if len(piece.text.strip()) >= _FEWEST_CHARS]
    return Background(chunks)


def _sentences(text: str) -> list[str]:
    """Return the plain sentences of a chunk that are neither fragments nor longer than a neighbour should be."""
    spans = [text[unit.start : unit.end] for unit in units(text) if unit.kind is UnitKind.SENTENCE]
    return [
        " ".join(sentence.split())
        for sentence in spans
        if _FEWEST_CHARS <= len(sentence) <= _LONGEST_SENTENCE and sentence[0].isupper() and sentence[-1] == "."
    ]
