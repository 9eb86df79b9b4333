"""The evaluation report: one file, nothing from elsewhere, hostile text as text; and the exit code of the gate."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch

from reasoning_core.checkpoint import save_checkpoint
from reasoning_core.model import HrmTextCore
from reasoning_core.prompt import Passage
from reasoning_core.tokenizer import CoreTokenizer
from training.command_line import main
from training.instructions import Dialogue, Exchange, write_dialogues
from training.sizes import config_of_size

HOSTILE = '<script>alert("x")</script><img src=http://evil.example/x onerror=alert(1)>'


class Elements(HTMLParser):
    """Collects the tags of a page and what they point to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.targets: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.targets += [value or "" for name, value in attrs if name in ("src", "href", "action", "srcset")]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def cores(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("cores")
    tokenizer = CoreTokenizer.train(["meals are paid up to 60 per day"], 320)
    for seed in (0, 1):
        model = HrmTextCore(config_of_size("nano", tokenizer.vocabulary_size))
        model.initialise(torch.Generator().manual_seed(seed))
        save_checkpoint(folder / f"core-{seed}", model, tokenizer, lineage={}, card="A random core.")
    return [folder / "core-0", folder / "core-1"]


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("questions") / "company.jsonl"
    exchange = Exchange(
        (Passage(HOSTILE, f"Meals are paid up to 60. {HOSTILE}"),), HOSTILE, (), "60 [1].", "answer", HOSTILE
    )
    write_dialogues(path, [Dialogue(f"d{i}", HOSTILE, "test", (), (exchange,)) for i in range(3)])
    return path


def test_the_report_is_one_file_that_asks_for_nothing_and_shows_hostile_text_as_text(cores, questions, tmp_path):
    out = tmp_path / "report.html"
    command = ["evaluate", str(cores[0]), "--against", str(cores[1]), "--suite", str(questions), "--report", str(out)]
    assert main(command) == 1
    page = out.read_text("utf-8")
    elements = Elements(page)
    assert not elements.tags & {"script", "img", "link", "iframe", "object", "form"}
    assert all(target.startswith("#") for target in elements.targets)
    assert "url(" not in page
    assert "default-src 'none'" in page
    assert HOSTILE in elements.text
    assert "The gate says no" in elements.text
    assert "at least 200 are needed" in elements.text
    assert "Real data" in elements.text
    assert "company.jsonl" in elements.text
    for core in cores:
        assert core.name in elements.text


def test_one_core_gets_a_report_without_a_gate(cores: list[Path], questions: Path, tmp_path: Path):
    out = tmp_path / "report.html"
    assert main(["evaluate", str(cores[0]), "--suite", str(questions), "--report", str(out)]) == 0
    assert "gate" not in re.sub(r"<style>.*?</style>", "", out.read_text("utf-8"), flags=re.S).casefold()


def test_the_json_document_carries_both_cores_and_the_gate(cores, questions, capsys: pytest.CaptureFixture[str]):
    command = ["evaluate", str(cores[0]), "--against", str(cores[1]), "--suite", str(questions), "--json"]
    assert main(command) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["core"]["name"] == "core-0"
    assert document["against"]["core"]["name"] == "core-1"
    assert document["gate"]["passed"] is False


def test_a_report_for_a_folder_that_is_not_there_is_refused_before_anything_is_asked(cores, tmp_path, capsys):
    out = tmp_path / "nowhere" / "report.html"
    assert main(["evaluate", str(cores[0]), "--suite", "values", "--report", str(out)]) == 2
    assert "create it first" in " ".join(capsys.readouterr().err.split())
