"""Short training runs that are compared: each in a folder of its own, taken up again where it was killed.

Minutes are those of the process's CPU time, so that other work beside it costs a run nothing. What is measured is how
well a core knows the responses of held-out suites, the tokens before each given: nats for a whole response, which
compares vocabularies too, and the share of responses of which every token is the likeliest.
"""

from collections.abc import Iterator, Mapping, Sequence
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

SUITES = ("values", "phrasings", "families")
_NUM_QUESTIONS = 300
_ALIKE = ("--device", "cpu", "--precision", "fp32", "--compile", "--row-tokens", "2048", "--batch-rows", "1")


def dialogues(path: Path, *options: str) -> Path:
    """Return the data file, generated if it is not there yet."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        _must(["rules", "--out", str(path), *options])
    return path


def trained(run: Path, data: Path, minutes: float, seed: int, options: Sequence[str] = ()) -> Checkpoint:
    """Return the core of a run, trained now unless it is finished already."""
    if not (run / "core" / "manifest.json").is_file():
        start = ["--data", str(data), "--minutes", f"{minutes:g}", "--seed", str(seed), "--cpu-time", *_ALIKE, *options]
        _must(["fit", "--out", str(run), *(["--resume"] if (run / "options.json").is_file() else start)])
    return load_checkpoint(run / "core")


def figures(core: Checkpoint, suites: Sequence[str] = SUITES) -> dict[tuple[str, str], float]:
    """Return what a core has learned, by name and unit."""
    position = core.lineage["position"]
    found = {("trained on", "million tokens"): position["num_tokens"] / 1e6, ("steps", "steps"): position["step"]}
    for suite in suites:
        nats, exact = zip(*_responses(core, suite), strict=True)
        found[f"a response of {suite}", "nats"] = fmean(nats)
        found[f"whole responses of {suite}", "%"] = 100 * fmean(exact)
    return found


def compared(found: Mapping[str, Sequence[Mapping[tuple[str, str], float]]], peer: str) -> list[Measurement]:
    """Return every figure of every arm beside the same one of the arm `peer`, means over the seeds."""
    return [
        Measurement(
            f"{arm}: {name} (seeds {', '.join(f'{each[name, unit]:.3f}' for each in seeds)})",
            unit,
            ours := fmean(each[name, unit] for each in seeds),
            theirs := fmean(each[name, unit] for each in found[peer]),
            peer,
            ours / theirs if theirs else None,
            len(seeds),
        )
        for arm, seeds in found.items()
        for name, unit in seeds[0]
    ]


@torch.inference_mode()
def _responses(core: Checkpoint, suite: str) -> Iterator[tuple[float, bool]]:
    """Yield the loss of each response of a suite, and whether each of its tokens was the likeliest."""
    rows = DialogueRows(
        load_suite(suite, _NUM_QUESTIONS),
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
            yield float(losses[response].sum()), bool(likeliest[response].all())


def _spans(batch: Batch) -> list[Tensor]:
    """Return the positions of each response of a batch of one row."""
    places = (batch.targets_BT[0] != IGNORED).nonzero().flatten()
    starts = (places.diff() > 1).nonzero().flatten() + 1
    return list(places.tensor_split(starts.tolist()))


def _must(arguments: list[str]) -> None:
    if main(arguments) != 0:
        raise SystemExit(f"precept-train {' '.join(arguments)} failed")
