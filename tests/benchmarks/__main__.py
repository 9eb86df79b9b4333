"""`make benchmarks [ONLY=NAME]`: measures, prints the tables and writes benchmarks.json.

Without a name it measures what takes minutes. Parts that read public corpora are left out where those are absent.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tests.benchmarks import (
    bench_architectures,
    bench_choices,
    bench_engine,
    bench_ingestion,
    bench_retraining,
    bench_retrieval,
    bench_search_scale,
    bench_sharing,
    bench_training,
)
from tests.benchmarks.measurement import Measurement, print_table

Measure = Callable[[], list[Measurement]]
_OF_MINUTES: Mapping[str, Measure] = {
    "engine": bench_engine.measure,
    "sharing": bench_sharing.measure,
    "training": bench_training.measure,
}
_OF_HOURS: Mapping[str, Measure] = {
    "retraining": bench_retraining.measure,
    "choices": bench_choices.measure,
    "architectures": bench_architectures.measure,
}


def main(
    only: Annotated[str | None, typer.Option(help="The part to measure.")] = None,
    data: Annotated[Path | None, typer.Option(help="Public corpora for search and ingestion.")] = None,
) -> None:
    """Measure everything that takes minutes, or one part."""
    corpora = data or Path(os.environ.get("PRECEPT_SHARED_DATA", "../shared/data"))
    chosen = _chosen(only, corpora)
    measurements = [measurement for measure in chosen.values() for measurement in measure()]
    print_table(measurements)
    Path("benchmarks.json").write_text(json.dumps([asdict(entry) for entry in measurements], indent=2) + "\n")


def _chosen(only: str | None, corpora: Path) -> dict[str, Measure]:
    usual = {**_OF_MINUTES, "retrieval": partial(bench_retrieval.measure, corpora)}
    others = {
        **_OF_HOURS,
        "ingestion": partial(bench_ingestion.measure, corpora),
        "scale": partial(bench_search_scale.measure, corpora),
    }
    known = usual | others
    if only is not None and only not in known:
        raise typer.BadParameter(f"there is no part {only!r}: use one of {', '.join(known)}")
    chosen = usual if only is None else {only: known[only]}
    absent = [name for name in chosen if name in ("retrieval", "ingestion", "scale")] if not corpora.is_dir() else []
    for name in absent:
        Console(stderr=True).print(f"No corpora in {corpora}: the figures of {name} are left out.")
    return {name: measure for name, measure in chosen.items() if name not in absent}


if __name__ == "__main__":
    typer.run(main)
