"""Continuous batching pass by pass: who runs, who waits, who has left, and that company changes no text."""

import threading

import pytest
import torch

from reasoning_core.core import DeadlinePassed
from reasoning_core.decoding import Decoder
from reasoning_core.layout import Layout, Span, SpanKind
from reasoning_core.sampling import Sampling
from reasoning_core.scheduler import CLOSE_CALL
from tests.reasoning_core.by_hand import ByHand
from tests.reasoning_core.tiny import tiny_checkpoint

PROMPT = [Span(SpanKind.PROMPT, (6, 30, 31, 32, 7))]
OTHER = [Span(SpanKind.PROMPT, (6, 40, 41, 7)), Span(SpanKind.RESPONSE, (50, 11)), Span(SpanKind.PROMPT, (6, 42, 7))]
EOA = 11


class NoEnd:
    """A guide under which a response cannot end."""

    def allowed(self, generated):
        return [60, 61, 62]


def asking(first: int) -> list[Span]:
    return [Span(SpanKind.PROMPT, (6, first, first + 1, 7))]


@pytest.mark.parametrize("temperature", [0.0, 1.3])
@pytest.mark.parametrize("layout", list(Layout))
def test_a_seed_writes_the_same_text_alone_in_company_and_after_an_eviction(layout, temperature):
    conversations = [[Span(SpanKind.PROMPT, (20 + n, 7)), *OTHER[1:]] for n in range(6)]
    wishes = [Sampling(temperature, seed, 12) for seed in range(6)]
    alone = [ByHand(tiny_checkpoint(layout)).write(*each) for each in zip(conversations, wishes, strict=True)]
    crowd = ByHand(tiny_checkpoint(layout), max_sessions=4)
    sessions = [crowd.ask(*each) for each in zip(conversations, wishes, strict=True)]
    crowd.run()
    assert [list(session.stream) for session in sessions] == alone
    narrow = ByHand(tiny_checkpoint(layout), budget_bytes=crowd.pool.bytes_for(1))
    for _ in range(2):
        assert [narrow.write(*each) for each in zip(conversations, wishes, strict=True)] == alone
    assert narrow.pool.evictions > 0
    assert len({tuple(text) for text in alone}) > 1


def test_a_pass_reads_one_prompt_and_gives_every_running_session_a_token():
    desk = ByHand(tiny_checkpoint(), max_sessions=3, drafted_tokens=0)
    sessions = [desk.ask(asking(20 + n), Sampling(max_new_tokens=9), NoEnd()) for n in range(3)]
    counts = []
    for _ in range(4):
        desk.run(1)
        counts.append([len(session.written) for session in sessions])
    assert counts == [[2, 0, 0], [3, 2, 0], [4, 3, 2], [5, 4, 3]]


def test_more_than_the_limit_wait_and_follow_when_a_session_is_free():
    desk = ByHand(tiny_checkpoint(), max_sessions=1)
    first, second = (desk.ask(asking(20 + n), Sampling(max_new_tokens=3), NoEnd()) for n in range(2))
    desk.run(1)
    assert (desk.scheduler.load.running, desk.scheduler.load.waiting, second.written) == (1, 1, [])
    desk.run()
    assert len(list(first.stream)) == len(list(second.stream)) == 3


def test_when_to_come_back_follows_how_long_answers_take_and_how_many_are_before():
    desk = ByHand(tiny_checkpoint(), max_sessions=2)
    for seconds in (10.0, 10.0):
        desk.ask(PROMPT, Sampling(max_new_tokens=3), NoEnd())
        desk.run(1)
        desk.clock.now_s += seconds
        desk.run()
    load = desk.scheduler.load
    assert (load.answer_s, load.retry_after_s(2)) == (10.0, 1), "nobody is before"
    for n in range(5):
        desk.ask(asking(20 + n), Sampling(max_new_tokens=30), NoEnd())
    desk.run(1)
    assert (load.running, load.waiting, load.retry_after_s(2)) == (2, 3, 25)


def test_callers_take_turns_and_each_callers_requests_keep_their_order():
    desk = ByHand(tiny_checkpoint(), max_sessions=1)
    names = ["greedy", "greedy", "greedy", "modest", "shy", "modest"]
    asked = [desk.ask(asking(20 + n), Sampling(max_new_tokens=1), caller=name) for n, name in enumerate(names)]
    order = []
    while desk.scheduler.run_pass():
        order += [n for n, session in enumerate(asked) if session.written and n not in order]
    order += [n for n in range(len(asked)) if n not in order]
    assert order == [0, 3, 4, 1, 5, 2]


def test_sessions_wait_for_memory_and_a_large_one_is_not_overtaken():
    checkpoint = tiny_checkpoint(max_position_embeddings=2048)
    desk = ByHand(checkpoint, max_sessions=4)
    narrow = ByHand(checkpoint, max_sessions=4, budget_bytes=2 * desk.pool.bytes_for(1))
    small = narrow.ask(asking(20), Sampling(max_new_tokens=9), NoEnd())
    large = narrow.ask(asking(30), Sampling(max_new_tokens=300), NoEnd())
    late = narrow.ask(asking(40), Sampling(max_new_tokens=9), NoEnd())
    narrow.run(3)
    assert [len(session.written) > 0 for session in (small, large, late)] == [True, False, False]
    while not small.stream._ended.is_set():
        narrow.run(1)
    narrow.run(2)
    assert [len(session.written) > 0 for session in (large, late)] == [True, False]
    narrow.run()
    assert (len(list(large.stream)), len(list(late.stream))) == (300, 9)
    assert narrow.scheduler.load.running_bytes == 0


@pytest.mark.parametrize("way", ["closed", "cancelled"])
@pytest.mark.parametrize("when", ["in line", "running"])
def test_who_leaves_is_gone_before_the_next_step(way, when):
    desk, cancel = ByHand(tiny_checkpoint(), max_sessions=1), threading.Event()
    if when == "in line":
        desk.ask(OTHER, Sampling(max_new_tokens=50), NoEnd())
    leaver = desk.ask(PROMPT, Sampling(max_new_tokens=50), NoEnd(), cancel=cancel)
    follower = desk.ask(asking(20), Sampling(max_new_tokens=2))
    desk.run(3)
    written = len(leaver.written)
    assert (written > 0) == (when == "running")
    if way == "closed":
        leaver.stream.is_closed = True
    else:
        cancel.set()
    desk.run(1)
    assert len(leaver.written) == written
    assert bool(follower.written) == (when == "running")
    assert leaver.entry is None
    assert desk.scheduler.load.cancelled == 1


@pytest.mark.parametrize("when", ["in line", "running"])
def test_a_request_whose_time_is_over_ends_with_a_sentence_behind_what_was_written(when):
    desk = ByHand(tiny_checkpoint(), max_sessions=1)
    if when == "in line":
        desk.ask(OTHER, Sampling(max_new_tokens=50), NoEnd())
    late = desk.ask(PROMPT, Sampling(max_new_tokens=50), NoEnd(), deadline_s=5.0)
    desk.run(2)
    desk.clock.now_s = 6.0
    written = list(late.written)
    desk.run(1)
    assert [next(late.stream) for _ in written] == written
    with pytest.raises(DeadlinePassed, match=r"not finished within 6 s: busy, retry after \d+ s"):
        next(late.stream)
    assert desk.scheduler.load.late == 1


def test_a_guide_that_fails_ends_its_own_response_alone():
    class Failing:
        def allowed(self, generated):
            return [1 // (2 - len(generated))]

    desk = ByHand(tiny_checkpoint())
    broken, whole = desk.ask(PROMPT, Sampling(max_new_tokens=6), Failing()), desk.ask(OTHER, Sampling(max_new_tokens=6))
    desk.run()
    with pytest.raises(ZeroDivisionError):
        list(broken.stream)
    assert list(whole.stream) == ByHand(tiny_checkpoint()).write(OTHER, Sampling(max_new_tokens=6))


def test_the_turns_before_are_not_computed_again_and_a_second_response_to_a_prompt_computes_no_prompt():
    desk = ByHand(tiny_checkpoint(), drafted_tokens=0)
    load = desk.scheduler.load
    first = desk.write(PROMPT, Sampling(max_new_tokens=4), NoEnd())
    assert load.computed_tokens == 5 + 3, "the prompt, and every token but the last"
    desk.write(PROMPT, Sampling(1.0, 8, 4), NoEnd())
    assert load.computed_tokens == 5 + 3 + 3, "only the tokens of the second response"
    assert (load.prompt_tokens, load.cached_tokens, load.hits) == (10, 5, 1)
    again = desk.write(PROMPT, Sampling(max_new_tokens=4), NoEnd())
    assert again == first
    turn = [*PROMPT, Span(SpanKind.RESPONSE, (*first[:3], EOA)), *asking(33)]
    session = desk.ask(turn, Sampling(max_new_tokens=1))
    desk.run()
    assert (session.stream.usage().prompt, session.stream.usage().cached) == (13, 8)


def test_a_dialogue_of_ten_turns_computes_each_of_its_tokens_once():
    desk, spans = ByHand(tiny_checkpoint(), drafted_tokens=0), list(OTHER[:2])
    for turn in range(10):
        spans += asking(20 + turn)
        written = desk.write(spans, Sampling(max_new_tokens=5))
        spans.append(Span(SpanKind.RESPONSE, tuple(written)))
    whole = sum(len(span.tokens) for span in spans)
    # The last token of each response is fed with the next turn, so only the very last one is not computed.
    assert desk.scheduler.load.computed_tokens == whole - 1 + 5 * desk.scheduler.load.close_calls


class Coin:
    """A decoder whose rounding is a coin: it moves every logit by up to so much, differently at every call."""

    def __init__(self, decoder, noise: float) -> None:
        self._decoder, self._noise = decoder, noise
        self.new_cache = decoder.new_cache
        self._random = torch.Generator().manual_seed(7)

    def prefill(self, tokens, row, cache):
        is_whole = cache.length == 0
        logits_V = self._decoder.prefill(tokens, row, cache)
        return logits_V if is_whole else self._moved(logits_V)

    def step(self, news, caches):
        return [self._moved(logits_TV) for logits_TV in self._decoder.step(news, caches)]

    def _moved(self, logits):
        return logits + self._noise * (2 * torch.rand(logits.shape, generator=self._random) - 1)


@pytest.mark.parametrize("temperature", [0.0, 0.5, 2.0])
def test_rounding_below_the_close_call_changes_no_text_even_where_tokens_nearly_tie(temperature):
    """Logits are shrunk until most choices are close calls, and moved at random as far as the bound allows."""
    checkpoint = tiny_checkpoint()
    with torch.no_grad():
        checkpoint.model.lm_head.weight *= CLOSE_CALL
    temperature *= CLOSE_CALL
    wishes = [(asking(20 + n), Sampling(temperature, n, 10)) for n in range(8)]
    exact = [ByHand(checkpoint).write(*wish) for wish in wishes]
    coin = Coin(Decoder(checkpoint.model), 0.499 * CLOSE_CALL)
    desk = ByHand(checkpoint, max_sessions=4, decoder=coin)
    sessions = [desk.ask(*wish) for wish in wishes]
    desk.run()
    assert [list(session.stream) for session in sessions] == exact
    assert 0 < desk.scheduler.load.close_calls < desk.scheduler.load.new_tokens
