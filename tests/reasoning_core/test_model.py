"""The forward pass against transformers.HrmTextForCausalLM, and against a plain-loop reading of the paper."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import transformers
from torch import Tensor

from reasoning_core.attention import AttentionView
from reasoning_core.checkpoint import load_checkpoint, save_checkpoint
from reasoning_core.config import CoreConfig
from reasoning_core.layout import Layout, RowLayout, Span, SpanKind, lay_out
from reasoning_core.model import HrmTextCore, first_calls_with_gradient
from tests.reasoning_core.tiny import relative_error, tiny_config, tiny_model, tiny_tokenizer

SIZES = {
    "published_cycles": tiny_config(),
    "two_layers": tiny_config(num_layers_per_stack=2),
    "wide_heads": tiny_config(num_attention_heads=4, head_dim=16),
    "one_cycle_each": tiny_config(H_cycles=1, L_cycles=1, num_layers_per_stack=3),
    "three_by_two": tiny_config(H_cycles=3, L_cycles=2, hidden_size=48, intermediate_size=64, num_attention_heads=3),
    "other_constants": tiny_config(rope_theta=500.0, embedding_scale=7.5, rms_norm_eps=1e-5),
}
TRANSFORMER = tiny_config(H_cycles=1, L_cycles=0, num_layers_per_stack=3)


def prompt_and_response(prompt: int, response: int, seed: int = 1) -> list[Span]:
    tokens = torch.randint(18, 300, (prompt + response,), generator=torch.Generator().manual_seed(seed)).tolist()
    return [Span(SpanKind.PROMPT, tuple(tokens[:prompt])), Span(SpanKind.RESPONSE, tuple(tokens[prompt:]))]


def dialogue(*lengths: int, seed: int = 1) -> list[Span]:
    """Return alternating prompt blocks and responses of these lengths."""
    generator = torch.Generator().manual_seed(seed)
    kinds = (SpanKind.PROMPT, SpanKind.RESPONSE)
    return [
        Span(kinds[i % 2], tuple(torch.randint(18, 300, (length,), generator=generator).tolist()))
        for i, length in enumerate(lengths)
    ]


def tokens_of(spans: list[Span]) -> list[int]:
    return [token for span in spans for token in span.tokens]


@torch.inference_mode()
def logits_of(model: HrmTextCore, *conversations: list[Span], layout: Layout = Layout.TURN_BLOCKS) -> Tensor:
    """Return the logits (T, V) of conversations packed into one row."""
    tokens = [token for spans in conversations for token in tokens_of(spans)]
    return model(torch.tensor([tokens]), AttentionView.of_rows([lay_out(conversations, layout)]))[0]


def save(folder: Path, model: HrmTextCore) -> None:
    save_checkpoint(folder, model, tiny_tokenizer(), lineage={}, card="# tiny\n")


def theirs_from(folder: Path) -> transformers.HrmTextForCausalLM:
    return transformers.HrmTextForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


@pytest.mark.parametrize("config", SIZES.values(), ids=SIZES.keys())
def test_transformers_loads_our_folder_and_computes_the_same_logits(config: CoreConfig, tmp_path):
    model = tiny_model(config)
    save(tmp_path, model)
    theirs, spans = theirs_from(tmp_path), prompt_and_response(9, 6)
    prefix, causal = torch.tensor([[1] * 9 + [0] * 6]), torch.zeros(1, 15, dtype=torch.long)
    for layout, types in zip(Layout, (prefix, prefix, causal), strict=True):
        with torch.inference_mode():
            tokens = torch.tensor([tokens_of(spans)])
            reference = theirs(input_ids=tokens, token_type_ids=types, use_cache=False).logits[0]
        assert relative_error(logits_of(model, spans, layout=layout), reference) < 1e-5


@pytest.mark.parametrize("config", SIZES.values(), ids=SIZES.keys())
def test_we_load_a_folder_of_transformers_and_compute_the_same_logits(config: CoreConfig, tmp_path):
    values = config.to_hugging_face(pad_id=5, end_id=11)
    for ours_alone in ("model_type", "precept_layout", "num_hidden_layers"):
        values.pop(ours_alone)
    settings = values | {"num_hidden_layers": values.pop("num_layers_per_stack")}
    torch.manual_seed(3)
    theirs = transformers.HrmTextForCausalLM(transformers.HrmTextConfig(**settings)).eval()
    torch.nn.init.normal_(theirs.model.z_L_init)
    theirs.save_pretrained(tmp_path)
    tiny_tokenizer().save(tmp_path / "tokenizer.json")
    ours = load_checkpoint(tmp_path).model
    assert replace(ours.config, layout=config.layout) == config
    assert ours.config.layout is Layout.SINGLE_PREFIX
    spans = prompt_and_response(7, 5)
    types = torch.tensor([[1] * 7 + [0] * 5])
    with torch.inference_mode():
        reference = theirs(input_ids=torch.tensor([tokens_of(spans)]), token_type_ids=types, use_cache=False).logits[0]
    assert relative_error(logits_of(ours, spans, layout=Layout.SINGLE_PREFIX), reference) < 1e-5


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_padded_batch_equals_transformers_on_every_real_token(side: str, tmp_path):
    model = tiny_model(SIZES["two_layers"])
    save(tmp_path, model)
    theirs = theirs_from(tmp_path)
    rows = [prompt_and_response(6, 5, 1), prompt_and_response(1, 3, 2), prompt_and_response(8, 0, 3)]
    longest = max(len(tokens_of(row)) for row in rows)
    tokens, types, real, layouts = [], [], [], []
    for row in rows:
        missing, length = longest - len(tokens_of(row)), len(tokens_of(row))
        layout, fill = lay_out([row], Layout.SINGLE_PREFIX), torch.full((longest - length,), -1)

        def with_padding(values: list[int], pad: int, missing: int = missing) -> list[int]:
            return [pad] * missing + values if side == "left" else values + [pad] * missing

        tokens.append(with_padding(tokens_of(row), 5))
        types.append(with_padding([1] * len(row[0].tokens) + [0] * len(row[1].tokens), 0))
        real.append(with_padding([1] * length, 0))
        parts = [(layout.conversation_T, fill), (layout.block_T, fill), (layout.position_T, fill * 0)]
        order = slice(None, None, -1) if side == "left" else slice(None)
        layouts.append(RowLayout(*(torch.cat(part[order]) for part in parts)))
    view = AttentionView.of_rows(layouts)
    with torch.inference_mode():
        ours = model(torch.tensor(tokens), view)
        reference = theirs(
            input_ids=torch.tensor(tokens),
            token_type_ids=torch.tensor(types),
            attention_mask=torch.tensor(real),
            position_ids=view.position_BT,
            use_cache=False,
        ).logits
    is_real = torch.tensor(real, dtype=torch.bool)
    assert relative_error(ours[is_real], reference[is_real]) < 1e-5


@pytest.mark.parametrize("config", SIZES.values(), ids=SIZES.keys())
def test_turn_blocks_equal_transformers_under_the_same_explicit_mask(config: CoreConfig, tmp_path):
    model = tiny_model(config)
    save(tmp_path, model)
    spans = dialogue(6, 4, 5, 3, 1, 2)
    row = lay_out([spans], Layout.TURN_BLOCKS)
    additive = torch.zeros(row.mask_QK().shape).masked_fill(~row.mask_QK(), torch.finfo(torch.float32).min)
    with torch.inference_mode():
        reference = theirs_from(tmp_path)(
            input_ids=torch.tensor([tokens_of(spans)]), attention_mask=additive[None, None], use_cache=False
        ).logits[0]
    assert relative_error(logits_of(model, spans), reference) < 1e-5


@pytest.mark.parametrize("layout", list(Layout))
@pytest.mark.parametrize("name", ["published_cycles", "three_by_two", "other_constants"])
def test_the_forward_pass_equals_the_paper_written_as_plain_loops(name: str, layout: Layout):
    model, spans = tiny_model(SIZES[name]), dialogue(4, 2, 3, 1)
    assert relative_error(logits_of(model, spans, layout=layout).double(), by_plain_loops(model, spans, layout)) < 1e-5


def test_without_L_cycles_it_is_the_plain_transformer_that_baselines_are():
    model, spans = tiny_model(TRANSFORMER), dialogue(4, 2, 3, 1)
    expected = by_plain_loops(model, spans, Layout.TURN_BLOCKS)
    assert relative_error(logits_of(model, spans).double(), expected) < 1e-5
    assert not list(model.model.L_module.parameters())
    assert first_calls_with_gradient(TRANSFORMER, 1) == (0, 0)


@pytest.mark.parametrize("layout", list(Layout))
def test_packed_conversations_have_the_logits_they_have_alone(layout: Layout):
    model = tiny_model(SIZES["two_layers"])
    conversations = [dialogue(5, 3, seed=1), dialogue(2, 4, 6, 1, seed=2), dialogue(1, 1, 1, 1, 1, seed=3)]
    packed = logits_of(model, *conversations, layout=layout)
    alone = torch.cat([logits_of(model, spans, layout=layout) for spans in conversations])
    assert relative_error(packed, alone) < 1e-5


def test_a_row_of_a_batch_has_the_logits_it_has_alone():
    model, rows = tiny_model(), [dialogue(5, 3, 4, seed=1), dialogue(2, 4, 6, seed=2)]
    view = AttentionView.of_rows([lay_out([row], Layout.TURN_BLOCKS) for row in rows])
    with torch.inference_mode():
        together = model(torch.tensor([tokens_of(row) for row in rows]), view)
    for logits, row in zip(together, rows, strict=True):
        assert relative_error(logits, logits_of(model, row)) < 1e-5


def test_calling_the_core_without_a_layout_is_refused():
    with pytest.raises(ValueError, match="needs an attention layout"):
        tiny_model()(torch.tensor([[20, 21]]), None)


def test_a_later_token_of_a_prompt_block_changes_the_earlier_ones_of_its_block():
    model, spans = tiny_model(), dialogue(4, 3, 5, 2)
    changed = [*spans[:2], Span(SpanKind.PROMPT, (*spans[2].tokens[:-1], 25)), spans[3]]
    before, after = logits_of(model, spans), logits_of(model, changed)
    assert relative_error(after[:7], before[:7]) < 1e-6, "earlier turns never see a later block"
    assert all(relative_error(after[i], before[i]) > 1e-4 for i in range(7, 11))


def test_a_later_response_token_leaves_every_earlier_token_alone():
    model, spans = tiny_model(), dialogue(4, 6)
    changed = [spans[0], Span(SpanKind.RESPONSE, (*spans[1].tokens[:3], 25, *spans[1].tokens[4:]))]
    before, after = logits_of(model, spans), logits_of(model, changed)
    assert relative_error(after[:7], before[:7]) < 1e-6
    assert all(relative_error(after[i], before[i]) > 1e-4 for i in range(7, 10))


def test_under_the_single_prefix_a_new_turn_changes_what_came_before_it():
    model, spans = tiny_model(), dialogue(4, 3, 2)
    before = logits_of(model, spans[:2], layout=Layout.SINGLE_PREFIX)
    after = logits_of(model, spans, layout=Layout.SINGLE_PREFIX)[:7]
    assert relative_error(after[0], before[0]) > 1e-4


@pytest.mark.parametrize("K", [2, 3, 4, 5, 6, 8])
def test_the_last_K_calls_carry_gradient_and_the_logits_do_not_depend_on_K(K: int):
    model, spans = tiny_model(), dialogue(5, 4)
    view = AttentionView.of_rows([lay_out([spans], Layout.TURN_BLOCKS)])
    tokens = torch.tensor([tokens_of(spans)])
    H_from, L_from = first_calls_with_gradient(model.config, K)
    assert (2 - H_from) + (6 - L_from) == K
    assert torch.allclose(model(tokens, view, grad_calls=K), model(tokens, view))


@pytest.mark.parametrize(("K", "H", "L"), [(2, 1, 1), (3, 2, 1), (4, 2, 2), (5, 2, 3)])
def test_K_splits_into_H_and_L_calls_as_published(K: int, H: int, L: int):
    H_from, L_from = first_calls_with_gradient(tiny_config(), K)
    assert (2 - H_from, 6 - L_from) == (H, L)


@pytest.mark.parametrize("K", [0, 1, 9])
def test_a_K_outside_the_recurrence_is_refused(K: int):
    with pytest.raises(ValueError, match=f"K is {K}"):
        first_calls_with_gradient(tiny_config(), K)


def test_the_fixed_vector_is_never_trained():
    model, spans = tiny_model(), dialogue(5, 4)
    view = AttentionView.of_rows([lay_out([spans], Layout.TURN_BLOCKS)])
    model(torch.tensor([tokens_of(spans)]), view).square().mean().backward()
    assert model.model.z_L_init.grad is None
    assert all(p.grad is not None for name, p in model.named_parameters() if name != "model.z_L_init")


def test_the_parameter_count_is_the_number_of_numbers_in_the_weights():
    for config in (*SIZES.values(), TRANSFORMER):
        assert config.num_parameters == sum(p.numel() for p in HrmTextCore(config).parameters())


def by_plain_loops(model: HrmTextCore, spans: list[Span], layout: Layout) -> Tensor:
    """Compute the logits token by token in float64, from the weights and the paper alone."""
    config = model.config
    weights = {name: value.double() for name, value in model.state_dict().items()}
    tokens, kinds = tokens_of(spans), [(s, span.kind) for s, span in enumerate(spans) for _ in span.tokens]
    last_prompt = max(s for s, span in enumerate(spans) if span.kind is SpanKind.PROMPT)

    def sees(i: int, j: int) -> bool:
        if layout is Layout.CAUSAL:
            return j <= i
        if layout is Layout.SINGLE_PREFIX:
            return j <= i or (kinds[i][0] <= last_prompt and kinds[j][0] <= last_prompt)
        return j <= i or (kinds[i] == kinds[j] and kinds[i][1] is SpanKind.PROMPT)

    def norm(x: Tensor) -> Tensor:
        return x / torch.sqrt((x * x).mean() + config.rms_norm_eps)

    def turned(x: Tensor, position: int) -> Tensor:
        half, out = config.head_dim // 2, x.clone()
        for p in range(half):
            angle = position / config.rope_theta ** (2 * p / config.head_dim)
            out[p] = x[p] * math.cos(angle) - x[p + half] * math.sin(angle)
            out[p + half] = x[p + half] * math.cos(angle) + x[p] * math.sin(angle)
        return out

    def attend(prefix: str, states: list[Tensor]) -> list[Tensor]:
        fused = [weights[f"{prefix}.attn.gqkv_proj.weight"] @ norm(x) for x in states]
        parts = [f.view(4, config.num_attention_heads, config.head_dim) for f in fused]
        out = []
        for i, (gate, query, _, _) in enumerate(parts):
            visible, heads = [j for j in range(len(states)) if sees(i, j)], []
            for n in range(config.num_attention_heads):
                q = turned(query[n], i)
                scores = torch.stack([q @ turned(parts[j][2][n], j) for j in visible]) / config.head_dim**0.5
                mixed = sum(w * parts[j][3][n] for w, j in zip(torch.softmax(scores, 0), visible, strict=True))
                heads.append(torch.sigmoid(gate[n]) * mixed)
            out.append(weights[f"{prefix}.attn.o_proj.weight"] @ torch.cat(heads))
        return out

    def feed_forward(prefix: str, x: Tensor) -> Tensor:
        gate, up = (weights[f"{prefix}.mlp.gate_up_proj.weight"] @ norm(x)).chunk(2)
        return weights[f"{prefix}.mlp.down_proj.weight"] @ (gate * torch.sigmoid(gate) * up)

    def stack(name: str, states: list[Tensor]) -> list[Tensor]:
        for layer in range(config.num_layers_per_stack):
            prefix = f"model.{name}_module.layers.{layer}"
            states = [x + y for x, y in zip(states, attend(prefix, states), strict=True)]
            states = [x + feed_forward(prefix, x) for x in states]
        return [norm(x) for x in states]

    z_H = [weights["model.embed_tokens.weight"][token] * config.embedding_scale for token in tokens]
    z_L = [weights["model.z_L_init"]] * len(tokens)
    for _ in range(config.H_cycles):
        for _ in range(config.L_cycles):
            z_L = stack("L", [low + high for low, high in zip(z_L, z_H, strict=True)])
        z_H = stack("H", [high + low for low, high in zip(z_L, z_H, strict=True)])
    return torch.stack([weights["lm_head.weight"] @ x for x in z_H])
