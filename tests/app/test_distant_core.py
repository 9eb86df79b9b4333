"""One Precept serves the core of another, over a real socket; what it answers is what its neighbour would."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import httpx2
import pytest

from app.api import create_api
from app.errors import InvalidRequest, Unavailable
from app.records import Answered, AnswerRecord
from app.services import Services, open_services
from app.serving import DistantCore
from app.settings import Settings
from reasoning_core.checkpoint import default_core_folder, save_checkpoint
from reasoning_core.engine import Engine
from reasoning_core.layout import Span, SpanKind
from reasoning_core.prompt import Passage
from reasoning_core.reader import Answer, Reader, ReaderOptions
from reasoning_core.sampling import Sampling
from reasoning_core.tokenizer import CoreTokenizer
from retrieval.embedding import HashingEmbedder
from tests.app.test_openai_client import until
from tests.live_server import live
from tests.reasoning_core.other_server import OtherServer
from tests.reasoning_core.tiny import tiny_checkpoint, tiny_model, tiny_tokenizer

QUESTIONS = ("What may a hotel cost per night?", "And can I claim $75 for meals?")


def settings_of(home: Path, name: str, template: Path, **more: object) -> Settings:
    (home / name).mkdir()
    shutil.copy(template, home / name / "precept.sqlite")
    return Settings(home=home / name, password_memory_kib=64, **more)  # type: ignore[arg-type]


@contextmanager
def upstream(home: Path, template: Path, seed: int = 0) -> Iterator[tuple[Services, str, str]]:
    """Yield a Precept that serves a tiny core, its URL, and a key to its core."""
    with open_services(settings_of(home, "upstream", template), embedder=HashingEmbedder()) as services:
        promote(services, home, seed)
        key = services.keys.create(services.identity.operator(), "other", ("core",))[1]
        with live(create_api(services)) as url:
            yield services, url, key


def promote(services: Services, home: Path, seed: int) -> None:
    made = home / f"tiny-{seed}"
    save_checkpoint(made, tiny_model(seed=seed), tiny_tokenizer(), lineage={}, card="A tiny core.\n")
    services.cores.import_(made)
    services.cores.promote(made.name)


def ask_all(services: Services, folder: Path) -> list[AnswerRecord]:
    """Ask the questions in one conversation."""
    operator = services.identity.operator()
    services.documents.ingest(operator, [folder])
    records: list[AnswerRecord] = []
    for question in QUESTIONS:
        *_, last = services.chat.ask(operator, question, records[0].conversation if records else None)
        assert isinstance(last, Answered)
        records.append(last.record)
    return records


def told(records: Sequence[AnswerRecord]) -> list[AnswerRecord]:
    """Return answers without what differs between two homes: names, and times; confidence is compared apart."""
    return [replace(record, conversation="", core="", timings_ms={}, confidence=None) for record in records]


def test_a_conversation_over_a_distant_core_is_the_local_one(tmp_path: Path, sqlite_template: Path, folder: Path):
    options = ReaderOptions(max_new_tokens=24)
    near = Reader(Engine(replace(tiny_checkpoint(), name="near")), options)
    with upstream(tmp_path, sqlite_template) as (there, url, key):
        settings = settings_of(tmp_path, "distant", sqlite_template, core_url=url, core_key=key)
        far = Reader(DistantCore(url, settings)(), options)
        assert far.core == there.core().name
        with open_services(settings, reader=far, embedder=HashingEmbedder()) as services:
            distant = ask_all(services, folder)
    settings = settings_of(tmp_path, "local", sqlite_template)
    with open_services(settings, reader=near, embedder=HashingEmbedder()) as services:
        local = ask_all(services, folder)
    for ours, theirs in zip(told(local), told(distant), strict=True):
        assert asdict(ours) == asdict(theirs)
    # An engine rounds in another way once it is warm.
    confidence = [record.confidence for record in distant]
    assert [record.confidence for record in local] == pytest.approx(confidence, abs=1e-3)


def test_the_shipped_core_reads_the_same_from_afar_guide_and_working_included(tmp_path: Path, sqlite_template: Path):
    passage = Passage("Travel policy > Meals", "Meals on business travel are paid up to $60 per day.")
    with open_services(settings_of(tmp_path, "upstream", sqlite_template), embedder=HashingEmbedder()) as there:
        key = there.keys.create(there.identity.operator(), "other", ("core",))[1]
        near = Reader(there.core(), ReaderOptions(tries=3, max_new_tokens=64))
        with live(create_api(there)) as url:
            settings = settings_of(tmp_path, "distant", sqlite_template, core_url=url, core_key=key)
            far = Reader(DistantCore(url, settings)(), ReaderOptions(tries=3, max_new_tokens=64))
            for question in ("Can I claim $75 for meals?", "What is the capital of France?"):
                ours, theirs = list(near.read((), question, [passage])), list(far.read((), question, [passage]))
                assert alike(ours) == alike(theirs)
                assert ours[-1].confidence == pytest.approx(theirs[-1].confidence, abs=1e-3)


def alike(events: Sequence[object]) -> list[object]:
    """Return events without how much a cache held, which depends on who asked before, and without confidence."""
    return [
        replace(event, cached_tokens=0, confidence=None) if isinstance(event, Answer) else event for event in events
    ]


def test_a_reader_who_leaves_frees_the_slot_on_the_other_machine(tmp_path: Path, sqlite_template: Path):
    with upstream(tmp_path, sqlite_template) as (there, url, key):
        core = DistantCore(url, settings_of(tmp_path, "distant", sqlite_template, core_url=url, core_key=key))()
        generation = core.generate([Span(SpanKind.PROMPT, (20, 21))], Sampling(1.0, 3, 400))
        next(iter(generation))
        generation.close()
        engine = there.core()
        assert isinstance(engine, Engine) and until(lambda: engine.load.running == 0)


def test_another_core_and_a_dead_server_over_there_are_noticed(tmp_path: Path, sqlite_template: Path):
    with upstream(tmp_path, sqlite_template) as (there, url, key):
        source = DistantCore(url, settings_of(tmp_path, "distant", sqlite_template, core_url=url, core_key=key))
        first = source()
        promote(there, tmp_path, 4)
        with pytest.raises(RuntimeError, match="There is no core"):
            list(first.generate([Span(SpanKind.PROMPT, (20,))], Sampling(max_new_tokens=2)))
        assert source() is not first and source().name == there.core().name
        source.check()
    with pytest.raises(Unavailable, match=f"{url}/v1 cannot be reached"):
        source.check()


def test_a_wrong_key_or_a_dead_server_is_said_to_who_asks_and_to_readyz(
    tmp_path: Path, sqlite_template: Path, folder: Path
):
    with upstream(tmp_path, sqlite_template) as (_, url, _key):
        settings = settings_of(tmp_path, "distant", sqlite_template, core_url=url, core_key="a-wrong-secret")
        with open_services(settings, embedder=HashingEmbedder()) as services:
            operator = services.identity.operator()
            services.documents.ingest(operator, [folder])
            with pytest.raises(Unavailable, match=f"{url}/v1 answered 401") as refused:
                list(services.chat.ask(operator, QUESTIONS[0]))
            assert "a-wrong-secret" not in str(refused.value) and "a-wrong-secret" not in repr(settings)
            with live(create_api(services)) as here:
                ready = httpx2.get(f"{here}/readyz")
                assert ready.status_code == 503 and "401" in ready.json()["core"]


def test_a_follow_up_is_refused_with_the_remedy_where_the_server_knows_no_turn_blocks(
    tmp_path: Path, sqlite_template: Path, folder: Path
):
    core = tmp_path / "acme"
    save_checkpoint(core, tiny_model(), tiny_tokenizer(), lineage={}, card="A tiny core.\n")
    with live(OtherServer(core).app()) as url:
        settings = settings_of(tmp_path, "distant", sqlite_template, core_url=url, core_folder=core)
        reader = Reader(DistantCore(url, settings)(), ReaderOptions(tries=1, max_new_tokens=4))
        with open_services(settings, reader=reader, embedder=HashingEmbedder()) as services:
            with pytest.raises(InvalidRequest, match="start a new conversation"):
                ask_all(services, folder)
            (conversation,) = services.conversations.list(services.identity.operator())
            first, second = services.conversations.messages(services.identity.operator(), conversation.id)
            assert first.answer is not None and second.answer is None


def test_a_tokenizer_survives_the_way_as_json():
    for tokenizer in (tiny_checkpoint().tokenizer, CoreTokenizer.load(default_core_folder() / "tokenizer.json")):
        again = CoreTokenizer.from_json(tokenizer.to_json())
        for text in ("Meals up to $60 – <|im_end|>", "€ 12,345.67\n\tüß"):
            assert again.encode(text) == tokenizer.encode(text) and again.decode(again.encode(text)) == text
