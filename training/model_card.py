"""The card of a core: what it is, what it is for, where it ends, what it was trained on and how."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from training.lineage import DataLineage, Source, data_of, known_lineage, starting_core
from training.run import Position, RunOptions

_ARCHITECTURES = {"hrm": "an HRM-Text model (arXiv 2605.20613)"}


def core_lineage(options: RunOptions, position: Position) -> dict[str, Any]:
    """Return what a core's manifest says of its making: the run, its data, and the core it started from."""
    files = zip(options.data, options.data_sha256, strict=True)
    data = [asdict(known_lineage(Path(path), digest)) for path, digest in files]
    before = {"started_from": starting_core(Path(options.start_from))} if options.start_from else {}
    return {"run": asdict(options), "position": asdict(position), "data": data} | before


def model_card(lineage: Mapping[str, Any], num_parameters: int, evaluation: Mapping[str, Any] | None = None) -> str:
    """Return the card of a core as Markdown.

    `lineage` is what `core_lineage` returns, `evaluation` the document that `precept-train evaluate --json` prints.
    """
    options, data = lineage["run"], data_of(lineage)
    sections = {
        f"A Precept core, size {options['size']}": _what_it_is(lineage, num_parameters),
        "Intended use": _USE,
        "Limits": _LIMITS,
        "Training data": "\n\n".join(filter(None, (_data_table(data), _notes(data), _share_alike(data)))),
        "Training": _training(options, lineage["position"]),
        "Evaluation": _evaluation(evaluation),
    }
    title, *others = sections
    body = "\n\n".join(f"## {name}\n\n{sections[name]}" for name in others)
    return f"# {title}\n\n{sections[title]}\n\n{body}\n"


_USE = """\
It answers questions over passages of a company's documents, with working that code re-executes and citations that code
verifies. It is made to be served by Precept's reader, which shows an answer only with the outcome of those checks, and
to be trained further on a company's own rules. It knows no facts: what it may say stands in the passages."""

_LIMITS = """\
- It reads English, short passages, and rules of the kinds it was trained on; of others it often picks the wrong words.
- Without the reader's checks its answers are not to be trusted: neither citation nor working is right by itself.
- It is no assistant: it was not trained to converse, to write, to code or to refuse what is harmful.
- An answer is no legal, medical or financial advice, and no decision about a person should rest on it alone."""


def _what_it_is(lineage: Mapping[str, Any], num_parameters: int) -> str:
    options, before = lineage["run"], lineage.get("started_from")
    kind = _ARCHITECTURES.get(options["architecture"], f"a baseline of architecture {options['architecture']}")
    if before:
        origin = f"trained further from the core `{before['name']}` (weights sha256 `{before['sha256'] or 'unknown'}`)"
    else:
        origin = "trained from scratch"
    layout = options["layout"].replace("_", " ")
    return f"This is {kind} with {num_parameters:,} parameters and the attention layout {layout}, {origin}."


def _data_table(data: Sequence[DataLineage]) -> str:
    rows = [row for lineage in data for row in _data_rows(lineage)]
    head = ("data", "source", "licence", "dialogues", "sha256 of the data")
    return "\n".join(_row(cells) for cells in (head, ("---",) * len(head), *rows))


def _data_rows(lineage: DataLineage) -> list[tuple[str, ...]]:
    """Return one row for each kind and licence of source; the file is named in the first."""
    number = "unknown" if lineage.dialogues is None else f"{lineage.dialogues:,}"
    alike: dict[tuple[str, str], list[Source]] = defaultdict(list)
    for source in lineage.sources:
        alike[source.kind, source.licence].append(source)
    sources = [(_named(kind, each), licence) for (kind, licence), each in alike.items()] or [("unknown", "unknown")]
    names = [f"`{lineage.data}`", *[""] * (len(sources) - 1)]
    counts = [(number, f"`{lineage.sha256}`"), *[("", "")] * (len(sources) - 1)]
    return [(name, *source, *count) for name, source, count in zip(names, sources, counts, strict=True)]


def _named(kind: str, sources: Sequence[Source]) -> str:
    """Name sources of one kind; where there is one, also say where it is found."""
    found = f" ({sources[0].location})" if len(sources) == 1 else ""
    return f"{kind} {', '.join(source.name for source in sources)}{found}"


def _row(cells: Iterable[str]) -> str:
    escaped = (" ".join(cell.replace("|", "\\|").split()) for cell in cells)
    return f"| {' | '.join(escaped)} |"


def _notes(data: Sequence[DataLineage]) -> str:
    return "\n".join(f"- {lineage.note}" for lineage in data if lineage.note)


def _share_alike(data: Sequence[DataLineage]) -> str:
    named = dict.fromkeys(f"{s.name} ({s.licence})" for lineage in data for s in lineage.share_alike)
    if not named:
        return ""
    return (
        f"**Warning: share-alike data.** The training data hold {', '.join(named)}. These licences ask for the same "
        "licence on what is made of the data; find out whether that reaches this core before you pass it on."
    )


def _training(options: Mapping[str, Any], position: Mapping[str, Any]) -> str:
    minutes = position["seconds"] / 60
    done = f"{position['step']:,} steps on {position['num_tokens']:,} tokens in {minutes:,.0f} minutes."
    left_out = ("data", "data_sha256", "size", "num_steps", "minutes", "start_from")
    settings = {name.replace("_", " "): value for name, value in options.items() if name not in left_out}
    table = "\n".join(_row((name, f"{value}")) for name, value in settings.items())
    return f"{done} The weights are the moving averages.\n\n| setting | value |\n| --- | --- |\n{table}"


def _evaluation(document: Mapping[str, Any] | None) -> str:
    if document is None:
        return "Not evaluated yet: `precept-train evaluate` measures it on held-out suites."
    head = ("suite", "cases", "exact match", "verdicts", "working holds", "citation precision")
    keys = ("exact_match", "verdict_accuracy", "working_holds", "citation_precision")
    rows = [
        (report["suite"], f"{report['cases']:,}", *(_percent(report[key]) for key in keys))
        for report in document.get("suites", [document])
    ]
    return "\n".join(_row(cells) for cells in (head, ("---",) * len(head), *rows))


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"
