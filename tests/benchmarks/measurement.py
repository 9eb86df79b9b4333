"""One measured figure beside its peer's, and how the figures are printed."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Measurement:
    name: str
    unit: str
    ours: float
    peer: float | None
    peer_name: str | None
    ratio: float | None
    repeats: int


def print_table(measurements: Sequence[Measurement]) -> None:
    table = Table("measure", "unit", "ours", "peer", "peer is", "ratio", "repeats")
    for entry in measurements:
        table.add_row(
            entry.name,
            entry.unit,
            f"{entry.ours:.3f}",
            "-" if entry.peer is None else f"{entry.peer:.3f}",
            entry.peer_name or "-",
            "-" if entry.ratio is None else f"{entry.ratio:.2f}",
            str(entry.repeats),
        )
    Console(width=140).print(table)
