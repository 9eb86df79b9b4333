"""A small home with one person, two documents and a tiny core with random weights."""

from pathlib import Path

import pytest

from app.records import Role
from app.services import open_services
from app.settings import Settings
from reasoning_core.checkpoint import save_checkpoint
from retrieval.embedding import HashingEmbedder
from tests.reasoning_core.tiny import tiny_config, tiny_model, tiny_tokenizer

TRAVEL = """# Travel

## Meals

Meals on business travel are reimbursed up to $60 per day. <b>Größe</b> zählt.

## Hotels

Hotels are reimbursed up to $180 per night.
"""
PASSWORD = "a long enough sentence"


@pytest.fixture(scope="session")
def core_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("cores") / "tiny"
    model = tiny_model(tiny_config(max_position_embeddings=4096))
    save_checkpoint(folder, model, tiny_tokenizer(), lineage={}, card="Random weights.")
    return folder


@pytest.fixture
def home(tmp_path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def services(home, tmp_path, core_folder):
    document = tmp_path / "travel.md"
    document.write_text(TRAVEL, "utf-8")
    with open_services(Settings(home=home), embedder=HashingEmbedder()) as services:
        operator = services.identity.operator()
        services.documents.ingest(operator, [document])
        services.cores.import_(core_folder)
        services.cores.promote("tiny")
        services.identity.create_first_admin(services.identity.first_run_token(), "Ada", "ada@example.com", PASSWORD)
        services.identity.add_user(operator, "bob@example.com", "Bob", Role.EMPLOYEE, PASSWORD)
        yield services
