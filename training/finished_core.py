"""The end of a run: its averaged weights as a checkpoint that serves, with lineage and card."""

from pathlib import Path

import torch

from reasoning_core.checkpoint import save_checkpoint
from reasoning_core.model import HrmTextCore
from reasoning_core.tokenizer import CoreTokenizer
from training.distributed import World, whole
from training.model_card import core_lineage, model_card
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
        lineage = core_lineage(options, position)
        with writing(folder, "the finished core"):
            # Shipped weights are bfloat16: half the bytes, and what a core is served with everywhere else.
            save_checkpoint(
                folder.core,
                finished,
                tokenizer,
                lineage=lineage,
                card=model_card(lineage, model.config.num_parameters),
                dtype=torch.bfloat16,
            )
    world.barrier()
    return folder.core
