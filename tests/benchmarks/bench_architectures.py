"""Measures HRM against plain Transformers and against itself with a causal mask: same data, seeds, minutes and thread.

`transformer` has HRM's parameters and sees several times its tokens in the same time, `transformer-deep` costs as much
for each token. Each arm is a run of its own under `runs/architectures`, taken up again where it was killed; a finished
one is not trained again. Minutes are those of the process's CPU time, so that other work beside it costs an arm
nothing. Minutes and seeds come from ARCHITECTURE_MINUTES and ARCHITECTURE_SEEDS.

The figures are the mean negative log-likelihood of response tokens and the share of responses whose every token is the
likeliest, the ones before it given, on held-out suites. The peer of every arm is HRM.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

import torch
import torch.nn.functional as F
from torch import Tensor

from reasoning_core.checkpoint import Checkpoint, load_checkpoint
from tests.benchmarks.measurement import Measurement
from training.command_line import main
from training.packing import IGNORED, Batch, DialogueRows
from training.suites import load_suite

ARMS = {
    "hrm": ("hrm", "turn_blocks"),
    "hrm, causal mask": ("hrm", "causal"),
    "transformer, equal parameters": ("transformer", "turn_blocks"),
    "transformer, equal cost a token": ("transformer-deep", "turn_blocks"),
}
SUITES = ("values", "phrasings", "families")
NUM_DIALOGUES, NUM_QUESTIONS = 40_000, 300
FOLDER = Path("runs/architectures")


def measure() -> list[Measurement]:
    minutes = float(os.environ.get("ARCHITECTURE_MINUTES", "30"))
    seeds = [int(seed) for seed in os.environ.get("ARCHITECTURE_SEEDS", "1 2").split()]
    torch.set_num_threads(1)
    data = FOLDER / "dialogues.jsonl"
    if not data.is_file():
        data.parent.mkdir(parents=True, exist_ok=True)
        _must(["rules", "--out", str(data), "--dialogues", str(NUM_DIALOGUES), "--seed", "5", "--more-questions", "6"])
    found = {arm: [_figures(_trained(arm, seed, minutes, data)) for seed in seeds] for arm in ARMS}
    return [
        Measurement(
            f"{arm}: {name} (seeds {', '.join(f'{each[name]:.3f}' for each in figures)})",
            unit,
            ours := fmean(each[name] for each in figures),
            peer := fmean(each[name] for each in found["hrm"]),
            "hrm",
            ours / peer if peer else None,
            len(seeds),
        )
        for arm, figures in found.items()
        for name, unit in _units(figures[0])
    ]


def _trained(arm: str, seed: int, minutes: float, data: Path) -> Checkpoint:
    architecture, layout = ARMS[arm]
    run = FOLDER / f"{architecture}-{layout}-{minutes:g}min-seed{seed}"
    if not (run / "core" / "manifest.json").is_file():
        start = ["--data", str(data), "--size", "mini", "--minutes", str(minutes), "--seed", str(seed)]
        start += [
            "--architecture",
            architecture,
            "--layout",
            layout,
            "--device",
            "cpu",
            "--grad-warmup-fraction",
            "0",
            "--row-tokens",
            "2048",
            "--batch-rows",
            "1",
            "--cpu-time",
        ]
        _must(["fit", "--out", str(run), *(["--resume"] if (run / "options.json").is_file() else start)])
    return load_checkpoint(run / "core")


def _figures(core: Checkpoint) -> dict[str, float]:
    position = core.lineage["position"]
    figures = {"tokens trained on": position["num_tokens"] / 1e6, "steps": float(position["step"])}
    for suite in SUITES:
        losses, exact = zip(*_responses(core, suite), strict=True)
        figures[f"loss on held-out {suite}"] = fmean(losses)
        figures[f"whole responses of {suite}"] = 100 * fmean(exact)
    return figures


def _units(figures: dict[str, float]) -> list[tuple[str, str]]:
    units = {"tokens": "million", "steps": "steps", "loss": "nats/token", "whole": "%"}
    return [(name, units[name.split()[0]]) for name in figures]


@torch.inference_mode()
def _responses(core: Checkpoint, suite: str) -> Iterator[tuple[float, bool]]:
    """Yield the mean loss of each response of a suite, and whether each of its tokens was the likeliest."""
    rows = DialogueRows(
        load_suite(suite, NUM_QUESTIONS),
        core.tokenizer,
        row_tokens=1024,
        rows_per_step=1,
        seed=0,
        layout=core.model.config.layout,
    )
    for step in rows.steps(0):
        batch = rows.batch(step, segmented=True)
        logits_BTV = core.model(batch.tokens_BT, batch.view)
        losses = F.cross_entropy(logits_BTV[0], batch.targets_BT[0], ignore_index=IGNORED, reduction="none")
        likeliest = logits_BTV[0].argmax(-1) == batch.targets_BT[0]
        for response in _spans(batch):
            yield float(losses[response].mean()), bool(likeliest[response].all())


def _spans(batch: Batch) -> list[Tensor]:
    """Return the positions of each response of a batch of one row."""
    places = (batch.targets_BT[0] != IGNORED).nonzero().flatten()
    starts = (places.diff() > 1).nonzero().flatten() + 1
    return list(places.tensor_split(starts.tolist()))


def _must(arguments: list[str]) -> None:
    if main(arguments):
        raise SystemExit(f"precept-train {' '.join(arguments)} failed")
