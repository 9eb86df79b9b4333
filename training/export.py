"""A core as transformers, vLLM and SGLang load it: the same weights, and what their tokenizers and people need.

Their tokenizers read special-token strings in plain text as special tokens and type a prompt 0, which the model takes
for causal; so the template refuses such text, and the tokenizer types what it encodes 1, as a prompt has to be.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing

from reasoning_core import prompt, tokenizer
from reasoning_core.attention import AttentionView
from reasoning_core.checkpoint import (
    CARD,
    CONFIG,
    GENERATION,
    MANIFEST,
    TOKENIZER,
    WEIGHTS,
    Checkpoint,
    file_sha256,
    load_checkpoint,
)
from reasoning_core.layout import Layout, lay_out
from reasoning_core.prompt import Passage, Turn
from reasoning_core.response import Response
from training.export_card import card

TOKENIZER_CONFIG, TEMPLATE = "tokenizer_config.json", "chat_template.jinja"
_LARGEST_DIFFERENCE = 1e-4
_CONDITIONS = "".join(tokenizer.CONDITIONS[name] for name in prompt.CONDITIONS)
_TEMPLATE = f"""\
{{%- if messages | length != 1 or messages[0].role != 'user' -%}}
{{{{- raise_exception('this prompt holds one question and its documents; see README.md for later turns') -}}}}
{{%- endif -%}}
{{%- macro plain(text) -%}}
{{%- if '<|' in text -%}}{{{{- raise_exception('the text spells a special token: ' ~ text) -}}}}{{%- endif -%}}
{{{{- text -}}}}
{{%- endmacro -%}}
{{{{- '{tokenizer.BOQ}{_CONDITIONS}' -}}}}
{{%- for document in documents or [] -%}}
{{{{- '{tokenizer.PASSAGE}[' ~ loop.index ~ ']' -}}}}
{{%- if document.title -%}}{{{{- ' ' ~ plain(document.title) -}}}}{{%- endif -%}}
{{{{- '\\n' ~ plain(document.text) ~ '\\n' -}}}}
{{%- endfor -%}}
{{{{- '{tokenizer.QUESTION}' ~ plain(messages[0].content) ~ '{tokenizer.EOQ}' -}}}}
"""
_EXAMPLE = Turn(
    (
        Passage("Travel policy > Meals", "Meals on business travel are paid up to $60 per day with a receipt."),
        Passage("", "Receipts are kept for 7 years."),
    ),
    "Can I claim $75 for meals?",
    Response(('"up to $60 per day" [1]', "75 > 60"), "No. $75 is more than $60 [1]."),
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """How the copy computes beside the core: the largest difference of logits over the largest logit."""

    prompt_tokens: int
    response_tokens: int
    max_relative_difference: float


def export(core: Path, out: Path) -> Comparison:
    """Write the copy, compare it with the core through transformers, and only then give it its name.

    Raises:
        ValueError: `out` holds something, the core is a baseline, or the copy does not compute the same.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} is not an empty folder: name another with --out")
    checkpoint = load_checkpoint(core)
    if checkpoint.model.config.layout is Layout.CAUSAL:
        raise ValueError(f"{core} is a causal baseline: it has no prompt that the others would read as it does")
    partial = out.with_name(f"{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        _write(checkpoint, core, partial)
        comparison = _compare(checkpoint, partial)
        partial.replace(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return comparison


def _write(checkpoint: Checkpoint, core: Path, folder: Path) -> None:
    for name in (CONFIG, WEIGHTS, GENERATION):
        shutil.copy(core / name, folder / name)
    codec = Tokenizer.from_file(str(core / TOKENIZER))
    codec.post_processor = TemplateProcessing(single="$A:1", pair="$A:1 $B:1")
    codec.save(str(folder / TOKENIZER))
    (folder / TEMPLATE).write_text(_TEMPLATE, encoding="utf-8")
    _write_json(folder / TOKENIZER_CONFIG, _tokenizer_config(checkpoint.model.config.max_position_embeddings))
    config = checkpoint.model.config
    original = (core / CARD).read_text(encoding="utf-8") if (core / CARD).is_file() else ""
    (folder / CARD).write_text(card(config.layout, original), encoding="utf-8")
    files = {path.name: file_sha256(path) for path in sorted(folder.iterdir())}
    manifest = {"format": 1, "layout": config.layout.value, "files": files, "lineage": dict(checkpoint.lineage)}
    _write_json(folder / MANIFEST, manifest)


def _tokenizer_config(max_tokens: int) -> dict[str, Any]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": max_tokens,
        "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
        "bos_token": tokenizer.BOQ,
        "eos_token": tokenizer.EOA,
        "pad_token": tokenizer.PAD,
        "clean_up_tokenization_spaces": False,
    }


@torch.inference_mode()
def _compare(checkpoint: Checkpoint, folder: Path) -> Comparison:
    spans = prompt.spans((_EXAMPLE,), checkpoint.tokenizer)
    ids = torch.tensor([[token for span in spans for token in span.tokens]])
    types = torch.tensor([[int(span is spans[0]) for span in spans for _ in span.tokens]])
    if (theirs := _rendered(folder)) != list(spans[0].tokens):
        raise ValueError(f"the copy's tokenizer gives the prompt {theirs[:8]}..., the core {spans[0].tokens[:8]}...")
    peer = transformers.HrmTextForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True).eval()
    ours = checkpoint.model(ids, AttentionView.of_rows([lay_out([spans], checkpoint.model.config.layout)]))
    reference = peer(input_ids=ids, token_type_ids=types, use_cache=False).logits
    difference = float((ours - reference).abs().max() / reference.abs().max())
    if not difference < _LARGEST_DIFFERENCE:
        raise ValueError(f"transformers computes other logits than the core: they differ by {difference:.1e}")
    return Comparison(len(spans[0].tokens), len(spans[1].tokens), difference)


def _rendered(folder: Path) -> list[int]:
    codec = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    documents = [{"title": passage.heading, "text": passage.text} for passage in _EXAMPLE.passages]
    messages = [{"role": "user", "content": _EXAMPLE.question}]
    return list(codec.apply_chat_template(messages, documents=documents, return_dict=True)["input_ids"])


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
