"""The one dial of training: a size names the shape of a core."""

from reasoning_core.config import CoreConfig

# hidden_size, num_layers_per_stack, num_attention_heads, head_dim, intermediate_size
_SHAPES = {
    "nano": (64, 1, 2, 32, 256),
    "micro": (128, 2, 2, 64, 384),
    "mini": (192, 2, 3, 64, 512),
    "small": (256, 2, 4, 64, 768),
    "medium": (384, 4, 6, 64, 1024),
    # As published (arXiv 2605.20613, table of sizes).
    "L": (1280, 12, 10, 128, 3584),
    "XL": (1536, 16, 12, 128, 4096),
}
SIZES = tuple(_SHAPES)


def config_of_size(size: str, vocabulary_size: int) -> CoreConfig:
    """Return the shape of a named size.

    Raises:
        ValueError: no such size.
    """
    if size not in _SHAPES:
        raise ValueError(f"unknown size {size!r}: use one of {', '.join(SIZES)}")
    hidden, layers, heads, head_dim, intermediate = _SHAPES[size]
    return CoreConfig(
        vocab_size=vocabulary_size,
        hidden_size=hidden,
        intermediate_size=intermediate,
        num_layers_per_stack=layers,
        num_attention_heads=heads,
        head_dim=head_dim,
    )
