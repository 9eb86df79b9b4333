"""A training run on disk: its options, its metrics, its state, and the core it ends in.

RUN/options.json          what was asked, with the SHA-256 of each data file
RUN/tokenizer.json        the tokenizer of the run
RUN/metrics.jsonl         one line for each logged step
RUN/state/step-N/         weights, averages, moments and state.json; the newest one counts
RUN/core/                 the finished checkpoint, from the averaged weights
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from safetensors.torch import load_file, save_file
from torch import Tensor

from reasoning_core.checkpoint import file_sha256

_KEPT_STATES = 2


class RunError(ValueError):
    """A run that cannot start or go on; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Everything that decides the outcome of a run; `num_steps` is None until `minutes` has been measured out."""

    data: tuple[str, ...]
    data_sha256: tuple[str, ...]
    size: str
    vocabulary_size: int
    seed: int
    row_tokens: int
    batch_rows: int
    learning_rate: float
    weight_decay: float
    ema_decay: float
    precision: str
    warmup_steps: int
    cooldown_fraction: float
    grad_warmup_fraction: float
    num_steps: int | None
    minutes: float | None
    start_from: str | None


@dataclass(frozen=True, slots=True)
class Position:
    """Where a run stands: what resumes it besides the tensors."""

    step: int
    epoch: int
    batch: int
    num_tokens: int
    num_steps: int
    seconds: float


class RunFolder:
    """Reads and writes one run's files; a kill at any instant leaves the last complete state."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def core(self) -> Path:
        return self.path / "core"

    @property
    def tokenizer(self) -> Path:
        return self.path / "tokenizer.json"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    def create(self, options: RunOptions) -> Self:
        if (self.path / "options.json").exists():
            raise RunError(f"{self.path} already holds a run: add --resume to continue it, or name another folder")
        self.path.mkdir(parents=True, exist_ok=True)
        _write_json(self.path / "options.json", asdict(options))
        return self

    def options(self) -> RunOptions:
        """Return the options of an existing run, after checking that its data are the same files.

        Raises:
            RunError: no run here, or a data file that changed or went away.
        """
        try:
            values = json.loads((self.path / "options.json").read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise RunError(f"{self.path} holds no run to resume: leave --resume out to start one") from error
        for path, digest in zip(values["data"], values["data_sha256"], strict=True):
            if not Path(path).is_file() or file_sha256(Path(path)) != digest:
                raise RunError(f"{path} is not the file this run was started with: put it back, or start a new run")
        return RunOptions(**values | {key: tuple(values[key]) for key in ("data", "data_sha256")})

    def save_state(self, position: Position, tensors: Mapping[str, Tensor]) -> None:
        final = self.path / "state" / f"step-{position.step:08d}"
        partial = final.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        save_file({name: value.contiguous() for name, value in tensors.items()}, partial / "tensors.safetensors")
        _write_json(partial / "state.json", asdict(position))
        shutil.rmtree(final, ignore_errors=True)
        partial.replace(final)
        for old in self._states()[:-_KEPT_STATES]:
            shutil.rmtree(old)

    def load_state(self) -> tuple[Position, dict[str, Tensor]] | None:
        """Return the newest complete state, or None before the first."""
        states = self._states()
        if not states:
            return None
        position = Position(**json.loads((states[-1] / "state.json").read_text(encoding="utf-8")))
        return position, load_file(states[-1] / "tensors.safetensors")

    def log(self, values: Mapping[str, Any]) -> None:
        with self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(values) + "\n")

    def forget_metrics_after(self, step: int) -> None:
        """Drop the lines of steps that a resumed run is about to repeat."""
        if not self.metrics.exists():
            return
        lines = self.metrics.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if _step_of(line) is not None and (_step_of(line) or 0) <= step]
        partial = self.metrics.with_suffix(".partial")
        partial.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
        partial.replace(self.metrics)

    def _states(self) -> list[Path]:
        return sorted(path for path in (self.path / "state").glob("step-*") if path.suffix != ".partial")


def _step_of(line: str) -> int | None:
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError):  # a line cut off by a kill
        return None


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8") as file:
        json.dump(value, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
