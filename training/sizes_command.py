"""`precept-train sizes`: the dial, and what each of its marks costs."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from training.terminal import require

if TYPE_CHECKING:
    from training.costs import Cost, Device


def register(root: typer.Typer) -> None:
    """Add this command to the root."""
    root.command()(sizes)


def sizes(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    device: Annotated[str | None, typer.Option(help="cpu, h100, or any name with --rate and --price.")] = None,
    rate: Annotated[float | None, typer.Option(min=1e-6, help="Sustained TFLOP/s of --device.")] = None,
    price: Annotated[float | None, typer.Option(min=0.0, help="USD an hour of --device.")] = None,
    tokens: Annotated[int | None, typer.Option(min=1, help="Tokens to train on; else 20 a parameter.")] = None,
) -> None:
    """Show every size with its shape, memory, arithmetic, hours and cost."""
    from training.costs import cost_of  # noqa: PLC0415 - keeps --help quick
    from training.sizes import SIZES, size_named  # noqa: PLC0415 - keeps --help quick

    devices = _devices(device, rate, price)
    costs = [cost_of(size_named(name), devices, tokens) for name in SIZES]
    if as_json:
        typer.echo(json.dumps({"devices": [asdict(d) for d in devices], "sizes": [asdict(cost) for cost in costs]}))
        return
    console = Console()
    console.print(_shapes_table(costs), _training_table(costs, devices))
    console.print(_footnotes(devices), highlight=False)


def _devices(name: str | None, rate: float | None, price: float | None) -> "tuple[Device, ...]":
    from training.costs import DEVICES, Device  # noqa: PLC0415 - keeps --help quick

    if name is None:
        require(rate is None and price is None, "--rate and --price belong to one machine: name it with --device")
        return DEVICES
    known = {device.name: device for device in DEVICES}.get(name)
    if known is None:
        if rate is None or price is None:
            raise ValueError(f"unknown device {name!r}: use cpu or h100, or give its --rate and --price")
        known = Device(name, 0.0, price, "")
    if rate is not None:
        known = replace(known, flops_per_second=rate * 1e12, basis=f"{rate:g} TFLOP/s as given")
    return (known if price is None else replace(known, usd_per_hour=price),)


def _shapes_table(costs: "Sequence[Cost]") -> Table:
    table = _titled("Sizes", "size", "width", "layers", "heads", "vocabulary", "parameters", "step", "weights", "cache")
    for cost in costs:
        size, memory = cost.size, cost.memory
        table.add_row(
            size.name,
            f"{size.hidden_size}",
            f"2 x {size.num_layers_per_stack}",
            f"{size.num_attention_heads}",
            f"{size.vocabulary_size:,}",
            _number(cost.parameters),
            f"{size.batch_rows} x {size.row_tokens}",
            f"{_number(memory.serving_weights)}B",
            f"{_number(memory.serving_cache)}B",
        )
    return table


def _training_table(costs: "Sequence[Cost]", devices: "Sequence[Device]") -> Table:
    headings = (f"on {device.name}" for device in devices)
    table = _titled("Training", "size", "tokens", "FLOPs a token", "state", "activations", *headings)
    for cost in costs:
        memory = cost.memory
        table.add_row(
            cost.size.name,
            _number(cost.tokens),
            _number(cost.flops_per_token),
            f"{_number(memory.training_state)}B",
            f"{cost.size.batch_rows} x {_number(memory.activations_per_row)}B",
            *(f"{_duration(estimate.hours)}, {_dollars(estimate.usd)}" for estimate in cost.estimates),
        )
    return table


def _titled(title: str, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first)
    for heading in others:
        table.add_column(heading, justify="right")
    return table


def _footnotes(devices: "Sequence[Device]") -> str:
    return "\n".join(
        (
            "Step: rows x tokens. Serving: float32 weights, and the cache of one conversation of full length.",
            "State: masters, average, moments, gradients. Activations: rows of a step x what one row keeps.",
            "Tokens: 20 a parameter, unless --tokens says otherwise; L and XL were published with 60 billion.",
            *(f"{device.name}: {device.basis}; ${device.usd_per_hour:.2f} an hour." for device in devices),
            "Below size B a GPU waits for launches more than it reckons: its times are lower bounds there.",
        )
    )


def _number(value: float) -> str:
    for unit, name in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if value >= unit:
            return f"{value / unit:.3g} {name}"
    return f"{value:,.0f}"


def _duration(hours: float) -> str:
    if hours < 1 / 60:
        return "< 1 min"
    if hours < 1:
        return f"{60 * hours:.0f} min"
    return f"{hours:,.1f} h" if hours < 8766 else f"{hours / 8766:,.0f} years"


def _dollars(usd: float) -> str:
    return f"${usd:,.2f}" if usd < 1000 else f"${usd:,.0f}"
