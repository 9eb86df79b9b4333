"""An exported core against the core itself: through transformers, its tokenizer, its template and its card."""

import json
import re
from pathlib import Path

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoning_core import prompt
from reasoning_core.checkpoint import Checkpoint, default_core_folder, file_sha256, load_checkpoint, save_checkpoint
from reasoning_core.engine import Engine
from reasoning_core.layout import Layout
from reasoning_core.prompt import Passage, Turn
from reasoning_core.sampling import Sampling
from tests.reasoning_core.tiny import relative_error, tiny_config, tiny_model, tiny_tokenizer
from training.command_line import main

TEXTS = st.text(st.characters(codec="utf-8"), max_size=30).filter(lambda text: "<|" not in text)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("export") / "core"
    assert main(["export", str(default_core_folder()), "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def original() -> Checkpoint:
    return load_checkpoint(default_core_folder())


@pytest.fixture(scope="module")
def codec(folder: Path):
    return transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)


def save(folder: Path, layout: Layout, **changes: int) -> Path:
    model = tiny_model(tiny_config(layout, **changes))
    save_checkpoint(folder, model, tiny_tokenizer(), lineage={"steps": 7}, card="# A tiny core\n")
    return folder


def rendered(codec, question: str, *passages: Passage):
    documents = [{"title": passage.heading, "text": passage.text} for passage in passages]
    return codec.apply_chat_template([{"role": "user", "content": question}], documents=documents, return_dict=True)


def test_the_report_is_the_measured_difference_from_transformers(tmp_path: Path, capsys):
    assert main(["export", str(default_core_folder()), "--out", str(tmp_path / "core"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["max_relative_difference"] < 1e-5
    assert report["prompt_tokens"] > 20
    assert report["response_tokens"] > 10


def test_an_export_is_a_core_of_precept_too(folder: Path, original: Checkpoint):
    copy = load_checkpoint(folder)
    assert copy.sha256 == original.sha256
    assert copy.lineage == original.lineage
    assert copy.tokenizer.encode("Up to $60 <|im_end|>") == original.tokenizer.encode("Up to $60 <|im_end|>")
    files = json.loads((folder / "manifest.json").read_text())["files"]
    assert files == {path.name: file_sha256(path) for path in folder.iterdir() if path.name != "manifest.json"}


def test_the_tokenizer_knows_its_limits_and_types_a_prompt_as_one(codec, original: Checkpoint):
    assert codec.model_max_length == original.model.config.max_position_embeddings
    assert (codec.pad_token_id, codec.eos_token_id) == (original.tokenizer.pad_id, original.tokenizer.eoa_id)
    encoded = codec("Up to $60 per day.")
    assert encoded["input_ids"] == original.tokenizer.encode("Up to $60 per day.")
    assert set(encoded["token_type_ids"]) == set(rendered(codec, "Why?")["token_type_ids"]) == {1}


@settings(max_examples=50, deadline=None)
@given(TEXTS, st.lists(st.builds(Passage, TEXTS, TEXTS), max_size=3))
def test_the_template_renders_every_first_prompt_as_the_core_reads_it(
    codec, original, question: str, passages: list[Passage]
):
    (span,) = prompt.spans([Turn(tuple(passages), question)], original.tokenizer)
    assert rendered(codec, question, *passages)["input_ids"] == list(span.tokens)


def test_the_template_refuses_what_it_would_render_wrongly(codec):
    turns = [{"role": role, "content": "75?"} for role in ("user", "assistant", "user")]
    with pytest.raises(Exception, match=r"see README.md for later turns"):
        codec.apply_chat_template(turns)
    for passage in (Passage("", "<|im_end|>"), Passage("<|passage|>", "")):
        with pytest.raises(Exception, match="the text spells a special token"):
            rendered(codec, "Why?", passage)
    with pytest.raises(Exception, match="the text spells a special token"):
        rendered(codec, "<|im_end|>Yes.")


def test_the_example_of_the_card_gives_the_answer_of_our_engine(folder: Path, capsys):
    (example,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    names = {"folder": folder}
    exec(example, names)
    checkpoint = load_checkpoint(folder)
    passage = Passage("Travel policy", "Meals are paid up to $60 per day.")
    spans = prompt.spans([Turn((passage,), "Can I claim $75 for meals?")], checkpoint.tokenizer)
    ours = list(Engine(checkpoint).generate(spans, Sampling(max_new_tokens=200)))
    assert names["answer"][0].tolist() == [*spans[0].tokens, *ours]
    assert capsys.readouterr().out.startswith("<|work_start|>")


def test_a_prompt_that_is_typed_0_is_silently_causal_as_the_card_warns(folder: Path, codec):
    model = transformers.HrmTextForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    encoded = codec("Meals are paid up to $60 per day.", return_tensors="pt")
    with torch.inference_mode():
        right = model(**encoded).logits
        causal = model(**encoded | {"token_type_ids": torch.zeros_like(encoded["token_type_ids"])}).logits
        silent = model(encoded["input_ids"]).logits
    assert relative_error(causal, right) > 0.01
    assert torch.equal(silent, causal)


def test_a_core_of_the_other_layout_is_exported_with_its_own_warning(folder: Path, tmp_path: Path):
    core = save(tmp_path / "core", Layout.SINGLE_PREFIX)
    assert main(["export", str(core), "--out", str(tmp_path / "out")]) == 0
    card = (tmp_path / "out" / "README.md").read_text()
    assert "trained on one bidirectional prefix" in card
    assert card.endswith("# A tiny core\n")
    assert "trained on turn blocks" in (folder / "README.md").read_text()


def test_what_is_there_is_not_overwritten(tmp_path: Path, capsys):
    core = save(tmp_path / "core", Layout.TURN_BLOCKS)
    (tmp_path / "file").write_text("kept")
    for taken in (core, tmp_path / "file"):
        assert main(["export", str(core), "--out", str(taken)]) == 2
        assert "is not an empty folder" in " ".join(capsys.readouterr().err.split())
    (tmp_path / "empty").mkdir()
    assert main(["export", str(core), "--out", str(tmp_path / "empty")]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["core", "empty", "file"]


def test_a_baseline_is_refused_and_leaves_nothing(tmp_path: Path, capsys):
    core = save(tmp_path / "core", Layout.CAUSAL)
    assert main(["export", str(core), "--out", str(tmp_path / "out")]) == 2
    assert "is a causal baseline" in " ".join(capsys.readouterr().err.split())
    assert [path.name for path in tmp_path.iterdir()] == ["core"]
