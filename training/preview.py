"""Dialogues as their author wants to read them: passages with the evidence marked, and the working line by line."""

from collections.abc import Iterable, Mapping

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from reasoning_core.prompt import Passage, numbered
from reasoning_core.working import Quote, check, parse_quote
from training.instructions import Dialogue, Exchange

_EVIDENCE = "bold black on yellow"


def preview(dialogues: Iterable[Dialogue], console: Console) -> None:
    """Print dialogues one below the other."""
    for dialogue in dialogues:
        tags = f"  ({', '.join(dialogue.tags)})" if dialogue.tags else ""
        console.print(Panel(_conversation(dialogue), title=Text(f"{dialogue.id}  {dialogue.family}{tags}")))


def _conversation(dialogue: Dialogue) -> RenderableType:
    passages = numbered(dialogue.turns())
    quotes = [quote for exchange in dialogue.exchanges for line in exchange.working if (quote := parse_quote(line))]
    lines: list[RenderableType] = []
    shown = 0
    for exchange in dialogue.exchanges:
        new = range(shown + 1, shown + len(exchange.passages) + 1)
        lines += [_passage(n, passages[n], [quote for quote in quotes if quote.n == n]) for n in new]
        shown += len(exchange.passages)
        lines += _exchange(exchange, {n: passages[n].text for n in range(1, shown + 1)})
    return Group(*lines)


def _passage(n: int, passage: Passage, quotes: Iterable[Quote]) -> Text:
    text = Text(passage.text)
    spans = {(start, start + len(q.words)) for q in quotes if (start := passage.text.find(q.words)) >= 0}
    for start, end in spans:
        text.stylize(_EVIDENCE, start, end)
    marked = Text.assemble((f"[{n}] ", "cyan"), (f"{passage.heading}\n", "bold cyan"))
    # The marks of a rulebook, for readers and terminals without colour.
    edges = sorted({edge for span in spans for edge in span})
    for piece, start in zip(text.divide(edges), (0, *edges), strict=True):
        marked.append("]]" * any(end == start for _, end in spans) + "[[" * any(begin == start for begin, _ in spans))
        marked.append_text(piece)
    return marked


def _exchange(exchange: Exchange, texts: Mapping[int, str]) -> list[RenderableType]:
    lines: list[RenderableType] = [Text.assemble(("Question  ", "bold"), exchange.question)]
    for line in exchange.working:
        verdict = check(line, texts)
        sign = ("  holds   ", "green") if verdict.holds else (f"  {verdict.reason}  ", "red")
        lines.append(Text.assemble(sign, line))
    kind = "" if exchange.kind == "answer" else f"  ({exchange.kind})"
    lines.append(Text.assemble(("Answer    ", "bold"), (exchange.answer, "bold green"), kind, "\n"))
    return lines
