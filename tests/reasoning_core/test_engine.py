"""The engine as threads use it: limits, the line, leaving, deadlines, failures, confidence."""

import gc
import math
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from reasoning_core.attention import AttentionView
from reasoning_core.core import BusyError, ContextOverflow, DeadlinePassed
from reasoning_core.engine import Engine, EngineStopped
from reasoning_core.layout import Layout, Span, SpanKind, lay_out
from reasoning_core.sampling import Sampling
from tests.reasoning_core.tiny import tiny_checkpoint

PROMPT = [Span(SpanKind.PROMPT, (6, 30, 31, 32, 7))]
OTHER = [Span(SpanKind.PROMPT, (6, 40, 41, 7)), Span(SpanKind.RESPONSE, (50, 11)), Span(SpanKind.PROMPT, (6, 42, 7))]


def write(engine: Engine, conversation: list[Span], **sampling: float) -> list[int]:
    return list(engine.generate(conversation, Sampling(**sampling)))  # type: ignore[arg-type]


class OnlyEven:
    """Forbids half of the vocabulary."""

    def allowed(self, generated):
        return range(20, 200, 2)


class OnlyThese:
    """A guide that lets two tokens through, and anything as the third."""

    def allowed(self, generated):
        return None if len(generated) == 2 else [60, 61]


class NoEnd:
    """A guide under which a response cannot end."""

    def allowed(self, generated):
        return [60, 61]


class Held:
    """A guide that keeps the engine from going on until it is released."""

    def __init__(self) -> None:
        self.reached, self.released = threading.Event(), threading.Event()

    def allowed(self, generated):
        self.reached.set()
        assert self.released.wait(60)
        return [60, 61]


@pytest.mark.parametrize("guide", [None, OnlyEven()])
@pytest.mark.parametrize("temperature", [0.0, 1.3])
def test_confidence_is_the_geometric_mean_of_what_a_full_forward_gives_the_tokens(temperature, guide):
    checkpoint = tiny_checkpoint()
    generation = Engine(checkpoint).generate(PROMPT, Sampling(temperature, 3, 9), guide)
    assert generation.confidence is None, "nothing is read yet"
    written = list(generation)
    row = lay_out([[*PROMPT, Span(SpanKind.RESPONSE, tuple(written))]], Layout.TURN_BLOCKS)
    tokens = torch.tensor([[*PROMPT[0].tokens, *written]])
    view = AttentionView(row.position_T[None], row.mask_QK()[None, None])
    with torch.inference_mode():
        logits = checkpoint.model.lm_head(checkpoint.model.model(tokens, view))[0]
    before = len(PROMPT[0].tokens) - 1
    logs = [float(logits[before + n].log_softmax(-1)[token]) for n, token in enumerate(written)]
    assert generation.confidence == pytest.approx(math.exp(sum(logs) / len(logs)), rel=1e-4)


def test_responses_asked_for_by_many_threads_are_those_written_alone():
    requests = [(c, seed) for seed in range(8) for c in (PROMPT, OTHER)]
    fresh = [write(Engine(tiny_checkpoint()), c, temperature=1.0, seed=s, max_new_tokens=8) for c, s in requests]
    engine = Engine(tiny_checkpoint(), max_sessions=4)
    with ThreadPoolExecutor(16) as threads:
        jobs = [threads.submit(write, engine, c, temperature=1.0, seed=s, max_new_tokens=8) for c, s in requests]
        assert [job.result(60) for job in jobs] == fresh
    assert engine.load.answers == len(requests)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_guide_restricts_every_token_it_speaks_of(temperature):
    tokens = list(Engine(tiny_checkpoint()).generate(PROMPT, Sampling(temperature, 1, 6), OnlyThese()))
    assert {token for i, token in enumerate(tokens) if i != 2} <= {60, 61}


def test_a_reader_that_never_reads_holds_up_nobody():
    engine = Engine(tiny_checkpoint(), max_sessions=1, max_waiting=1)
    unread = engine.generate(PROMPT, Sampling(max_new_tokens=40), NoEnd())
    assert write(engine, OTHER, max_new_tokens=4)
    assert len(list(unread)) == 40, "what was written is kept for the reader"


def test_beyond_the_line_a_request_is_told_that_the_engine_is_busy_and_when_to_come_back():
    engine, held = Engine(tiny_checkpoint(), max_sessions=1, max_waiting=2), Held()
    first = engine.generate(PROMPT, Sampling(max_new_tokens=3), held)
    others = [engine.generate(OTHER, Sampling(max_new_tokens=3)) for _ in range(2)]
    assert held.reached.wait(60)
    with pytest.raises(BusyError, match=r"3 answers are being written or wait: busy, retry after \d+ s") as refusal:
        engine.generate(PROMPT, Sampling())
    assert refusal.value.retry_after_s >= 1
    held.released.set()
    assert all(list(generation) for generation in (first, *others))
    assert write(engine, PROMPT, max_new_tokens=2)


def test_closing_a_response_makes_room_at_once():
    engine = Engine(tiny_checkpoint(max_position_embeddings=4096), max_sessions=1, max_waiting=0)
    for _ in range(3):
        endless = engine.generate(PROMPT, Sampling(max_new_tokens=4000), NoEnd())
        next(iter(endless))
        endless.close()
        endless.close()
        assert next(iter(endless), None) is None


def test_an_engine_that_takes_no_session_refuses_every_request():
    with pytest.raises(BusyError):
        Engine(tiny_checkpoint(), max_sessions=0).generate(PROMPT, Sampling())


def test_a_refused_request_leaves_the_cache_of_the_conversation_in_place():
    engine, held = Engine(tiny_checkpoint(), max_sessions=1, max_waiting=0), Held()
    write(engine, PROMPT, max_new_tokens=3)
    longer = [*PROMPT, Span(SpanKind.RESPONSE, (90, 11)), Span(SpanKind.PROMPT, (6, 7))]
    other = engine.generate(OTHER, Sampling(max_new_tokens=1), held)
    with pytest.raises(BusyError):
        engine.generate(longer, Sampling())
    held.released.set()
    assert len(list(other)) == 1
    assert engine.generate(longer, Sampling()).usage.cached >= 5


def test_a_cancelled_response_stops_and_gives_its_slot_back():
    engine, cancel = Engine(tiny_checkpoint(max_position_embeddings=4096), max_sessions=1), threading.Event()
    tokens = iter(engine.generate(PROMPT, Sampling(max_new_tokens=4000), NoEnd(), cancel))
    next(tokens), next(tokens)
    cancel.set()
    assert len(list(tokens)) < 3998
    assert write(engine, PROMPT, max_new_tokens=2)


def test_a_request_that_is_cancelled_in_line_ends_without_a_token():
    engine, held, cancel = Engine(tiny_checkpoint(), max_sessions=1), Held(), threading.Event()
    first = engine.generate(PROMPT, Sampling(max_new_tokens=2), held)
    waiting = engine.generate(OTHER, Sampling(), None, cancel)
    cancel.set()
    held.released.set()
    assert (list(waiting), waiting.usage.cached) == ([], 0)
    assert len(list(first)) == 2


def test_a_request_has_as_long_as_its_deadline_says():
    engine = Engine(tiny_checkpoint(max_position_embeddings=4096))
    with pytest.raises(DeadlinePassed, match="retry after"):
        list(engine.generate(PROMPT, Sampling(max_new_tokens=4000), NoEnd(), deadline_s=0.05))
    assert engine.load.late == 1
    assert write(engine, PROMPT, max_new_tokens=2)


def test_an_exception_of_a_guide_is_raised_where_the_response_is_read_and_gives_its_slot_back():
    class Failing:
        def allowed(self, generated):
            raise ZeroDivisionError

    engine = Engine(tiny_checkpoint(), max_sessions=1)
    with pytest.raises(ZeroDivisionError):
        list(engine.generate(PROMPT, Sampling(), Failing()))
    assert write(engine, PROMPT, max_new_tokens=2)


def test_a_forward_pass_that_fails_ends_every_response_with_a_sentence_and_the_next_request_is_answered():
    checkpoint = tiny_checkpoint()
    expected = write(Engine(checkpoint), PROMPT, max_new_tokens=4)
    engine, held = Engine(checkpoint), Held()
    weights = checkpoint.model.lm_head.weight
    first = engine.generate(PROMPT, Sampling(max_new_tokens=3), held)
    assert held.reached.wait(60)
    second = engine.generate(OTHER, Sampling())
    breaking = checkpoint.model.model.register_forward_pre_hook(_out_of_memory)
    held.released.set()
    for generation in (first, second):
        with pytest.raises(EngineStopped, match="the core failed while it answered: out of memory"):
            list(generation)
    breaking.remove()
    assert checkpoint.model.lm_head.weight is weights
    assert write(engine, PROMPT, max_new_tokens=4) == expected


def _out_of_memory(module, inputs):
    raise RuntimeError("out of memory")


def test_even_an_exit_on_the_engines_thread_leaves_nobody_waiting():
    class Exiting:
        def allowed(self, generated):
            raise SystemExit

    engine = Engine(tiny_checkpoint())
    with pytest.raises(EngineStopped, match="the core failed while it answered: SystemExit"):
        list(engine.generate(PROMPT, Sampling(), Exiting()))
    assert write(engine, PROMPT, max_new_tokens=2)


def test_a_closed_engine_ends_what_runs_and_takes_no_more():
    engine = Engine(tiny_checkpoint(max_position_embeddings=4096), max_sessions=1)
    running, waiting = (engine.generate(PROMPT, Sampling(max_new_tokens=4000), NoEnd()) for _ in range(2))
    next(iter(running))
    engine.close()
    for generation in (running, waiting):
        with pytest.raises(EngineStopped, match="closed before the answer was finished"):
            list(generation)
    with pytest.raises(EngineStopped, match=r"the engine of tiny@0+ is closed: open the core again"):
        engine.generate(PROMPT, Sampling())
    engine.close()


def test_the_thread_of_an_engine_that_nobody_holds_any_more_ends_behind_its_last_response():
    engine = Engine(tiny_checkpoint())
    generation = engine.generate(PROMPT, Sampling(max_new_tokens=30), NoEnd())
    (thread,), gone = engine._threads, weakref.ref(engine)
    del engine
    assert len(list(generation)) == 30
    del generation
    deadline = time.monotonic() + 60
    while gone() is not None and time.monotonic() < deadline:
        gc.collect()
    thread.join(60)
    assert (gone(), thread.is_alive()) == (None, False)


LEAVING = """
from reasoning_core.engine import Engine
from reasoning_core.sampling import Sampling
from tests.reasoning_core.test_engine import PROMPT, NoEnd
from tests.reasoning_core.tiny import tiny_checkpoint

engine = Engine(tiny_checkpoint(max_position_embeddings=4096))
print(next(iter(engine.generate(PROMPT, Sampling(max_new_tokens=4000), NoEnd()))))
"""


def test_a_program_may_end_while_a_response_is_written():
    ended = subprocess.run([sys.executable, "-c", LEAVING], capture_output=True, text=True, timeout=200, check=False)
    assert (ended.returncode, ended.stdout.strip() in ("60", "61")) == (0, True), ended.stderr


def test_a_conversation_that_leaves_no_room_is_refused_with_a_sentence():
    engine = Engine(tiny_checkpoint(max_position_embeddings=8), max_sessions=1)
    for length in (8, 500):
        with pytest.raises(ContextOverflow, match=f"{length} tokens leave no room in the 8 positions of this core"):
            engine.generate([Span(SpanKind.PROMPT, (20,) * length)], Sampling())
    assert len(write(engine, [Span(SpanKind.PROMPT, (20,) * 7)])) == 1


def test_the_oldest_turns_leave_a_conversation_that_outgrew_the_core_and_the_usage_says_how_many():
    engine = Engine(tiny_checkpoint(max_position_embeddings=20))
    generation = engine.generate([*PROMPT, Span(SpanKind.RESPONSE, (60, 11)), *OTHER], Sampling(max_new_tokens=5))
    assert (generation.usage.prompt, generation.usage.turns_left_out) == (9, 1)
    assert list(generation) == write(Engine(tiny_checkpoint(max_position_embeddings=20)), OTHER, max_new_tokens=5)


def test_a_conversation_larger_than_the_memory_is_refused_where_it_is_read():
    engine = Engine(tiny_checkpoint(), cache_bytes=1000)
    with pytest.raises(ContextOverflow, match="the budget is 1000: raise it"):
        write(engine, PROMPT)


def test_a_response_never_runs_past_the_last_position():
    engine = Engine(tiny_checkpoint(max_position_embeddings=12))
    assert len(list(engine.generate(PROMPT, Sampling(max_new_tokens=99), NoEnd()))) == 7


@pytest.mark.parametrize(
    "conversation", [[], [*PROMPT, Span(SpanKind.RESPONSE, (50, 11))], [Span(SpanKind.PROMPT, ())]], ids=str
)
def test_a_conversation_that_does_not_end_in_a_prompt_block_is_refused(conversation):
    with pytest.raises(ValueError, match="must end in one"):
        Engine(tiny_checkpoint()).generate(conversation, Sampling())
