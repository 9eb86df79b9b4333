"""Small real cores: the same code as the served one, sized for property tests."""

from functools import cache

import torch

from reasoning_core.checkpoint import Checkpoint
from reasoning_core.config import CoreConfig
from reasoning_core.layout import Layout
from reasoning_core.model import HrmTextCore
from reasoning_core.tokenizer import CoreTokenizer

SENTENCES = (
    "Employees may claim up to $60 per day for meals while travelling.",
    "Hotel stays above 180 EUR per night need the approval of a director.",
    "Requests must be filed at least 14 days before the first day of leave.",
    "Is 75 allowed? No. 75 is more than 60 [2]. Yes. 2024-03-01 + 30 d = 2024-03-31",
    "The documents do not say. Which country do you travel to?",
)


@cache
def tiny_tokenizer() -> CoreTokenizer:
    """Return a byte-level tokenizer with a few merges, so that tokens of several characters occur."""
    return CoreTokenizer.train(SENTENCES * 3, 400)


def tiny_config(layout: Layout = Layout.TURN_BLOCKS, **changes: object) -> CoreConfig:
    values: dict[str, object] = {
        "vocab_size": tiny_tokenizer().vocabulary_size,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_layers_per_stack": 1,
        "num_attention_heads": 2,
        "head_dim": 8,
        "max_position_embeddings": 512,
    }
    return CoreConfig(**(values | changes), layout=layout)  # type: ignore[arg-type]


def tiny_model(config: CoreConfig | None = None, seed: int = 0) -> HrmTextCore:
    """Return a core with random weights, those of z_L and the output projection included."""
    model = HrmTextCore(config or tiny_config())
    generator = torch.Generator().manual_seed(seed)
    model.initialise(generator)
    with torch.no_grad():
        torch.nn.init.normal_(model.lm_head.weight, std=0.3, generator=generator)
    return model.eval()


def tiny_checkpoint(layout: Layout = Layout.TURN_BLOCKS, seed: int = 0, **changes: object) -> Checkpoint:
    """Return a checkpoint as if it had been loaded."""
    model = tiny_model(tiny_config(layout, **changes), seed)
    return Checkpoint("tiny", model, tiny_tokenizer(), "0" * 64, {})


def relative_error(ours: torch.Tensor, reference: torch.Tensor) -> float:
    """Return the largest difference over the largest reference value."""
    return float((ours - reference).abs().max() / reference.abs().max())
