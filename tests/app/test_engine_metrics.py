"""The engine's figures as Prometheus reads them, against what the engine was asked."""

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from app.metrics import _Engine
from reasoning_core.engine import Engine
from reasoning_core.layout import Span, SpanKind
from reasoning_core.load import Load
from reasoning_core.sampling import Sampling
from tests.reasoning_core.tiny import tiny_checkpoint


def figures(load: Load | None) -> dict[tuple[str, str], float]:
    registry = CollectorRegistry()
    registry.register(_Engine(lambda: load))
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {(s.name, next(iter(s.labels.values()), "")): s.value for family in families for s in family.samples}


def test_figures_count_what_was_asked_and_written():
    engine = Engine(tiny_checkpoint())
    texts = [list(engine.generate([Span(SpanKind.PROMPT, (6, n, 7))], Sampling(max_new_tokens=4))) for n in (30, 31)]
    engine.close()  # so that the last pass has left its figures
    shown = figures(engine.load)
    assert shown["precept_engine_new_tokens_total", ""] == sum(map(len, texts))
    assert shown["precept_engine_prompt_tokens_total", ""] == 6
    assert shown["precept_engine_answers_total", ""] == 2
    assert shown["precept_engine_sessions", "running"] == 0
    assert shown["precept_engine_cache_bytes", "idle"] > 0
    assert shown["precept_engine_first_token_seconds_bucket", "+Inf"] == 2
    assert shown["precept_engine_first_token_seconds_sum", ""] > 0


def test_where_no_engine_runs_there_are_no_figures_of_one():
    assert figures(None) == {}
