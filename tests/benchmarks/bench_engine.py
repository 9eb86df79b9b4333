"""Measures the engine on the default core against transformers on the same weights and the same conversation.

- decoding: greedy tokens per second behind one prompt block;
- a second turn: milliseconds until its first token, ours over the cache of the first turn, the peer's by encoding the
  whole conversation again, which is what stays correct there (DESIGN 3.2).
"""

import itertools
import time
from collections.abc import Callable
from statistics import median

import torch
from transformers import HrmTextForCausalLM

from reasoning_core import prompt
from reasoning_core.checkpoint import default_core_folder, load_checkpoint
from reasoning_core.engine import Engine
from reasoning_core.layout import Span
from reasoning_core.prompt import Passage, Turn
from reasoning_core.response import Response
from reasoning_core.sampling import Sampling
from tests.benchmarks.measurement import Measurement

NEW_TOKENS = 48
PASSAGES = tuple(
    Passage(
        "Travel policy > Limits",
        f"{thing} on business travel are reimbursed up to ${limit} per day with a receipt. " * 2,
    )
    for thing, limit in (("Meals", 60), ("Hotels", 180), ("Taxis", 40), ("Parking fees", 25))
)
FIRST = Turn(PASSAGES, "Can I claim $75 for meals?", Response(('"up to $60 per day" [1]', "75 > 60"), "No [1]."))
SECOND = Turn((), "And for taxis?")


class Endless:
    """Bans the end token, so that both engines decode the same number of tokens."""

    def __init__(self, vocabulary_size: int, end: int) -> None:
        self._others = [token for token in range(vocabulary_size) if token != end]

    def allowed(self, generated: object) -> list[int]:
        return self._others


def measure(repeats: int = 5) -> list[Measurement]:
    checkpoint = load_checkpoint(default_core_folder())
    peer = HrmTextForCausalLM.from_pretrained(default_core_folder(), dtype=torch.float32).eval()
    engine, tokenizer = Engine(checkpoint), checkpoint.tokenizer
    first = prompt.spans((Turn(FIRST.passages, FIRST.question),), tokenizer)
    both = prompt.spans((FIRST, SECOND), tokenizer)
    guide = Endless(tokenizer.vocabulary_size, tokenizer.eoa_id)

    def decode() -> None:
        list(engine.generate(first, Sampling(max_new_tokens=NEW_TOKENS), guide))

    def decode_peer() -> None:
        ids = _ids(first)
        peer.generate(
            ids,
            token_type_ids=torch.ones_like(ids),
            attention_mask=torch.ones_like(ids),
            max_new_tokens=NEW_TOKENS,
            min_new_tokens=NEW_TOKENS,
            do_sample=False,
        )

    def second_turn() -> None:
        list(itertools.islice(engine.generate(both, Sampling(max_new_tokens=1)), 1))

    @torch.inference_mode()
    def second_turn_peer() -> None:
        ids = _ids(both)
        peer(ids, token_type_ids=torch.ones_like(ids)).logits[:, -1].argmax()

    def with_first_turn(work: Callable[[], None]) -> Callable[[], float]:
        def timed() -> float:
            fresh = prompt.spans((FIRST,), tokenizer)
            list(engine.generate([*fresh, both[2]], Sampling(max_new_tokens=1)))  # the history is now cached
            return _seconds(work)

        return timed

    speeds = [(NEW_TOKENS / _seconds(decode), NEW_TOKENS / _seconds(decode_peer)) for _ in range(repeats)]
    delays = [(1000 * with_first_turn(second_turn)(), 1000 * _seconds(second_turn_peer)) for _ in range(repeats)]
    return [
        _median("greedy decoding", "tokens/s", speeds, "transformers.generate"),
        _median("first token of a second turn", "ms", delays, "transformers, whole conversation again"),
    ]


def _ids(spans: list[Span]) -> torch.Tensor:
    return torch.tensor([[token for span in spans for token in span.tokens]])


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _median(name: str, unit: str, pairs: list[tuple[float, float]], peer_name: str) -> Measurement:
    ours, peer = median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)
    ratio = median(pair[0] / pair[1] for pair in pairs)
    return Measurement(name, unit, ours, peer, peer_name, ratio, len(pairs))
