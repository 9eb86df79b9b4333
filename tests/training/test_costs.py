"""The formulas of cost against counts of the operations and of the bytes, and against what others have paid."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from reasoning_core.attention import AttentionView
from reasoning_core.cache import KVCache
from reasoning_core.config import CoreConfig
from reasoning_core.layout import Layout, Span, SpanKind, lay_out
from reasoning_core.model import HrmTextCore
from training.costs import DEVICES, activation_bytes_per_token, cost_of, memory_of, training_flops_per_token
from training.sizes import config_of_size, size_named

# A row is of no length that a weight has, so that weights can be told from activations.
ROWS, TOKENS, SHARE = 2, 120, 0.25
NANO = config_of_size("nano", 512)
CPU, H100 = DEVICES


def loss_of(model: HrmTextCore, grad_calls: int, precision: torch.dtype) -> torch.Tensor:
    """Return the loss of one step as the trainer computes it, on random tokens of which a share is supervised."""
    tokens = torch.randint(model.config.vocab_size, (ROWS, TOKENS), generator=torch.Generator().manual_seed(0))
    row = lay_out([[Span(SpanKind.PROMPT, tuple(range(TOKENS)))]], Layout.TURN_BLOCKS)
    supervised = torch.arange(TOKENS).expand(ROWS, -1) < SHARE * TOKENS
    with torch.autocast("cpu", torch.bfloat16, enabled=precision is torch.bfloat16):
        z_BTD = model.model(tokens, AttentionView.of_rows([row] * ROWS), grad_calls=grad_calls)
        logits = model.lm_head(z_BTD[supervised])
    return F.cross_entropy(logits.float(), tokens[supervised])


def new_model(config: CoreConfig) -> HrmTextCore:
    model = HrmTextCore(config)
    model.initialise(torch.Generator().manual_seed(0))
    return model


@pytest.mark.parametrize("grad_calls", [2, 3, 4, 5])
def test_the_flops_formula_agrees_with_a_count_of_the_operations(grad_calls: int):
    model = new_model(NANO)
    # The plain attention is counted product by product; fused kernels of the CPU are not counted at all.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        loss_of(model, grad_calls, torch.float32).backward()
    formula = ROWS * TOKENS * training_flops_per_token(NANO, TOKENS, grad_calls=grad_calls, supervised_share=SHARE)
    assert counter.get_total_flops() == pytest.approx(formula, rel=0.03)


@pytest.mark.parametrize("name", ["nano", "mini", "medium"])
def test_the_activation_formula_agrees_with_the_bytes_that_autograd_keeps(name: str):
    config = config_of_size(name, 512)
    model = new_model(config)
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss_of(model, 5, torch.bfloat16)
    shapes = {parameter.shape for parameter in model.parameters()}
    weights = {tensor.shape for tensor in kept.values()} & (shapes | {shape[::-1] for shape in shapes})
    num_bytes = sum(t.untyped_storage().nbytes() for t in kept.values() if t.shape not in weights)
    formula = ROWS * TOKENS * activation_bytes_per_token(config, TOKENS, supervised_share=SHARE)
    assert num_bytes == pytest.approx(formula, rel=0.12)


def test_the_serving_cache_is_what_the_cache_of_a_full_conversation_takes():
    size = size_named("nano")
    config = size.config()
    cache = KVCache(config, torch.float32)
    cache.reserve(config.max_position_embeddings)
    assert memory_of(size).serving_cache == cache.size_bytes


def test_the_published_arithmetic_is_found_again():
    # The paper states 1.0-1.1e21 FLOPs for XL and 0.5e21 for L, over 60 billion tokens; K averages 4.6 of them.
    for name, stated in (("XL", 1.05e21), ("L", 0.55e21)):
        config = config_of_size(name, 65_536)
        shallow, deep = (training_flops_per_token(config, 500, grad_calls=K) for K in (4, 5))
        assert 60e9 * (0.4 * shallow + 0.6 * deep) == pytest.approx(stated, rel=0.15)


@pytest.mark.parametrize(("name", "hours", "usd"), [("L", 50 * 8, 800), ("XL", 46 * 16, 1472)])
def test_the_published_hours_and_prices_are_found_again(name: str, hours: float, usd: float):
    # Published kernels skip the keys of other conversations in a row, which are about 500 tokens long.
    flops = 60e9 * training_flops_per_token(config_of_size(name, 65_536), 500)
    estimated = flops / H100.flops_per_second / 3600
    assert estimated == pytest.approx(hours, rel=0.15)
    assert estimated * H100.usd_per_hour == pytest.approx(usd, rel=0.15)


def test_the_rate_of_the_cpu_gives_the_time_that_the_first_mini_core_took():
    tokens, seconds = 6_337_003, 2_863
    as_it_was = replace(size_named("mini"), row_tokens=384, batch_rows=4)
    (estimate,) = cost_of(as_it_was, [CPU], tokens).estimates
    assert estimate.hours * 3600 == pytest.approx(seconds, rel=0.15)
