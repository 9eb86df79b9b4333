"""A run against itself: killed and resumed, it ends in the same bits; and it learns."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from reasoning_core.checkpoint import file_sha256, load_checkpoint
from reasoning_core.prompt import Passage
from training.command_line import main
from training.instructions import Dialogue, Exchange, write_dialogues
from training.run import RunError, RunFolder

NUMBERS = [str(n) for n in range(10, 90)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "dialogues.jsonl"
    dialogues = [
        Dialogue(
            f"d{i}",
            "meals",
            "train",
            (),
            (
                Exchange(
                    (Passage("Meals", f"The limit is {number} dollars."),),
                    "What is the limit?",
                    (f'"limit is {number} dollars" [1]',),
                    f"{number} [1].",
                    "answer",
                    "meals",
                ),
            ),
        )
        for i, number in enumerate(NUMBERS)
    ]
    write_dialogues(path, dialogues)
    return path


def arguments(data: Path, out: Path, steps: int) -> list[str]:
    return [
        "fit", "--data", str(data), "--out", str(out), "--size", "nano", "--steps", str(steps), "--batch-rows", "2",
        "--row-tokens", "96", "--vocabulary-size", "320", "--precision", "fp32", "--save-every", "5",
    ]  # fmt: skip


def test_a_killed_run_resumes_to_the_same_bits(data: Path, tmp_path: Path):
    torch.set_num_threads(1)
    assert main(arguments(data, tmp_path / "whole", 40)) == 0
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "training.command_line", *arguments(data, tmp_path / "killed", 40)]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list((tmp_path / "killed" / "state").glob("step-*5")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed" / "core").exists()
    assert main(["fit", "--out", str(tmp_path / "killed"), "--resume"]) == 0
    whole, resumed = (tmp_path / name / "core" / "model.safetensors" for name in ("whole", "killed"))
    assert file_sha256(whole) == file_sha256(resumed)
    steps = [json.loads(line)["step"] for line in (tmp_path / "killed" / "metrics.jsonl").read_text().splitlines()]
    assert steps == [10, 20, 30, 40]


def test_training_lowers_the_loss_and_leaves_a_loadable_core_with_its_lineage(data: Path, tmp_path: Path):
    assert main(arguments(data, tmp_path / "run", 60)) == 0
    losses = [json.loads(line)["loss"] for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert losses[-1] < 0.6 * losses[0]
    checkpoint = load_checkpoint(tmp_path / "run" / "core")
    assert checkpoint.lineage["run"]["data_sha256"] == [file_sha256(data)]


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        (["--steps", "3", "--minutes", "1"], "give either --minutes or --steps"),
        (["--steps", "3", "--size", "huge"], "unknown size 'huge'"),
        (["--steps", "3", "--precision", "int8"], "unknown precision 'int8'"),
        (["--steps", "3", "--batch-rows", "500"], "do not fill one batch of 500 rows"),
        (["--steps", "0"], "steps"),
    ],
)
def test_bad_options_are_one_sentence_and_exit_code_2(data, tmp_path, capsys, extra, sentence):
    assert main(["fit", "--data", str(data), "--out", str(tmp_path / "run"), *extra]) == 2
    message = " ".join(capsys.readouterr().err.split())
    assert sentence in message
    assert "Traceback" not in message


def test_an_existing_run_is_not_overwritten_and_changed_data_is_not_resumed(data, tmp_path, capsys):
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(data.read_bytes())
    assert main(arguments(copy, tmp_path / "run", 6)) == 0
    assert main(arguments(copy, tmp_path / "run", 6)) == 2
    assert "already holds a run" in " ".join(capsys.readouterr().err.split())
    copy.write_bytes(data.read_bytes() + b"\n")
    with pytest.raises(RunError, match="is not the file this run was started with"):
        RunFolder(tmp_path / "run").options()
    assert main(["fit", "--out", str(tmp_path / "nothing"), "--resume"]) == 2
