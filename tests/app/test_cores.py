"""The registry of cores: imported whole, promoted, rolled back, never damaged."""

from pathlib import Path

import pytest

from app.cores import DEFAULT
from app.errors import AppError, Conflict, InvalidRequest, NotAllowed, NotFound, Unavailable
from app.records import Answered, User
from app.services import Services, open_services
from app.serving import LocalCore, ServingReader
from app.settings import Settings
from reasoning_core.checkpoint import save_checkpoint
from reasoning_core.engine import Engine
from reasoning_core.reader import Reader, ReaderOptions
from retrieval.embedding import HashingEmbedder
from tests.reasoning_core.tiny import tiny_checkpoint, tiny_model, tiny_tokenizer


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return write_core(tmp_path / "made" / "acme-1", 1)


def write_core(folder: Path, seed: int) -> Path:
    save_checkpoint(folder, tiny_model(seed=seed), tiny_tokenizer(), lineage={}, card="A tiny core.\n")
    return folder


def test_an_imported_core_serves_after_its_promotion_until_it_is_rolled_back(services: Services, checkpoint: Path):
    entry = services.cores.import_(checkpoint)
    assert not entry.serving and entry.parameters > 0 and len(entry.sha256) == 64
    assert entry.path.is_relative_to(services.settings.folder)
    assert services.cores.promote("acme-1").serving
    assert services.cores.serving.name == "acme-1"
    second = write_core(checkpoint.parent / "acme-2", 2)
    services.cores.import_(second)
    services.cores.promote("acme-2")
    assert services.cores.rollback().name == "acme-1"
    assert services.cores.serving.name == "acme-1"
    actions = [entry.action for entry in services.audit.list(services.identity.operator())]
    assert actions[:2] == ["core.rollback", "core.promote"]


def test_a_second_import_of_the_same_core_changes_nothing(services: Services, checkpoint: Path):
    assert services.cores.import_(checkpoint) == services.cores.import_(checkpoint)
    write_core(checkpoint, 3)
    with pytest.raises(Conflict, match="other weights"):
        services.cores.import_(checkpoint)


def test_a_damaged_or_foreign_folder_is_refused_with_one_sentence(services: Services, checkpoint: Path, tmp_path: Path):
    (checkpoint / "model.safetensors").write_bytes(b"nothing of the kind")
    (tmp_path / "empty").mkdir()
    for folder in (checkpoint, tmp_path / "empty", tmp_path / "not there"):
        with pytest.raises(InvalidRequest):
            services.cores.import_(folder)
    assert [entry.name for entry in services.cores.list() if entry.name != DEFAULT] == []


def test_only_who_manages_cores_changes_them(services: Services, checkpoint: Path, employee: User):
    for deed in (
        lambda: services.cores.import_(checkpoint, employee),
        lambda: services.cores.promote("acme-1", employee),
        lambda: services.cores.rollback(employee),
    ):
        with pytest.raises(NotAllowed):
            deed()


def test_a_core_that_is_not_there_cannot_serve(services: Services):
    with pytest.raises(NotFound):
        services.cores.promote("acme-9")
    with pytest.raises(Conflict):
        services.cores.rollback()


def test_a_promotion_takes_effect_with_the_next_question(services: Services, checkpoint: Path):
    reader = ServingReader(LocalCore(services.cores))
    services.cores.import_(checkpoint)
    services.cores.import_(write_core(checkpoint.parent / "acme-2", 2))
    services.cores.promote("acme-1")
    first = reader()
    assert reader() is first
    services.cores.promote("acme-2")
    assert reader().core != first.core


def test_a_core_damaged_after_its_import_is_said_so(services: Services, checkpoint: Path):
    entry = services.cores.import_(checkpoint)
    services.cores.promote("acme-1")
    (entry.path / "model.safetensors").write_bytes(b"overwritten")
    with pytest.raises(Unavailable, match="acme-1"):
        ServingReader(LocalCore(services.cores))()


def test_whatever_a_real_core_says_is_verified_or_not_shown_as_such(settings: Settings, folder: Path):
    reader = Reader(Engine(tiny_checkpoint()), ReaderOptions(tries=2, max_new_tokens=24))
    with open_services(settings, reader=reader, embedder=HashingEmbedder()) as services:
        operator = services.identity.operator()
        services.documents.ingest(operator, [folder])
        conversation: str | None = None
        for question in ("What may a hotel cost per night?", "And meals?"):
            *_, last = services.chat.ask(operator, question, conversation)
            assert isinstance(last, Answered)
            record = last.record
            conversation = record.conversation
            assert record.core == reader.core and (record.citations or not record.verified)
            for citation in record.citations:
                text = services.documents.text(operator, citation.document, citation.version)
                assert text[citation.start : citation.end].decode() == citation.quote


def test_a_question_that_no_core_can_take_is_refused_and_kept(settings: Settings, checkpoint: Path, folder: Path):
    long = settings.model_copy(update={"question_chars": 200_000})
    with open_services(long, embedder=HashingEmbedder()) as services:
        operator = services.identity.operator()
        services.documents.ingest(operator, [folder])
        services.cores.import_(checkpoint)
        services.cores.promote("acme-1")
        with pytest.raises(AppError, match="more than this core can read"):
            list(services.chat.ask(operator, "hotel " * 400))
        (conversation,) = services.conversations.list(operator)
        (message,) = services.conversations.messages(operator, conversation.id)
        assert message.answer is None and message.error
