"""A checkpoint folder comes back bit for bit, or is refused with one sentence that names the file."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from reasoning_core.checkpoint import CheckpointDamaged, file_sha256, load_checkpoint, replace_card, save_checkpoint
from reasoning_core.layout import Layout
from tests.reasoning_core.tiny import tiny_config, tiny_model, tiny_tokenizer

FILES = ("config.json", "model.safetensors", "tokenizer.json", "generation_config.json", "README.md")
CORE_FILES = FILES[:3]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "core"
    save_checkpoint(path, tiny_model(), tiny_tokenizer(), lineage={"data": "abc", "steps": 7}, card="# A core\n")
    return path


def refusal(folder: Path) -> str:
    with pytest.raises(CheckpointDamaged) as refused:
        load_checkpoint(folder)
    sentence = str(refused.value)
    assert "\n" not in sentence
    assert len(sentence) < 500
    return sentence


@pytest.mark.parametrize("layout", list(Layout))
def test_a_core_comes_back_bit_for_bit(layout: Layout, tmp_path):
    model = tiny_model(tiny_config(layout, num_layers_per_stack=2))
    save_checkpoint(tmp_path / "core", model, tiny_tokenizer(), lineage={"steps": 7}, card="# A core\n")
    loaded = load_checkpoint(tmp_path / "core")
    assert loaded.model.config == model.config
    assert loaded.model.state_dict().keys() == model.state_dict().keys()
    for name, weight in model.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[name], weight)
    assert not loaded.model.training
    assert loaded.name == "core"
    assert loaded.lineage == {"steps": 7}
    assert loaded.sha256 == file_sha256(tmp_path / "core" / "model.safetensors")
    assert loaded.tokenizer.encode("Up to 60 EUR.") == tiny_tokenizer().encode("Up to 60 EUR.")


def test_a_core_saved_in_half_precision_is_the_rounded_core(tmp_path):
    save_checkpoint(tmp_path, tiny_model(), tiny_tokenizer(), lineage={}, card="", dtype=torch.bfloat16)
    loaded = load_checkpoint(tmp_path)
    for name, weight in tiny_model().state_dict().items():
        assert torch.equal(loaded.model.state_dict()[name], weight.bfloat16().float())


def test_a_core_saved_over_another_replaces_it(folder: Path):
    save_checkpoint(folder, tiny_model(seed=9), tiny_tokenizer(), lineage={}, card="# Another\n")
    weight = load_checkpoint(folder).model.lm_head.weight
    assert torch.equal(weight, tiny_model(seed=9).lm_head.weight)


def test_the_manifest_names_the_digest_of_every_file(folder: Path):
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["files"] == {name: file_sha256(folder / name) for name in FILES}
    assert sorted(path.name for path in folder.iterdir()) == sorted([*FILES, "manifest.json"])


@pytest.mark.parametrize("name", FILES)
def test_a_file_changed_by_one_byte_is_refused_by_name(name: str, folder: Path):
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    assert str(folder / name) in refusal(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused_by_name(name: str, folder: Path):
    (folder / name).unlink()
    assert name in refusal(folder)


@pytest.mark.parametrize("with_manifest", [True, False])
@pytest.mark.parametrize("name", CORE_FILES)
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_truncated_file_is_refused_by_name_with_and_without_a_manifest(name, with_manifest, share, folder: Path):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(len(content) * share)])
    if not with_manifest:
        (folder / "manifest.json").unlink()
    assert str(folder / name) in refusal(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"hidden_size": 64},
        {"num_layers_per_stack": 2},
        {"vocab_size": None},
        {"vocab_size": -4},
        {"hidden_size": "wide"},
        {"model_type": "llama"},
        {"hidden_act": "gelu"},
        {"prefix_lm": False},
        {"rope_parameters": 3},
    ],
    ids=str,
)
def test_a_config_that_does_not_fit_is_refused_with_one_sentence(change, folder: Path):
    (folder / "manifest.json").unlink()
    values = json.loads((folder / "config.json").read_text()) | change
    (folder / "config.json").write_text(json.dumps(values))
    assert str(folder) in refusal(folder)


@pytest.mark.parametrize("content", ["[]", "3", "null", "{}", '{"hidden_size": 1e999}'])
def test_a_config_that_is_no_config_is_refused_by_name(content: str, folder: Path):
    (folder / "manifest.json").unlink()
    (folder / "config.json").write_text(content)
    assert str(folder / "config.json") in refusal(folder)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"files": []}', '{"files": {}}', '{"files": 3, "layout": "x"}'])
def test_a_manifest_that_is_no_manifest_is_refused_by_name(content: str, folder: Path):
    (folder / "manifest.json").write_text(content)
    assert str(folder / "manifest.json") in refusal(folder)


def test_a_manifest_of_another_layout_is_refused(folder: Path):
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"layout": "single_prefix"}))
    assert "manifest says layout single_prefix" in refusal(folder)


def test_weights_with_a_missing_or_an_unknown_tensor_are_refused_by_name(folder: Path):
    (folder / "manifest.json").unlink()
    weights = load_file(folder / "model.safetensors")
    weights["model.z_L_other"] = weights.pop("model.z_L_init")
    save_file(weights, folder / "model.safetensors")
    assert str(folder / "model.safetensors") in refusal(folder)


def test_a_tokenizer_larger_than_the_core_is_refused(folder: Path, tmp_path):
    smaller = tiny_model(tiny_config(vocab_size=300))
    save_checkpoint(tmp_path / "mixed", smaller, tiny_tokenizer(), lineage={}, card="")
    assert "they belong to different cores" in refusal(tmp_path / "mixed")


class Trap:
    """Unpickling this makes a file, so that one can see whether anything was unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_pickle_is_never_read(name: str, folder: Path, tmp_path):
    trap = pickle.dumps(Trap(tmp_path / "sprung"))
    (folder / "manifest.json").unlink()
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(trap)
    assert "model.safetensors" in refusal(folder)
    assert not (tmp_path / "sprung").exists()


def test_a_folder_that_is_not_there_is_refused_with_a_sentence(tmp_path):
    assert "has no config.json: copy the whole checkpoint folder again" in refusal(tmp_path / "nowhere")


def test_another_card_is_written_with_its_digest_and_only_into_a_checkpoint(folder: Path, tmp_path: Path):
    replace_card(folder, "after")
    assert (folder / "README.md").read_text() == "after"
    assert load_checkpoint(folder).lineage == {"data": "abc", "steps": 7}
    (folder / "README.md").write_text("tampered")
    assert "README.md is not the file its manifest names" in refusal(folder)
    with pytest.raises(CheckpointDamaged, match=r"has no manifest.json"):
        replace_card(tmp_path, "nowhere")
