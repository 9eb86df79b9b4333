"""What HRM is measured against, in the same trainer: plain Transformers, of equal size and of equal cost."""

from dataclasses import replace

from reasoning_core.config import CoreConfig
from training.schedule import MAX_GRAD_CALLS

ARCHITECTURES = ("hrm", "transformer", "transformer-deep")


def of_architecture(config: CoreConfig, name: str) -> CoreConfig:
    """Return the shape that stands beside an HRM shape.

    `transformer` has as many layers, and so as many parameters; it is several times cheaper for each token.
    `transformer-deep` costs as much to train for each token: a layer applied with gradient counts three passes
    (forward, and twice that backward), one without counts one.

    Raises:
        ValueError: no such architecture.
    """
    if name not in ARCHITECTURES:
        raise ValueError(f"unknown architecture {name!r}: use one of {', '.join(ARCHITECTURES)}")
    if name == "hrm":
        return config
    num_layers = 2 * config.num_layers_per_stack
    if name == "transformer-deep":
        passes = config.num_slots + 2 * MAX_GRAD_CALLS * config.num_layers_per_stack
        num_layers = -(-passes // 3)
    return replace(config, H_cycles=1, L_cycles=0, num_layers_per_stack=num_layers)
