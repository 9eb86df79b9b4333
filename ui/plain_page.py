"""Pages that need no script: a card with a form, and a document's text."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from fastapi.responses import HTMLResponse

from ui.theme import ASSETS, plain_css


@dataclass(frozen=True, slots=True)
class Field:
    """One labelled input of a form."""

    name: str
    label: str
    kind: str = "text"
    autocomplete: str = "off"
    value: str = ""
    hint: str = ""

    def html(self, *, focused: bool) -> str:
        described = f' aria-describedby="{self.name}-hint"' if self.hint else ""
        hint = f'<p class="hint" id="{self.name}-hint">{escape(self.hint)}</p>' if self.hint else ""
        focus = " autofocus" if focused else ""
        return (
            f'<div class="field"><label for="{self.name}">{escape(self.label)}</label>'
            f'<input id="{self.name}" name="{self.name}" type="{self.kind}" value="{escape(self.value)}"'
            f' autocomplete="{self.autocomplete}" required{described}{focus}>{hint}</div>'
        )


@dataclass(frozen=True, slots=True)
class Form:
    """Where a form goes, what it asks for, and what its button says."""

    action: str
    fields: Sequence[Field]
    button: str
    hidden: Sequence[tuple[str, str]] = ()

    def html(self) -> str:
        kept = "".join(f'<input type="hidden" name="{name}" value="{escape(value)}">' for name, value in self.hidden)
        first_empty = next((field.name for field in self.fields if not field.value), "")
        inputs = "".join(field.html(focused=field.name == first_empty) for field in self.fields)
        return f'<form method="post" action="{self.action}">{kept}{inputs}<button>{escape(self.button)}</button></form>'


def card(title: str, lead: str, form: Form | None = None, *, refusal: str = "", status: int = 200) -> HTMLResponse:
    """A centred card; `refusal` is one sentence read out at once by a screen reader."""
    refused = f'<p class="refusal" role="alert">{escape(refusal)}</p>' if refusal else ""
    body = (
        f'<main class="door"><div class="card"><p class="brand">{mark()}<span>Precept</span></p>'
        f'<h1>{escape(title)}</h1><p class="lead">{escape(lead)}</p>{refused}{form.html() if form else ""}'
        f'<p class="foot">Nothing leaves this company’s machines.</p></div></main>'
    )
    return page(title, body, status=status)


def page(title: str, body: str, *, status: int = 200) -> HTMLResponse:
    """The frame of a plain page; `body` is finished HTML."""
    head = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)} · Precept</title><link rel="icon" href="/favicon.svg"><style>{plain_css()}</style>'
    )
    return HTMLResponse(f"{head}</head><body>{body}</body></html>", status, {"Cache-Control": "no-store"})


def mark() -> str:
    """The drawn mark, hidden from screen readers where the name stands beside it."""
    svg = (ASSETS / "mark.svg").read_text("utf-8").strip()
    return svg.replace('role="img" aria-label="Precept"', 'aria-hidden="true"')
