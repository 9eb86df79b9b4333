"""The cache rule of DESIGN 3.3: whatever happened before, the engine's logits are those of a full forward.

A hook that torch offers records each logits vector that the served model computes; a second model with the same
weights computes the whole row under the mask, with no cache, and is never served. What happens is a drawn list of
actions and not a rule-based machine: half of its short runs asked nothing, and planted bugs survived it.
"""

from dataclasses import dataclass, field
from functools import cache

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reasoning_core.attention import AttentionView
from reasoning_core.checkpoint import Checkpoint
from reasoning_core.engine import Engine, Generation
from reasoning_core.layout import Layout, Span, SpanKind, lay_out
from reasoning_core.model import HrmTextCore
from reasoning_core.sampling import Sampling
from tests.reasoning_core.tiny import relative_error, tiny_checkpoint, tiny_config, tiny_model

EOA = 11
MAX_SESSIONS = 3
CYCLES = {"H_cycles": 1, "L_cycles": 2}


@cache
def served(layout: Layout) -> Checkpoint:
    return tiny_checkpoint(layout, **CYCLES)


@cache
def oracle(layout: Layout) -> HrmTextCore:
    return tiny_model(tiny_config(layout, **CYCLES))


@dataclass(frozen=True)
class Action:
    """One thing an employee does to a conversation; the numbers are taken modulo what there is."""

    name: str
    conversation: int
    turn: int
    prompt: tuple[int, ...]
    sampling: Sampling
    tokens: int
    finish: bool


ACTIONS = st.builds(
    Action,
    name=st.sampled_from(["send", "send", "send", "regenerate", "edit", "edit", "branch", "delete", "write", "stop"]),
    conversation=st.integers(0, 2),
    turn=st.integers(0, 3),
    # Two distinct tokens, so that edited and unrelated prompts begin alike.
    prompt=st.lists(st.integers(20, 21), min_size=1, max_size=4).map(tuple),
    sampling=st.builds(Sampling, st.sampled_from([0.0, 1.0]), st.integers(0, 3), st.integers(1, 6)),
    tokens=st.integers(0, 4),
    finish=st.booleans(),
)


@dataclass
class Running:
    """A response being written: what was asked, what came, and the logits behind each token."""

    conversation: int
    spans: list[Span]
    generation: Generation
    sampling: Sampling
    tokens: list[int] = field(default_factory=list)
    logits: list[torch.Tensor] = field(default_factory=list)


class Desk:
    """An engine with the conversations of several employees, written token by token in any order."""

    def __init__(self, layout: Layout, cache_bytes: int) -> None:
        self.layout = layout
        self.recorded: list[torch.Tensor] = []
        head = served(layout).model.lm_head
        self.hook = head.register_forward_hook(
            lambda _, __, logits: self.recorded.extend(logits.clone().view(-1, head.out_features))
        )
        self.engine = Engine(served(layout), cache_bytes=cache_bytes, max_sessions=MAX_SESSIONS)
        self.conversations: list[list[Span]] = [[]]
        self.running: list[Running] = []

    def act(self, action: Action) -> None:
        number = action.conversation % len(self.conversations)
        spans = self.conversations[number]
        num_turns = len(spans) // 2
        turn = action.turn % num_turns if num_turns else 0
        match action.name:
            case "send":
                self.begin(number, [*spans, Span(SpanKind.PROMPT, action.prompt)], action)
            case "regenerate" if num_turns:
                self.begin(number, spans[: 2 * turn + 1], action)
            case "edit" if num_turns:
                self.begin(number, [*spans[: 2 * turn], Span(SpanKind.PROMPT, action.prompt)], action)
            case "branch":
                self.conversations.append(spans[: 2 * turn + 2])
            case "delete" if len(self.conversations) > 1 and not self.running:
                del self.conversations[number]
            case "write" | "stop" if self.running:
                running = self.running[action.conversation % len(self.running)]
                self.write(running, action.tokens)
                if action.name == "stop":
                    self.finish(running)

    def begin(self, number: int, spans: list[Span], action: Action) -> None:
        if len(self.running) == MAX_SESSIONS or any(r.conversation == number for r in self.running):
            return
        running = Running(number, spans, self.engine.generate(spans, action.sampling), action.sampling)
        usage = running.generation.usage
        assert usage.prompt == sum(len(span.tokens) for span in spans)
        assert 0 <= usage.cached < usage.prompt
        self.conversations[number] = spans
        self.running.append(running)
        self.write(running, action.tokens)
        if action.finish:
            self.finish(running)

    def write(self, running: Running, tokens: int) -> None:
        for _ in range(tokens):
            self.recorded.clear()
            token = next(iter(running.generation), None)
            if token is not None:
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
            full = oracle(self.layout)(torch.tensor([tokens]), view)[0, -len(running.tokens) :]
        assert relative_error(torch.stack(running.logits), full) < 1e-5
        if running.sampling.temperature == 0:
            assert running.tokens == full.argmax(-1).tolist()


def play(layout: Layout, cache_bytes: int, actions: list[Action]) -> None:
    desk = Desk(layout, cache_bytes)
    for action in actions:
        desk.act(action)
    for running in list(desk.running):
        desk.write(running, 2)
        desk.finish(running)
    desk.hook.remove()


CACHE_BYTES = st.sampled_from([0, 1 << 20])


@pytest.mark.parametrize("layout", list(Layout))
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(cache_bytes=CACHE_BYTES, actions=st.lists(ACTIONS, min_size=6, max_size=14))
def test_no_history_of_requests_makes_a_cached_answer_differ_from_a_full_forward(layout, cache_bytes, actions):
    play(layout, cache_bytes, actions)


@pytest.mark.slow
@pytest.mark.parametrize("layout", list(Layout))
@settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
@given(cache_bytes=CACHE_BYTES, actions=st.lists(ACTIONS, min_size=5, max_size=40))
def test_no_long_history_of_requests_does_either(layout, cache_bytes, actions):
    play(layout, cache_bytes, actions)
