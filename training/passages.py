"""How statements of a policy stand in a passage: headings, running text, lists and lines, as in windows of a chunk."""

import random
from collections.abc import Sequence

from training.noise import noise_sentence

_YEARS = ("2025", "2026", "2027")
_BULLETS = ("- ", "- ", "- ", "* ")
_NOISE_SHARE = 0.1


def heading(title: str, section: str, rng: random.Random, *, dated: bool) -> str:
    """Return the line over a passage: mostly document and innermost heading, now and then only one or neither.

    With `dated` the title may carry a year, as a yearly edition does.
    """
    shape = rng.random()
    if shape < 0.2:
        return title
    if shape < 0.23:
        return ""
    if shape < 0.3 and dated:
        title = f"{title} {rng.choice(_YEARS)}"
    if shape < 0.4 and not section[0].isdigit():
        section = f"{rng.randint(1, 9)}.{rng.randint(1, 9)} {section}"
    return f"{title} > {section}"


def joined(texts: Sequence[str], rng: random.Random) -> str:
    """Put policy texts together as a paragraph, as list items or as lines; each stays verbatim."""
    if len(texts) == 1:
        return texts[0]
    if any("\n" in text or text.startswith("|") for text in texts):
        return "\n".join(texts)
    shape = rng.random()
    if shape < 0.3 or any(text.startswith("- ") for text in texts):
        bullet = "- " if any(text.startswith("- ") for text in texts) else rng.choice(_BULLETS)
        return "\n".join(text if text.startswith("- ") else f"{bullet}{text}" for text in texts)
    return "\n".join(texts) if shape < 0.42 else " ".join(f"{text}{'' if closed(text) else '.'}" for text in texts)


def beside(text: str, other: str, *, before: bool) -> str:
    """Put another sentence before or behind a passage, on the same line where both are running text."""
    first, second = (other, text) if before else (text, other)
    if "\n" in text or "\n" in other or text.startswith(("- ", "* ", "| ")):
        return f"{first}\n{second}"
    return f"{first}{'' if closed(first) else '.'} {second}"


def surrounded(text: str, rng: random.Random) -> str:
    """Put sentences that say nothing before or behind a passage now and then."""
    for before in (True, False):
        if rng.random() < _NOISE_SHARE:
            text = beside(text, noise_sentence(rng), before=before)
    return text


def closed(text: str) -> bool:
    """Tell whether a text ends as a sentence or a heading does."""
    return text.endswith((".", "!", "?", ":", ";"))
