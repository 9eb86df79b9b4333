"""`make benchmarks`: measures, prints the tables and writes benchmarks.json."""

import json
import os
from dataclasses import asdict
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


def main(
    only: Annotated[
        str | None, typer.Option(help="engine, sharing, training, retrieval; scale, choices, architectures.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Public corpora for the retrieval figures.")] = None,
) -> None:
    """Measure everything that takes minutes, or one part; choices and architectures take hours."""
    corpora = data or Path(os.environ.get("PRECEPT_SHARED_DATA", "../shared/data"))
    measurements: list[Measurement] = []
    if only in (None, "engine"):
        measurements += bench_engine.measure()
    if only in (None, "sharing"):
        measurements += bench_sharing.measure()
    if only in (None, "training"):
        measurements += bench_training.measure()
    if only == "ingestion" and corpora.is_dir():
        measurements += bench_ingestion.measure(corpora)
    if only == "architectures":
        measurements += bench_architectures.measure()
    if only == "retraining":
        measurements += bench_retraining.measure()
    if only == "choices":
        measurements += bench_choices.measure()
    if only == "scale":
        measurements += bench_search_scale.measure(corpora)
    if only in (None, "retrieval"):
        if corpora.is_dir():
            measurements += bench_retrieval.measure(corpora)
        else:
            Console(stderr=True).print(f"No corpora in {corpora}: the retrieval figures are left out.")
    print_table(measurements)
    Path("benchmarks.json").write_text(json.dumps([asdict(entry) for entry in measurements], indent=2) + "\n")


if __name__ == "__main__":
    typer.run(main)
