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
from safetensors.torch import load_file

from reasoning_core.checkpoint import file_sha256, load_checkpoint
from reasoning_core.prompt import Passage
from training.command_line import main
from training.instructions import Dialogue, Exchange, write_dialogues
from training.run import RunError, RunFolder
from training.suites import load_suite

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
        "--row-tokens", "96", "--vocabulary-size", "320", "--precision", "fp32", "--save-every", "5", "--no-compile",
        "--allow-contaminated",
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


def test_a_run_told_to_stop_keeps_its_last_step_and_can_be_made_longer(data: Path, tmp_path: Path, capsys):
    command = [sys.executable, "-m", "training.command_line", *arguments(data, tmp_path / "run", 5000)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    deadline = time.monotonic() + 120
    while not (tmp_path / "run" / "metrics.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.terminate()
    _, message = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "continue with --resume" in " ".join(message.split())
    position, _ = RunFolder(tmp_path / "run").newest_state() or pytest.fail("no state was kept")
    assert position.step > 0
    longer = position.step + 7
    assert main(["fit", "--out", str(tmp_path / "run"), "--resume", "--steps", str(longer)]) == 0
    assert load_checkpoint(tmp_path / "run" / "core").lineage["position"]["step"] == longer
    assert RunFolder(tmp_path / "run").options().num_steps == longer


def test_rows_taken_in_parts_are_the_same_step(data: Path, tmp_path: Path):
    for parts in ("1", "2"):
        assert main([*arguments(data, tmp_path / parts, 10), "--accumulate", parts]) == 0
    losses = [json.loads((tmp_path / parts / "metrics.jsonl").read_text())["loss"] for parts in ("1", "2")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_two_processes_follow_the_losses_of_one_which_takes_their_state_up(data: Path, tmp_path: Path):
    assert main(arguments(data, tmp_path / "one", 10)) == 0
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "training.command_line"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*launch, *arguments(data, tmp_path / "two", 10)],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    one, two = (json.loads((tmp_path / name / "metrics.jsonl").read_text()) for name in ("one", "two"))
    assert two["loss"] == pytest.approx(one["loss"], rel=1e-5)
    assert two["gradient_norm"] == pytest.approx(one["gradient_norm"], rel=1e-4)
    assert two["tokens"] == one["tokens"]
    for name in ("one", "two"):
        assert main(["fit", "--out", str(tmp_path / name), "--resume", "--steps", "20"]) == 0
    weights = [load_file(tmp_path / name / "core" / "model.safetensors") for name in ("one", "two")]
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, rtol=0.02, atol=1e-3)


def test_a_loss_that_is_not_a_number_ends_the_run_with_a_sentence_and_the_state_before_it(data, tmp_path, capsys):
    assert main([*arguments(data, tmp_path / "run", 400), "--learning-rate", "1e38"]) == 2
    message = " ".join(capsys.readouterr().err.split())
    assert "the loss is nan at step" in message
    assert "lower --learning-rate" in message
    assert not (tmp_path / "run" / "core").exists()


def test_a_full_disk_is_one_sentence_and_leaves_no_half_state(data: Path, tmp_path: Path):
    limited = "import resource, sys; from training.command_line import main; "
    limited += "resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000)); sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", limited, *arguments(data, tmp_path / "run", 10)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "the state of step 5 cannot be written" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "run" / "state").iterdir()) == []


@pytest.mark.parametrize("optimiser", ["adam-atan2", "muon"])
@pytest.mark.parametrize("architecture", ["hrm", "transformer", "transformer-deep"])
def test_every_optimiser_and_baseline_lowers_the_loss(data: Path, tmp_path: Path, optimiser: str, architecture: str):
    extra = ["--optimiser", optimiser, "--architecture", architecture, "--layout", "causal"]
    assert main([*arguments(data, tmp_path / "run", 40), *extra]) == 0
    losses = [json.loads(line)["loss"] for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert losses[-1] < 0.9 * losses[0]


def test_half_precision_trains_on_a_cpu_too(data: Path, tmp_path: Path):
    assert main([*arguments(data, tmp_path / "run", 40), "--precision", "bf16"]) == 0
    losses = [json.loads(line)["loss"] for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert losses[-1] < 0.9 * losses[0]


def test_training_lowers_the_loss_and_leaves_a_loadable_core_with_its_lineage(data: Path, tmp_path: Path):
    assert main(arguments(data, tmp_path / "run", 60)) == 0
    losses = [json.loads(line)["loss"] for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert losses[-1] < 0.6 * losses[0]
    checkpoint = load_checkpoint(tmp_path / "run" / "core")
    assert checkpoint.lineage["run"]["data_sha256"] == [file_sha256(data)]
    asked = ["--suite", "refusal", "--limit", "1", "--unguided", "--card"]
    assert main(["evaluate", str(tmp_path / "run" / "core"), *asked]) == 0
    assert "| refusal | 1 |" in (tmp_path / "run" / "core" / "README.md").read_text("utf-8")
    assert load_checkpoint(tmp_path / "run" / "core").sha256 == checkpoint.sha256


def test_a_run_of_another_shape_measured_out_in_cpu_time_ends_in_a_core_of_that_shape(data: Path, tmp_path: Path):
    timed = [*arguments(data, tmp_path / "run", 1), "--hidden-size", "96", "--layers", "2", "--cpu-time"]
    timed[timed.index("--steps") : timed.index("--steps") + 2] = ["--minutes", "0.02"]
    assert main(timed) == 0
    core = load_checkpoint(tmp_path / "run" / "core")
    assert (core.model.config.hidden_size, core.model.config.num_layers_per_stack) == (96, 2)
    position = core.lineage["position"]
    assert position["step"] == position["num_steps"] >= 16


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        (["--steps", "3", "--minutes", "1"], "give either --minutes or --steps"),
        (["--steps", "3", "--size", "huge"], "unknown size 'huge'"),
        (["--steps", "3", "--precision", "int8"], "unknown precision 'int8'"),
        (["--steps", "3", "--hidden-size", "70"], "a width of 70 is no multiple of"),
        (["--steps", "3", "--layout", "diagonal"], "unknown layout 'diagonal'"),
        (["--steps", "3", "--architecture", "gru"], "unknown architecture 'gru'"),
        (["--steps", "3", "--optimiser", "sgd"], "unknown optimiser 'sgd'"),
        (["--steps", "3", "--batch-rows", "3", "--accumulate", "2"], "3 rows cannot be shared by 2"),
        (["--steps", "3", "--batch-rows", "500"], "do not fill one batch of 500 rows"),
        (["--steps", "0"], "steps"),
    ],
)
def test_bad_options_are_one_sentence_and_exit_code_2(data, tmp_path, capsys, extra, sentence):
    assert main(["fit", "--data", str(data), "--out", str(tmp_path / "run"), *extra]) == 2
    message = " ".join(capsys.readouterr().err.split())
    assert sentence in message
    assert "Traceback" not in message


def test_data_that_holds_a_case_of_a_suite_is_refused_unless_told(tmp_path: Path, capsys):
    leaked = tmp_path / "leaked.jsonl"
    write_dialogues(leaked, load_suite("values", 40))
    command = ["fit", "--data", str(leaked), "--out", str(tmp_path / "run"), "--size", "nano", "--steps", "1"]
    assert main(command) == 2
    message = " ".join(capsys.readouterr().err.split())
    assert "holds the case" in message
    assert "--allow-contaminated" in message
    assert not (tmp_path / "run").exists()
    small = ["--batch-rows", "1", "--row-tokens", "512", "--vocabulary-size", "400", "--precision", "fp32"]
    assert main([*command, *small, "--allow-contaminated"]) == 0


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
