"""config.json: ours, the published one, and those that are refused."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning_core.config import CoreConfig
from reasoning_core.layout import Layout
from tests.reasoning_core.tiny import tiny_config

# The values of the released 1B model, as its authors and transformers state them.
PUBLISHED_1B = {
    "architectures": ["HrmTextForCausalLM"],
    "model_type": "hrm_text",
    "vocab_size": 65536,
    "hidden_size": 1536,
    "intermediate_size": 4096,
    "num_hidden_layers": 128,
    "num_layers_per_stack": 16,
    "num_attention_heads": 12,
    "head_dim": 128,
    "hidden_act": "silu",
    "max_position_embeddings": 4096,
    "H_cycles": 2,
    "L_cycles": 3,
    "L_bp_cycles": [0, 3],
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
    "rms_norm_eps": 1e-06,
    "initializer_range": 0.02,
    "embedding_scale": 50.0,
    "attention_bias": False,
    "mlp_bias": False,
    "tie_word_embeddings": False,
    "prefix_lm": True,
    "use_cache": True,
    "dtype": "bfloat16",
}


def test_the_published_1b_config_is_read_under_its_own_layout():
    config = CoreConfig.from_hugging_face(PUBLISHED_1B)
    assert config.layout is Layout.SINGLE_PREFIX
    assert (config.num_layers_per_stack, config.num_slots, config.attention_width) == (16, 128, 1536)
    assert (config.H_cycles, config.L_cycles, config.embedding_scale) == (2, 3, 50.0)
    assert 1.1e9 < config.num_parameters < 1.2e9


def test_a_config_that_names_no_layout_is_refused():
    values = {key: value for key, value in PUBLISHED_1B.items() if key != "prefix_lm"}
    with pytest.raises(ValueError, match="names no attention layout: it needs prefix_lm, or precept_layout"):
        CoreConfig.from_hugging_face(values)
    assert CoreConfig.from_hugging_face(PUBLISHED_1B | {"precept_layout": "turn_blocks"}).layout is Layout.TURN_BLOCKS


def test_a_config_from_before_the_inflated_count_is_read_too():
    older = {k: v for k, v in PUBLISHED_1B.items() if k not in ("num_layers_per_stack", "embedding_scale")}
    older |= {"num_hidden_layers": 16, "rope_theta": 10_000.0, "rope_parameters": None}
    assert CoreConfig.from_hugging_face(older) == CoreConfig.from_hugging_face(PUBLISHED_1B)


@given(
    st.builds(
        replace,
        st.just(tiny_config()),
        layout=st.sampled_from(Layout),
        vocab_size=st.integers(1, 10**6),
        num_layers_per_stack=st.integers(1, 40),
        H_cycles=st.integers(1, 5),
        L_cycles=st.integers(0, 5),
        rope_theta=st.floats(1, 1e7),
        embedding_scale=st.floats(1e-3, 1e3),
        head_dim=st.integers(1, 64).map(lambda half: 2 * half),
    )
)
def test_a_config_written_is_the_config_read(config):
    assert CoreConfig.from_hugging_face(config.to_hugging_face(pad_id=5, end_id=11)) == config


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"model_type": "llama"}, "describes a 'llama' model, not an hrm_text one"),
        ({"model_type": None}, "describes a None model"),
        ({"hidden_act": "gelu"}, "sets hidden_act to 'gelu'; a core is computed with 'silu'"),
        ({"attention_bias": True}, "sets attention_bias to True"),
        ({"mlp_bias": True}, "sets mlp_bias to True"),
        ({"tie_word_embeddings": True}, "sets tie_word_embeddings to True"),
        ({"prefix_lm": False}, "sets prefix_lm to False; the layout is single_prefix"),
        ({"rope_parameters": {"rope_type": "yarn"}}, "asks for 'yarn' RoPE"),
        ({"precept_layout": "causal"}, "sets prefix_lm to True; the layout is causal"),
        ({"precept_layout": "diagonal"}, "'diagonal' is not a valid Layout"),
    ],
)
def test_a_setting_that_this_forward_pass_does_not_have_is_refused_by_name(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        CoreConfig.from_hugging_face(PUBLISHED_1B | change)
