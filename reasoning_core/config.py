"""The shape of a core, and its config.json in Hugging Face form."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reasoning_core.layout import Layout

# The keys of config.json that change what the model computes; other keys are kept out of the way of the forward pass.
_HF_FIXED = {"hidden_act": "silu", "attention_bias": False, "mlp_bias": False, "tie_word_embeddings": False}


@dataclass(frozen=True, slots=True)
class CoreConfig:
    """Sizes of an HRM-Text model; a stack is one of the two modules, H or L.

    With one H cycle and no L cycle the recurrence falls away: that is the plain Transformer of the baselines, whose
    only stack is H.
    """

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_layers_per_stack: int
    num_attention_heads: int
    head_dim: int
    max_position_embeddings: int = 2048
    H_cycles: int = 2
    L_cycles: int = 3
    rope_theta: float = 10_000.0
    rms_norm_eps: float = 1e-6
    initializer_range: float = 0.02
    embedding_scale: float = 50.0
    layout: Layout = Layout.TURN_BLOCKS

    @property
    def attention_width(self) -> int:
        return self.num_attention_heads * self.head_dim

    @property
    def num_slots(self) -> int:
        """Key-value slots: one for each layer of each stack call of a forward pass."""
        return self.num_layers_per_stack * self.H_cycles * (self.L_cycles + 1)

    @property
    def num_parameters(self) -> int:
        layer = 5 * self.hidden_size * self.attention_width + 3 * self.hidden_size * self.intermediate_size
        num_stacks = 2 if self.L_cycles else 1
        stacks = num_stacks * self.num_layers_per_stack * layer
        return stacks + 2 * self.vocab_size * self.hidden_size + self.hidden_size

    def to_hugging_face(self, *, pad_id: int, end_id: int) -> dict[str, Any]:
        """Return config.json; `num_hidden_layers` is the inflated slot count that transformers expects."""
        return {
            "architectures": ["HrmTextForCausalLM"],
            "model_type": "hrm_text",
            "vocab_size": self.vocab_size,
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "num_hidden_layers": self.num_slots,
            "num_layers_per_stack": self.num_layers_per_stack,
            "num_attention_heads": self.num_attention_heads,
            "head_dim": self.head_dim,
            "max_position_embeddings": self.max_position_embeddings,
            "H_cycles": self.H_cycles,
            "L_cycles": self.L_cycles,
            "L_bp_cycles": [0, self.L_cycles],
            "rope_parameters": {"rope_type": "default", "rope_theta": self.rope_theta},
            "rms_norm_eps": self.rms_norm_eps,
            "initializer_range": self.initializer_range,
            "embedding_scale": self.embedding_scale,
            "prefix_lm": self.layout is not Layout.CAUSAL,
            "pad_token_id": pad_id,
            "eos_token_id": end_id,
            "precept_layout": self.layout.value,
            **_HF_FIXED,
        }

    @classmethod
    def from_hugging_face(cls, values: Mapping[str, Any]) -> "CoreConfig":
        """Read config.json, ours or the published one.

        Raises:
            ValueError: another architecture, or a setting that this forward pass does not have.
        """
        if values.get("model_type") != "hrm_text":
            raise ValueError(f"config.json describes a {values.get('model_type')!r} model, not an hrm_text one")
        for key, expected in _HF_FIXED.items():
            if values.get(key, expected) != expected:
                raise ValueError(f"config.json sets {key} to {values[key]!r}; a core is computed with {expected!r}")
        if "precept_layout" not in values and "prefix_lm" not in values:
            raise ValueError("config.json names no attention layout: it needs prefix_lm, or precept_layout for our own")
        # The published checkpoints know no other layout than the growing prefix.
        layout = Layout(values.get("precept_layout", Layout.SINGLE_PREFIX))
        if values.get("prefix_lm", True) == (layout is Layout.CAUSAL):
            raise ValueError(f"config.json sets prefix_lm to {values.get('prefix_lm')}; the layout is {layout.value}")
        H_cycles, L_cycles = int(values.get("H_cycles", 2)), int(values.get("L_cycles", 3))
        # A config written before the inflated count carries the true one in num_hidden_layers.
        layers = values.get("num_layers_per_stack") or values["num_hidden_layers"]
        initializer_range = float(values.get("initializer_range", 0.02))
        rope = values.get("rope_parameters") or {}
        if rope.get("rope_type", "default") != "default":
            raise ValueError(f"config.json asks for {rope['rope_type']!r} RoPE; a core is computed with 'default'")
        return cls(
            vocab_size=int(values["vocab_size"]),
            hidden_size=int(values["hidden_size"]),
            intermediate_size=int(values["intermediate_size"]),
            num_layers_per_stack=int(layers),
            num_attention_heads=int(values["num_attention_heads"]),
            head_dim=int(values.get("head_dim", 128)),
            max_position_embeddings=int(values.get("max_position_embeddings", 2048)),
            H_cycles=H_cycles,
            L_cycles=L_cycles,
            rope_theta=float(rope.get("rope_theta", values.get("rope_theta", 10_000.0))),
            rms_norm_eps=float(values.get("rms_norm_eps", 1e-6)),
            initializer_range=initializer_range,
            embedding_scale=float(values.get("embedding_scale") or 1.0 / initializer_range),
            layout=layout,
        )
