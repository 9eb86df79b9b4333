"""The one dial of training: a size decides the shape of a core and, unless told otherwise, how it is trained.

L and XL are as published (arXiv 2605.20613), vocabulary, context, batch, learning rate and average included; B has the
shape of upstream's configuration; mini is the size that ships, with the learning rate and batch of its run. The
learning rates and batches of the others are interpolated over the logarithm of the parameters and were not searched.
Rows are long because conversations in them attend by themselves: a row of 512 tokens was filled to 82 %, one of 2,048
to 99 %, at the same cost for each pair of tokens.
"""

from dataclasses import dataclass, replace

from reasoning_core.config import CoreConfig


@dataclass(frozen=True, slots=True)
class Size:
    """A shape and the settings that go with it; `batch_rows` rows of `row_tokens` tokens make one step."""

    name: str
    hidden_size: int
    num_layers_per_stack: int
    num_attention_heads: int
    head_dim: int
    intermediate_size: int
    vocabulary_size: int
    row_tokens: int
    batch_rows: int
    learning_rate: float
    warmup_steps: int
    ema_decay: float
    max_position_embeddings: int = 2048

    def config(self, vocabulary_size: int | None = None) -> CoreConfig:
        """Return the shape, with this size's own vocabulary unless another is given."""
        return CoreConfig(
            vocab_size=vocabulary_size or self.vocabulary_size,
            hidden_size=self.hidden_size,
            intermediate_size=self.intermediate_size,
            num_layers_per_stack=self.num_layers_per_stack,
            num_attention_heads=self.num_attention_heads,
            head_dim=self.head_dim,
            max_position_embeddings=self.max_position_embeddings,
        )


_ALL = (
    Size("nano", 64, 1, 2, 32, 256, 1024, 1024, 2, 1.5e-3, 100, 0.999),
    Size("micro", 128, 2, 2, 64, 384, 2048, 1024, 2, 1.4e-3, 100, 0.999),
    Size("mini", 192, 2, 3, 64, 512, 2048, 1024, 2, 1.2e-3, 100, 0.999),
    Size("small", 256, 2, 4, 64, 768, 4096, 1024, 4, 1.0e-3, 200, 0.999),
    Size("medium", 384, 4, 6, 64, 1024, 8192, 1024, 8, 7.0e-4, 500, 0.999),
    Size("B", 1024, 6, 8, 128, 2816, 65_536, 4096, 20, 3.0e-4, 2000, 0.9999, 4096),
    Size("L", 1280, 12, 10, 128, 3584, 65_536, 4096, 42, 2.5e-4, 2000, 0.9999, 4096),
    Size("XL", 1536, 16, 12, 128, 4096, 65_536, 4096, 48, 2.2e-4, 2000, 0.9999, 4096),
)
_BY_NAME = {size.name: size for size in _ALL}
SIZES = tuple(_BY_NAME)


def size_named(name: str) -> Size:
    """Return a size by its name.

    Raises:
        ValueError: no such size.
    """
    if name not in _BY_NAME:
        raise ValueError(f"unknown size {name!r}: use one of {', '.join(SIZES)}")
    return _BY_NAME[name]


def config_of_size(size: str, vocabulary_size: int) -> CoreConfig:
    """Return the shape of a named size.

    Raises:
        ValueError: no such size.
    """
    return size_named(size).config(vocabulary_size)


def reshaped(config: CoreConfig, hidden_size: int | None, num_layers_per_stack: int | None) -> CoreConfig:
    """Return a shape of another width or depth, with heads and SwiGLU in the proportion of the sizes above.

    Raises:
        ValueError: `hidden_size` is no multiple of the head dimension.
    """
    if num_layers_per_stack is not None:
        config = replace(config, num_layers_per_stack=num_layers_per_stack)
    if hidden_size is None:
        return config
    if hidden_size % config.head_dim:
        raise ValueError(f"a width of {hidden_size} is no multiple of the {config.head_dim} dimensions of a head")
    return replace(
        config,
        hidden_size=hidden_size,
        num_attention_heads=hidden_size // config.head_dim,
        intermediate_size=-(-8 * hidden_size // 3 // 64) * 64,
    )
