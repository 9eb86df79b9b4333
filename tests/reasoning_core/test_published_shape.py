"""Folders as transformers writes them, with the published 1B's configuration: transformers' logits, and served exactly.

Its cycles, constants, head size and formats are kept; narrow ones shrink its width, and the wide one has its real width
but one layer a stack and a small vocabulary, because all of it in two copies would take more memory than a test may.
"""

import json
from pathlib import Path

import pytest
import torch
import transformers

from reasoning_core.checkpoint import Checkpoint, load_checkpoint
from reasoning_core.layout import Layout, Span, SpanKind, lay_out
from reasoning_core.sampling import Sampling
from tests.reasoning_core.by_hand import ByHand
from tests.reasoning_core.test_config import PUBLISHED_1B
from tests.reasoning_core.test_model import logits_of
from tests.reasoning_core.tiny import relative_error, tiny_tokenizer

NARROW = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 2, "head_dim": 16}
SMALL = {"vocab_size": tiny_tokenizer().vocabulary_size, "pad_token_id": 5, "eos_token_id": 11}
SHAPES = [
    pytest.param(NARROW | {"num_layers_per_stack": 16, "num_hidden_layers": 128}, id="narrow"),
    pytest.param({"num_layers_per_stack": 1, "num_hidden_layers": 8}, id="wide", marks=pytest.mark.slow),
]
FIRST = [Span(SpanKind.PROMPT, (6, 30, 31, 32, 33, 7)), Span(SpanKind.RESPONSE, (40, 41, 42, 11))]
SECOND = Span(SpanKind.PROMPT, (6, 50, 51, 7))


def published(folder: Path, changes: dict[str, object]) -> tuple[transformers.HrmTextForCausalLM, Checkpoint]:
    """Let transformers write random weights in bfloat16 under the published configuration, and load them both ways."""
    values = {k: v for k, v in (PUBLISHED_1B | SMALL | changes).items() if k not in ("model_type", "architectures")}
    # transformers takes the layers of a stack under the name that it then inflates.
    values["num_hidden_layers"] = values.pop("num_layers_per_stack")
    torch.manual_seed(0)
    written = transformers.HrmTextForCausalLM(transformers.HrmTextConfig(**values))
    torch.nn.init.normal_(written.model.z_L_init)
    written.to(torch.bfloat16).save_pretrained(folder)
    tiny_tokenizer().save(folder / "tokenizer.json")
    config = json.loads((folder / "config.json").read_text())
    assert {key: config[key] for key in ("prefix_lm", "H_cycles", "L_cycles", "num_layers_per_stack")} == {
        "prefix_lm": True,
        "H_cycles": 2,
        "L_cycles": 3,
        "num_layers_per_stack": changes["num_layers_per_stack"],
    }
    theirs = transformers.HrmTextForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    return theirs, load_checkpoint(folder)


@torch.inference_mode()
def their_logits(theirs: transformers.HrmTextForCausalLM, spans: list[Span], layout: Layout) -> torch.Tensor:
    """Return transformers' logits: by its own types for its own layout, by the explicit mask for turn blocks."""
    tokens = torch.tensor([[token for span in spans for token in span.tokens]])
    if layout is Layout.SINGLE_PREFIX:
        prefix = tokens.shape[1] - len(spans[-1].tokens)
        types = torch.tensor([[1] * prefix + [0] * len(spans[-1].tokens)])
        return theirs(input_ids=tokens, token_type_ids=types, use_cache=False).logits[0]
    mask_QK = lay_out([spans], layout).mask_QK()
    additive = torch.zeros(mask_QK.shape).masked_fill(~mask_QK, torch.finfo(torch.float32).min)
    return theirs(input_ids=tokens, attention_mask=additive[None, None], use_cache=False).logits[0]


@pytest.mark.parametrize("layout", [Layout.SINGLE_PREFIX, Layout.TURN_BLOCKS])
@pytest.mark.parametrize("changes", SHAPES)
def test_a_published_folder_has_transformers_logits_and_its_dialogue_is_served_as_transformers_would(
    changes, layout, tmp_path
):
    theirs, checkpoint = published(tmp_path, changes)
    assert checkpoint.model.config.layout is Layout.SINGLE_PREFIX, "a published folder knows no other layout"
    if layout is Layout.TURN_BLOCKS:
        config = json.loads((tmp_path / "config.json").read_text())
        (tmp_path / "config.json").write_text(json.dumps(config | {"precept_layout": layout.value}))
        checkpoint = load_checkpoint(tmp_path)
    answered = [*FIRST, SECOND, Span(SpanKind.RESPONSE, (60, 61))]
    expected = their_logits(theirs, answered, layout)
    assert relative_error(logits_of(checkpoint.model, answered, layout=layout), expected) < 1e-5
    desk = ByHand(checkpoint)
    for asked in ([FIRST[0]], [*FIRST, SECOND]):
        written = desk.write(asked, Sampling(max_new_tokens=5))
        full = their_logits(theirs, [*asked, Span(SpanKind.RESPONSE, tuple(written))], layout)
        assert written == full[-len(written) - 1 : -1].argmax(-1).tolist()
