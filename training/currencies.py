"""The currency of a company: rulebooks speak of dollars, and some of their dialogues of euros or pounds instead."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from reasoning_core.prompt import Passage
from training.instructions import Exchange


@dataclass(frozen=True, slots=True)
class Currency:
    """How a currency is written."""

    sign: str
    code: str
    one: str
    many: str


DOLLAR = Currency("$", "USD", "dollar", "dollars")
EURO = Currency("€", "EUR", "euro", "euros")
POUND = Currency("£", "GBP", "pound", "pounds")
CURRENCIES = {currency.sign: currency for currency in (DOLLAR, EURO, POUND)}
_OTHERS = (EURO, EURO, POUND)
_IN_DOLLARS = re.compile(r"\$|\b(?:USD|dollars?)\b")


def speaks_of_dollars(text: str) -> bool:
    return bool(_IN_DOLLARS.search(text))


def in_another_currency(exchanges: Sequence[Exchange], rng: random.Random) -> list[Exchange]:
    """Return the same conversation in a company that counts in euros or pounds."""
    currency = rng.choice(_OTHERS)
    return [_in(currency, exchange) for exchange in exchanges]


def _in(currency: Currency, exchange: Exchange) -> Exchange:
    return replace(
        exchange,
        passages=tuple(Passage(_put(currency, p.heading), _put(currency, p.text)) for p in exchange.passages),
        question=_put(currency, exchange.question),
        working=tuple(_put(currency, line) for line in exchange.working),
        answer=_put(currency, exchange.answer),
    )


def _put(currency: Currency, text: str) -> str:
    written = {"$": currency.sign, "USD": currency.code, "dollar": currency.one, "dollars": currency.many}
    return _IN_DOLLARS.sub(lambda match: written[match[0]], text)
