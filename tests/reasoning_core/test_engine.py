"""The engine: which cached prefix is usable, seeds, restrictions, limits, cancellation."""

import math
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoning_core.attention import AttentionView
from reasoning_core.engine import BusyError, ContextOverflow, Engine, usable_prefix
from reasoning_core.layout import Layout, Span, SpanKind, lay_out
from reasoning_core.sampling import Sampling
from tests.reasoning_core.tiny import tiny_checkpoint

PROMPT = [Span(SpanKind.PROMPT, (6, 30, 31, 32, 7))]
OTHER = [Span(SpanKind.PROMPT, (6, 40, 41, 7)), Span(SpanKind.RESPONSE, (50, 11)), Span(SpanKind.PROMPT, (6, 42, 7))]

spans = st.builds(Span, st.sampled_from(SpanKind), st.lists(st.integers(20, 21), min_size=1, max_size=3).map(tuple))
conversations = st.lists(spans, min_size=1, max_size=4)


def write(engine: Engine, conversation: list[Span], **sampling: float) -> list[int]:
    return list(engine.generate(conversation, Sampling(**sampling)))  # type: ignore[arg-type]


def seen(conversation: list[Span], layout: Layout) -> list[list[tuple[int, int]]]:
    """Return, for every token, the places and tokens that it sees."""
    tokens = [token for span in conversation for token in span.tokens]
    mask = lay_out([conversation], layout).mask_QK().tolist()
    return [[(j, token) for j, token in enumerate(tokens) if row[j]] for row in mask]


def found_prefix(old: list[Span], new: list[Span], layout: Layout) -> int:
    rows = [([t for span in c for t in span.tokens], lay_out([c], layout).block_T.tolist()) for c in (old, new)]
    return usable_prefix(*rows[0], *rows[1])


@settings(max_examples=400)
@given(conversations, conversations, st.sampled_from(Layout))
def test_every_token_of_a_usable_prefix_sees_in_both_conversations_the_same(old, new, layout):
    found = found_prefix(old, new, layout)
    assert seen(old, layout)[:found] == seen(new, layout)[:found]
    assert found < sum(len(span.tokens) for span in new), "the last token's logits are wanted"
    blocks = lay_out([new], layout).block_T.tolist()
    assert found == 0 or blocks[found] < 0 or blocks[found] != blocks[found - 1], "a prompt block is never split"


@given(conversations, conversations)
def test_under_turn_blocks_a_conversation_that_goes_on_keeps_everything_it_had(old, more):
    assert found_prefix(old, old + more, Layout.TURN_BLOCKS) == sum(len(span.tokens) for span in old)


def test_a_second_turn_computes_only_what_is_new():
    engine = Engine(tiny_checkpoint())
    first = write(engine, PROMPT, max_new_tokens=4)
    turn = [*PROMPT, Span(SpanKind.RESPONSE, (*first[:3], 11)), Span(SpanKind.PROMPT, (6, 33, 7))]
    usage = engine.generate(turn, Sampling()).usage
    assert (usage.prompt, usage.cached) == (12, 8), "all but the last sampled token, which was never fed"


class OnlyEven:
    """Forbids half of the vocabulary."""

    def allowed(self, generated):
        return range(20, 200, 2)


@pytest.mark.parametrize("guide", [None, OnlyEven()])
@pytest.mark.parametrize("temperature", [0.0, 1.3])
def test_confidence_is_the_geometric_mean_of_what_a_full_forward_gives_the_tokens(temperature, guide):
    checkpoint = tiny_checkpoint()
    generation = Engine(checkpoint).generate(PROMPT, Sampling(temperature, 3, 9), guide)
    assert generation.confidence is None, "nothing is written yet"
    written = list(generation)
    row = lay_out([[*PROMPT, Span(SpanKind.RESPONSE, tuple(written))]], Layout.TURN_BLOCKS)
    tokens = torch.tensor([[*PROMPT[0].tokens, *written]])
    view = AttentionView(row.position_T[None], row.mask_QK()[None, None])
    with torch.inference_mode():
        logits = checkpoint.model.lm_head(checkpoint.model.model(tokens, view))[0]
    before = len(PROMPT[0].tokens) - 1
    logs = [float(logits[before + n].log_softmax(-1)[token]) for n, token in enumerate(written)]
    assert generation.confidence == pytest.approx(math.exp(sum(logs) / len(logs)), rel=1e-4)


@pytest.mark.parametrize("temperature", [0.0, 1.3])
@pytest.mark.parametrize("layout", list(Layout))
def test_the_same_seed_writes_the_same_text_alone_and_among_others(layout, temperature):
    alone = write(Engine(tiny_checkpoint(layout)), PROMPT, temperature=temperature, seed=5, max_new_tokens=12)
    engine = Engine(tiny_checkpoint(layout))
    mine = engine.generate(PROMPT, Sampling(temperature, 5, 12))
    theirs = [engine.generate(OTHER, Sampling(1.0, seed, 12)) for seed in range(3)]
    interleaved = []
    for token in mine:
        interleaved.append(token)
        for other in theirs:
            next(iter(other), None)
    assert interleaved == alone


@pytest.mark.parametrize("layout", list(Layout))
def test_two_branches_of_one_cached_history_written_in_turns_do_not_mix(layout):
    history = [
        *PROMPT,
        Span(SpanKind.RESPONSE, (*write(Engine(tiny_checkpoint(layout)), PROMPT, max_new_tokens=4), 11)),
    ]
    branches = [[*history, Span(SpanKind.PROMPT, (6, token, token + 1, 7))] for token in (33, 35, 40)]
    alone = [write(Engine(tiny_checkpoint(layout)), branch, max_new_tokens=8) for branch in branches]
    engine = Engine(tiny_checkpoint(layout))
    write(engine, PROMPT, max_new_tokens=4)
    running = [engine.generate(branch, Sampling(max_new_tokens=8)) for branch in branches]
    together: list[list[int]] = [[] for _ in branches]
    for _ in range(8):
        for tokens, generation in zip(together, running, strict=True):
            tokens += [token for token in [next(iter(generation), None)] if token is not None]
    assert together == alone


def test_responses_written_by_several_threads_are_those_written_alone():
    requests = [(c, seed) for seed in range(3) for c in (PROMPT, OTHER)]
    fresh = [write(Engine(tiny_checkpoint()), c, temperature=1.0, seed=s, max_new_tokens=8) for c, s in requests]
    engine = Engine(tiny_checkpoint(), cache_bytes=40_000)
    with ThreadPoolExecutor(4) as threads:
        jobs = [threads.submit(write, engine, c, temperature=1.0, seed=s, max_new_tokens=8) for c, s in requests]
        assert [job.result() for job in jobs] == fresh


class OnlyThese:
    """A guide that lets two tokens through."""

    def allowed(self, generated):
        return None if len(generated) == 2 else [60, 61]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_guide_restricts_every_token_it_speaks_of(temperature):
    tokens = list(Engine(tiny_checkpoint()).generate(PROMPT, Sampling(temperature, 1, 6), OnlyThese()))
    assert {token for i, token in enumerate(tokens) if i != 2} <= {60, 61}


def test_one_request_too_many_is_told_that_the_engine_is_busy_and_a_closed_one_makes_room():
    engine = Engine(tiny_checkpoint(), max_sessions=2)
    running = [engine.generate(PROMPT, Sampling()), engine.generate(OTHER, Sampling())]
    next(iter(running[0]))
    with pytest.raises(BusyError, match="2 answers are being written: try again in a moment"):
        engine.generate(PROMPT, Sampling())
    running[1].close()
    running[1].close()
    assert write(engine, PROMPT, max_new_tokens=2)
    with pytest.raises(BusyError):
        [engine.generate(PROMPT, Sampling()) for _ in range(2)]


def test_a_refused_request_leaves_the_cache_of_the_conversation_in_place():
    engine = Engine(tiny_checkpoint(), max_sessions=1)
    write(engine, PROMPT, max_new_tokens=3)
    longer = [*PROMPT, Span(SpanKind.RESPONSE, (90, 11)), Span(SpanKind.PROMPT, (6, 7))]
    other = engine.generate(OTHER, Sampling())
    with pytest.raises(BusyError):
        engine.generate(longer, Sampling())
    other.close()
    assert engine.generate(longer, Sampling()).usage.cached >= 5


def test_a_cancelled_response_stops_and_gives_its_slot_back():
    engine, cancel = Engine(tiny_checkpoint(), max_sessions=1), threading.Event()
    generation = engine.generate(PROMPT, Sampling(max_new_tokens=50), OnlyThese(), cancel)
    tokens = iter(generation)
    next(tokens), next(tokens)
    cancel.set()
    assert list(tokens) == []
    assert write(engine, PROMPT, max_new_tokens=2)


def test_an_exception_in_the_reader_of_a_response_gives_its_slot_back():
    class Failing:
        def allowed(self, generated):
            raise ZeroDivisionError

    engine = Engine(tiny_checkpoint(), max_sessions=1)
    with pytest.raises(ZeroDivisionError):
        list(engine.generate(PROMPT, Sampling(), Failing()))
    assert write(engine, PROMPT, max_new_tokens=2)


def test_a_conversation_that_leaves_no_room_is_refused_with_a_sentence():
    engine = Engine(tiny_checkpoint(max_position_embeddings=8), max_sessions=1)
    for length in (8, 500):
        with pytest.raises(ContextOverflow, match=f"{length} tokens leave no room in the 8 positions of this core"):
            engine.generate([Span(SpanKind.PROMPT, (20,) * length)], Sampling())
    assert len(write(engine, [Span(SpanKind.PROMPT, (20,) * 7)])) == 1


def test_a_response_never_runs_past_the_last_position():
    engine = Engine(tiny_checkpoint(max_position_embeddings=12))
    assert len(list(engine.generate(PROMPT, Sampling(max_new_tokens=99), NoEnd()))) == 7


class NoEnd:
    """A guide under which a response cannot end."""

    def allowed(self, generated):
        return [60, 61]


@pytest.mark.parametrize(
    "conversation", [[], [*PROMPT, Span(SpanKind.RESPONSE, (50, 11))], [Span(SpanKind.PROMPT, ())]], ids=str
)
def test_a_conversation_that_does_not_end_in_a_prompt_block_is_refused(conversation):
    with pytest.raises(ValueError, match="must end in one"):
        Engine(tiny_checkpoint()).generate(conversation, Sampling())


def test_caches_beyond_the_budget_are_forgotten_and_one_is_always_kept():
    engine = Engine(tiny_checkpoint(), cache_bytes=0)
    write(engine, PROMPT, max_new_tokens=1)
    write(engine, OTHER, max_new_tokens=1)
    longer = [*OTHER, Span(SpanKind.RESPONSE, (90, 11)), Span(SpanKind.PROMPT, (6, 7))]
    kept = engine.generate(longer, Sampling())
    assert kept.usage.cached == 9
    kept.close()
    again = [*PROMPT, Span(SpanKind.RESPONSE, (90, 11)), Span(SpanKind.PROMPT, (6, 7))]
    # OTHER shares its first token with PROMPT, but not a whole block.
    assert engine.generate(again, Sampling()).usage.cached == 0
