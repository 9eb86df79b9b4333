"""The cache rule of DESIGN 3.3: whatever happened before, the engine's logits are those of a full forward.

A hook that torch offers records each logits vector that the served model computes; a second model with the same
weights computes the whole row under the mask, with no cache, and is never served.
"""

from dataclasses import dataclass, field

import pytest
import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from reasoning_core.attention import AttentionView
from reasoning_core.engine import Engine, Generation
from reasoning_core.layout import Layout, Span, SpanKind, lay_out
from reasoning_core.model import HrmTextCore
from reasoning_core.sampling import Sampling
from tests.reasoning_core.tiny import relative_error, tiny_checkpoint, tiny_config, tiny_model

EOA = 11
MAX_SESSIONS = 3
# Few distinct tokens, so that different conversations share beginnings by chance as well.
PROMPTS = st.lists(st.integers(18, 21), min_size=1, max_size=6).map(tuple)
SAMPLINGS = st.builds(Sampling, st.sampled_from([0.0, 1.0]), st.integers(0, 3), st.integers(1, 6))


@dataclass
class Running:
    """A response being written: what was asked, what came, and the logits behind each token."""

    conversation: int
    spans: list[Span]
    generation: Generation
    sampling: Sampling
    tokens: list[int] = field(default_factory=list)
    logits: list[torch.Tensor] = field(default_factory=list)
    ended: bool = False


class EngineStates(RuleBasedStateMachine):
    """Employees who send, stop, regenerate, edit, branch and delete, in any order and several at a time."""

    layout: Layout
    oracle: HrmTextCore

    @initialize(cache_bytes=st.sampled_from([0, 60_000, 1 << 20]))
    def open(self, cache_bytes: int) -> None:
        checkpoint = tiny_checkpoint(self.layout)
        self.recorded: list[torch.Tensor] = []
        checkpoint.model.lm_head.register_forward_hook(lambda _, __, logits: self.recorded.append(logits.clone()))
        self.engine = Engine(checkpoint, cache_bytes=cache_bytes, max_sessions=MAX_SESSIONS)
        self.conversations: dict[int, list[Span]] = {0: []}
        self.running: list[Running] = []
        self.next_number = 1

    def begin(self, number: int, spans: list[Span], sampling: Sampling) -> None:
        if len(self.running) < MAX_SESSIONS and all(r.conversation != number for r in self.running):
            self.conversations[number] = spans
            self.running.append(Running(number, spans, self.engine.generate(spans, sampling), sampling))

    def a_conversation(self, data: st.DataObject) -> int:
        return data.draw(st.sampled_from(sorted(self.conversations)))

    def turns_of(self, number: int) -> int:
        return len(self.conversations[number]) // 2

    @rule(data=st.data(), prompt=PROMPTS, sampling=SAMPLINGS)
    def send(self, data: st.DataObject, prompt: tuple[int, ...], sampling: Sampling) -> None:
        number = self.a_conversation(data)
        self.begin(number, [*self.conversations[number], Span(SpanKind.PROMPT, prompt)], sampling)

    @rule(data=st.data(), sampling=SAMPLINGS)
    def regenerate(self, data: st.DataObject, sampling: Sampling) -> None:
        number = self.a_conversation(data)
        if self.turns_of(number):
            self.begin(number, self.conversations[number][: 2 * self.turns_of(number) - 1], sampling)

    @rule(data=st.data(), prompt=PROMPTS, sampling=SAMPLINGS)
    def edit(self, data: st.DataObject, prompt: tuple[int, ...], sampling: Sampling) -> None:
        number = self.a_conversation(data)
        if self.turns_of(number):
            turn = data.draw(st.integers(0, self.turns_of(number) - 1))
            kept = self.conversations[number][: 2 * turn]
            self.begin(number, [*kept, Span(SpanKind.PROMPT, prompt)], sampling)

    @rule(data=st.data())
    def branch(self, data: st.DataObject) -> None:
        number = self.a_conversation(data)
        turns = data.draw(st.integers(0, self.turns_of(number)))
        self.conversations[self.next_number] = self.conversations[number][: 2 * turns]
        self.next_number += 1

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        number = self.a_conversation(data)
        if len(self.conversations) > 1 and all(r.conversation != number for r in self.running):
            del self.conversations[number]

    @precondition(lambda self: self.running)
    @rule(data=st.data(), tokens=st.integers(1, 4))
    def write(self, data: st.DataObject, tokens: int) -> None:
        running = data.draw(st.sampled_from(self.running))
        for _ in range(tokens):
            if not running.ended:
                self.step(running)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def stop(self, data: st.DataObject) -> None:
        self.finish(data.draw(st.sampled_from(self.running)))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def write_to_the_end(self, data: st.DataObject) -> None:
        running = data.draw(st.sampled_from(self.running))
        while not running.ended:
            self.step(running)
        self.finish(running)

    def step(self, running: Running) -> None:
        self.recorded.clear()
        token = next(iter(running.generation), None)
        if token is None:
            running.ended = True
            return
        running.tokens.append(token)
        running.logits += self.recorded
        assert len(running.logits) == len(running.tokens), "one forward pass stands behind each token"

    def finish(self, running: Running) -> None:
        """Stop a response, hold all its logits against the oracle, and put it into its conversation."""
        running.generation.close()
        self.running.remove(running)
        self.compare(running)
        # A response stopped early still gets its end token before the next block.
        written = [token for token in running.tokens if token != EOA]
        response = Span(SpanKind.RESPONSE, (*written, EOA))
        self.conversations[running.conversation] = [*running.spans, response]

    def compare(self, running: Running) -> None:
        if not running.tokens:
            return
        spans = [*running.spans, Span(SpanKind.RESPONSE, tuple(running.tokens[:-1]))]
        tokens = [token for span in spans for token in span.tokens]
        view = AttentionView.of_rows([lay_out([spans], self.layout)])
        with torch.inference_mode():
            full = self.oracle(torch.tensor([tokens]), view)[0, -len(running.tokens) :]
        assert relative_error(torch.stack(running.logits), full) < 1e-5
        if running.sampling.temperature == 0:
            assert running.tokens == full.argmax(-1).tolist()

    @invariant()
    def tokens_of_finished_prompts_are_counted(self) -> None:
        for running in getattr(self, "running", []):
            usage = running.generation.usage
            assert usage.prompt == sum(len(span.tokens) for span in running.spans)
            assert 0 <= usage.cached < usage.prompt

    def teardown(self) -> None:
        for running in list(getattr(self, "running", [])):
            self.finish(running)


@pytest.mark.parametrize("layout", list(Layout))
def test_no_history_of_requests_makes_a_cached_answer_differ_from_a_full_forward(layout: Layout):
    machine = type(
        "EngineStatesOfOneLayout", (EngineStates,), {"layout": layout, "oracle": tiny_model(tiny_config(layout))}
    )
    case = machine.TestCase
    case.settings = settings(
        max_examples=50, stateful_step_count=10, deadline=None, suppress_health_check=list(HealthCheck)
    )
    case().runTest()


@pytest.mark.slow
@pytest.mark.parametrize("layout", list(Layout))
def test_no_long_history_of_requests_does_either(layout: Layout):
    machine = type("LongEngineStates", (EngineStates,), {"layout": layout, "oracle": tiny_model(tiny_config(layout))})
    case = machine.TestCase
    case.settings = settings(
        max_examples=1000, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
    )
    case().runTest()
