import pytest

from ui.theme import DARK, LIGHT, READABLE_PAIRS, chat_css, page_head, plain_css


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), READABLE_PAIRS)
def test_text_can_be_read_on_its_ground(palette, text, ground):
    assert contrast(palette[text], palette[ground]) >= 4.5


def test_the_two_palettes_name_the_same_colours():
    assert LIGHT.keys() == DARK.keys()


def test_no_style_or_script_names_another_host():
    for text in (plain_css(), chat_css(), page_head()):
        assert "http://" not in text
        assert "https://" not in text
        assert "@import" not in text
