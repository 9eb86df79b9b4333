"""Measures HRM against plain Transformers and against itself with a causal mask: same data, seeds, minutes and thread.

`transformer` has HRM's parameters and sees several times its tokens in the same time, `transformer-deep` costs as much
for each token. Minutes and seeds come from ARCHITECTURE_MINUTES and ARCHITECTURE_SEEDS; runs lie in
`runs/architectures`. The peer of every arm is HRM.
"""

import os
from pathlib import Path

import torch

from tests.benchmarks.measurement import Measurement
from tests.benchmarks.pilots import compared, dialogues, figures, trained

ARMS = {
    "hrm": ("hrm", "turn_blocks"),
    "hrm, causal mask": ("hrm", "causal"),
    "transformer, equal parameters": ("transformer", "turn_blocks"),
    "transformer, equal cost a token": ("transformer-deep", "turn_blocks"),
}
FOLDER = Path("runs/architectures")


def measure() -> list[Measurement]:
    minutes = float(os.environ.get("ARCHITECTURE_MINUTES", "30"))
    seeds = [int(seed) for seed in os.environ.get("ARCHITECTURE_SEEDS", "1 2").split()]
    torch.set_num_threads(1)
    data = dialogues(FOLDER / "dialogues.jsonl", "--dialogues", "40000", "--seed", "5", "--more-questions", "6")
    found = {
        # Seed by seed, so that a night cut short still has one comparison.
        (arm, seed): trained(
            FOLDER / f"{architecture}-{layout}-{minutes:g}min-seed{seed}",
            data,
            minutes,
            seed,
            ["--architecture", architecture, "--layout", layout, "--grad-warmup-fraction", "0"],
        )
        for seed in seeds
        for arm, (architecture, layout) in ARMS.items()
    }
    return compared({arm: [figures(found[arm, seed]) for seed in seeds] for arm in ARMS}, "hrm")
