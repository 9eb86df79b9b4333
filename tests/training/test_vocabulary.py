"""More characters in a vocabulary: what was there stays as it was."""

from pathlib import Path

import pytest
import torch

from reasoning_core.attention import AttentionView
from reasoning_core.checkpoint import Checkpoint, load_checkpoint
from reasoning_core.config import CoreConfig
from reasoning_core.layout import Span, SpanKind, lay_out
from reasoning_core.model import HrmTextCore
from reasoning_core.tokenizer import CoreTokenizer
from training.command_line import main
from training.vocabulary import extended


def _logits(checkpoint: Checkpoint, text: str) -> torch.Tensor:
    row = lay_out([[Span(SpanKind.PROMPT, tuple(checkpoint.tokenizer.encode(text)))]], checkpoint.model.config.layout)
    view = AttentionView(row.position_T[None], row.mask_QK()[None, None])
    with torch.inference_mode():
        return checkpoint.model(torch.tensor([checkpoint.tokenizer.encode(text)]), view)


@pytest.fixture(scope="module")
def core() -> Checkpoint:
    tokenizer = CoreTokenizer.train(["the limit is 60 per night and 45 elsewhere " * 20], 300)
    model = HrmTextCore(CoreConfig(tokenizer.vocabulary_size, 32, 64, 1, 2, 16, 128))
    model.initialise(torch.Generator().manual_seed(1))
    return Checkpoint("small", model.eval(), tokenizer, "0" * 64, {})


def test_text_without_the_new_characters_gets_the_same_tokens_and_the_same_logits(core: Checkpoint) -> None:
    model, tokenizer = extended(core, "€’")
    after = Checkpoint("larger", model.eval(), tokenizer, "0" * 64, {})
    text = "the limit is 60 per night"
    assert tokenizer.encode(text) == core.tokenizer.encode(text)
    num_before = core.tokenizer.vocabulary_size
    torch.testing.assert_close(_logits(after, text)[..., :num_before], _logits(core, text), rtol=0, atol=0)


def test_the_new_characters_are_single_tokens_that_can_be_quoted(core: Checkpoint) -> None:
    assert "€" not in core.tokenizer.pieces()
    model, tokenizer = extended(core, "€’é")
    assert [len(tokenizer.encode(character)) for character in "€’é"] == [1, 1, 1]
    assert tokenizer.decode(tokenizer.encode("it’s €5 – café")) == "it’s €5 – café"
    assert tokenizer.pieces()["€"] == tokenizer.encode("€")[0]
    spelled = core.tokenizer.encode("€")
    embedding = model.model.embed_tokens.weight
    torch.testing.assert_close(
        embedding[tokenizer.encode("€")[0]], core.model.model.embed_tokens.weight[spelled].mean(0)
    )


def test_characters_that_are_tokens_already_are_refused(core: Checkpoint) -> None:
    with pytest.raises(ValueError, match="'abc' is a token of small already"):
        extended(core, "abc")


def test_the_command_writes_a_core_that_loads_and_refuses_a_folder_in_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from reasoning_core.checkpoint import default_core_folder

    out = tmp_path / "larger"
    assert main(["extend", str(default_core_folder()), "--characters", "ł", "--out", str(out)]) == 0
    larger = load_checkpoint(out)
    assert len(larger.tokenizer.encode("ł")) == 1
    assert main(["extend", str(default_core_folder()), "--characters", "ł", "--out", str(out)]) == 2
    assert "something already" in capsys.readouterr().err
