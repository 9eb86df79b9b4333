"""Under the guide even a core with random weights quotes verbatim and computes exactly."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reasoning_core.engine import Engine
from reasoning_core.guide import WorkingGuide
from reasoning_core.prompt import Passage, Turn, parse_response, spans
from reasoning_core.sampling import Sampling
from reasoning_core.working import calculate, check, parse_quote
from tests.reasoning_core.tiny import tiny_checkpoint, tiny_tokenizer

WORDS = (
    "up to",
    "60 EUR",
    "per day",
    "caf\u00e9",
    "\u6771\u4eac",
    "(see",
    "4.2)",
    'the "desk"',
    "a",
    "\n",
    "- item",
    "x" * 170,
)
passages = st.lists(st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join), min_size=0, max_size=3)
STARTS = ("", '"', '"up', '"a', "25 - 12 + 3 =", "2024-01-31 + 1 m =", "9 / 7 =", "75 >", "25 - 12 =", "1 / 8 =")


def guided_working(texts: list[str], start: str, seed: int, tokens: int) -> tuple[tuple[str, ...], bool]:
    """Let logits that know nothing write working from `start` on; return its lines, and whether it came to its end."""
    tokenizer, generator = tiny_tokenizer(), torch.Generator().manual_seed(seed)
    guide = WorkingGuide(tokenizer, dict(enumerate(texts, start=1)))
    written = [tokenizer.work_start_id]
    forced = tokenizer.encode(start)
    # Marks of the language come often, so that lines are begun, computed and ended.
    likely = [tokenizer.encode(text)[0] for text in ('"', "\n", " =", "1", "7", " +")] + [tokenizer.work_end_id]
    for step in range(tokens):
        allowed = guide.allowed(written)
        if allowed is not None:
            assert allowed, "the guide never leaves nothing to choose from"
        if step < len(forced) and (allowed is None or forced[step] in allowed):
            written.append(forced[step])
            continue
        choices = list(range(tokenizer.vocabulary_size)) if allowed is None else list(allowed)
        favoured = [token for token in likely if token in choices]
        pool = favoured if favoured and torch.rand((), generator=generator) < 0.4 else choices
        written.append(pool[int(torch.randint(len(pool), (), generator=generator))])
        if written[-1] == tokenizer.work_end_id:
            break
    ended = written[-1] == tokenizer.work_end_id
    return parse_response(written, tokenizer).working, ended


def assert_exact(lines: tuple[str, ...], ended: bool, texts: dict[int, str]) -> None:
    for line in lines if ended else lines[:-1]:
        if parse_quote(line):
            assert check(line, texts).holds, line
        expression, equals, stated = line.rpartition(" =")
        if equals and (result := calculate(expression)) is not None:
            assert stated == f" {result}", line


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(passages, st.sampled_from(STARTS), st.integers(0, 2**31))
def test_every_quote_is_verbatim_and_every_result_exact_whatever_the_logits(texts, start, seed):
    lines, ended = guided_working(texts, start, seed, 80)
    assert_exact(lines, ended, dict(enumerate(texts, start=1)))


@pytest.mark.parametrize("seed", range(6))
def test_a_random_core_quotes_and_computes_exactly_through_the_engine(seed):
    tokenizer = tiny_tokenizer()
    texts = {1: "Meals: up to $60 per day.", 2: "Hotels cost at most 180 EUR."}
    turn = Turn(tuple(Passage("", text) for text in texts.values()), "Is 75 allowed?")
    generation = Engine(tiny_checkpoint(seed=seed)).generate(
        spans([turn], tokenizer), Sampling(1.0, seed, 120), OpeningWithWork(WorkingGuide(tokenizer, texts))
    )
    tokens = list(generation)
    assert_exact(parse_response(tokens, tokenizer).working, tokenizer.work_end_id in tokens, texts)


class OpeningWithWork:
    """The working guide for a core that, untrained, would hardly open its working by itself."""

    def __init__(self, guide: WorkingGuide) -> None:
        self._guide = guide

    def allowed(self, generated):
        return self._guide.allowed(generated) if generated else [tiny_tokenizer().work_start_id]


def test_nothing_is_restricted_before_the_working_or_behind_it():
    tokenizer = tiny_tokenizer()
    guide = WorkingGuide(tokenizer, {1: "Up to 60."})
    assert guide.allowed([]) is None
    assert guide.allowed([30]) is None
    assert guide.allowed([tokenizer.work_start_id, tokenizer.work_end_id]) is None


def test_a_finished_result_or_quote_lets_only_the_line_or_the_working_end():
    tokenizer = tiny_tokenizer()
    guide = WorkingGuide(tokenizer, {1: "Up to 60 EUR."})
    ends = {tokenizer.encode("\n")[0], tokenizer.work_end_id}
    for line in ("25 - 12 + 3 = 16", '"Up to 60" [1]'):
        assert set(guide.allowed([tokenizer.work_start_id, *tokenizer.encode(line)])) == ends


@pytest.mark.parametrize(
    "line",
    [
        '"Up to 60 EUR" [1]',
        "75 > 60",
        "25 - 12 + 3 = 16",
        "20 % of 300 = 60",
        "2024-03-01 + 30 d = 2024-03-31",
        "9 / 7 = 2",
    ],
)
def test_every_honest_line_as_it_is_trained_passes_the_guide_token_by_token(line):
    tokenizer = tiny_tokenizer()
    guide = WorkingGuide(tokenizer, {1: "Up to 60 EUR."})
    written = [tokenizer.work_start_id]
    for token in [*tokenizer.encode(f"{line}\n75 > 60"), tokenizer.work_end_id]:
        allowed = guide.allowed(written)
        assert allowed is None or token in allowed, tokenizer.decode(written)
        written.append(token)


def test_a_number_of_parts_that_was_read_can_be_written():
    tokenizer = tiny_tokenizer()
    guide = WorkingGuide(tokenizer, {1: "Book repairs to account 29-440."}, ["Which account?"])
    quoted = [tokenizer.work_start_id, *tokenizer.encode('"account 29-440" [1]'), tokenizer.work_end_id]
    answer = tokenizer.encode("Account 29-440")
    for length, token in enumerate(answer):
        allowed = guide.allowed([*quoted, *answer[:length]])
        assert allowed is None or token in allowed, tokenizer.decode(answer[:length])
