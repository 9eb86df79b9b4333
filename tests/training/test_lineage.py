"""The lineage of data files, and what a core's manifest and card make of it."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from reasoning_core.checkpoint import MANIFEST, WEIGHTS, file_sha256
from training.instructions import Dialogue, Exchange, write_dialogues
from training.lineage import (
    DataLineage,
    Source,
    data_of,
    file_sources,
    known_lineage,
    licence_of,
    read_lineage,
    rulebook_sources,
    starting_core,
    write_lineage,
)
from training.model_card import core_lineage, model_card
from training.run import Position, RunOptions

SHARED = Source("tables", "open set", "CC-BY-SA-4.0", "https://example.org/tables", share_alike=True)
OPTIONS: dict[str, Any] = {
    "size": "nano", "vocabulary_size": 320, "seed": 0, "row_tokens": 96, "batch_rows": 2, "accumulate": 1,
    "curriculum": 0.0, "architecture": "hrm", "layout": "turn_blocks", "optimiser": "adam-atan2", "learning_rate": 1e-3,
    "weight_decay": 0.1, "ema_decay": 0.999, "precision": "bf16", "device": "cpu", "compiled": False,
    "warmup_steps": 100, "cooldown_fraction": 0.2, "grad_warmup_fraction": 0.2, "num_steps": 4, "minutes": None,
    "start_from": None,
}  # fmt: skip
POSITION = Position(step=4, epoch=0, batch=4, num_tokens=4321, num_steps=4, seconds=90.0)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data.jsonl"
    exchange = Exchange((), "Is 75 more than 60?", ("75 > 60",), "Yes.", "answer", "drill")
    context = Exchange((), "Hello?", (), "Hello.", "answer", "drill", supervised=False)
    write_dialogues(path, [Dialogue(name, "drill", "train", (), (context, exchange)) for name in "ab"])
    return path


def options(*paths: Path, **changed: Any) -> RunOptions:
    files = {"data": tuple(map(str, paths)), "data_sha256": tuple(map(file_sha256, paths))}
    return RunOptions(**OPTIONS | files | changed)


def test_a_lineage_counts_and_names_the_data_it_lies_beside(data: Path):
    written = write_lineage(
        data, made_by="precept-train convert", sources=[SHARED], split="train", seed=3, left_out={"too long": 2}
    )
    assert written == data.with_name("data.jsonl.lineage.json")
    assert read_lineage(data) == DataLineage(
        "data.jsonl", file_sha256(data), 2, 2, "precept-train convert", "train", 3, (SHARED,), {"too long": 2}
    )


def test_a_lineage_counts_for_nothing_once_the_data_have_changed(data: Path):
    write_lineage(data, made_by="precept-train rules", sources=[])
    with data.open("a") as file:
        file.write("\n")
    with pytest.raises(ValueError, match=r"is not the file that data\.jsonl\.lineage\.json was written for"):
        read_lineage(data)
    assert known_lineage(data, file_sha256(data)).sources == ()


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"sources": [{"name": "x"}]}'])
def test_a_damaged_lineage_is_one_sentence(data: Path, text: str):
    data.with_name("data.jsonl.lineage.json").write_text(text)
    with pytest.raises(ValueError, match=r"data\.jsonl\.lineage\.json is not a lineage"):
        read_lineage(data)


def test_the_rulebooks_that_come_with_precept_are_sources_by_name_and_digest(tmp_path: Path):
    ours = rulebook_sources(None)
    assert "expenses" in {source.name for source in ours}
    assert all(source.licence == "Apache-2.0" and len(source.sha256) == 64 for source in ours)
    (tmp_path / "mine.yaml").write_text("[]")
    (mine,) = rulebook_sources([tmp_path / "mine.yaml"])
    assert (mine.name, mine.licence, mine.sha256) == ("mine", "the company's own", file_sha256(tmp_path / "mine.yaml"))


def test_a_cores_lineage_holds_that_of_its_data_and_says_where_there_is_none(data: Path, tmp_path: Path):
    write_lineage(data, made_by="precept-train convert", sources=[SHARED])
    bare = tmp_path / "bare.jsonl"
    bare.write_bytes(data.read_bytes() + b"\n")
    lineage = core_lineage(options(data, bare), POSITION)
    known, unknown = data_of(json.loads(json.dumps(lineage)))
    assert known == read_lineage(data)
    assert (unknown.data, unknown.sha256, unknown.dialogues) == ("bare.jsonl", file_sha256(bare), None)
    assert "where the data come from is not known" in unknown.note


def test_a_core_inherits_the_data_of_the_core_it_started_from(data: Path, tmp_path: Path):
    write_lineage(data, made_by="precept-train convert", sources=[SHARED])
    first = tmp_path / "first"
    first.mkdir()
    (first / WEIGHTS).write_bytes(b"weights")
    (first / MANIFEST).write_text(json.dumps({"lineage": core_lineage(options(data), POSITION)}))
    more = tmp_path / "more.jsonl"
    more.write_bytes(data.read_bytes() + b"\n")
    lineage = core_lineage(options(more, start_from=str(first)), POSITION)
    assert [each.data for each in data_of(lineage)] == ["data.jsonl", "more.jsonl"]
    card = model_card(lineage, 1000)
    assert f"trained further from the core `first` (weights sha256 `{file_sha256(first / WEIGHTS)}`)" in card
    assert "share-alike" in card


def test_of_an_older_core_the_names_of_its_data_are_kept():
    older = {"run": {"data": ["/somewhere/old.jsonl"], "data_sha256": ["ab"]}}
    (data,) = data_of({"started_from": {"lineage": older}, "data": []})
    assert (data.data, data.sha256, data.sources) == ("old.jsonl", "ab", ())


def test_a_core_without_a_manifest_can_be_started_from(tmp_path: Path):
    assert starting_core(tmp_path / "published") == {"name": "published", "sha256": "", "lineage": {}}


def test_the_card_says_what_a_person_has_to_know(data: Path):
    write_lineage(data, made_by="precept-train rules", sources=file_sources("rulebook", [data], licence="Apache-2.0"))
    lineage = core_lineage(options(data), POSITION)
    report = {"suite": "values", "cases": 200, "exact_match": 0.5, "verdict_accuracy": None}
    report |= {"working_holds": 1.0, "citation_precision": 0.25}
    card = model_card(lineage, 2_745_600, report)
    for heading in ("Intended use", "Limits", "Training data", "Training", "Evaluation"):
        assert f"\n## {heading}\n" in card
    assert f"| `data.jsonl` | rulebook data (data.jsonl) | Apache-2.0 | 2 | `{file_sha256(data)}` |" in card
    assert "2,745,600 parameters" in card
    assert "4 steps on 4,321 tokens in 2 minutes" in card
    assert "| learning rate | 0.001 |" in card
    assert "| values | 200 | 50.0 % | - | 100.0 % | 25.0 % |" in card
    assert "share-alike" not in card
    assert "Not evaluated yet" in model_card(lineage, 2_745_600)


def test_sources_of_one_kind_and_licence_share_a_row_of_the_card(data: Path):
    ours = [Source(name, "rulebook", "Apache-2.0", f"{name}.yaml") for name in ("travel", "leave")]
    write_lineage(data, made_by="x", sources=[ours[0], SHARED, ours[1]])
    rows = [row for row in model_card(core_lineage(options(data), POSITION), 1).splitlines() if "rulebook" in row]
    assert rows == [f"| `data.jsonl` | rulebook travel, leave | Apache-2.0 | 2 | `{file_sha256(data)}` |"]


def test_the_card_warns_of_share_alike_data(data: Path):
    write_lineage(data, made_by="precept-train convert", sources=[SHARED])
    card = model_card(core_lineage(options(data), POSITION), 1)
    (warning,) = [line for line in card.splitlines() if line.startswith("**Warning")]
    assert "tables (CC-BY-SA-4.0)" in warning


def test_what_a_source_is_called_cannot_break_the_table(data: Path):
    write_lineage(data, made_by="x", sources=[Source("a | b\n## c", "open set", "MIT", "here")])
    card = model_card(core_lineage(options(data), POSITION), 1)
    assert "open set a \\| b ## c (here)" in card


def test_a_lineage_is_what_its_json_says(data: Path):
    written = write_lineage(data, made_by="x", sources=[SHARED])
    assert json.loads(written.read_text()) == {"format": 1} | json.loads(json.dumps(asdict(read_lineage(data))))


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("CC0 1.0 Universal\n\nStatement of Purpose", "CC0-1.0"),
        ("   Apache License\n   Version 2.0, January 2004", "Apache-2.0"),
        ("# Attribution-ShareAlike 4.0 International", "CC-BY-SA-4.0"),
        ("## Creative Commons Attribution 4.0 International Public License", "CC-BY-4.0"),
        ("Ask the author.", "not stated"),
    ],
)
def test_the_licence_of_background_text_is_read_from_its_folder_or_the_one_above(tmp_path, text, licence):
    (tmp_path / "LICENSE.md").write_text(text)
    (tmp_path / "pages").mkdir()
    assert licence_of(tmp_path / "pages") == licence_of(tmp_path) == licence


def test_without_a_licence_file_the_licence_is_not_stated(tmp_path: Path):
    (tmp_path / "texts" / "pages").mkdir(parents=True)
    assert licence_of(tmp_path / "texts" / "pages") == "not stated"
