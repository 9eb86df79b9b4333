"""More characters in a core's vocabulary, without training it anew.

A character of several bytes that is no token of its own can be written only byte by byte, and the reader lets no quote
end within one. A new token starts as the mean of its bytes' embeddings, and is as likely as its first byte was: a
place from which `fit --from` learns quickly.
"""

from dataclasses import replace

import torch
from torch import Tensor

from reasoning_core.checkpoint import Checkpoint
from reasoning_core.model import HrmTextCore
from reasoning_core.tokenizer import CoreTokenizer


def extended(checkpoint: Checkpoint, characters: str) -> tuple[HrmTextCore, CoreTokenizer]:
    """Return a core whose vocabulary holds every one of `characters`; its other tokens keep ids and weights.

    Raises:
        ValueError: all of them are tokens already.
    """
    before = checkpoint.tokenizer
    known = before.pieces()
    new = "".join(dict.fromkeys(character for character in characters if character not in known))
    if not new:
        raise ValueError(f"every one of {characters!r} is a token of {checkpoint.name} already: nothing to do")
    tokenizer = before.with_characters(new)
    model = HrmTextCore(replace(checkpoint.model.config, vocab_size=tokenizer.vocabulary_size))
    weights = dict(checkpoint.model.state_dict())
    # Tokens that complete no character (the first two of three bytes) are never read or written: zeros will do.
    spelled = {tokenizer.encode(character)[0]: before.encode(character) for character in new}
    for name, mean in (("model.embed_tokens.weight", True), ("lm_head.weight", False)):
        weights[name] = _with_rows(weights[name][: before.vocabulary_size], model.config.vocab_size, spelled, mean=mean)
    model.load_state_dict(weights)
    return model, tokenizer


def _with_rows(weight_VD: Tensor, num_rows: int, spelled: dict[int, list[int]], *, mean: bool) -> Tensor:
    more = torch.zeros(num_rows - len(weight_VD), weight_VD.shape[1], dtype=weight_VD.dtype)
    rows = torch.cat([weight_VD, more])
    for token, pieces in spelled.items():
        rows[token] = weight_VD[pieces].mean(0) if mean else weight_VD[pieces[0]]
    return rows
