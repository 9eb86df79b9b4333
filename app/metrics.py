"""Figures for Prometheus: of the rows, right for any number of processes, and of the engine in this one."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from app.database import Database
from app.generation import generation
from app.schema import Job, StoredChunk, StoredDocument, StoredMessage
from reasoning_core.load import FIRST_TOKEN_BOUNDS_S, Load


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


_ENGINE_COUNTS = {
    "answers": "Responses written to their end.",
    "cancelled": "Responses that were left or stopped.",
    "late": "Requests whose deadline passed.",
    "failed": "Requests that ended in an error, late ones included.",
    "hits": "Requests that found a part of their conversation cached.",
    "evictions": "Caches forgotten to make room.",
    "prompt_tokens": "Tokens of the conversations that were asked with.",
    "cached_tokens": "Those of them that were not computed again.",
    "computed_tokens": "Tokens that went through a forward pass.",
    "new_tokens": "Tokens written.",
    "drafted_tokens": "Tokens guessed ahead.",
    "kept_tokens": "Those of them that were right.",
    "close_calls": "Choices that were computed anew because rounding could have decided.",
}


class _Engine(Collector):
    def __init__(self, load: Callable[[], Load | None]) -> None:
        self._load = load

    def describe(self) -> Iterator[Metric]:
        yield from ()

    def collect(self) -> Iterator[Metric]:
        load = self._load()
        if load is None:
            return
        sessions = GaugeMetricFamily("precept_engine_sessions", "Requests by state.", labels=["state"])
        sessions.add_metric(["running"], load.running)
        sessions.add_metric(["waiting"], load.waiting)
        caches = GaugeMetricFamily("precept_engine_cache_bytes", "Bytes of caches by state.", labels=["state"])
        caches.add_metric(["running"], load.running_bytes)
        caches.add_metric(["idle"], load.idle_bytes)
        yield from (sessions, caches)
        for name, meaning in _ENGINE_COUNTS.items():
            yield CounterMetricFamily(f"precept_engine_{name}", meaning, value=getattr(load, name))
        first = HistogramMetricFamily("precept_engine_first_token_seconds", "Time from a request to its first token.")
        counts = [sum(load.first_tokens[: n + 1]) for n in range(len(load.first_tokens))]
        bounds = ["+Inf" if bound == float("inf") else str(bound) for bound in FIRST_TOKEN_BOUNDS_S]
        first.add_metric([], list(zip(bounds, counts, strict=True)), load.first_token_s)
        yield first


def registry_of(database: Database, load: Callable[[], Load | None]) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(_Rows(database))
    registry.register(_Engine(load))
    return registry
