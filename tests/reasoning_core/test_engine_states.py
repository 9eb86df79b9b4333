"""The cache rule of DESIGN 3.3 as a state machine: whatever happened, what is written is what a full forward says.

Everything that the served decoder computes is recorded with the tokens and blocks it was computed behind. After every
step each recorded logit is held against a model with the same weights that computes whole conversations under the mask,
has no cache and is never served; and each text, greedy or sampled, against the choices from those logits, which is a
run from scratch. Sessions are served pass by pass and not by a thread, so that a failure can be had again.
"""

import threading
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache

import pytest
import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from reasoning_core.attention import AttentionView
from reasoning_core.cache_pool import CachePool
from reasoning_core.checkpoint import Checkpoint
from reasoning_core.decoding import Decoder
from reasoning_core.layout import Layout, Span, SpanKind, lay_out
from reasoning_core.model import HrmTextCore
from reasoning_core.sampling import Sampler, Sampling
from reasoning_core.scheduler import CLOSE_CALL
from reasoning_core.session import Session
from tests.reasoning_core.by_hand import ByHand
from tests.reasoning_core.tiny import relative_error, tiny_checkpoint, tiny_config, tiny_model

EOA = 11
MOST_TOKENS = 32
MOST_REQUESTS = 4
# The head of 16 is computed by the fused pass, once that is compiled; the smaller one never is.
SHAPES = [
    {"H_cycles": 1, "L_cycles": 2, "head_dim": head_dim, "max_position_embeddings": MOST_TOKENS} for head_dim in (8, 16)
]
ROUNDING = 2e-5

NUMBERS = st.integers(0, 7)
# Two distinct tokens, so that edited and unrelated prompts begin alike.
PROMPTS = st.lists(st.integers(20, 21), min_size=1, max_size=6).map(tuple)
WISHES = st.builds(Sampling, st.sampled_from([0.0, 0.0, 0.3, 1.5]), st.integers(0, 3), st.integers(1, 8))


@cache
def served(layout: Layout, seed: int) -> tuple[Checkpoint, Decoder]:
    checkpoint = tiny_checkpoint(layout, seed, **SHAPES[seed])
    decoder = Decoder(checkpoint.model)
    decoder.warm_up()
    return checkpoint, decoder


@cache
def oracle(layout: Layout, seed: int) -> HrmTextCore:
    return tiny_model(tiny_config(layout, **SHAPES[seed]), seed)


class OnlyEven:
    """A guide that forbids half of the vocabulary at every other place, and has one choice at each fourth."""

    def allowed(self, generated):
        return [[22], None, range(12, 300, 2), None][len(generated) % 4]


class Recorder:
    """A decoder that notes all logits by the tokens and blocks they lie behind, whatever the engine believes."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self.new_cache = decoder.new_cache
        self._held: dict[int, tuple[object, list[int], list[int]]] = {}
        self.logits: dict[tuple[tuple[int, ...], tuple[int, ...]], list[torch.Tensor]] = defaultdict(list)

    def prefill(self, tokens, row, cache):
        _, held, blocks = self._held.get(id(cache), (cache, [], []))
        cached = cache.length
        logits_V = self._decoder.prefill(tokens, row, cache)
        held, blocks = held[:cached] + tokens[cached:], blocks[:cached] + row.block_T.tolist()[cached:]
        self._held[id(cache)] = cache, held, blocks
        self._note(held, blocks, logits_V)
        return logits_V

    def step(self, news, caches):
        lengths = [cache.length for cache in caches]
        rows = self._decoder.step(news, caches)
        for new, cache_, length, logits_TV in zip(news, caches, lengths, rows, strict=True):
            _, held, blocks = self._held[id(cache_)]
            held, blocks = held[:length] + list(new), blocks[:length] + [-1] * len(new)
            self._held[id(cache_)] = cache_, held, blocks
            for n, logits_V in enumerate(logits_TV, start=length + 1):
                self._note(held[:n], blocks[:n], logits_V)
        return rows

    def _note(self, tokens, blocks, logits_V):
        self.logits[tuple(tokens), tuple(blocks)].append(logits_V.clone())


@dataclass(eq=False)
class Served:
    """A core that serves, or did until another took its place."""

    layout: Layout
    seed: int
    desk: ByHand
    recorder: Recorder


@dataclass(eq=False)
class Answer:
    """A response on its way: what was asked, of which core, and what has been read."""

    conversation: int
    spans: list[Span]
    served: Served
    session: Session
    sampling: Sampling
    guide: OnlyEven | None
    cancel: threading.Event
    read: list[int] = field(default_factory=list)
    num_checked: int = 0


class Company(RuleBasedStateMachine):
    """Some employees, their conversations, and the cores that serve them one after another."""

    def __init__(self) -> None:
        super().__init__()
        self.conversations: list[list[Span]] = [[]]
        self.answers: list[Answer] = []

    @initialize(
        layout=st.sampled_from(Layout),
        seed=st.integers(0, 1),
        caches=st.integers(1, 3),
        sessions=st.integers(1, 3),
        drafted=st.sampled_from([0, 16]),
        said=st.lists(PROMPTS, max_size=4),
        prompt=PROMPTS,
    )
    def open(self, layout, seed, caches, sessions, drafted, said, prompt):
        self.caches, self.sessions, self.drafted = caches, sessions, drafted
        for words in said:
            self.conversations[0] += [Span(SpanKind.PROMPT, words), Span(SpanKind.RESPONSE, (*words, EOA))]
        self.swap(layout, seed)
        self.send(0, prompt, Sampling(max_new_tokens=4), guided=False)

    @rule(number=NUMBERS, prompt=PROMPTS, sampling=WISHES, guided=st.booleans())
    def send(self, number, prompt, sampling, guided):
        number %= len(self.conversations)
        self.ask(number, [*self.conversations[number], Span(SpanKind.PROMPT, prompt)], sampling, guided)

    @rule(number=NUMBERS, turn=NUMBERS, sampling=WISHES, guided=st.booleans())
    def regenerate(self, number, turn, sampling, guided):
        number, turn = self.turn_of(number, turn)
        if self.conversations[number]:
            self.ask(number, self.conversations[number][: 2 * turn + 1], sampling, guided)

    @rule(number=NUMBERS, turn=NUMBERS, prompt=PROMPTS, sampling=WISHES)
    def edit(self, number, turn, prompt, sampling):
        number, turn = self.turn_of(number, turn)
        edited = [*self.conversations[number][: 2 * turn], Span(SpanKind.PROMPT, prompt)]
        self.ask(number, edited, sampling, guided=False)

    @rule(number=NUMBERS, turn=NUMBERS)
    def branch(self, number, turn):
        number, turn = self.turn_of(number, turn)
        self.conversations.append(self.conversations[number][: 2 * turn + 2])

    @precondition(lambda self: len(self.conversations) > 1)
    @rule(number=NUMBERS)
    def delete(self, number):
        number %= len(self.conversations)
        for answer in [a for a in self.answers if a.conversation == number]:
            answer.session.stream.close()
            self.answers.remove(answer)
        self.conversations[number] = []

    @rule(passes=st.integers(1, 6))
    def work(self, passes):
        for desk in {answer.served.desk for answer in self.answers}:
            desk.run(passes)

    @precondition(lambda self: self.answers)
    @rule(number=NUMBERS, tokens=st.integers(0, 5), way=st.sampled_from(["close", "cancel"]))
    def stop(self, number, tokens, way):
        """Read some tokens of a response and leave it; what was read is what stays in the conversation."""
        answer = self.answers[number % len(self.answers)]
        self.read(answer, tokens)
        if way == "close":
            answer.session.stream.close()
        else:
            answer.cancel.set()
        written = len(answer.session.written)
        answer.served.desk.run(1)
        assert (answer.session.entry, len(answer.session.written)) == (None, written), "gone within one pass"
        self.settle(answer)

    @precondition(lambda self: self.answers)
    @rule(number=NUMBERS)
    def finish(self, number):
        answer = self.answers[number % len(self.answers)]
        answer.served.desk.run()
        self.read(answer, MOST_TOKENS)
        assert next(answer.session.stream, None) is None
        assert answer.read[-1] == EOA or len(answer.read) == answer.session.request.room
        self.settle(answer)

    @rule(caches=st.integers(0, 1))
    def evict(self, caches):
        self.current.desk.pool.evict_down_to(caches * self.current.desk.pool.bytes_for(1))

    @rule(layout=st.sampled_from(Layout), seed=st.integers(0, 1))
    def swap(self, layout, seed):
        """Let another core serve; answers that run finish on the one that they began with."""
        checkpoint, decoder = served(layout, seed)
        recorder = Recorder(decoder)
        desk = ByHand(
            checkpoint,
            budget_bytes=self.caches * CachePool(decoder.new_cache, 0).bytes_for(1),
            max_sessions=self.sessions,
            decoder=recorder,
            drafted_tokens=self.drafted,
        )
        self.current = Served(layout, seed, desk, recorder)

    @invariant()
    def everything_written_is_what_a_full_forward_says(self):
        for answer in self.answers:
            self.check(answer)

    def teardown(self):
        for answer in list(self.answers):
            answer.served.desk.run()
            self.check(answer)

    def turn_of(self, number, turn):
        number %= len(self.conversations)
        num_turns = len(self.conversations[number]) // 2
        return number, turn % num_turns if num_turns else 0

    def ask(self, number, spans, sampling, guided):
        if len(self.answers) == MOST_REQUESTS or any(a.conversation == number for a in self.answers):
            return
        guide, cancel = OnlyEven() if guided else None, threading.Event()
        session = self.current.desk.ask(spans, sampling, guide, cancel=cancel, caller=str(number))
        self.answers.append(Answer(number, spans, self.current, session, sampling, guide, cancel))

    def read(self, answer, tokens):
        available = len(answer.session.written) - len(answer.read)
        answer.read += [next(answer.session.stream) for _ in range(min(tokens, available))]

    def settle(self, answer):
        """Hold a response against the oracle and put what was read of it into its conversation."""
        self.check(answer)
        self.answers.remove(answer)
        assert answer.read == answer.session.written[: len(answer.read)]
        # A response stopped early still gets its end token before the next block.
        words = tuple(token for token in answer.read if token != EOA)
        self.conversations[answer.conversation] = [*answer.spans, Span(SpanKind.RESPONSE, (*words, EOA))]

    def check(self, answer):
        written = list(answer.session.written)
        if len(written) == answer.num_checked:
            return
        answer.num_checked = len(written)
        kept = newest_turns_that_fit(answer.spans, answer.sampling.max_new_tokens)
        spans = [*kept, Span(SpanKind.RESPONSE, tuple(written[:-1]))]
        tokens, row = [token for span in spans for token in span.tokens], lay_out([spans], answer.served.layout)
        with torch.inference_mode():
            view = AttentionView.of_rows([row])
            full = oracle(answer.served.layout, answer.served.seed)(torch.tensor([tokens]), view)[0, -len(written) :]
        self.check_logits(answer, tokens, row.block_T.tolist(), full)
        sampler = Sampler(answer.sampling)
        for place, (token, logits_V) in enumerate(zip(written, full, strict=True)):
            allowed = answer.guide.allowed(written[:place]) if answer.guide else None
            choice = sampler.choose(logits_V, place, allowed)
            assert choice.token == token or choice.margin < ROUNDING
        usage = answer.session.stream.usage()
        assert usage.prompt == sum(len(span.tokens) for span in kept)
        assert usage.turns_left_out == (len(answer.spans) - len(kept)) // 2

    def check_logits(self, answer, tokens, blocks, full):
        for n, expected in enumerate(full, start=len(tokens) - len(full) + 1):
            recorded = answer.served.recorder.logits[tuple(tokens[:n]), tuple(blocks[:n])]
            assert recorded, "a forward pass stands behind each token"
            for logits_V in recorded:
                assert relative_error(logits_V, expected) < 1e-5
                assert float((logits_V - expected).abs().max()) < CLOSE_CALL / 4
            del recorded[:-1]


def newest_turns_that_fit(spans: list[Span], room: int) -> list[Span]:
    for first in range(0, len(spans), 2):
        if sum(len(span.tokens) for span in spans[first:]) + room <= MOST_TOKENS:
            return spans[first:]
    return spans[-1:]


def run_company(dialogues: int, steps: int) -> None:
    run_state_machine_as_test(
        Company,
        settings=settings(
            max_examples=dialogues, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_no_history_of_requests_makes_an_answer_differ_from_a_full_forward():
    run_company(dialogues=100, steps=20)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_no_long_history_of_requests_does_either():
    run_company(dialogues=2000, steps=30)
