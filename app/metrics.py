"""Figures for Prometheus, counted from the rows when they are asked for: right for any number of processes."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from app.database import Database
from app.generation import generation
from app.schema import Job, StoredChunk, StoredDocument, StoredMessage


class _Rows(Collector):
    def __init__(self, database: Database) -> None:
        self._database = database

    def describe(self) -> Iterator[Metric]:
        """Name nothing beforehand, so that registering asks no database."""
        yield from ()

    def collect(self) -> Iterator[Metric]:
        with self._database.read() as session:
            for name, table in (("documents", StoredDocument), ("chunks", StoredChunk)):
                count = session.scalar(select(func.count()).select_from(table)) or 0
                yield GaugeMetricFamily(f"precept_{name}", f"Number of {name} stored.", value=count)
            yield GaugeMetricFamily(
                "precept_index_generation", "Number of changes of the chunks.", value=generation(session)
            )
            for name, state in (("jobs", Job.state), ("messages", StoredMessage.state)):
                family = GaugeMetricFamily(f"precept_{name}", f"Number of {name} by state.", labels=["state"])
                for label, count in session.execute(select(state, func.count()).group_by(state)):
                    family.add_metric([label], count)
                yield family


def registry_of(database: Database) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(_Rows(database))
    return registry
