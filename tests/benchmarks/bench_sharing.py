"""Measures the engine as many people's: the default core, the same machine and the same run for each pair of figures.

- answers a second when 16 people each hold a dialogue of three turns at once, against one after another;
- the 95th percentile of the time to the first token when 50 people ask every 10 seconds for a minute;
- drafting: tokens a second while every third question of the sample company is answered, against the same without
  drafts.

Every text is compared with the one written alone or without drafts, and a single difference ends the measurement.
"""

import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median, quantiles

from app.records import Answered
from app.sample import ingest_sample
from app.services import open_services
from app.settings import Settings
from reasoning_core import prompt
from reasoning_core.checkpoint import Checkpoint, default_core_folder, load_checkpoint
from reasoning_core.core import Core, Generation, Guide
from reasoning_core.engine import Engine
from reasoning_core.guide import WorkingGuide
from reasoning_core.layout import Span
from reasoning_core.prompt import Passage, Turn
from reasoning_core.reader import Reader
from reasoning_core.sampling import Sampling
from tests.benchmarks.measurement import Measurement
from ui.evaluation import SAMPLE, load_questions

PEOPLE, TURNS = 16, 3
SAMPLE_EVERY = 3
OPEN_SESSIONS, EVERY_S, ROUNDS = 50, 10.0, 6
THINGS = ("Meals", "Hotels", "Taxis", "Parking", "Books", "Phones", "Chairs", "Courses", "Visas", "Trains")


def measure(repeats: int = 3) -> list[Measurement]:
    checkpoint = load_checkpoint(default_core_folder())
    return [*_together(checkpoint, repeats), *_open_sessions(checkpoint), *_drafting(checkpoint, repeats)]


def _together(checkpoint: Checkpoint, repeats: int) -> list[Measurement]:
    rates, processor = list[tuple[float, float]](), list[tuple[float, float]]()
    for _ in range(repeats):
        alone, together = _engine(checkpoint), _engine(checkpoint)
        began = Seconds.now()
        expected = [_dialogue(alone, person) for person in range(PEOPLE)]
        one = Seconds.now() - began
        began = Seconds.now()
        with ThreadPoolExecutor(PEOPLE) as people:
            answers = list(people.map(lambda person, engine=together: _dialogue(engine, person), range(PEOPLE)))
        many = Seconds.now() - began
        _compare(answers, expected)
        num = PEOPLE * TURNS
        rates.append((num / many.wall, num / one.wall))
        processor.append((num / many.processor, num / one.processor))
    peer = "one after another"
    return [
        _pairs(f"answers with {PEOPLE} sessions", "answers/s", rates, peer),
        _pairs(f"answers with {PEOPLE} sessions, by processor time", "answers/s", processor, peer),
    ]


def _open_sessions(checkpoint: Checkpoint) -> list[Measurement]:
    """Let people ask on the clock, each going on with a conversation and then beginning another."""
    engine = _engine(checkpoint)
    delays, most_bytes, lock = list[float](), 0, threading.Lock()
    began = time.monotonic()

    def hold(person: int) -> list[list[int]]:
        nonlocal most_bytes
        written: list[list[int]] = []
        for number, (spans, guide) in enumerate(_asked(engine, person, ROUNDS, written)):
            _sleep_until(began + EVERY_S * (number + person / OPEN_SESSIONS))
            asked = time.monotonic()
            tokens = iter(engine.generate(spans, Sampling(), guide))
            first = next(tokens)
            delay = time.monotonic() - asked
            written.append([first, *tokens])
            load = engine.load
            with lock:
                delays.append(delay)
                most_bytes = max(most_bytes, load.running_bytes + load.idle_bytes)
        return written

    with ThreadPoolExecutor(OPEN_SESSIONS) as people:
        answers = list(people.map(hold, range(OPEN_SESSIONS)))
    load, alone = engine.load, _engine(checkpoint)
    _compare(answers, [_dialogue(alone, person, ROUNDS) for person in range(OPEN_SESSIONS)])
    name = f"with {OPEN_SESSIONS} sessions asking every {EVERY_S:.0f} s"
    single = [
        (f"first token {name}: 95th percentile", "ms", 1000 * quantiles(delays, n=20)[-1]),
        (f"first token {name}: median", "ms", 1000 * median(delays)),
        (f"memory of caches {name}, of 512", "MiB", most_bytes / 2**20),
        (f"failures and refusals {name}", "answers", len(delays) - load.answers + load.failed),
        (f"evicted caches {name}", "caches", load.evictions),
    ]
    return [Measurement(what, unit, value, None, None, None, 1) for what, unit, value in single]


def _drafting(checkpoint: Checkpoint, repeats: int) -> list[Measurement]:
    requests = _sample_requests(checkpoint)
    speeds: list[tuple[float, float]] = []
    processor: list[tuple[float, float]] = []
    for _ in range(repeats):
        figures = []
        for drafted_tokens in (16, 0):
            engine = _engine(checkpoint, drafted_tokens)
            began = Seconds.now()
            texts = [list(engine.generate(r.spans, r.sampling, r.guide)) for r in requests]
            took = Seconds.now() - began
            figures.append((texts, took, engine.load))
        (texts, took, load), (expected, plain, plain_load) = figures
        _compare(texts, expected)
        num = sum(map(len, texts))
        speeds.append((num / took.wall, num / plain.wall))
        processor.append((num / took.processor, num / plain.processor))
    peer = "without drafts"
    return [
        _pairs("sample company, prompts and answers", "tokens/s", speeds, peer),
        _pairs("sample company, by processor time", "tokens/s", processor, peer),
        Measurement(
            "drafted tokens that were kept", "%", 100 * load.kept_tokens / load.drafted_tokens, None, None, None, 1
        ),
        Measurement(
            "tokens of answers for each step", "tokens", num / load.steps, num / plain_load.steps, peer, None, 1
        ),
        Measurement(
            "choices that rounding could have decided", "per 1,000", 1000 * load.close_calls / num, None, None, None, 1
        ),
    ]


@dataclass(frozen=True)
class Seconds:
    wall: float
    processor: float

    @classmethod
    def now(cls) -> "Seconds":
        return cls(time.perf_counter(), time.process_time())

    def __sub__(self, began: "Seconds") -> "Seconds":
        return Seconds(self.wall - began.wall, self.processor - began.processor)


@dataclass(frozen=True)
class AskedFor:
    spans: Sequence[Span]
    sampling: Sampling
    guide: Guide | None


class Noting:
    """The default core, with a note of everything that a reader asks of it."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.name, self.tokenizer, self.max_tokens = core.name, core.tokenizer, core.max_tokens
        self.requests: list[AskedFor] = []

    def generate(
        self,
        spans: Sequence[Span],
        sampling: Sampling,
        guide: Guide | None = None,
        cancel: threading.Event | None = None,
    ) -> Generation:
        self.requests.append(AskedFor(tuple(spans), sampling, guide))
        return self._core.generate(spans, sampling, guide, cancel)


def _sample_requests(checkpoint: Checkpoint) -> list[AskedFor]:
    """Ask the sample company's questions through the whole application and return what its reader asked of the core."""
    core = Noting(_engine(checkpoint))
    with (
        tempfile.TemporaryDirectory() as home,
        open_services(Settings(home=Path(home)), reader=Reader(core)) as services,
    ):
        operator = services.identity.operator()
        ingest_sample(services.documents, operator)
        for question in load_questions(SAMPLE)[::SAMPLE_EVERY]:
            conversation: str | None = None
            for turn in question.turns:
                for event in services.chat.ask(operator, turn, conversation):
                    if isinstance(event, Answered):
                        conversation = event.record.conversation
    return core.requests


def _engine(checkpoint: Checkpoint, drafted_tokens: int = 16) -> Engine:
    engine = Engine(checkpoint, cache_bytes=512 << 20, drafted_tokens=drafted_tokens)
    engine.warm_up()
    return engine


def _dialogue(engine: Engine, person: int, turns: int = TURNS) -> list[list[int]]:
    written: list[list[int]] = []
    for spans, guide in _asked(engine, person, turns, written):
        written.append(list(engine.generate(spans, Sampling(), guide)))
    return written


def _asked(core: Core, person: int, num: int, written: list[list[int]]) -> Iterator[tuple[list[Span], Guide]]:
    """Yield what a person asks turn after turn, over the answers written so far; every third turn begins anew."""
    turns: list[Turn] = []
    for number in range(num):
        if number and number % TURNS:
            turns[-1] = replace(turns[-1], response=prompt.parse_response(written[-1], core.tokenizer))
        else:
            turns = []
        turns.append(_turn(person, number))
        shown = {n: passage.text for n, passage in prompt.numbered(turns).items()}
        guide = WorkingGuide(core.tokenizer, shown, [turn.question for turn in turns])
        yield prompt.spans(turns, core.tokenizer), guide


def _turn(person: int, number: int) -> Turn:
    """Return a question with three passages where a conversation begins, and with one behind that."""
    things = [THINGS[(person + number + n) % len(THINGS)] for n in range(1 if number % TURNS else 3)]
    limits = [20 + (7 * person + 13 * number + 5 * n) % 90 for n in range(len(things))]
    passages = tuple(
        Passage(
            f"Travel policy > {thing}",
            f"{thing} on business trips are reimbursed up to ${limit} per day with a receipt. "
            "Claims above that need the approval of a director before the first day of travel.",
        )
        for thing, limit in zip(things, limits, strict=True)
    )
    return Turn(passages, f"Can I claim ${limits[0] + 5 * (-1) ** person} for {things[0].lower()}?")


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))


def _compare(texts: object, expected: object) -> None:
    if texts != expected:
        raise RuntimeError("a text differs from the one written alone or without drafts")


def _pairs(name: str, unit: str, pairs: list[tuple[float, float]], peer: str) -> Measurement:
    ours, theirs = median(a for a, _ in pairs), median(b for _, b in pairs)
    return Measurement(name, unit, ours, theirs, peer, median(a / b for a, b in pairs), len(pairs))
