"""Caches under a budget: which prefix is usable, what is evicted, what has to wait."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoning_core.cache_pool import CacheEntry, CachePool, usable_prefix
from reasoning_core.core import ContextOverflow
from reasoning_core.decoding import Decoder
from reasoning_core.layout import Layout, Span, SpanKind, lay_out
from tests.reasoning_core.tiny import tiny_config, tiny_model

spans = st.builds(Span, st.sampled_from(SpanKind), st.lists(st.integers(20, 21), min_size=1, max_size=3).map(tuple))
conversations = st.lists(spans, min_size=1, max_size=4)


def seen(conversation: list[Span], layout: Layout) -> list[list[tuple[int, int]]]:
    """Return, for every token, the places and tokens that it sees."""
    tokens = [token for span in conversation for token in span.tokens]
    mask = lay_out([conversation], layout).mask_QK().tolist()
    return [[(j, token) for j, token in enumerate(tokens) if row[j]] for row in mask]


def laid_out(conversation: list[Span], layout: Layout) -> tuple[list[int], list[int]]:
    return [t for span in conversation for t in span.tokens], lay_out([conversation], layout).block_T.tolist()


def found_prefix(old: list[Span], new: list[Span], layout: Layout) -> int:
    return usable_prefix(*laid_out(old, layout), *laid_out(new, layout))


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


NEW_CACHE = Decoder(tiny_model(tiny_config(max_position_embeddings=2048))).new_cache


def pool_for(num_caches: float) -> tuple[CachePool, int]:
    """Return a pool with room for so many caches of up to 256 tokens, and the size of one."""
    size = CachePool(NEW_CACHE, 1 << 30).bytes_for(256)
    return CachePool(NEW_CACHE, int(num_caches * size)), size


def filled(pool: CachePool, tokens: list[int], length: int | None = None) -> CacheEntry:
    """Take a cache for these tokens, all in a response, and mark it as holding them."""
    entry = pool.take(tokens, [-1] * len(tokens), length or 256)
    assert entry is not None
    new = len(tokens) - len(entry.tokens)
    entry.cache.advance(new)
    entry.hold(tokens[len(entry.tokens) :], [-1] * new)
    return entry


def cached(pool: CachePool, tokens: list[int]) -> int:
    """Return how much of these tokens the pool holds, leaving it as it was."""
    entry = pool.take(tokens, [-1] * len(tokens), 256)
    assert entry is not None
    found = len(entry.tokens)
    pool.give_back(entry)
    return found


def test_the_least_recently_used_idle_cache_is_evicted_first():
    pool, _ = pool_for(2)
    for tokens in ([1, 2], [3, 4], [5, 6]):
        pool.give_back(filled(pool, tokens))
    assert pool.evictions == 1
    assert cached(pool, [5, 6, 7]) == 2
    assert cached(pool, [3, 4, 7]) == 2
    assert cached(pool, [1, 2, 7]) == 0


def test_a_cache_that_is_used_again_is_young_again():
    pool, _ = pool_for(2)
    for tokens in ([1, 2], [3, 4], [1, 2], [5, 6]):
        pool.give_back(filled(pool, tokens))
    assert (cached(pool, [1, 2, 7]), cached(pool, [5, 6, 7])) == (2, 2)
    assert cached(pool, [3, 4, 7]) == 0


def test_what_would_pass_the_budget_beside_running_sessions_has_to_wait():
    pool, size = pool_for(2.5)
    first, second = filled(pool, [1, 2]), filled(pool, [3, 4])
    assert pool.running_bytes == 2 * size
    assert pool.take([5, 6], [-1, -1], 256) is None
    pool.give_back(second)
    assert pool.take([5, 6], [-1, -1], 256) is not None
    assert (pool.evictions, first.tokens) == (1, [1, 2])


def test_a_refused_request_evicts_nothing():
    pool, _ = pool_for(2)
    pool.give_back(filled(pool, [1, 2]))
    running = filled(pool, [3, 4])
    assert pool.take([5, 6], [-1, -1], 257) is None
    pool.give_back(running)
    assert (pool.evictions, cached(pool, [1, 2, 7])) == (0, 2)


def test_what_would_never_fit_is_refused_with_a_sentence():
    pool, size = pool_for(1)
    with pytest.raises(ContextOverflow, match=f"300 tokens takes {2 * size} bytes, the budget is {size}: raise it"):
        pool.take([1], [-1], 300)


@given(
    budget=st.integers(2, 5),
    requests=st.lists(
        st.tuples(st.lists(st.integers(1, 2), min_size=1, max_size=6), st.sampled_from([200, 300, 500]), st.booleans()),
        max_size=12,
    ),
)
def test_running_and_idle_caches_never_pass_the_budget_and_what_is_cached_is_a_prefix(budget, requests):
    pool, size = pool_for(budget)
    running: list[CacheEntry] = []
    for tokens, length, goes_on in requests:
        entry = pool.take(tokens, [-1] * len(tokens), length)
        if entry is not None:
            assert entry.tokens == tokens[: len(entry.tokens)]
            assert len(entry.tokens) == entry.cache.length < len(tokens)
            assert entry.cache.size_bytes >= pool.bytes_for(length)
            entry.cache.advance(len(tokens) - len(entry.tokens))
            entry.hold(tokens[len(entry.tokens) :], [-1] * (len(tokens) - len(entry.tokens)))
            running.append(entry)
        assert pool.running_bytes + pool.idle_bytes <= budget * size
        assert pool.running_bytes == sum(entry.cache.size_bytes for entry in running)
        if running and not goes_on:
            pool.give_back(running.pop(0))
