"""Measures the engine on the default core against transformers on the same weights, in the same run, on one thread.

- decoding: greedy tokens a second between the first and the last token of a response, and the share of what the
  machine allows: every weight is read once for each use in a token, and every key and value of the context once, at the
  rate at which torch sums a buffer of that size;
- a dialogue of ten turns with passages in each: milliseconds until the first token of a turn. Ours computes what is
  new; the peer, whose cache would continue causally, computes all of it again under the mask of turn blocks.

A ratio says how many times faster ours is. Figures by the wall clock suffer where the machine has other work, both
sides alike; those by processor time do not, and on a quiet machine they are the same.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from statistics import median

import torch
from transformers import HrmTextForCausalLM
from transformers.generation.streamers import BaseStreamer

from reasoning_core import prompt
from reasoning_core.attention import AttentionView
from reasoning_core.checkpoint import Checkpoint, default_core_folder, load_checkpoint
from reasoning_core.config import CoreConfig
from reasoning_core.decoding import Decoder
from reasoning_core.engine import Engine
from reasoning_core.layout import Layout, Span, lay_out
from reasoning_core.prompt import Passage, Turn
from reasoning_core.response import Response
from reasoning_core.sampling import Sampling
from tests.benchmarks.measurement import Measurement

NEW_TOKENS, TURNS = 96, 10
THINGS = ("Meals", "Hotels", "Taxis", "Parking", "Books", "Phones", "Chairs", "Courses", "Visas", "Trains")
QUESTIONS = tuple(f"Can I claim ${60 + 5 * n} for {thing.lower()}?" for n, thing in enumerate(THINGS))


@dataclass(frozen=True)
class Seconds:
    wall: float
    processor: float

    @classmethod
    def now(cls) -> "Seconds":
        return cls(time.perf_counter(), time.process_time())

    def since(self, began: "Seconds") -> "Seconds":
        return Seconds(self.wall - began.wall, self.processor - began.processor)


class Forced:
    """A guide that bans the end token, so that both decode the same number of tokens, or dictates a response."""

    def __init__(self, others: Sequence[int], dictated: tuple[int, ...] = ()) -> None:
        self._others, self._dictated = others, dictated

    def allowed(self, generated: Sequence[int]) -> Sequence[int]:
        return [self._dictated[len(generated)]] if self._dictated else self._others


class Clock(BaseStreamer):
    """Notes when transformers hands over its prompt and each of its tokens."""

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.times: list[Seconds] = []

    def put(self, value: torch.Tensor) -> None:
        self.tokens += value.flatten().tolist()
        self.times.append(Seconds.now())

    def end(self) -> None:
        """Nothing comes after the last token."""


def measure(repeats: int = 7) -> list[Measurement]:
    checkpoint = load_checkpoint(default_core_folder())
    peer = HrmTextForCausalLM.from_pretrained(default_core_folder(), dtype=torch.float32).eval()
    with _one_thread():
        if not Decoder(checkpoint.model).warm_up():  # what it compiles serves every later engine
            raise RuntimeError("the fused pass is not available here: see the log")
        return [*_decoding(checkpoint, peer, repeats), *_dialogue(checkpoint, peer, max(3, repeats // 2))]


def dialogue(turns: int = TURNS) -> list[Turn]:
    """Return a dialogue with two new passages in each turn, about 200 tokens a turn."""
    return [
        Turn(
            tuple(
                Passage(
                    f"Travel policy > {thing}",
                    f"{thing} on {when} are reimbursed up to ${20 + 7 * number} per day with a receipt. "
                    f"Claims above that need the approval of a director before the first day of travel.",
                )
                for when in ("domestic trips", "trips abroad")
            ),
            QUESTIONS[number],
            Response(
                (f'"up to ${20 + 7 * number} per day" [{2 * number + 1}]', f"{60 + 5 * number} > {20 + 7 * number}"),
                f"No [{2 * number + 1}].",
            ),
        )
        for number, thing in enumerate(THINGS[:turns])
    ]


def _decoding(checkpoint: Checkpoint, peer: HrmTextForCausalLM, repeats: int) -> list[Measurement]:
    spans = prompt.spans([replace(dialogue(1)[0], response=None)], checkpoint.tokenizer)
    # A range is the cheapest way to say it: the tokens up to the end token are special, and never the likeliest.
    others = range(checkpoint.tokenizer.eoa_id + 1, checkpoint.model.config.vocab_size)
    engine = Engine(checkpoint, drafted_tokens=0)  # the peer guesses none either, and a bound is for one token a step

    def ours() -> tuple[list[int], Seconds]:
        tokens, times = [], []
        for token in engine.generate(spans, Sampling(max_new_tokens=NEW_TOKENS), Forced(others)):
            tokens.append(token)
            times.append(Seconds.now())
        return tokens, times[-1].since(times[0])

    def theirs() -> tuple[list[int], Seconds]:
        ids, clock = _ids(spans), Clock()
        peer.generate(
            ids,
            token_type_ids=torch.ones_like(ids),
            attention_mask=torch.ones_like(ids),
            max_new_tokens=NEW_TOKENS,
            min_new_tokens=NEW_TOKENS,
            do_sample=False,
            streamer=clock,
        )
        return clock.tokens[ids.shape[1] :], clock.times[-1].since(clock.times[1])

    ours(), theirs()
    runs = [(ours(), theirs(), _read_rate()) for _ in range(repeats)]
    engine.close()
    name, of, steps = "decoding, one session", "transformers.generate", NEW_TOKENS - 1
    wall = [(steps / mine.wall, steps / other.wall) for (_, mine), (_, other), _ in runs]
    processor = [(steps / mine.processor, steps / other.processor) for (_, mine), (_, other), _ in runs]
    context = len(spans[0].tokens) + NEW_TOKENS // 2
    bounds = [rate / _bytes_per_token(checkpoint.model.config, context) for _, _, rate in runs]
    shares = [100 * speed / bound for (speed, _), bound in zip(processor, bounds, strict=True)]
    equal = [
        100 * sum(a == b for a, b in zip(mine, other, strict=True)) / NEW_TOKENS for (mine, _), (other, _), _ in runs
    ]
    megabytes, rate = _bytes_per_token(checkpoint.model.config, context) / 1e6, median(run[2] for run in runs) / 1e9
    return [
        _faster(name, "tokens/s", wall, of),
        _faster(f"{name}, by processor time", "tokens/s", processor, of),
        Measurement(
            f"  share of {megabytes:.1f} MB a token at {rate:.0f} GB/s", "%", median(shares), None, None, None, repeats
        ),
        Measurement("  tokens equal to the peer's", "%", min(equal), None, None, None, repeats),
    ]


def _dialogue(checkpoint: Checkpoint, peer: HrmTextForCausalLM, repeats: int) -> list[Measurement]:
    turns = dialogue()
    spans = prompt.spans(turns, checkpoint.tokenizer)
    asked = [spans[: 2 * number + 1] for number in range(TURNS)]

    def ours() -> list[Seconds]:
        engine, delays = Engine(checkpoint), []
        list(engine.generate(asked[0], Sampling(max_new_tokens=2)))
        for number, conversation in enumerate(asked):
            response, began = spans[2 * number + 1].tokens, Seconds.now()
            written = iter(engine.generate(conversation, Sampling(), Forced([], response)))
            next(written)
            delays.append(Seconds.now().since(began))
            list(written)  # the dictated response is now cached, as one that was chosen would be
        engine.close()
        return delays

    def theirs(number: int) -> Seconds:
        row = lay_out([asked[number]], Layout.TURN_BLOCKS)
        mask = AttentionView.of_rows([row]).mask(torch.float32)
        began = Seconds.now()
        with torch.inference_mode():
            peer(_ids(asked[number]), attention_mask=mask, use_cache=False, logits_to_keep=1).logits.argmax()
        return Seconds.now().since(began)

    theirs(1)
    runs = [(ours(), theirs(1), theirs(TURNS - 1)) for _ in range(repeats)]
    of, length = "transformers, whole dialogue again", len(_ids(asked[-1])[0])

    def delays(turn: int, place: int, clock: Callable[[Seconds], float]) -> list[tuple[float, float]]:
        return [(1000 * clock(run[0][turn]), 1000 * clock(run[place])) for run in runs]

    def processor(seconds: Seconds) -> float:
        return seconds.processor

    growth = [(run[0][-1].processor / run[0][1].processor, run[2].processor / run[1].processor) for run in runs]
    return [
        _sooner("first token of turn 2", delays(1, 1, processor), of),
        _sooner(f"first token of turn {TURNS} ({length} tokens)", delays(-1, 2, lambda seconds: seconds.wall), of),
        _sooner(f"first token of turn {TURNS}, by processor time", delays(-1, 2, processor), of),
        replace(_sooner(f"  growth from turn 2 to {TURNS}", growth, of), unit="times"),
    ]


def _bytes_per_token(config: CoreConfig, context: int) -> float:
    """Return what one token has to read: its weights in bfloat16, once for each use, and its context in float32."""
    width = config.attention_width
    layer = 5 * config.hidden_size * width + 3 * config.hidden_size * config.intermediate_size
    weights = 2 * (config.num_slots * layer + config.vocab_size * config.hidden_size)
    return weights + 4 * config.num_slots * 2 * width * context


def _read_rate(megabytes: int = 10) -> float:
    """Return bytes a second at which one thread reads a buffer as large as weights and context together."""
    buffer = torch.ones(megabytes * 250_000)

    def seconds() -> float:
        began = time.process_time()
        for _ in range(20):
            buffer.sum()
        return (time.process_time() - began) / 20

    return 4 * buffer.numel() / min(seconds() for _ in range(5))


def _ids(spans: list[Span]) -> torch.Tensor:
    return torch.tensor([[token for span in spans for token in span.tokens]])


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _faster(name: str, unit: str, pairs: list[tuple[float, float]], peer_name: str) -> Measurement:
    ours, peer = median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)
    return Measurement(name, unit, ours, peer, peer_name, median(a / b for a, b in pairs), len(pairs))


def _sooner(name: str, pairs: list[tuple[float, float]], peer_name: str) -> Measurement:
    return replace(_faster(name, "ms", pairs, peer_name), ratio=median(b / a for a, b in pairs))
