"""Reading the policy texts of a rule, its table and its versions."""

from collections.abc import Mapping

from training.phrasing import labels
from training.rulebook_values import domains, names_of, pair, require_slots
from training.rules import START, Table, Versions
from training.values import Domain
from training.yaml_source import Field


def policy(
    field: Field, known: set[str], table: Table | None, *, versioned: bool
) -> tuple[tuple[tuple[str, ...], ...], set[str]]:
    """Return the policy texts and the marks that every one of them has."""
    found: list[tuple[str, ...]] = []
    shared: set[str] | None = None
    for item in field.items():
        parts = tuple(part.text() for part in item.items()) if item.is_list() else (item.text(),)
        for part in parts:
            require_slots(item, part, known | ({"table"} if table else set()))
        marks = set().union(*(labels(part) for part in parts)) | (labels(table.row) if table else set())
        if shared is not None and marks != shared:
            raise item.error(f"this text marks {sorted(marks)}, the first one {sorted(shared)}: mark the same evidence")
        if versioned and (START not in marks or len(parts) > 1):
            raise item.error("a text of a rule with versions is one text that marks [[start|from {start} on]]")
        shared = marks
        found.append(parts)
    return tuple(found), shared or set()


def table_of(field: Field, values: Mapping[str, Domain]) -> Table:
    """Read the rows of a table or list."""
    entries = field.mapping(required=("rows", "row", "values"), optional=("head",))
    low, high = pair(entries["rows"])
    columns = domains(entries["values"], values)
    require_slots(entries["row"], entries["row"].text(), names_of(values) | names_of(columns))
    head = entries["head"].text() if "head" in entries else ""
    return Table(low.integer(), high.integer(), head, entries["row"].text(), columns)


def versions_of(field: Field, values: Mapping[str, Domain]) -> Versions:
    """Read how many versions there are, when each may take effect, and what differs between them."""
    entries = field.mapping(required=("start", "values"), optional=("count",))
    first, last = (end.day() for end in pair(entries["start"]))
    low, high = (end.integer() for end in pair(entries["count"])) if "count" in entries else (2, 3)
    if not 2 <= low <= high:
        raise entries["count"].error(f"[{low}, {high}] versions decide nothing: there are at least 2")
    if (last - first).days < 100 * high:
        raise entries["start"].error(f"{first} to {last} is too short for {high} versions: leave 100 days for each")
    return Versions(low, high, first, last, domains(entries["values"], values))
