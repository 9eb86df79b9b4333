"""`precept-train rules`: data with their lineage, or a preview that writes nothing."""

from pathlib import Path

import pytest

from reasoning_core.working import parse_quote
from training.command_line import main
from training.generator import generate
from training.instructions import read_dialogues
from training.lineage import read_lineage
from training.rulebook import load_rulebooks


def test_data_are_written_with_their_lineage(tmp_path: Path):
    out, texts = tmp_path / "data.jsonl", tmp_path / "pages"
    texts.mkdir()
    (texts / "a.md").write_text("# Trees\n\nApple trees are pruned while they sleep and rest in the winter months.\n")
    options = ["--dialogues", "30", "--seed", "4", "--auxiliary", "0.5", "--background", str(texts)]
    assert main(["rules", "--out", str(out), *options]) == 0
    dialogues = list(read_dialogues(out))
    assert len(dialogues) == 30
    assert sum("auxiliary" in dialogue.tags for dialogue in dialogues) > 5
    lineage = read_lineage(out)
    assert (lineage.dialogues, lineage.split, lineage.seed) == (30, "train", 4)
    assert {"rulebook", "background"} == {source.kind for source in lineage.sources}


def test_a_preview_marks_the_evidence_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "4000")
    assert main(["rules", "--preview", "6", "--seed", "2", "--split", "values"]) == 0
    printed = capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
    for dialogue in generate(load_rulebooks(), 6, 2, "values"):
        for exchange in dialogue.exchanges:
            assert exchange.question in printed
            assert exchange.answer in printed
            for quote in filter(None, map(parse_quote, exchange.working)):
                assert f"[[{quote.words}]]" in printed


@pytest.mark.parametrize("options", [[], ["--out", "x.jsonl", "--preview", "3"]])
def test_neither_or_both_of_data_and_preview_are_refused(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    assert main(["rules", *options]) == 2
    assert "give either --out FILE" in " ".join(capsys.readouterr().err.split())
    assert list(tmp_path.iterdir()) == []
