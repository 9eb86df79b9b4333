"""`precept search`: the passages nearest to a query, and why, without the core."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from app.errors import InvalidRequest
from ui.terminal import AsJson, Collection, Home, error_console, opened, print_json, result_console

if TYPE_CHECKING:
    from app.records import Hit
    from app.search import Explained

_KEYS = ("document", "version", "start", "end", "score", "text")
AsOf = Annotated[
    str | None, typer.Option("--as-of", metavar="DATE", help="Among the versions in force then, as 2026-03-31.")
]
Explain = Annotated[bool, typer.Option("--explain", help="Show each passage’s ranks, scores and shared words.")]
Kind = Annotated[str | None, typer.Option("--kind", metavar="KIND", help="Only these files: pdf, md, text/html.")]
Document = Annotated[str | None, typer.Option("--document", metavar="NAME", help="Only this document.")]
Since = Annotated[str | None, typer.Option("--since", metavar="DATE", help="Only what was read since then.")]
Until = Annotated[str | None, typer.Option("--until", metavar="DATE", help="Only what was read until then.")]


def search(
    query: Annotated[str, typer.Argument(metavar="QUERY")],
    k: Annotated[int, typer.Option("--k", min=1, max=200, help="How many passages.")] = 10,
    collection: Collection = None,
    kind: Kind = None,
    document: Document = None,
    since: Since = None,
    until: Until = None,
    as_of: AsOf = None,
    explain: Explain = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show the passages nearest to a query, without asking the core."""
    if as_of is not None and (explain or kind or document or since or until):
        raise InvalidRequest("--as-of searches the past, which cannot be narrowed or explained: leave one of them out.")
    with opened(home) as services:
        operator = services.identity.operator()
        if as_of is not None:
            _print([(hit, None) for hit in services.documents.search(operator, query, k, collection, as_of)], as_json)
            return
        from app.access import Filter  # noqa: PLC0415 - `precept --help` stays fast

        first, last = _instant(since), _instant(until)
        only = Filter(collection=collection, kind=kind, document=document, since=first, until=last)
        found = services.search.explain(operator, query, k, only)
    _print([(each.hit, each if explain else None) for each in found], as_json)


def _instant(text: str | None) -> datetime | None:
    from app.history import instant  # noqa: PLC0415 - as above

    return None if text is None else instant(text)


def _print(found: "list[tuple[Hit, Explained | None]]", as_json: bool) -> None:
    if as_json:
        print_json({"passages": [_document(hit, reasons) for hit, reasons in found]})
        return
    console = result_console()
    for hit, reasons in found:
        place = " › ".join(hit.headings)
        console.print(f"[bold]{escape(hit.document)}[/] v{hit.version} [dim]{escape(place)}  {hit.score:.3f}[/]")
        if reasons:
            _print_reasons(console, reasons)
        console.print(escape(hit.text.strip()) + "\n")
    if not found:
        error_console().print("No passage was found.")


def _print_reasons(console: Console, reasons: "Explained") -> None:
    places = [f"{name}: rank {rank}, score {reasons.scores[name]:.3f}" for name, rank in sorted(reasons.ranks.items())]
    words = ", ".join(reasons.shared) or "none, near in meaning alone"
    console.print(f"[cyan]{'; '.join(places)}; fused {reasons.fused:.3f}, with its document {reasons.hit.score:.3f}[/]")
    console.print(f"[cyan]shared words: {escape(words)}[/]")


def _document(hit: "Hit", reasons: "Explained | None") -> dict[str, Any]:
    passage = {key: getattr(hit, key) for key in _KEYS}
    if reasons:
        why = {"ranks": dict(reasons.ranks), "scores": dict(reasons.scores), "fused": reasons.fused}
        passage["explained"] = {**why, "shared": list(reasons.shared)}
    return passage
