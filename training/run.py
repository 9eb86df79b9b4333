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
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from reasoning_core.checkpoint import file_sha256

_KEPT_STATES = 2


class RunError(ValueError):
    """A run that cannot start or go on; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Everything that decides the outcome of a run; `num_steps` is None until `minutes` has been measured out.

    `batch_rows` rows make one step, shared by all processes and, in each, taken in `accumulate` parts.
    """

    data: tuple[str, ...]
    data_sha256: tuple[str, ...]
    size: str
    vocabulary_size: int
    seed: int
    row_tokens: int
    batch_rows: int
    accumulate: int
    curriculum: float
    architecture: str
    layout: str
    optimiser: str
    learning_rate: float
    weight_decay: float
    ema_decay: float
    precision: str
    device: str
    compiled: bool
    warmup_steps: int
    cooldown_fraction: float
    grad_warmup_fraction: float
    num_steps: int | None
    minutes: float | None
    start_from: str | None
    cpu_time: bool = False
    hidden_size: int | None = None
    layers: int | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """Where a run stands: what resumes it besides the tensors."""

    step: int
    epoch: int
    batch: int
    num_tokens: int
    num_steps: int
    seconds: float

    def lasting(self, num_steps: int | None) -> "Position":
        """Return this position in a run of `num_steps`; None leaves its length as it was measured out."""
        return self if num_steps is None else replace(self, num_steps=num_steps)


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

    def change(self, options: RunOptions) -> RunOptions:
        """Go on with other options: a longer run, or a lower learning rate."""
        _write_json(self.path / "options.json", asdict(options))
        return options

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

    def partial_state(self, position: Position, *, fresh: bool) -> Path:
        """Return the folder to write a state into; it counts once it is published."""
        partial = self._state(position).with_suffix(".partial")
        if fresh:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
        return partial

    def publish_state(self, position: Position) -> None:
        """Make a written state the newest, in one rename, and drop the oldest."""
        final = self._state(position)
        partial = final.with_suffix(".partial")
        _write_json(partial / "state.json", asdict(position))
        shutil.rmtree(final, ignore_errors=True)
        partial.replace(final)
        for old in self._states()[:-_KEPT_STATES]:
            shutil.rmtree(old)

    def drop_partial_states(self) -> None:
        for partial in (self.path / "state").glob("*.partial"):
            shutil.rmtree(partial, ignore_errors=True)

    def newest_state(self) -> tuple[Position, Path] | None:
        """Return the position and the folder of the newest complete state, or None before the first."""
        states = self._states()
        if not states:
            return None
        return Position(**json.loads((states[-1] / "state.json").read_text(encoding="utf-8"))), states[-1]

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

    def _state(self, position: Position) -> Path:
        return self.path / "state" / f"step-{position.step:08d}"

    def _states(self) -> list[Path]:
        return sorted(path for path in (self.path / "state").glob("step-*") if path.suffix != ".partial")


def _step_of(line: str) -> int | None:
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):  # a line cut off by a kill
        return None


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8") as file:
        json.dump(value, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
