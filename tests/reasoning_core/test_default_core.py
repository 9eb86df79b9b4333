"""The core that ships: whole, small, loadable elsewhere, and able to read a passage."""

import pytest
import torch
from transformers import HrmTextForCausalLM

from reasoning_core import prompt
from reasoning_core.attention import AttentionView
from reasoning_core.checkpoint import Checkpoint, default_core_folder, load_checkpoint
from reasoning_core.engine import Engine
from reasoning_core.layout import Layout, lay_out
from reasoning_core.prompt import Passage, Turn
from reasoning_core.reader import Answer, Reader


@pytest.fixture(scope="module")
def core() -> Checkpoint:
    return load_checkpoint(default_core_folder())


QUESTION = Turn(
    (Passage("Travel policy > Limits", "Hotels are reimbursed up to $180 per night."),), "Is $210 ok for a hotel?"
)


def test_it_is_whole_small_and_names_its_training(core: Checkpoint):
    size = sum(path.stat().st_size for path in default_core_folder().iterdir())
    assert size <= 16 << 20
    assert core.model.config.layout is Layout.TURN_BLOCKS
    assert core.model.config.max_position_embeddings >= 2048
    assert core.lineage["run"]["data_sha256"]


def test_transformers_loads_it_as_it_is_with_equal_logits(core: Checkpoint):
    theirs = HrmTextForCausalLM.from_pretrained(default_core_folder(), dtype=torch.float32).eval()
    spans = prompt.spans([QUESTION], core.tokenizer)
    tokens = torch.tensor([spans[0].tokens])
    with torch.inference_mode():
        ours = core.model(tokens, AttentionView.of_rows([lay_out([spans], Layout.TURN_BLOCKS)]))
        expected = theirs(tokens, token_type_ids=torch.ones_like(tokens)).logits
    assert float((ours - expected).abs().max() / expected.abs().max()) < 1e-5


def test_its_answer_to_a_plain_limit_follows_the_document_when_the_document_changes(core: Checkpoint):
    reader = Reader(Engine(core))

    def answer(limit: int) -> Answer:
        passage = Passage("Travel policy > Limits", f"Hotels are reimbursed up to ${limit} per night.")
        *_, last = reader.read([], "Is $210 for a hotel within the limit?", [passage])
        assert isinstance(last, Answer)
        return last

    low, high = answer(180), answer(240)
    assert (low.response.short_answer, high.response.short_answer) == ("No", "Yes")
    assert all(verdict.holds for verdict in (*low.working, *high.working))
