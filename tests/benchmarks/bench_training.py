"""Measures our trainer against `transformers.Trainer` on the same dialogues, size, precision and single thread.

Ours packs whole dialogues into rows, each response supervised once. The peer is what one would write without us: an
`HrmTextForCausalLM` of the same shape and gradient window, its format of one prompt and one response (so an n-turn
dialogue becomes n examples that repeat its history), batches padded to their longest, labels on responses only. Both
are timed over whole steps behind the first, with their own data, optimiser and bookkeeping, in seconds of the
processor: on one thread these are the seconds of a quiet machine, also on a busy one. The dialogues are those of
`make core`, with up to six questions more of the same passages than usual.

Tokens are counted three ways: those that are learned, those of the dialogues (each once, though the peer computes a
dialogue's history again for each of its turns), and all that a step computed, the peer's repetitions included.

Share of peak: FLOPs of training.costs over real tokens, against `torch.mm` at the shape of our largest product.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import torch
import transformers

from reasoning_core import prompt
from reasoning_core.tokenizer import CoreTokenizer
from tests.benchmarks.measurement import Measurement
from training.command_line import main
from training.costs import training_flops_per_token
from training.instructions import Dialogue, read_dialogues
from training.packing import IGNORED, Batch
from training.run import RunFolder
from training.sizes import size_named
from training.trainer import Trainer

NUM_DIALOGUES, NUM_STEPS = 400, 9
SIZE = size_named("mini")
_AS_SHIPPED = ("--more-questions", "6")


@dataclass(frozen=True, slots=True)
class Speed:
    """Tokens a second: all of them without padding, those of responses that are learned, and each dialogue's once."""

    tokens: float
    supervised: float
    once: float


@dataclass(frozen=True, slots=True)
class Example:
    """One prompt and one response in the peer's form; `new_tokens` are those that no earlier turn had."""

    tokens: tuple[int, ...]
    prompt_length: int
    new_tokens: int


def measure(repeats: int = 3) -> list[Measurement]:
    with TemporaryDirectory() as name, _one_thread():
        folder = Path(name)
        data = folder / "dialogues.jsonl"
        main(["rules", "--out", str(data), "--dialogues", str(NUM_DIALOGUES), "--seed", "1", *_AS_SHIPPED])
        ours, theirs, shares = [], [], []
        for number in range(repeats):
            peak = _matrix_peak()
            speed, flops = _ours(data, folder / f"run-{number}")
            ours.append(speed)
            shares.append(100 * flops / peak)
            theirs.append(_theirs(folder / f"run-{number}", data))
    supervised = [(a.supervised, b.supervised) for a, b in zip(ours, theirs, strict=True)]
    tokens = [(a.tokens, b.tokens) for a, b in zip(ours, theirs, strict=True)]
    once = [(a.once, b.once) for a, b in zip(ours, theirs, strict=True)]
    return [
        _compared("training: learned tokens", supervised),
        _compared("training: tokens of the dialogues, each once", once),
        _compared("training: tokens computed, without padding", tokens),
        Measurement("training: share of the matrix peak", "%", median(shares), None, None, None, repeats),
    ]


def _ours(data: Path, run: Path) -> tuple[Speed, float]:
    """Train at full depth with what the command line chooses for the size; return the speed and the FLOPs a second."""
    arguments = [
        "--size",
        SIZE.name,
        "--row-tokens",
        "2048",
        "--batch-rows",
        "1",
        "--precision",
        "fp32",
        "--device",
        "cpu",
        "--grad-warmup-fraction",
        "0",
    ]
    first = run.with_name(f"{run.name}-options")
    if code := main(["fit", "--data", str(data), "--out", str(first), "--steps", "1", *arguments]):
        raise RuntimeError(f"the run in {first} ended with exit code {code}")
    options = replace(RunFolder(first).options(), num_steps=NUM_STEPS)
    trainer = Trainer(RunFolder(run).create(options), options)
    clock = _Clock()
    trainer.fit(clock.tick)
    steps = [trainer.rows.batch(rows) for rows in islice(trainer.rows.steps(0), 1, NUM_STEPS)]
    speed = clock.speed([batch.num_tokens for batch in steps], [batch.num_supervised for batch in steps])
    return speed, speed.tokens * _flops_per_token(speed, _attended_tokens(steps))


def _theirs(run: Path, data: Path) -> Speed:
    tokenizer = CoreTokenizer.load(RunFolder(run).tokenizer)
    examples = list(_examples(list(read_dialogues(data)), tokenizer))
    mean_length = sum(len(example.tokens) for example in examples) / len(examples)
    config = SIZE.config(tokenizer.vocabulary_size).to_hugging_face(pad_id=tokenizer.pad_id, end_id=tokenizer.eoa_id)
    arguments = transformers.TrainingArguments(
        output_dir=str(run / "peer"),
        max_steps=NUM_STEPS,
        # About as many tokens a step as one of ours.
        per_device_train_batch_size=round(SIZE.batch_rows * SIZE.row_tokens / mean_length),
        learning_rate=SIZE.learning_rate,
        remove_unused_columns=False,
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
    )
    model = transformers.HrmTextForCausalLM(transformers.HrmTextConfig(**config))
    collator, clock = _Padded(tokenizer.pad_id), _Clock()
    trainer = transformers.Trainer(
        model, arguments, train_dataset=examples, data_collator=collator, callbacks=[_Ticking(clock)]
    )
    trainer.train()
    # A batch more may have been laid out in advance.
    speed = clock.speed(collator.tokens[1:NUM_STEPS], collator.supervised[1:NUM_STEPS])
    # A dialogue's last example holds all of it, the others are repetitions.
    share = sum(example.new_tokens for example in examples) / sum(len(example.tokens) for example in examples)
    return replace(speed, once=share * speed.tokens)


class _Clock:
    """Seconds of the processor between the end of the first step and that of the last."""

    def __init__(self) -> None:
        self._ends: list[float] = []

    def tick(self, _: object = None) -> None:
        self._ends.append(time.process_time())

    def speed(self, tokens: Sequence[int], supervised: Sequence[int]) -> Speed:
        seconds = self._ends[-1] - self._ends[0]
        return Speed(sum(tokens) / seconds, sum(supervised) / seconds, sum(tokens) / seconds)


class _Ticking(transformers.TrainerCallback):
    def __init__(self, clock: _Clock) -> None:
        self._clock = clock

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self._clock.tick()


def _examples(dialogues: Sequence[Dialogue], tokenizer: CoreTokenizer) -> Iterator[Example]:
    for dialogue in dialogues:
        spans = prompt.spans(dialogue.turns(), tokenizer, dialogue.conditions)
        for number, exchange in enumerate(dialogue.exchanges):
            history, response = spans[: 2 * number + 1], spans[2 * number + 1]
            before = [token for span in history for token in span.tokens]
            if exchange.supervised and len(before) + len(response.tokens) <= SIZE.row_tokens:
                new = len(history[-1].tokens) + len(response.tokens)
                yield Example((*before, *response.tokens), len(before), new)


class _Padded:
    """Pads examples to the longest of their batch, types prompts 1, and counts what it has handed out."""

    def __init__(self, pad_id: int) -> None:
        self.pad_id = pad_id
        self.tokens: list[int] = []
        self.supervised: list[int] = []

    def __call__(self, examples: Sequence[Example]) -> dict[str, torch.Tensor]:
        longest = max(len(example.tokens) for example in examples)
        shape = (len(examples), longest)
        tokens, labels = torch.full(shape, self.pad_id), torch.full(shape, IGNORED)
        types, mask = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
        for row, example in enumerate(examples):
            length, start = len(example.tokens), example.prompt_length
            tokens[row, :length] = torch.tensor(example.tokens)
            labels[row, start:length] = tokens[row, start:length]
            types[row, :start], mask[row, :length] = 1, 1
        self.tokens.append(int(mask.sum()))
        self.supervised.append(int((labels != IGNORED).sum()))
        return {"input_ids": tokens, "labels": labels, "token_type_ids": types, "attention_mask": mask}


def _flops_per_token(speed: Speed, attended_tokens: float) -> float:
    share = speed.supervised / speed.tokens
    return training_flops_per_token(SIZE.config(), attended_tokens, supervised_share=share)


def _attended_tokens(steps: Sequence[Batch]) -> float:
    """Return over how many tokens one attends in the mean: those of its conversation, which starts at position 0."""
    lengths = []
    for batch in steps:
        starts = (batch.view.position_BT.flatten() == 0).nonzero().flatten().tolist()
        lengths += [end - start for start, end in pairwise([*starts, batch.tokens_BT.numel()])]
    # The positions of padding are all 0: it counts as conversations of one token, which is next to nothing.
    return sum(length**2 for length in lengths) / sum(lengths)


def _matrix_peak() -> float:
    """Return the FLOPs a second of float32 products at the shape of a step's gate and up projection."""
    left, right = torch.randn(1536, 192), torch.randn(192, 1024)
    seconds = []
    for _ in range(20):
        began = time.process_time()
        for _ in range(10):
            torch.mm(left, right)
        seconds.append((time.process_time() - began) / 10)
    return 2 * 1536 * 192 * 1024 / median(seconds)


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _compared(name: str, pairs: Sequence[tuple[Any, Any]]) -> Measurement:
    ours, peer = median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)
    ratio = median(pair[0] / pair[1] for pair in pairs)
    return Measurement(name, "tokens/s", ours, peer, "transformers.Trainer, padded", ratio, len(pairs))
