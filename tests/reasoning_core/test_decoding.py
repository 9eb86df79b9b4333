"""The decoder: its fused pass against the full forward under the mask, and against itself in other company."""

import logging
import sys
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoning_core.cache import KVCache
from reasoning_core.config import CoreConfig
from reasoning_core.decoding import Decoder
from reasoning_core.layout import Layout, RowLayout, Span, SpanKind, lay_out
from reasoning_core.model import HrmTextCore
from tests.reasoning_core.test_model import logits_of, save, theirs_from, tokens_of
from tests.reasoning_core.tiny import relative_error, tiny_config, tiny_model

SHAPES: dict[str, dict[str, int]] = {
    "one_tile": {"hidden_size": 64, "intermediate_size": 64, "head_dim": 32},
    "odd_widths": {"hidden_size": 38, "intermediate_size": 48, "head_dim": 16, "num_attention_heads": 3},
    "two_layers": {"hidden_size": 96, "intermediate_size": 80, "head_dim": 48, "num_layers_per_stack": 2},
    "transformer": {"hidden_size": 32, "head_dim": 64, "H_cycles": 1, "L_cycles": 0, "num_layers_per_stack": 3},
}
PROMPTS = st.lists(st.integers(18, 300), min_size=1, max_size=9).map(tuple)


@cache
def core(shape: str, layout: Layout = Layout.TURN_BLOCKS, halves: bool = True) -> HrmTextCore:
    """Return a core whose weights bfloat16 holds exactly, or does not."""
    model = tiny_model(tiny_config(layout, **SHAPES[shape]))
    if halves:
        model.load_state_dict({name: weight.bfloat16().float() for name, weight in model.state_dict().items()})
    return model


@cache
def fused(shape: str, layout: Layout = Layout.TURN_BLOCKS, halves: bool = True) -> Decoder:
    decoder = Decoder(core(shape, layout, halves))
    assert decoder.warm_up()
    return decoder


def laid_out(spans: list[Span], layout: Layout) -> tuple[list[int], RowLayout]:
    return tokens_of(spans), lay_out([spans], layout)


class Dialogue:
    """One row: a conversation, its cache, and what the decoder said about each token that it was asked about."""

    def __init__(self, decoder: Decoder, layout: Layout, prompt: tuple[int, ...]) -> None:
        self.decoder, self.layout = decoder, layout
        self.cache = decoder.new_cache()
        self.spans = [Span(SpanKind.PROMPT, prompt), Span(SpanKind.RESPONSE, ())]
        self.logits: dict[int, torch.Tensor] = {}
        self.prefill()

    def prefill(self) -> None:
        tokens, row = laid_out(self.spans, self.layout)
        self.logits[len(tokens) - 1] = self.decoder.prefill(tokens, row, self.cache)

    def feed(self, new: tuple[int, ...], logits_TV: torch.Tensor) -> None:
        start = len(tokens_of(self.spans))
        self.spans[-1] = Span(SpanKind.RESPONSE, self.spans[-1].tokens + new)
        self.logits |= {start + place: logits for place, logits in enumerate(logits_TV)}

    def crop(self, count: int) -> None:
        """Take back up to `count` tokens of the response, as a draft that was not accepted."""
        kept = self.spans[-1].tokens[: max(0, len(self.spans[-1].tokens) - count)]
        self.spans[-1] = Span(SpanKind.RESPONSE, kept)
        self.cache.crop(len(tokens_of(self.spans)))
        self.logits = {place: logits for place, logits in self.logits.items() if place < self.cache.length}

    def ask_again(self, prompt: tuple[int, ...]) -> None:
        self.spans += [Span(SpanKind.PROMPT, prompt), Span(SpanKind.RESPONSE, ())]
        if self.layout is Layout.SINGLE_PREFIX:  # the whole history is read anew
            self.cache.crop(0)
            self.logits.clear()
        self.prefill()

    def compare(self, model: HrmTextCore) -> None:
        full = logits_of(model, self.spans, layout=self.layout)
        assert self.cache.length == len(full)
        for place, logits in self.logits.items():
            assert relative_error(logits, full[place]) < 1e-5


@pytest.mark.parametrize("layout", list(Layout))
@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=8, deadline=None)
@given(data=st.data(), halves=st.booleans())
def test_prompts_drafts_and_crops_of_many_rows_have_the_logits_of_a_full_forward(shape, layout, halves, data):
    decoder = fused(shape, layout, halves)
    rows = [Dialogue(decoder, layout, prompt) for prompt in data.draw(st.lists(PROMPTS, min_size=1, max_size=6))]
    for _ in range(data.draw(st.integers(1, 5))):
        some = data.draw(st.lists(st.sampled_from(rows), min_size=1, unique=True))
        match data.draw(st.sampled_from(["step", "step", "crop", "ask"])):
            case "step":
                news = [data.draw(PROMPTS) for _ in some]
                for row, new, logits in zip(some, news, decoder.step(news, [r.cache for r in some]), strict=True):
                    row.feed(new, logits)
            case "crop":
                some[0].crop(data.draw(st.integers(0, 9)))
            case "ask":
                some[0].ask_again(data.draw(PROMPTS))
    for row in rows:
        row.compare(core(shape, layout, halves))


@pytest.mark.parametrize("halves", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=8, deadline=None)
@given(
    prompt=PROMPTS,
    draft=st.lists(st.integers(18, 300), min_size=1, max_size=9).map(tuple),
    others=st.lists(st.tuples(PROMPTS, PROMPTS), max_size=9),
    place=st.integers(0, 9),
)
def test_a_row_has_the_same_bits_token_by_token_alone_as_in_one_draft_among_others(
    shape, halves, prompt, draft, others, place
):
    decoder = fused(shape, halves=halves)
    alone = Dialogue(decoder, Layout.TURN_BLOCKS, prompt)
    expected = torch.cat([decoder.step([[token]], [alone.cache])[0] for token in draft])
    rows = [(Dialogue(decoder, Layout.TURN_BLOCKS, start).cache, new) for start, new in others]
    place = min(place, len(rows))
    rows.insert(place, (Dialogue(decoder, Layout.TURN_BLOCKS, prompt).cache, draft))
    logits = decoder.step([new for _, new in rows], [row for row, _ in rows])
    assert torch.equal(logits[place], expected)


def test_a_step_shared_out_among_threads_has_the_same_bits():
    prompts = [tuple(range(20 + n, 23 + 3 * n)) for n in range(5)]
    drafts = [tuple(range(40, 41 + n)) for n in (0, 3, 0, 1, 7)]
    threads, steps = torch.get_num_threads(), []
    for num_threads in (1, 3):
        torch.set_num_threads(num_threads)
        try:
            decoder = Decoder(core("two_layers"))
            assert decoder.warm_up()
        finally:
            torch.set_num_threads(threads)
        rows = [Dialogue(decoder, Layout.TURN_BLOCKS, prompt).cache for prompt in prompts]
        steps.append([*decoder.step(drafts, rows), *decoder.step([[30]] * 5, rows)])
    assert all(torch.equal(one, other) for one, other in zip(*steps, strict=True))


def test_decoding_equals_transformers_on_the_folder_that_we_write(tmp_path):
    model = core("two_layers", Layout.SINGLE_PREFIX)
    save(tmp_path, model)
    row = Dialogue(fused("two_layers", Layout.SINGLE_PREFIX), Layout.SINGLE_PREFIX, (30, 31, 32, 33, 34))
    draft = (40, 41, 42)
    row.feed(draft, row.decoder.step([draft], [row.cache])[0])
    with torch.inference_mode():
        theirs = theirs_from(tmp_path)(
            input_ids=torch.tensor([tokens_of(row.spans)]), token_type_ids=torch.tensor([[1] * 5 + [0] * 3])
        ).logits[0]
    assert relative_error(torch.stack([row.logits[place] for place in range(4, 8)]), theirs[4:]) < 1e-5


def test_a_block_longer_than_the_fused_pass_takes_and_a_growing_cache_change_nothing():
    decoder, model = fused("one_tile"), core("one_tile")
    row = Dialogue(decoder, Layout.TURN_BLOCKS, tuple(range(20, 270)))
    for token in range(30, 40):  # past the 256 tokens of a first allocation
        row.feed((token,), decoder.step([[token]], [row.cache])[0])
    row.ask_again(tuple(range(50, 170)))
    row.compare(model)


@pytest.mark.parametrize("config", [tiny_config(), tiny_config(head_dim=16, intermediate_size=40)])
def test_a_core_of_another_shape_is_served_by_the_eager_pass_and_the_log_says_so(config: CoreConfig, caplog):
    with caplog.at_level(logging.INFO):
        decoder = Decoder(tiny_model(config))
    assert "without the fused pass" in caplog.text
    assert not decoder.warm_up()
    rows = [Dialogue(decoder, Layout.TURN_BLOCKS, tuple(range(20, 20 + length))) for length in (3, 1, 7)]
    drafts = [(30,), (40, 41, 42), (50, 51)]
    for row, new, logits in zip(rows, drafts, decoder.step(drafts, [row.cache for row in rows]), strict=True):
        row.feed(new, logits)
        row.compare(tiny_model(config))


def test_without_numba_the_eager_pass_serves_and_the_log_says_so(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "numba", None)
    for name in ("fused", "kernels", "lanes"):
        monkeypatch.delitem(sys.modules, f"reasoning_core.{name}", raising=False)
    with caplog.at_level(logging.WARNING):
        decoder = Decoder(core("one_tile"))
        assert not decoder.warm_up()
    assert "without the fused pass" in caplog.text
    row = Dialogue(decoder, Layout.TURN_BLOCKS, (20, 21, 22))
    row.compare(core("one_tile"))


def test_a_cache_that_is_full_is_refused_before_anything_is_written():
    config = tiny_config(max_position_embeddings=16, **SHAPES["one_tile"])
    decoder = Decoder(tiny_model(config))
    assert decoder.warm_up()
    caches = [KVCache(config, torch.float32), KVCache(config, torch.float32)]
    decoder.step([range(20, 34), range(20, 24)], caches)
    with pytest.raises(ValueError, match="17 tokens do not fit the 16 positions"):
        decoder.step([[30] * 3, [31]], caches)
    assert [cache.length for cache in caches] == [14, 4]
