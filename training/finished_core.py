"""The end of a run: its averaged weights as a checkpoint that serves, with lineage and card."""

from dataclasses import asdict
from pathlib import Path

import torch

from reasoning_core.checkpoint import save_checkpoint
from reasoning_core.model import HrmTextCore
from reasoning_core.tokenizer import CoreTokenizer
from training.distributed import World, whole
from training.optim import MovingAverage
from training.run import Position, RunFolder, RunOptions
from training.run_state import writing


def write_core(
    folder: RunFolder,
    options: RunOptions,
    position: Position,
    model: HrmTextCore,
    average: MovingAverage,
    tokenizer: CoreTokenizer,
    world: World,
) -> Path:
    """Write the checkpoint of the averaged weights and return its folder; every process must call."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    averages = {
        names[id(parameter)]: whole(value)
        for parameter, value in zip(average.parameters, average.averages, strict=True)
    }
    fixed = {name: whole(value) for name, value in model.state_dict().items() if name not in averages}
    if world.is_first:
        finished = HrmTextCore(model.config)
        finished.load_state_dict(fixed | averages)
        with writing(folder, "the finished core"):
            # Shipped weights are bfloat16: half the bytes, and what a core is served with everywhere else.
            save_checkpoint(
                folder.core,
                finished,
                tokenizer,
                lineage={"run": asdict(options), "position": asdict(position)},
                card=model_card(options, position, model.config.num_parameters),
                dtype=torch.bfloat16,
            )
    world.barrier()
    return folder.core


def model_card(options: RunOptions, position: Position, num_parameters: int) -> str:
    """Return the card that travels with a core: what it is, what it was trained on, and how."""
    data = "\n".join(
        f"- `{Path(path).name}` (sha256 `{digest}`)"
        for path, digest in zip(options.data, options.data_sha256, strict=True)
    )
    return (
        f"# A Precept core, size {options.size}\n\n"
        f"HRM-Text (arXiv 2605.20613) with {num_parameters:,} parameters, trained from "
        f"{options.start_from or 'scratch'} with turn-block PrefixLM attention.\n\n"
        f"Trained for {position.step:,} steps on {position.num_tokens:,} tokens ({position.seconds / 60:.0f} minutes), "
        f"Adam-atan2 at {options.learning_rate:g}, K 2 to 5, EMA {options.ema_decay:g}, {options.precision}.\n\n"
        f"Data, all generated from rulebooks unless named otherwise:\n\n{data}\n"
    )
