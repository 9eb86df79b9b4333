"""The report of an evaluation: one HTML file that needs nothing else, to be read, printed and kept.

The page is a Jinja template that escapes every value: text from documents, questions and cores is hostile. Its content
security policy forbids scripts and every request, whatever slips through.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from training.gate import GateRule, Judgement
from training.intervals import Bootstrap
from training.measurement import MeasuredCore, Suites
from training.report_cases import shown_cases
from training.report_charts import Bar, DifferenceChart, bar, reliability_diagram
from training.scoring import joined, score
from training.suites import SUITES

_DIGEST = re.compile(r"[0-9a-f]{64}")
_PAGE = Path(__file__).with_name("report_page")
_DESCRIPTIONS = {
    "in-distribution": "fresh dialogues, nothing held out",
    "values": "numbers never seen in training",
    "entities": "names and things never seen in training",
    "phrasings": "wordings of rules and questions never seen",
    "families": "whole rules never seen in training",
    "turns": "conversations of three and four questions",
    "refusal": "what the passages do not say",
    "ask-back": "questions that leave out what decides",
    "hostile": "injected instructions and typing errors",
    "counterfactual": "the deciding fact edited, and removed",
}


@dataclass(frozen=True, slots=True)
class Section:
    """Suites that are shown together, and all their cases as one; tuples of figures hold those of each core."""

    title: str
    lead: str
    suites: tuple[tuple[str, tuple[Mapping[str, Any], ...]], ...]
    """By name; where there are several, all together come last."""
    together: tuple[Mapping[str, Any], ...]
    bars: tuple[Bar, ...]
    turns: tuple[Bar, ...]
    counterfactual: tuple[Bar, ...]
    families: tuple[tuple[str, int, tuple[float | None, ...]], ...]
    """Name, cases and exact match of each core, the weakest first."""


def write_report(
    path: Path, measured: Sequence[MeasuredCore], suites: Suites, judgement: Judgement | None = None
) -> None:
    """Write the report of one core, or of a candidate beside the serving core."""
    path.write_text(render(measured, suites, judgement), encoding="utf-8")


def render(measured: Sequence[MeasuredCore], suites: Suites, judgement: Judgement | None = None) -> str:
    """Return the whole page."""
    environment = Environment(
        loader=FileSystemLoader(_PAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "percent": percent, "share": share, "points": points, "thousands": thousands, "file_name": file_name,
        "number": number, "brief": brief,
    }  # fmt: skip
    return environment.get_template("report.html").render(
        cores=measured,
        roles=("candidate", "serving") if len(measured) > 1 else ("core",),
        judgement=judgement,
        rule=GateRule(),
        bootstrap=Bootstrap(),
        differences=DifferenceChart.of(judgement.comparisons) if judgement else None,
        sections=_sections(measured),
        diagram=reliability_diagram,
        cases=shown_cases(measured, suites),
        written_at=datetime.now().astimezone(),
        threads=torch.get_num_threads(),
    )


def percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def share(value: float | None) -> str:
    """A share in percent, for a column that says so."""
    return "–" if value is None else f"{100 * value:.1f}"


def points(difference: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    return f"{100 * difference:+.1f}".replace("-", "−")


def thousands(count: int) -> str:
    return f"{count:,}"


def brief(value: object) -> str:
    """A value of a lineage in few characters: of a digest its start."""
    text = str(value)
    return f"{text[:12]}…" if _DIGEST.fullmatch(text) else text


def number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def file_name(suite: str) -> str:
    return suite if suite in SUITES else Path(suite).name


def _sections(measured: Sequence[MeasuredCore]) -> list[Section]:
    names = tuple(measured[0].cases)
    held_out = tuple(name for name in names if name in SUITES)
    real = tuple(name for name in names if name not in SUITES)
    described = (
        ("Held-out suites", "Generated from rulebooks with fixed seeds; each suite holds something back.", held_out),
        ("Real data", "Dialogues read from files.", real),
    )
    return [_section(title, lead, suites, measured) for title, lead, suites in described if suites]


def _section(title: str, lead: str, names: tuple[str, ...], measured: Sequence[MeasuredCore]) -> Section:
    suites = tuple((name, tuple(score(name, core.cases[name]) for core in measured)) for name in names)
    if len(names) > 1:
        together = tuple(score("together", joined({n: core.cases[n] for n in names})) for core in measured)
        suites = (*suites, ("together", together))
    together = suites[-1][1]
    return Section(
        title=title,
        lead=lead,
        suites=suites,
        together=together,
        bars=tuple(_suite_bar(name, figures) for name, figures in suites),
        turns=tuple(_turn_bar(turn, together) for turn in together[0]["turns"]),
        counterfactual=_counterfactual_bars(together),
        families=_families(together),
    )


def _suite_bar(name: str, figures: Sequence[Mapping[str, Any]]) -> Bar:
    shares = [(each["exact_match"], each["intervals"].get("exact_match")) for each in figures]
    return bar(file_name(name), _DESCRIPTIONS.get(name, ""), figures[0]["cases"], shares)


def _turn_bar(turn: str, figures: Sequence[Mapping[str, Any]]) -> Bar:
    parts = [each["turns"][turn] for each in figures]
    return bar(f"turn {turn}", "", parts[0]["cases"], [(part["exact_match"], part["interval"]) for part in parts])


def _counterfactual_bars(figures: Sequence[Mapping[str, Any]]) -> tuple[Bar, ...]:
    found = figures[0]["counterfactual"]
    if found is None:
        return ()
    return tuple(
        bar(name, "", found[cases], [(each["counterfactual"][key], each["intervals"].get(key)) for each in figures])
        for name, key, cases in (
            ("follows an edit", "follow", "pairs"),
            ("refuses without the fact", "refuses", "removed"),
        )
    )


def _families(figures: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, int, tuple[float | None, ...]], ...]:
    families = [
        (name, part["cases"], tuple(each["groups"][name]["exact_match"] for each in figures))
        for name, part in figures[0]["groups"].items()
    ]
    return tuple(sorted(families, key=lambda family: (family[2][0], -family[1])))
