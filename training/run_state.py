"""The resumable state of a run: weights, averages, moments, the random generator, and the position they belong to.

One process writes one safetensors file; several write torch's distributed checkpoint, each its own shard. Either is
taken up by any number of processes.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException

from reasoning_core.model import HrmTextCore
from training.distributed import World, like, load_tensors, save_tensors
from training.optim import MovingAverage, Optimiser
from training.run import Position, RunError, RunFolder

_ONE_FILE = "tensors.safetensors"
_SHARDS = "shards"


def save_state(
    folder: RunFolder,
    position: Position,
    model: HrmTextCore,
    average: MovingAverage,
    optimiser: Optimiser,
    world: World,
) -> None:
    """Write the state of a step; until it is whole, the one before stays the newest.

    Raises:
        RunError: the disk is full or cannot be written.
    """
    tensors = _tensors(model, average, optimiser)
    with writing(folder, f"the state of step {position.step}", clear=world.is_first):
        partial = folder.partial_state(position, fresh=world.is_first)
        world.barrier()
        if world.size == 1:
            save_file({name: value.contiguous() for name, value in tensors.items()}, partial / _ONE_FILE)
        else:
            save_tensors(partial / _SHARDS, tensors)
        world.barrier()
        if world.is_first:
            folder.publish_state(position)


@contextmanager
def writing(folder: RunFolder, what: str, *, clear: bool = True) -> Iterator[None]:
    """Turn a full or broken disk into one sentence; one process clears what was written half away.

    Raises:
        RunError: `what` could not be written.
    """
    try:
        yield
    except (OSError, SafetensorError, CheckpointException) as error:
        if clear:
            folder.drop_partial_states()
        reason = error.strerror if isinstance(error, OSError) and error.strerror else " ".join(str(error).split())
        raise RunError(
            f"{what} cannot be written to {folder.path} ({reason[-200:]}): make room, then go on with --resume"
        ) from error


def load_state(folder: RunFolder, model: HrmTextCore, average: MovingAverage, optimiser: Optimiser) -> Position | None:
    """Fill the tensors with the newest state and return its position, or None before the first."""
    if (found := folder.newest_state()) is None:
        return None
    position, state = found
    tensors = _tensors(model, average, optimiser)
    if (state / _ONE_FILE).exists():
        saved = load_file(state / _ONE_FILE)
    else:
        saved = {name: torch.empty(value.shape, dtype=value.dtype) for name, value in tensors.items()}
        load_tensors(state / _SHARDS, saved)
    with torch.no_grad():
        for name, value in tensors.items():
            value.copy_(like(saved[name], value))
    torch.set_rng_state(tensors["random"])
    optimiser.resume(position.step)
    return position


def _tensors(model: HrmTextCore, average: MovingAverage, optimiser: Optimiser) -> dict[str, Tensor]:
    """Return the live tensors of a run by name."""
    weights = {f"weight.{name}": value.detach() for name, value in model.state_dict().items()}
    averages = {f"average.{i}": value for i, value in enumerate(average.averages)}
    return weights | averages | optimiser.state() | {"random": torch.get_rng_state()}
