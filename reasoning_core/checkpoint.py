"""A checkpoint is a folder in Hugging Face form plus a manifest with the SHA-256 of each file.

Only safetensors and JSON are ever read. transformers, vLLM and SGLang load the folder as it is; a folder without our
manifest (a published checkpoint) loads here too, under the layout it was trained with.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from reasoning_core.config import CoreConfig
from reasoning_core.model import HrmTextCore
from reasoning_core.tokenizer import CoreTokenizer

CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
GENERATION, CARD, MANIFEST = "generation_config.json", "README.md", "manifest.json"


# What torch, safetensors, json and the reading of their values raise for a file that is not what it should be.
_UNREADABLE = (
    SafetensorError,
    RuntimeError,
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    OSError,
)


class CheckpointDamaged(ValueError):
    """A checkpoint folder that is incomplete, tampered with, or not a core; the message says which file and why."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A loaded core: its weights in evaluation mode, its tokenizer, and the digest that names it."""

    name: str
    model: HrmTextCore
    tokenizer: CoreTokenizer
    sha256: str
    lineage: Mapping[str, Any]


def default_core_folder() -> Path:
    """Return the folder of the core that ships with the package."""
    return Path(__file__).parent / "default_core"


def save_checkpoint(
    folder: Path,
    model: HrmTextCore,
    tokenizer: CoreTokenizer,
    *,
    lineage: Mapping[str, Any],
    card: str,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write a checkpoint folder; the manifest is written last, so a folder with one is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    weights = {name: value.detach().to(dtype).contiguous() for name, value in model.state_dict().items()}
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    (folder / WEIGHTS).chmod(0o644)  # safetensors writes it for its owner alone
    config = model.config.to_hugging_face(pad_id=tokenizer.pad_id, end_id=tokenizer.eoa_id)
    _write_json(folder / CONFIG, config | {"dtype": str(dtype).removeprefix("torch.")})
    _write_json(folder / GENERATION, {"pad_token_id": tokenizer.pad_id, "eos_token_id": tokenizer.eoa_id})
    tokenizer.save(folder / TOKENIZER)
    (folder / CARD).write_text(card, encoding="utf-8")
    files = {name: file_sha256(folder / name) for name in (CONFIG, WEIGHTS, TOKENIZER, GENERATION, CARD)}
    manifest = {"format": 1, "layout": model.config.layout.value, "files": files, "lineage": dict(lineage)}
    _write_manifest(folder, manifest)


def replace_card(folder: Path, card: str) -> None:
    """Write another card into a checkpoint folder, and its digest into the manifest.

    A kill in between leaves a folder that does not load and that the same call repairs.

    Raises:
        CheckpointDamaged: the folder has no manifest.
    """
    if not (folder / MANIFEST).is_file():
        raise CheckpointDamaged(f"{folder} has no {MANIFEST}: a card needs one that names it")
    manifest = _read_json(folder / MANIFEST)
    (folder / CARD).write_text(card, encoding="utf-8")
    manifest["files"][CARD] = file_sha256(folder / CARD)
    _write_manifest(folder, manifest)


def load_checkpoint(folder: Path) -> Checkpoint:
    """Read and verify a checkpoint folder.

    Raises:
        CheckpointDamaged: a file is missing, unreadable or not the one the manifest names.
    """
    for name in (CONFIG, WEIGHTS, TOKENIZER):
        if not (folder / name).is_file():
            raise CheckpointDamaged(f"{folder} has no {name}: copy the whole checkpoint folder again")
    manifest = _verified_manifest(folder)
    with _blaming(folder / CONFIG):
        config = CoreConfig.from_hugging_face(_read_json(folder / CONFIG))
        model = HrmTextCore(config)
    with _blaming(folder / WEIGHTS):
        weights = load_file(folder / WEIGHTS)
        model.load_state_dict({name: value.float() for name, value in weights.items()})
    with _blaming(folder / TOKENIZER):
        tokenizer = CoreTokenizer.load(folder / TOKENIZER)
    if tokenizer.vocabulary_size > config.vocab_size:
        raise CheckpointDamaged(
            f"{folder / TOKENIZER} has {tokenizer.vocabulary_size} tokens, {CONFIG} only {config.vocab_size}: "
            "they belong to different cores"
        )
    if manifest and manifest["layout"] != config.layout.value:
        raise CheckpointDamaged(f"{folder}: manifest says layout {manifest['layout']}, config.json {config.layout}")
    return Checkpoint(folder.name, model.eval(), tokenizer, file_sha256(folder / WEIGHTS), manifest.get("lineage", {}))


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _blaming(path: Path) -> Iterator[None]:
    """Turn whatever a damaged file raises into one sentence that names it."""
    try:
        yield
    except _UNREADABLE as error:
        reason = "it has no value for " + str(error) if isinstance(error, KeyError) else " ".join(str(error).split())
        raise CheckpointDamaged(f"{path} does not belong to a core: {reason[:300]}") from error


def _verified_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.is_file():
        return {}
    try:
        manifest = _read_json(path)
        files: dict[str, str] = manifest["files"]
        missing = [name for name in (CONFIG, WEIGHTS, TOKENIZER) if name not in files]
        if missing or "layout" not in manifest:
            raise ValueError(f"it names no {(*missing, 'layout')[0]}")
    except (ValueError, LookupError, TypeError) as error:
        raise CheckpointDamaged(f"{path} is not a manifest: {error}") from error
    for name, digest in files.items():
        if not (folder / name).is_file() or file_sha256(folder / name) != digest:
            raise CheckpointDamaged(f"{folder / name} is not the file its manifest names: restore the whole folder")
    return manifest


def _write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    partial = folder / f"{MANIFEST}.partial"
    _write_json(partial, manifest)
    partial.replace(folder / MANIFEST)


def _read_json(path: Path) -> dict[str, Any]:
    values = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(values, dict):
        raise ValueError(f"{path.name} is not a JSON object")
    return values


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    with path.open("w", encoding="utf-8") as file:
        json.dump(value, file, indent=2, ensure_ascii=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
