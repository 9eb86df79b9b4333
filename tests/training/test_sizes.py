"""The sizes against what is published about them."""

import json
from dataclasses import asdict, astuple

import pytest

from training.command_line import main
from training.costs import DEVICES, cost_of
from training.sizes import SIZES, Size, config_of_size, reshaped, size_named

PUBLISHED_VOCABULARY = 65_536
# A small configuration of upstream's, of which an independent count is known.
XXS = Size("XXS", 256, 3, 2, 128, 768, PUBLISHED_VOCABULARY, 4096, 48, 1e-3, 2000, 0.9999)


@pytest.mark.parametrize(("name", "billions"), [("L", 0.6), ("XL", 1.1)])
def test_the_published_sizes_have_the_published_parameters(name: str, billions: float):
    # The paper's "0.6B" and "1B" leave the token embedding out, which is looked up and never multiplied.
    config = config_of_size(name, PUBLISHED_VOCABULARY)
    embedding = config.vocab_size * config.hidden_size
    assert round((config.num_parameters - embedding) / 1e9, 1) == billions


def test_counts_of_others_agree_to_their_last_digit():
    assert round(XXS.config().num_parameters / 1e6, 2) == 39.06
    assert round(config_of_size("B", 2 * PUBLISHED_VOCABULARY).num_parameters / 1e6) == 435


def test_sizes_grow_and_each_decides_everything():
    sizes = [size_named(name) for name in SIZES]
    counts = [size.config().num_parameters for size in sizes]
    assert counts == sorted(counts)
    for size in sizes:
        assert all(astuple(size))
        assert size.row_tokens <= size.config().max_position_embeddings
        assert size.config(777).vocab_size == 777
    rates = [size.learning_rate for size in sizes]
    assert rates == sorted(rates, reverse=True)


def test_an_unknown_size_is_named_beside_the_known_ones():
    with pytest.raises(ValueError, match="unknown size 'huge': use one of nano, micro, mini, small, medium, B, L, XL"):
        config_of_size("huge", 300)


def test_the_command_prints_the_costs_as_one_document(capsys):
    assert main(["sizes", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [device["name"] for device in document["devices"]] == ["cpu", "h100"]
    assert [cost["size"]["name"] for cost in document["sizes"]] == list(SIZES)
    assert document["sizes"][2] == json.loads(json.dumps(asdict(cost_of(size_named("mini"), DEVICES))))


def test_price_rate_and_tokens_of_the_user_count(capsys):
    assert main(["sizes", "--json", "--device", "rack", "--rate", "2", "--price", "3", "--tokens", "1000000"]) == 0
    for cost in json.loads(capsys.readouterr().out)["sizes"]:
        (estimate,) = cost["estimates"]
        assert cost["tokens"] == 1_000_000
        assert estimate["hours"] == pytest.approx(1e6 * cost["flops_per_token"] / 2e12 / 3600)
        assert estimate["usd"] == pytest.approx(3 * estimate["hours"])


def test_the_table_names_every_size(capsys):
    assert main(["sizes", "--device", "h100", "--price", "7.25"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in SIZES)
    assert "$7.25 an hour" in " ".join(printed.split())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--device", "rack"], "unknown device 'rack': use cpu or h100, or give its --rate and --price"),
        (["--price", "2"], "name it with --device"),
        (["--tokens", "0"], "tokens"),
    ],
)
def test_bad_options_are_refused_with_a_sentence(options: list[str], sentence: str, capsys):
    assert main(["sizes", *options]) == 2
    assert sentence in " ".join(capsys.readouterr().err.split())


def test_a_shape_can_be_made_deeper_or_wider_at_about_the_same_parameters():
    shape = config_of_size("mini", 2048)
    assert reshaped(shape, None, None) == shape
    deeper, wider = reshaped(shape, 128, 5), reshaped(shape, 256, 1)
    assert (deeper.num_attention_heads, deeper.num_layers_per_stack) == (2, 5)
    assert wider.intermediate_size % 64 == 0
    assert deeper.num_parameters == pytest.approx(shape.num_parameters, rel=0.06)
    assert wider.num_parameters == pytest.approx(shape.num_parameters, rel=0.06)


def test_a_width_that_no_whole_heads_fill_is_refused():
    with pytest.raises(ValueError, match="a width of 200 is no multiple of the 64 dimensions of a head"):
        reshaped(config_of_size("mini", 2048), 200, None)
