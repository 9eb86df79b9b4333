"""What a size costs: arithmetic, memory and hours, each by a formula that is written here and tested.

With D hidden_size, A the attention width, F intermediate_size, V the vocabulary, n layers a stack, and T the tokens
that one attends over. For a size T is its row, which is what a GPU computes under a mask. On a CPU the trainer attends
conversation by conversation, which costs less where several share a row.

FLOPs of one stack call for a token   n (2 (5 D A + 3 D F) + 4 T A): the projections, then scores and weighted values
FLOPs of training on a token          call (H_cycles (L_cycles + 1) + 2 K) + 6 D V s, as a backward pass costs two
                                      forward ones and s is the share of tokens whose logits are computed
bytes of the training state           20 a parameter (float32 master, average, two moments, gradient), 2 more for the
                                      bfloat16 copy that products read
bytes of activations for a token      K n (12 D + 18 A + 8 F + 2 T) + 10 V s: bfloat16, but float32 in the residual
                                      stream and the inputs of norms; nothing is recomputed
bytes of serving                      4 a parameter, and a cache of 8 A for each slot and token of a conversation
"""

from collections.abc import Iterable
from dataclasses import dataclass

from reasoning_core.config import CoreConfig
from training.schedule import MAX_GRAD_CALLS
from training.sizes import Size

# Measured on dialogues generated from our own rulebooks.
SUPERVISED_SHARE = 0.3
# What the reproduced L had seen for each of its parameters when it first read well: 14.0 billion tokens, one of its
# four epochs, SQuAD F1 87. It is also the ratio of arXiv 2203.15556.
TOKENS_PER_PARAMETER = 20


@dataclass(frozen=True, slots=True)
class Device:
    """A machine that trains: `flops_per_second` is what it sustains, not its peak; `basis` says where that is from."""

    name: str
    flops_per_second: float
    usd_per_hour: float
    basis: str


DEVICES = (
    Device("cpu", 1.0e11, 0.10, "two shared cores; 0.1 TFLOP/s measured over the run of the first mini core, bfloat16"),
    Device(
        "h100", 0.4 * 989e12, 2.00, "one H100 at 40 % of its 989 TFLOP/s, the share and price of the published runs"
    ),
)


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes to train a size and to serve it."""

    training_state: int
    activations_per_row: int
    activations_per_batch: int
    serving_weights: int
    serving_cache: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """Time and money on one device."""

    device: str
    hours: float
    usd: float


@dataclass(frozen=True, slots=True)
class Cost:
    """Everything that one size costs."""

    size: Size
    parameters: int
    memory: Memory
    tokens: int
    flops_per_token: float
    estimates: tuple[Estimate, ...]


def stack_call_flops(config: CoreConfig, attended_tokens: float) -> float:
    """Return the FLOPs of one forward call of a stack for one token."""
    D, A, F = config.hidden_size, config.attention_width, config.intermediate_size
    return config.num_layers_per_stack * (2.0 * (5 * D * A + 3 * D * F) + 4.0 * attended_tokens * A)


def training_flops_per_token(
    config: CoreConfig,
    attended_tokens: float,
    *,
    grad_calls: int = MAX_GRAD_CALLS,
    supervised_share: float = SUPERVISED_SHARE,
) -> float:
    """Return the FLOPs of training on one token, at its deepest unless K is given."""
    calls = config.H_cycles * (config.L_cycles + 1) + 2 * grad_calls
    projection = 6.0 * config.hidden_size * config.vocab_size * supervised_share
    return calls * stack_call_flops(config, attended_tokens) + projection


def activation_bytes_per_token(
    config: CoreConfig, row_tokens: int, *, supervised_share: float = SUPERVISED_SHARE
) -> float:
    """Return what the backward pass of the deepest step keeps for one token, in bytes."""
    D, A, F = config.hidden_size, config.attention_width, config.intermediate_size
    layer = 12 * D + 18 * A + 8 * F + 2 * row_tokens
    return MAX_GRAD_CALLS * config.num_layers_per_stack * layer + 10 * config.vocab_size * supervised_share


def memory_of(size: Size) -> Memory:
    """Return the bytes of a size at its own rows, batch and vocabulary."""
    config = size.config()
    row = round(size.row_tokens * activation_bytes_per_token(config, size.row_tokens))
    return Memory(
        training_state=22 * config.num_parameters,
        activations_per_row=row,
        activations_per_batch=row * size.batch_rows,
        serving_weights=4 * config.num_parameters,
        serving_cache=8 * config.attention_width * config.num_slots * config.max_position_embeddings,
    )


def cost_of(size: Size, devices: Iterable[Device], tokens: int | None = None) -> Cost:
    """Return what a size costs on the devices, for its recommended tokens unless a number is given."""
    config = size.config()
    tokens = tokens or TOKENS_PER_PARAMETER * config.num_parameters
    flops_per_token = training_flops_per_token(config, size.row_tokens)
    hours = {device: tokens * flops_per_token / device.flops_per_second / 3600 for device in devices}
    estimates = tuple(Estimate(device.name, hours[device], hours[device] * device.usd_per_hour) for device in hours)
    return Cost(size, config.num_parameters, memory_of(size), tokens, flops_per_token, estimates)
