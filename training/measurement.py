"""One core measured on suites, and the JSON document that says what came of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from reasoning_core.checkpoint import Checkpoint
from reasoning_core.engine import Engine
from reasoning_core.reader import Reader, ReaderOptions
from training.case_file import CaseFile, reader_digest
from training.evaluation import evaluate
from training.gate import Judgement
from training.instructions import Dialogue
from training.scoring import ScoredCase, score

Suites = Mapping[str, Sequence[Dialogue]]
OnCase = Callable[[str, ScoredCase], None]


@dataclass(frozen=True, slots=True)
class MeasuredCore:
    """What a core is, and its scored cases by suite."""

    name: str
    sha256: str
    parameters: int
    layout: str
    max_tokens: int
    lineage: Mapping[str, Any]
    cases: Mapping[str, Sequence[ScoredCase]]

    @property
    def label(self) -> str:
        """The name with the start of the digest, because every run calls its core alike."""
        return f"{self.name}@{self.sha256[:8]}"

    def figures(self) -> dict[str, dict[str, Any]]:
        """Return the figures of each suite."""
        return {suite: score(suite, cases) for suite, cases in self.cases.items()}


def measure(
    checkpoint: Checkpoint, suites: Suites, options: ReaderOptions, kept_in: Path | None, on_case: OnCase
) -> MeasuredCore:
    """Ask a core every question of the suites; with `kept_in`, those that the file holds are not asked again.

    Raises:
        ValueError: `kept_in` is another kind of file.
    """
    reader = Reader(Engine(checkpoint), options)
    kept = CaseFile(kept_in, checkpoint.sha256, reader_digest(options)) if kept_in else None
    config = checkpoint.model.config
    return MeasuredCore(
        name=checkpoint.name,
        sha256=checkpoint.sha256,
        parameters=sum(weight.numel() for weight in checkpoint.model.parameters()),
        layout=config.layout.value,
        max_tokens=config.max_position_embeddings,
        lineage=checkpoint.lineage,
        cases={
            name: evaluate(reader, dialogues, lambda case, name=name: on_case(name, case), kept)  # type: ignore[misc]
            for name, dialogues in suites.items()
        },
    )


def document(measured: Sequence[MeasuredCore], judgement: Judgement | None) -> dict[str, Any]:
    """Return the JSON document: the figures of the first core and, beside them, those of what it was held against."""
    first, *others = (_figures(core) for core in measured)
    against = {"against": others[0]} if others else {}
    gate = {"gate": asdict(judgement)} if judgement else {}
    return first | against | gate


def _figures(core: MeasuredCore) -> dict[str, Any]:
    """Return the figures of the one suite, or of several under `suites`, and which core it was."""
    reports = list(core.figures().values())
    identity = {"name": core.name, "sha256": core.sha256, "parameters": core.parameters}
    return (reports[0] if len(reports) == 1 else {"suites": reports}) | {"core": identity}
