"""The training loop: packed rows in, a core out, and every step repeatable.

A run is a function of its options: the order of rows, the depth of gradient and the learning rate depend on the step
alone, and nothing random happens after initialisation. So a run that was killed and resumed ends in the same bits.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from reasoning_core.checkpoint import load_checkpoint, save_checkpoint
from reasoning_core.model import HrmTextCore
from reasoning_core.tokenizer import CoreTokenizer
from training.instructions import Dialogue, read_dialogues
from training.optim import AdamAtan2, MovingAverage
from training.packing import IGNORED, Batch, DialogueRows
from training.run import Position, RunError, RunFolder, RunOptions
from training.schedule import Schedule
from training.sizes import config_of_size

_CALIBRATION_STEPS = 8
# A step at K = 5 costs about 1.25 times one at K = 2, where the minutes are measured out.
_DEEPENING = 1.2
_LOG_EVERY_STEPS = 10


@dataclass(frozen=True, slots=True)
class Progress:
    """What a progress display needs after each step."""

    step: int
    num_steps: int | None
    loss: float
    tokens_per_second: float


class Trainer:
    """One run, from its folder's options to its finished core."""

    def __init__(self, folder: RunFolder, options: RunOptions) -> None:
        self.folder, self.options = folder, options
        dialogues = [dialogue for path in options.data for dialogue in read_dialogues(Path(path))]
        self.tokenizer = self._tokenizer(dialogues)
        self.rows = DialogueRows(
            dialogues, self.tokenizer, row_tokens=options.row_tokens, batch_rows=options.batch_rows, seed=options.seed
        )
        self.model = self._model()
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.optimiser = AdamAtan2(trained, weight_decay=options.weight_decay)
        self.average = MovingAverage(trained, options.ema_decay)
        self._start = Position(0, 0, 0, 0, options.num_steps or 0, 0.0)

    def resume(self) -> None:
        """Take up the newest state of the folder, if there is one."""
        if (saved := self.folder.load_state()) is None:
            return
        self._start, tensors = saved
        self._load_tensors(tensors)
        self.folder.forget_metrics_after(self._start.step)

    def fit(self, on_step: Callable[[Progress], None], *, save_every_steps: int = 200) -> Path:
        """Train to the last step, save states on the way, and return the folder of the finished core.

        Raises:
            RunError: the loss is not a number.
        """
        position, began = self._start, time.monotonic() - self._start.seconds
        schedule = self._schedule(position.num_steps)
        for epoch, index, batch in self._batches_from(position):
            if position.num_steps and position.step >= position.num_steps:
                break
            loss = self._step(batch, position.step, schedule)
            seconds = time.monotonic() - began
            num_tokens = position.num_tokens + batch.num_tokens
            num_steps = position.num_steps
            if not num_steps and position.step + 1 == _CALIBRATION_STEPS:
                num_steps = self._steps_in_time(seconds / _CALIBRATION_STEPS)
                schedule = self._schedule(num_steps)
            position = Position(position.step + 1, epoch, index + 1, num_tokens, num_steps, seconds)
            self._report(position, loss, schedule, on_step)
            if position.step % save_every_steps == 0:
                self.folder.save_state(position, self._tensors())
        self.folder.save_state(position, self._tensors())
        return self._export(position)

    def _step(self, batch: Batch, step: int, schedule: Schedule) -> float:
        supervised = batch.targets_BT != IGNORED
        with torch.autocast("cpu", torch.bfloat16, enabled=self.options.precision == "bf16"):
            z_BTD = self.model.model(batch.tokens_BT, batch.view, grad_calls=schedule.grad_calls_at(step))
            logits = self.model.lm_head(z_BTD[supervised])
        loss = F.cross_entropy(logits.float(), batch.targets_BT[supervised])
        value = float(loss.detach())
        if not math.isfinite(value):
            raise RunError(f"the loss is {value} at step {step}: resume with a lower --learning-rate")
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step(schedule.learning_rate_at(step))
        self.average.update(step + 1)
        return value

    def _batches_from(self, position: Position) -> Iterator[tuple[int, int, Batch]]:
        epoch, skip = position.epoch, position.batch
        while True:
            produced = False
            for index, batch in enumerate(self.rows.batches(epoch)):
                produced = True
                if index >= skip:
                    yield epoch, index, batch
            if not produced:
                raise RunError(
                    f"{len(self.rows)} dialogues do not fill one batch of {self.options.batch_rows} rows: "
                    "lower --batch-rows or add data"
                )
            epoch, skip = epoch + 1, 0

    def _report(self, position: Position, loss: float, schedule: Schedule, on_step: Callable[[Progress], None]) -> None:
        speed = position.num_tokens / max(position.seconds, 1e-9)
        on_step(Progress(position.step, position.num_steps or None, loss, speed))
        if position.step % _LOG_EVERY_STEPS == 0 or position.step == position.num_steps:
            self.folder.log(
                {
                    "step": position.step,
                    "loss": loss,
                    "tokens": position.num_tokens,
                    "tokens_per_second": round(speed, 1),
                    "learning_rate": schedule.learning_rate_at(position.step - 1),
                    "grad_calls": schedule.grad_calls_at(position.step - 1),
                    "seconds": round(position.seconds, 1),
                }
            )

    def _schedule(self, num_steps: int) -> Schedule:
        options = self.options
        return Schedule(
            # Until the minutes are measured out only the warm-up matters, and that does not depend on the length.
            num_steps or 10**9,
            options.learning_rate,
            options.warmup_steps,
            options.cooldown_fraction,
            options.grad_warmup_fraction,
        )

    def _steps_in_time(self, seconds_per_step: float) -> int:
        return max(_CALIBRATION_STEPS, int((self.options.minutes or 0) * 60 / (_DEEPENING * seconds_per_step)))

    def _tokenizer(self, dialogues: list[Dialogue]) -> CoreTokenizer:
        if self.folder.tokenizer.exists():
            return CoreTokenizer.load(self.folder.tokenizer)
        if self.options.start_from:
            tokenizer = load_checkpoint(Path(self.options.start_from)).tokenizer
        else:
            tokenizer = CoreTokenizer.train(_texts(dialogues), self.options.vocabulary_size)
        tokenizer.save(self.folder.tokenizer)
        return tokenizer

    def _model(self) -> HrmTextCore:
        if self.options.start_from:
            return load_checkpoint(Path(self.options.start_from)).model.train()
        model = HrmTextCore(config_of_size(self.options.size, self.tokenizer.vocabulary_size))
        model.initialise(torch.Generator().manual_seed(self.options.seed))
        return model

    def _tensors(self) -> dict[str, Tensor]:
        averages = {f"average.{i}": value for i, value in enumerate(self.average.averages)}
        weights = {f"weight.{name}": value.detach() for name, value in self.model.state_dict().items()}
        return weights | averages | self.optimiser.state()

    def _load_tensors(self, tensors: dict[str, Tensor]) -> None:
        prefix = "weight."
        self.model.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
        for i, average in enumerate(self.average.averages):
            average.copy_(tensors[f"average.{i}"])
        self.optimiser.load_state(tensors, self._start.step)

    def _export(self, position: Position) -> Path:
        with torch.no_grad():
            for parameter, average in zip(self.average.parameters, self.average.averages, strict=True):
                parameter.copy_(average)
        lineage = {"run": asdict(self.options), "position": asdict(position), "dialogues": len(self.rows)}
        # Shipped weights are bfloat16: half the bytes, and what training computed with.
        save_checkpoint(
            self.folder.core,
            self.model,
            self.tokenizer,
            lineage=lineage,
            card=model_card(self.options, position, self.model.config.num_parameters),
            dtype=torch.bfloat16 if self.options.precision == "bf16" else torch.float32,
        )
        return self.folder.core


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


def _texts(dialogues: list[Dialogue]) -> Iterator[str]:
    for dialogue in dialogues:
        for turn in dialogue.turns():
            for passage in turn.passages:
                yield f"{passage.heading}\n{passage.text}"
            yield turn.question
            if turn.response is not None:
                yield "\n".join((*turn.response.working, turn.response.answer))
