"""Whether a server computes this core: the probabilities of a few next tokens, against our own forward pass.

A precision of fewer bits moves them a little; another mask, another tokenizer or other weights move them far. How far
another mask would is measured here as well, so that no threshold has to be guessed.

Shape suffixes: T tokens, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reasoning_core import prompt
from reasoning_core.attention import AttentionView
from reasoning_core.checkpoint import Checkpoint
from reasoning_core.layout import Layout, Span, lay_out
from reasoning_core.prompt import Passage, Turn

_SHARE_OF_THE_WAY, _ROUNDING = 0.25, 1e-3
_TURNS = (
    Turn((Passage("Travel > Meals", "Meals on business travel are paid up to $60 per day."),), "Can I claim $75?"),
    Turn((Passage("", "A hotel may cost up to 180 EUR per night."),), "What may a hotel cost?"),
    Turn((Passage("Leave", "Requests are filed 14 days before the first day."),), "When do I have to ask for leave?"),
    Turn((Passage("Retention", "Invoices are kept for ten years."),), "How long are invoices kept?"),
)


@dataclass(frozen=True, slots=True)
class Probe:
    """A prompt, with the log probabilities behind it under the core's layout and under a causal mask, (V,) each."""

    tokens: tuple[int, ...]
    right_V: Tensor
    causal_V: Tensor


def probes(checkpoint: Checkpoint) -> list[Probe]:
    """Return prompts of one turn, which every layout but the causal one reads alike."""
    return [_probe(checkpoint, prompt.spans((turn,), checkpoint.tokenizer)) for turn in _TURNS]


def verdict(checkpoint: Checkpoint, asked: Sequence[Probe], told: Sequence[tuple[int, float]]) -> str | None:
    """Return what is wrong with the tokens and log probabilities that a server gave, or None."""
    size = checkpoint.tokenizer.vocabulary_size
    if unknown := next((token for token, _ in told if not 0 <= token < size), None):
        return f"it writes the token {unknown} of {size}"
    ours = sum(abs(float(probe.right_V[token]) - said) for probe, (token, said) in zip(asked, told, strict=True))
    causal = sum(abs(float(probe.causal_V[token]) - said) for probe, (token, said) in zip(asked, told, strict=True))
    apart = sum(
        abs(float(probe.causal_V[token] - probe.right_V[token])) for probe, (token, _) in zip(asked, told, strict=True)
    )
    if ours <= max(_SHARE_OF_THE_WAY * apart, _ROUNDING * len(asked)):
        return None
    if causal < ours:
        return "it reads prompts in one direction only; its attention backend ignores the prefix"
    return f"log probabilities differ by {ours / len(asked):.2g}; it serves other weights, or in a coarse precision"


@torch.inference_mode()
def _probe(checkpoint: Checkpoint, spans: Sequence[Span]) -> Probe:
    tokens = tuple(token for span in spans for token in span.tokens)
    behind = [
        torch.log_softmax(
            checkpoint.model(torch.tensor([tokens]), AttentionView.of_rows([lay_out([spans], layout)]))[0, -1], -1
        )
        for layout in (checkpoint.model.config.layout, Layout.CAUSAL)
    ]
    return Probe(tokens, *behind)
