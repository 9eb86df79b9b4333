"""Measures an engineer's afternoon: one new rule of a family that the core never met, ten minutes of `fit --from`.

`new_rule.yaml` was written for this. The new rule's dialogues are mixed with twice as many of our own rulebooks, so
that the core keeps what it knows; both cores then answer the new rule's held-out values and every other suite, through
the reader. Minutes come from RETRAINING_MINUTES; runs lie in `runs/retraining`. The peer is the default core.
"""

import os
from pathlib import Path

import torch

from reasoning_core.checkpoint import default_core_folder, load_checkpoint
from reasoning_core.reader import ReaderOptions
from tests.benchmarks.measurement import Measurement
from tests.benchmarks.pilots import dialogues, trained
from training.measurement import MeasuredCore
from training.measurement import measure as measured
from training.suites import SUITES, load_suite

RULE = Path(__file__).parent / "new_rule.yaml"
FOLDER = Path("runs/retraining")
NEW = "the new family, held-out values"
_QUESTIONS, _NEW_QUESTIONS = 40, 120
# Gently, and cooling from half way: the core is to learn one thing more, not to be trained anew.
_FIT = ("--learning-rate", "6e-4", "--grad-warmup-fraction", "0", "--cooldown-fraction", "0.5", "--warmup-steps", "20")


def measure() -> list[Measurement]:
    minutes = float(os.environ.get("RETRAINING_MINUTES", "10"))
    torch.set_num_threads(1)
    new = dialogues(FOLDER / "new.jsonl", str(RULE), "--dialogues", "4000", "--seed", "3", "--more-questions", "4")
    known = dialogues(FOLDER / "known.jsonl", "--dialogues", "8000", "--seed", "3", "--more-questions", "4")
    suite = dialogues(FOLDER / "suite.jsonl", str(RULE), "--dialogues", "100", "--seed", "4", "--split", "values")
    start = ("--data", str(known), "--from", str(default_core_folder()), *_FIT)
    after = trained(FOLDER / f"run-{minutes:g}min", new, minutes, 1, start)
    suites = {NEW: load_suite(str(suite), _NEW_QUESTIONS)} | {name: load_suite(name, _QUESTIONS) for name in SUITES}
    kept = FOLDER / "cases.jsonl"
    before, ours = (
        measured(core, suites, ReaderOptions(), kept, lambda *_: None)
        for core in (load_checkpoint(default_core_folder()), after)
    )
    return [each for name in suites for each in _compared(name, ours, before)]


def _compared(suite: str, ours: MeasuredCore, before: MeasuredCore) -> list[Measurement]:
    found = []
    for figure in ("exact_match", "verdict_accuracy"):
        after, peer = (core.figures()[suite][figure] for core in (ours, before))
        if after is not None and peer is not None:
            name = f"{suite}: {figure.replace('_', ' ')} after retraining"
            found.append(Measurement(name, "%", 100 * after, 100 * peer, "before", after / peer if peer else None, 1))
    return found
