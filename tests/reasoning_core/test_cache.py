"""The key-value cache: append-only, exact, and frozen once written."""

import pytest
import torch

from reasoning_core.attention import AttentionView
from reasoning_core.cache import KVCache
from reasoning_core.layout import Layout, lay_out
from tests.reasoning_core.test_model import SIZES, dialogue, logits_of, tokens_of
from tests.reasoning_core.tiny import relative_error, tiny_config, tiny_model


@torch.inference_mode()
def feed(model, cache, spans, first, last):
    """Compute tokens `first` to `last` of a conversation over a cache that holds those before."""
    row = lay_out([spans], Layout.TURN_BLOCKS)
    view = AttentionView(row.position_T[None, first:last], row.mask_QK(first)[None, None, : last - first, :last])
    return model(torch.tensor([tokens_of(spans)[first:last]]), view, cache)[0]


@pytest.mark.parametrize("name", SIZES)
def test_every_turn_over_the_cache_has_the_logits_of_a_full_forward(name: str):
    model, spans = tiny_model(SIZES[name]), dialogue(5, 3, 1, 4, 6, 1)
    cache, start, parts = KVCache(model.config, torch.float32), 0, []
    for span in spans:
        parts.append(feed(model, cache, spans, start, start + len(span.tokens)))
        start += len(span.tokens)
    assert cache.length == start
    assert relative_error(torch.cat(parts), logits_of(model, spans)) < 1e-5


def test_every_slot_of_a_finished_turn_stays_bit_identical_when_turns_follow():
    model, spans = tiny_model(SIZES["two_layers"]), dialogue(5, 3, 4, 2)
    cache = KVCache(model.config, torch.float32)
    feed(model, cache, spans, 0, 8)
    before = [
        (cache.slot(i).keys_BNKH[:, :, :8].clone(), cache.slot(i).values_BNKH[:, :, :8].clone()) for i in range(16)
    ]
    feed(model, cache, spans, 8, 14)
    assert model.config.num_slots == 16
    for index, (keys, values) in enumerate(before):
        assert torch.equal(cache.slot(index).keys_BNKH[:, :, :8], keys)
        assert torch.equal(cache.slot(index).values_BNKH[:, :, :8], values)


def test_a_cropped_cache_continues_as_if_the_cropped_tokens_had_never_been():
    model, spans, edited = tiny_model(), dialogue(5, 3, 4, 2), dialogue(5, 3, 6, 1)
    cache = KVCache(model.config, torch.float32)
    feed(model, cache, spans, 0, 8)
    feed(model, cache, spans, 8, 14)
    cache.crop(8)
    edited[:2] = spans[:2]
    assert relative_error(feed(model, cache, edited, 8, 15), logits_of(model, edited)[8:]) < 1e-5


def test_growing_past_the_reserved_room_keeps_what_was_written():
    model = tiny_model(tiny_config(max_position_embeddings=300))
    spans = dialogue(250, 3, 40)
    cache = KVCache(model.config, torch.float32)
    feed(model, cache, spans, 0, 253)
    size = cache.size_bytes
    assert relative_error(feed(model, cache, spans, 253, 293), logits_of(model, spans)[253:]) < 1e-5
    assert cache.size_bytes > size


def test_tokens_beyond_the_last_position_are_refused_and_the_cache_stays_usable():
    model = tiny_model(tiny_config(max_position_embeddings=16))
    spans, longer = dialogue(6, 3, 4), dialogue(6, 3, 10)
    longer[:2] = spans[:2]
    cache = KVCache(model.config, torch.float32)
    feed(model, cache, spans, 0, 9)
    with pytest.raises(ValueError, match="19 tokens do not fit the 16 positions"):
        cache.reserve(10)
    assert cache.length == 9
    assert relative_error(feed(model, cache, spans, 9, 13), logits_of(model, spans)[9:]) < 1e-5


@pytest.mark.parametrize("length", [-1, 4])
def test_cropping_to_a_length_that_is_not_cached_is_refused(length: int):
    cache = KVCache(tiny_config(), torch.float32)
    cache.reserve(3)
    cache.advance(3)
    with pytest.raises(ValueError, match=f"3 tokens to {length}"):
        cache.crop(length)
