"""Measures what each choice of training is worth: short runs from scratch that differ from one in a single choice.

Minutes and seeds come from CHOICE_MINUTES and CHOICE_SEEDS; runs lie in `runs/choices`. The choices about the form of a
response change the data, so their runs start from the shipped core, and what counts is the short answers that it then
writes, greedily and unguided.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import torch

from reasoning_core import prompt
from reasoning_core.checkpoint import Checkpoint, default_core_folder
from reasoning_core.engine import Engine
from reasoning_core.response import Response, normalised
from reasoning_core.sampling import Sampling
from tests.benchmarks.measurement import Measurement
from tests.benchmarks.pilots import compared, dialogues, figures, trained
from training.instructions import Dialogue, Exchange, read_dialogues, write_dialogues
from training.suites import load_suite

FOLDER = Path("runs/choices")
_USUAL = ("--dialogues", "12000", "--seed", "5")
_SHORT_RUN = ("--grad-warmup-fraction", "0", "--learning-rate", "1.2e-3")
_QUESTIONS = 120


@dataclass(frozen=True, slots=True)
class Choice:
    """One run: what `fit` is told, and what the generator is told."""

    fit: tuple[str, ...] = ()
    data: str = "usual"


DATA = {
    "usual": ("--more-questions", "6"),
    "few questions": ("--more-questions", "0"),
    "no auxiliary": ("--more-questions", "6", "--auxiliary", "0"),
    "auxiliary": ("--more-questions", "6", "--auxiliary", "0.25"),
}
CHOICES = {
    "as shipped": Choice(),
    "2.9 questions of a context, not 5": Choice(data="few questions"),
    "no auxiliary tasks, not 7 %": Choice(data="no auxiliary"),
    "25 % auxiliary tasks": Choice(data="auxiliary"),
    "half the learning rate": Choice(("--learning-rate", "6e-4")),
    "twice the learning rate": Choice(("--learning-rate", "2.4e-3")),
    "four rows of 512 tokens a step": Choice(("--row-tokens", "512", "--batch-rows", "4")),
    "two rows of 512 tokens a step": Choice(("--row-tokens", "512", "--batch-rows", "2")),
    "vocabulary 1,024": Choice(("--vocabulary-size", "1024")),
    "vocabulary 4,096": Choice(("--vocabulary-size", "4096")),
    "deeper: 5 layers a stack of width 128": Choice(("--layers", "5", "--hidden-size", "128")),
    "wider: 1 layer a stack of width 256": Choice(("--layers", "1", "--hidden-size", "256")),
    "no average of weights": Choice(("--ema-decay", "0")),
    "short dialogues first": Choice(("--curriculum", "0.3")),
    "K from 2 to 5 over a fifth of the run": Choice(("--grad-warmup-fraction", "0.2")),
    "Muon at 0.005": Choice(("--optimiser", "muon", "--learning-rate", "0.005")),
}
FORMS: dict[str, Callable[[Exchange], Exchange]] = {
    "working, then the citation": lambda exchange: exchange,
    "no working": lambda exchange: replace(exchange, working=()),
    "the citation before the quote": lambda exchange: replace(
        exchange, working=tuple(map(_citation_first, exchange.working)), answer=_citation_first(exchange.answer)
    ),
}


def measure() -> list[Measurement]:
    minutes = float(os.environ.get("CHOICE_MINUTES", "4"))
    seeds = [int(seed) for seed in os.environ.get("CHOICE_SEEDS", "1").split()]
    torch.set_num_threads(1)
    found = {
        name: [figures(_chosen(name, choice, minutes, seed)) for seed in seeds] for name, choice in CHOICES.items()
    }
    written = {name: [_in_form(name, minutes, seed) for seed in seeds] for name in FORMS}
    return compared(found, "as shipped") + compared(written, "working, then the citation")


def _chosen(name: str, choice: Choice, minutes: float, seed: int) -> Checkpoint:
    data = dialogues(FOLDER / f"{choice.data.replace(' ', '-')}.jsonl", *_USUAL, *DATA[choice.data])
    run = FOLDER / f"{''.join(c if c.isalnum() else '-' for c in name)}-{minutes:g}min-seed{seed}"
    return trained(run, data, minutes, seed, (*_SHORT_RUN, *choice.fit))


def _in_form(name: str, minutes: float, seed: int) -> dict[tuple[str, str], float]:
    form = FORMS[name]
    data = FOLDER / f"{name.replace(' ', '-').replace(',', '')}.jsonl"
    if not data.is_file():
        usual = dialogues(FOLDER / "usual.jsonl", *_USUAL, *DATA["usual"])
        write_dialogues(data, (_formed(dialogue, form) for dialogue in read_dialogues(usual)))
    start = ("--from", str(default_core_folder()))
    core = trained(FOLDER / f"{data.stem}-{minutes:g}min-seed{seed}", data, minutes, seed, (*_SHORT_RUN, *start))
    right = [*islice(_answers(core, form), _QUESTIONS)]
    return {("short answers of values", "%"): 100 * sum(right) / len(right)}


def _formed(dialogue: Dialogue, form: Callable[[Exchange], Exchange]) -> Dialogue:
    return replace(dialogue, exchanges=tuple(map(form, dialogue.exchanges)))


def _citation_first(text: str) -> str:
    """Return a line or an answer with the citations at its end moved to its beginning."""
    body, mark, number = text.rpartition(" [")
    return f"[{number.rstrip('.')} {body}" if mark and number.rstrip(".").endswith("]") else text


def _answers(core: Checkpoint, form: Callable[[Exchange], Exchange]) -> Iterator[bool]:
    """Yield for each question of a suite whether the short answer is right, the turns before it as they should be."""
    engine = Engine(core)
    for dialogue in load_suite("values", _QUESTIONS):
        turns = _formed(dialogue, form).turns()
        for number, turn in enumerate(turns, start=1):
            asked = (*turns[: number - 1], replace(turn, response=None))
            written = prompt.parse_response(
                [*engine.generate(prompt.spans(asked, core.tokenizer), Sampling())], core.tokenizer
            )
            yield _short(written) == _short(turn.response)


def _short(response: Response | None) -> str:
    answer = "" if response is None else response.answer
    while answer.startswith("["):
        answer = answer.partition("] ")[2]
    return normalised(Response((), answer).short_answer)
