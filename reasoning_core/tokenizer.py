"""Byte-level BPE over plain text, with special tokens that text can never produce.

The published special tokens keep their published ids (5 to 13); ours follow. Text from users and documents is
encoded with special-token matching off, so `<|im_end|>` in a document is nine characters and no token.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

PAD = "<|endoftext|>"
BOQ = "<|im_start|>"
EOQ = "<|im_end|>"
EOA = "<|box_end|>"
CONDITIONS = {
    "direct": "<|object_ref_start|>",
    "cot": "<|object_ref_end|>",
    "noisy": "<|quad_start|>",
    "synth": "<|quad_end|>",
}
PASSAGE = "<|passage|>"
QUESTION = "<|question|>"
WORK_START = "<|work_start|>"
WORK_END = "<|work_end|>"

SPECIAL_TOKENS = (
    *(f"<|reserved_{i}|>" for i in range(5)),
    PAD,
    BOQ,
    EOQ,
    CONDITIONS["direct"],
    CONDITIONS["cot"],
    "<|box_start|>",
    EOA,
    CONDITIONS["noisy"],
    CONDITIONS["synth"],
    PASSAGE,
    QUESTION,
    WORK_START,
    WORK_END,
)

# Of more than one byte, yet common in documents: whole tokens, so that a quote can hold them, however rare in training.
COMMON_CHARACTERS = "€£§°·…–—‘’“”•éèêëáàâäãåçíîïñóôöõøúùûüýßæœÄÅÇÉÖØÜ"
_SMALLEST_WITH_CHARACTERS = 1024

# Words with their leading space, single digits, runs of punctuation, newlines one by one, other space.
_PIECES = Regex(r" ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\n|\s+(?!\S)|\s")


class CoreTokenizer:
    """The tokenizer of one core."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        tokenizer.encode_special_tokens = True
        self._tokenizer = tokenizer
        self._pieces: dict[str, int] | None = None
        for position, token in enumerate(SPECIAL_TOKENS):
            if tokenizer.token_to_id(token) != position:
                raise ValueError(f"the tokenizer gives {token} the id {tokenizer.token_to_id(token)}, not {position}")
        self.pad_id, self.boq_id, self.eoq_id, self.eoa_id = (
            SPECIAL_TOKENS.index(token) for token in (PAD, BOQ, EOQ, EOA)
        )
        self.passage_id, self.question_id, self.work_start_id, self.work_end_id = (
            SPECIAL_TOKENS.index(token) for token in (PASSAGE, QUESTION, WORK_START, WORK_END)
        )

    @classmethod
    def train(cls, texts: Iterable[str], vocabulary_size: int) -> "CoreTokenizer":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(_PIECES, "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        tokenizer.decoder = decoders.ByteLevel()
        merges = _character_merges(COMMON_CHARACTERS) if vocabulary_size >= _SMALLEST_WITH_CHARACTERS else []
        trainer = trainers.BpeTrainer(
            vocab_size=vocabulary_size - len(merges),
            special_tokens=[AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            min_frequency=2,
            show_progress=False,
        )
        tokenizer.train_from_iterator(texts, trainer)
        return cls(_with_merges(tokenizer, merges))

    @classmethod
    def load(cls, path: Path) -> "CoreTokenizer":
        """Read tokenizer.json.

        Raises:
            ValueError: not a tokenizer, or one without our special tokens.
        """
        return cls.from_json(path.read_text(encoding="utf-8"))

    @classmethod
    def from_json(cls, text: str) -> "CoreTokenizer":
        """Read what `to_json` wrote, which is also what tokenizer.json holds.

        Raises:
            ValueError: not a tokenizer, or one without our special tokens.
        """
        if not isinstance(values := json.loads(text), dict) or "model" not in values:
            raise ValueError("this is not a tokenizer")
        return cls(Tokenizer.from_str(text))

    def to_json(self) -> str:
        return str(self._tokenizer.to_str())

    def with_characters(self, characters: str) -> "CoreTokenizer":
        """Return a tokenizer in which these characters are whole tokens too; all others keep their ids."""
        return CoreTokenizer(_with_merges(self._tokenizer, _character_merges(characters)))

    def save(self, path: Path) -> None:
        self._tokenizer.save(str(path))

    @property
    def vocabulary_size(self) -> int:
        return int(self._tokenizer.get_vocab_size())

    def encode(self, text: str) -> list[int]:
        """Return the ids of plain text; special-token strings in it are just characters."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids; special tokens leave nothing, a cut character leaves U+FFFD."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True))

    def pieces(self) -> dict[str, int]:
        """Return the text of every token that is whole characters, with its id; special tokens are left out."""
        if self._pieces is None:  # every response asks for it
            texts = ((self.decode([token]), token) for token in range(len(SPECIAL_TOKENS), self.vocabulary_size))
            self._pieces = {text: token for text, token in texts if text and "\ufffd" not in text}
        return self._pieces

    def condition_ids(self, conditions: Sequence[str]) -> list[int]:
        """Return the ids of condition names.

        Raises:
            ValueError: a name that is not direct, cot, noisy or synth.
        """
        unknown = [name for name in conditions if name not in CONDITIONS]
        if unknown:
            raise ValueError(f"unknown condition {unknown[0]!r}: use one of {', '.join(CONDITIONS)}")
        return [SPECIAL_TOKENS.index(CONDITIONS[name]) for name in conditions]

    def stream(self, ids: Iterable[int]) -> Iterator[str]:
        """Decode ids as they come, holding back the bytes of an unfinished character."""
        pending: list[int] = []
        for token in ids:
            pending.append(token)
            text = self.decode(pending)
            if not text.endswith("\ufffd"):
                yield text
                pending.clear()
        if pending:
            yield self.decode(pending)


def _character_merges(characters: str) -> list[tuple[str, str]]:
    """Return the pairs of byte symbols that make whole characters, in the order in which they merge."""
    by_byte = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    merges: dict[tuple[str, str], None] = {}
    for character in characters:
        ((symbols, _),) = by_byte.pre_tokenize_str(character)
        merges.update({(symbols[:end], symbols[end]): None for end in range(1, len(symbols))})
    return list(merges)


def _with_merges(tokenizer: Tokenizer, merges: list[tuple[str, str]]) -> Tokenizer:
    """Return the tokenizer with these merges before those that it has learned."""
    state = json.loads(tokenizer.to_str())
    vocabulary, learned = state["model"]["vocab"], state["model"]["merges"]
    for left, right in merges:
        vocabulary.setdefault(left + right, len(vocabulary))
    first = [list(merge) for merge in merges]
    state["model"]["merges"] = first + [merge for merge in learned if merge not in first]
    return Tokenizer.from_str(json.dumps(state))
