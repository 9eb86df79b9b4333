"""The look of every page: one palette, one type scale, light and dark.

No font, script or picture is fetched from anywhere: the system's own fonts and the files beside this module are all
that a page needs.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import gradio as gr

ASSETS = Path(__file__).parent / "assets"

LIGHT = {
    "ground": "#faf9f6",
    "surface": "#ffffff",
    "ink": "#1d1c1a",
    "quiet": "#5d5952",
    "line": "#e2ded6",
    "accent": "#0b6b63",
    "on-accent": "#ffffff",
    "accent-soft": "#e2f1ee",
    "holds": "#14592e",
    "holds-soft": "#e4f4e8",
    "fails": "#96133a",
    "fails-soft": "#fce8ed",
    "notice": "#6f4500",
    "notice-soft": "#fdf1d6",
    "mark": "#ffe38f",
    "on-mark": "#1d1c1a",
}
DARK = {
    "ground": "#151514",
    "surface": "#1f1e1d",
    "ink": "#f0ede7",
    "quiet": "#aaa49a",
    "line": "#3a3732",
    "accent": "#6fd3c5",
    "on-accent": "#06211e",
    "accent-soft": "#163633",
    "holds": "#8bdda5",
    "holds-soft": "#15301f",
    "fails": "#ffa6b8",
    "fails-soft": "#401823",
    "notice": "#f3cb7c",
    "notice-soft": "#39290d",
    "mark": "#6d5200",
    "on-mark": "#fff6dc",
}
READABLE_PAIRS = (
    ("ink", "ground"),
    ("ink", "surface"),
    ("quiet", "ground"),
    ("quiet", "surface"),
    ("on-accent", "accent"),
    ("accent", "surface"),
    ("accent", "accent-soft"),
    ("holds", "holds-soft"),
    ("fails", "fails-soft"),
    ("notice", "notice-soft"),
    ("on-mark", "mark"),
)
"""Text and ground that must keep a contrast of 4.5 to 1 (WCAG 2.2 AA) in both palettes."""

FONT = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Noto Sans", "sans-serif")
FONT_MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")


def variables(palette: dict[str, str]) -> str:
    """Return the palette as CSS custom properties."""
    return "".join(f"--{name}:{colour};" for name, colour in palette.items())


def plain_css() -> str:
    """The style of the pages that need no script: sign-in, first run, a document."""
    roots = f":root{{{variables(LIGHT)}}}@media(prefers-color-scheme:dark){{:root{{{variables(DARK)}}}}}"
    return roots + (ASSETS / "plain.css").read_text("utf-8")


def chat_css() -> str:
    """The style of the chat page, over Gradio's own."""
    return f":root{{{variables(LIGHT)}}}.dark{{{variables(DARK)}}}" + (ASSETS / "chat.css").read_text("utf-8")


def page_head() -> str:
    """Scripts of the chat page; in the head, because event scripts would need `unsafe-eval`."""
    return f"<script>{(ASSETS / 'page.js').read_text('utf-8')}</script>"


def gradio_theme() -> "gr.Theme":
    """Gradio's plain theme in our palette and the system's fonts."""
    import gradio as gr  # noqa: PLC0415 - three seconds that only a page needs

    theme = gr.themes.Default(font=list(FONT), font_mono=list(FONT_MONO), radius_size="lg", text_size="md")
    shared = {
        "body_background_fill": "var(--ground)",
        "background_fill_primary": "var(--surface)",
        "background_fill_secondary": "var(--ground)",
        "body_text_color": "var(--ink)",
        "body_text_color_subdued": "var(--quiet)",
        "block_background_fill": "var(--surface)",
        "block_label_text_color": "var(--quiet)",
        "block_info_text_color": "var(--quiet)",
        "border_color_primary": "var(--line)",
        "block_border_color": "var(--line)",
        "border_color_accent": "var(--accent)",
        "color_accent_soft": "var(--accent-soft)",
        "link_text_color": "var(--accent)",
        "link_text_color_hover": "var(--accent)",
        "link_text_color_visited": "var(--accent)",
        "input_background_fill": "var(--surface)",
        "input_border_color": "var(--line)",
        "input_border_color_focus": "var(--accent)",
        "input_placeholder_color": "var(--quiet)",
        "button_primary_background_fill": "var(--accent)",
        "button_primary_background_fill_hover": "var(--accent)",
        "button_primary_text_color": "var(--on-accent)",
        "button_secondary_background_fill": "var(--surface)",
        "button_secondary_background_fill_hover": "var(--accent-soft)",
        "button_secondary_text_color": "var(--ink)",
    }
    dark = {f"{name}_dark": value for name, value in shared.items()}
    return theme.set(color_accent="var(--accent)", **shared, **dark)
