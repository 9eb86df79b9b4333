"""One process or many: who takes part in a run, and how its tensors are shared out, summed, saved and gathered.

Under `torchrun` the parameters, averages and moments are sharded over the processes with FSDP2, as one group at the
root of the model: every stack of a recurrent core is called several times in a pass, and gathering its weights for
each call would send them several times over. States are written with torch's distributed checkpoints and can be taken
up by any number of processes.
"""

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict_loader import load as load_checkpoint_folder
from torch.distributed.checkpoint.state_dict_saver import save as save_checkpoint_folder
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

_TIMEOUT = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class World:
    """The processes of a run; `rank` counts them from 0."""

    rank: int
    size: int
    device: torch.device

    @classmethod
    def join(cls, device: str) -> "World":
        """Meet the other processes that torchrun started, or be alone."""
        size = int(os.environ.get("WORLD_SIZE", "1"))
        if size == 1:
            return cls(0, 1, torch.device(device))
        local = torch.device(device, int(os.environ["LOCAL_RANK"])) if device == "cuda" else torch.device(device)
        if not dist.is_initialized():
            dist.init_process_group("nccl" if device == "cuda" else "gloo", timeout=_TIMEOUT)
        return cls(dist.get_rank(), size, local)

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def shard(self, module: nn.Module) -> None:
        """Share the parameters of a module out over the processes; gradients become the mean of theirs."""
        if self.size > 1:
            mesh = init_device_mesh(self.device.type, (self.size,))
            fully_shard(module, mesh=mesh, reshard_after_forward=False)

    def await_last_share(self, module: nn.Module, *, is_last: bool) -> None:
        """Sum gradients over the processes only behind the last share of a step."""
        if isinstance(module, FSDPModule):
            module.set_requires_gradient_sync(is_last)

    def summed(self, value: float) -> float:
        """Return the sum of every process's value."""
        if self.size == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return float(total)

    def barrier(self) -> None:
        """Wait until every process is here."""
        if self.size > 1:
            dist.barrier()

    def leave(self) -> None:
        if self.size > 1 and dist.is_initialized():
            dist.destroy_process_group()


def whole(tensor: Tensor) -> Tensor:
    """Return the whole of a tensor that may be sharded; every process must ask."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def like(tensor: Tensor, reference: Tensor) -> Tensor:
    """Return a whole tensor sharded as `reference` is."""
    if isinstance(reference, DTensor):
        return distribute_tensor(tensor.to(reference.device), reference.device_mesh, reference.placements)
    return tensor.to(reference.device)


def save_tensors(folder: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write the tensors of all processes into one folder, each its own shard; every process must call."""
    save_checkpoint_folder(dict(tensors), checkpoint_id=folder)


def load_tensors(folder: Path, tensors: Mapping[str, Tensor]) -> None:
    """Fill whole `tensors` from what any number of processes wrote."""
    with warnings.catch_warnings():
        # That each process reads for itself is what is wanted here, and what torch warns of.
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        load_checkpoint_folder(dict(tensors), checkpoint_id=folder, no_dist=True)
