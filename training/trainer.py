"""The training loop: packed rows in, a core out, and every step repeatable.

A run is a function of its options: the order of rows, the depth of gradient and the learning rate depend on the step
alone, and nothing random happens after initialisation. So a run that was killed and resumed ends in the same bits, and
several processes that share the rows of each step follow the losses of one.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reasoning_core.checkpoint import load_checkpoint
from reasoning_core.config import CoreConfig
from reasoning_core.layout import Layout
from reasoning_core.model import HrmTextCore
from reasoning_core.tokenizer import CoreTokenizer
from training.baselines import of_architecture
from training.distributed import World
from training.finished_core import write_core
from training.instructions import Dialogue, read_dialogues
from training.optim import MovingAverage, Optimiser, new_optimiser
from training.packing import IGNORED, Batch, DialogueRows, Row
from training.run import Position, RunError, RunFolder, RunOptions
from training.run_state import load_state, save_state
from training.schedule import Schedule
from training.sizes import config_of_size, reshaped

# Where minutes are measured out: compilation and the first slow steps lie before.
_CALIBRATE_FROM, _CALIBRATE_TO = 4, 16
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


class ResponseLoss(nn.Module):
    """A core with its objective: the summed negative log-likelihood of response tokens, in nats (paper, 1.3)."""

    def __init__(self, core: HrmTextCore, precision: str) -> None:
        super().__init__()
        self.core, self.precision = core, precision

    def forward(self, batch: Batch, grad_calls: int) -> Tensor:
        supervised = batch.targets_BT != IGNORED
        half = self.precision == "bf16"
        with torch.autocast(batch.tokens_BT.device.type, torch.bfloat16, enabled=half):
            z_BTD = self.core.model(batch.tokens_BT, batch.view, grad_calls=grad_calls)
            logits = self.core.lm_head(z_BTD[supervised])
        return F.cross_entropy(logits.float(), batch.targets_BT[supervised], reduction="sum")


class Trainer:
    """One run, from its folder's options to its finished core."""

    def __init__(self, folder: RunFolder, options: RunOptions, world: World | None = None) -> None:
        self.folder, self.options = folder, options
        self.world = world or World.join(options.device)
        dialogues = [dialogue for path in options.data for dialogue in read_dialogues(Path(path))]
        self.tokenizer = self._tokenizer(dialogues)
        self.rows = DialogueRows(
            dialogues,
            self.tokenizer,
            row_tokens=options.row_tokens,
            rows_per_step=options.batch_rows,
            seed=options.seed,
            layout=Layout(options.layout),
            curriculum=options.curriculum,
        )
        self.model = self._model()
        self._loss = ResponseLoss(self.model, options.precision).to(self.world.device)
        if options.compiled:
            # In place, so that the names of the weights stay what a checkpoint calls them.
            self.model.model.L_module.compile()
            self.model.model.H_module.compile()
        self.world.shard(self._loss)
        self.average = MovingAverage((p for p in self.model.parameters() if p.requires_grad), options.ema_decay)
        self.optimiser: Optimiser = new_optimiser(options.optimiser, self.model, options.weight_decay)
        self._now = time.process_time if options.cpu_time else time.monotonic
        self._start = Position(0, 0, 0, 0, options.num_steps or 0, 0.0)

    def resume(self) -> None:
        """Take up the newest state of the folder, if there is one."""
        saved = load_state(self.folder, self.model, self.average, self.optimiser)
        if saved is None:
            return
        self._start = saved.lasting(self.options.num_steps)
        if self.world.is_first:
            self.folder.forget_metrics_after(self._start.step)

    def fit(
        self,
        on_step: Callable[[Progress], None],
        *,
        save_every_steps: int = 200,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Path:
        """Train to the last step, save states on the way, and return the folder of the finished core.

        Raises:
            RunError: the loss is not a number, the disk is full, or `should_stop` asked for an end; the state of the
                last step is kept.
        """
        position, began = self._start, self._now() - self._start.seconds
        schedule, clock = self._schedule(position.num_steps), began
        for epoch, index, rows in self._steps_from(position):
            if position.num_steps and position.step >= position.num_steps:
                break
            if position.step == self._start.step + _CALIBRATE_FROM:
                clock = self._now()
            loss, num_tokens, norm = self._step(rows, position.step, schedule)
            num_steps = position.num_steps
            if not num_steps and position.step + 1 >= self._start.step + _CALIBRATE_TO:
                num_steps = self._steps_in_time(position.step + 1, self._now() - clock, self._now() - began)
                schedule = self._schedule(num_steps)
            seconds = self._now() - began
            position = Position(
                position.step + 1, epoch, index + 1, position.num_tokens + num_tokens, num_steps, seconds
            )
            self._report(position, loss, norm, schedule, on_step)
            if position.step % save_every_steps == 0:
                self._save(position)
            if self.world.summed(float(should_stop())):
                self._save(position)
                raise RunError(f"stopped at step {position.step}; continue with --resume --out {self.folder.path}")
        self._save(position)
        return write_core(self.folder, self.options, position, self.model, self.average, self.tokenizer, self.world)

    def _step(self, rows: Sequence[Row], step: int, schedule: Schedule) -> tuple[float, int, float | None]:
        """Train on the rows of one step; return the mean loss, the tokens of all processes, and the gradient's norm."""
        world, accumulate = self.world, self.options.accumulate
        shares = self.rows.deal(rows, world.size * accumulate)[world.rank * accumulate : (world.rank + 1) * accumulate]
        num_supervised, value, num_tokens = self.rows.num_supervised(rows), 0.0, 0
        for number, share in enumerate(shares, start=1):
            batch = self.rows.batch(share, segmented=world.device.type == "cpu").to(world.device)
            world.await_last_share(self._loss, is_last=number == len(shares))
            # Each token counts the same, whichever row, share or process it lies in.
            loss = self._loss(batch, schedule.grad_calls_at(step)) / num_supervised
            (loss * world.size).backward()  # gradients are averaged over the processes
            value, num_tokens = value + float(loss.detach()), num_tokens + batch.num_tokens
        value = world.summed(value)
        if not math.isfinite(value):
            raise RunError(
                f"the loss is {value} at step {step}: go on from the state before it with --resume and a lower "
                f"--learning-rate than {self.options.learning_rate:g}"
            )
        norm = self._gradient_norm() if (step + 1) % _LOG_EVERY_STEPS == 0 else None
        self.optimiser.step(schedule.learning_rate_at(step))
        self.average.update(step + 1)
        return value, int(world.summed(num_tokens)), norm

    def _gradient_norm(self) -> float:
        squares = sum(
            float(p.grad.to_local().square().sum() if hasattr(p.grad, "to_local") else p.grad.square().sum())
            for p in self.model.parameters()
            if p.grad is not None
        )
        return math.sqrt(self.world.summed(squares))

    def _steps_from(self, position: Position) -> Iterator[tuple[int, int, list[Row]]]:
        epoch, skip = position.epoch, position.batch
        while True:
            produced = False
            for index, rows in enumerate(self.rows.steps(epoch)):
                produced = True
                if index >= skip:
                    yield epoch, index, rows
            if not produced:
                raise RunError(
                    f"{len(self.rows)} dialogues do not fill one batch of {self.options.batch_rows} rows: "
                    "lower --batch-rows or add data"
                )
            epoch, skip = epoch + 1, 0

    def _report(
        self,
        position: Position,
        loss: float,
        norm: float | None,
        schedule: Schedule,
        on_step: Callable[[Progress], None],
    ) -> None:
        speed = position.num_tokens / max(position.seconds, 1e-9)
        on_step(Progress(position.step, position.num_steps or None, loss, speed))
        if self.world.is_first and (position.step % _LOG_EVERY_STEPS == 0 or position.step == position.num_steps):
            self.folder.log(
                {
                    "step": position.step,
                    "loss": loss,
                    "gradient_norm": norm,
                    "tokens": position.num_tokens,
                    "tokens_per_second": round(speed, 1),
                    "learning_rate": schedule.learning_rate_at(position.step - 1),
                    "grad_calls": schedule.grad_calls_at(position.step - 1),
                    "seconds": round(position.seconds, 1),
                }
            )

    def _save(self, position: Position) -> None:
        save_state(self.folder, position, self.model, self.average, self.optimiser, self.world)

    def _schedule(self, num_steps: int) -> Schedule:
        options, config = self.options, self.model.config
        return Schedule(
            # Until the minutes are measured out only the warm-up matters, and that does not depend on the length.
            num_steps or 10**9,
            options.learning_rate,
            options.warmup_steps,
            options.cooldown_fraction,
            options.grad_warmup_fraction,
            config.H_cycles * (config.L_cycles + 1),
        )

    def _steps_in_time(self, step: int, seconds: float, spent: float) -> int:
        """Return how many steps the minutes hold, after `step` of them took `spent` and the last few `seconds`."""
        early, late = self._schedule(10**9).grad_calls_at(step), self._schedule(step).grad_calls_at(step)
        each = (_DEEPENING if early < late else 1.0) * seconds / (_CALIBRATE_TO - _CALIBRATE_FROM)
        left = (self.options.minutes or 0) * 60 - spent
        # Every process must come to the same number.
        return step + max(0, int(self.world.summed(left / each) / self.world.size))

    def _tokenizer(self, dialogues: list[Dialogue]) -> CoreTokenizer:
        if self.folder.tokenizer.exists():
            return CoreTokenizer.load(self.folder.tokenizer)
        if self.options.start_from:
            tokenizer = load_checkpoint(Path(self.options.start_from)).tokenizer
        else:
            tokenizer = CoreTokenizer.train(_texts(dialogues), self.options.vocabulary_size)
        self.world.barrier()  # no process may find the file of another that is half a step ahead
        if self.world.is_first:
            tokenizer.save(self.folder.tokenizer)
        return tokenizer

    def _model(self) -> HrmTextCore:
        if self.options.start_from:
            model = load_checkpoint(Path(self.options.start_from)).model.train()
            if model.config.layout is not Layout(self.options.layout):
                raise RunError(
                    f"{self.options.start_from} has the layout {model.config.layout.value}: a core keeps its layout, "
                    f"so add --layout {model.config.layout.value}"
                )
            return model
        model = HrmTextCore(self._config())
        model.initialise(torch.Generator().manual_seed(self.options.seed))
        return model

    def _config(self) -> CoreConfig:
        options = self.options
        config = config_of_size(options.size, self.tokenizer.vocabulary_size)
        config = reshaped(config, options.hidden_size, options.layers)
        return of_architecture(replace(config, layout=Layout(options.layout)), options.architecture)


def _texts(dialogues: list[Dialogue]) -> Iterator[str]:
    for dialogue in dialogues:
        for turn in dialogue.turns():
            for passage in turn.passages:
                yield f"{passage.heading}\n{passage.text}"
            yield turn.question
            if turn.response is not None:
                yield "\n".join((*turn.response.working, turn.response.answer))
