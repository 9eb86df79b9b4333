"""A tiny real cross-encoder from a folder, and folders that hold none."""

from pathlib import Path

import pytest
import torch
from sentence_transformers import CrossEncoder
from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

from retrieval.reranking import CrossEncoderReranker, RerankerDamaged

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "meal", "meals", "hotel", "are", "paid"]
PASSAGES = ["meals are paid", "hotel", "paid meal " * 80]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cross-encoder")
    (path / "vocab.txt").write_text("\n".join(WORDS))
    BertTokenizerFast(vocab_file=str(path / "vocab.txt"), model_max_length=64).save_pretrained(path)
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    torch.manual_seed(0)
    config = BertConfig(vocab_size=len(WORDS), num_labels=1, max_position_embeddings=64, initializer_range=1.0, **shape)
    BertForSequenceClassification(config).save_pretrained(path)
    return path


def test_scores_are_the_models_between_nothing_and_one(folder: Path) -> None:
    model = CrossEncoder(str(folder), device="cpu", local_files_only=True, activation_fn=torch.nn.Identity())
    logits = model.predict([("meal", passage) for passage in PASSAGES], show_progress_bar=False)
    expected = torch.sigmoid(torch.tensor(logits)).tolist()
    reranker = CrossEncoderReranker(folder)
    assert reranker.scores("meal", PASSAGES) == pytest.approx(expected, abs=1e-5)
    assert len(set(expected)) == 3
    assert reranker.scores("meal", []) == []


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RerankerDamaged, match=r"lacks config.json, model.safetensors"):
        CrossEncoderReranker(tmp_path)
