"""A core behind an OpenAI-compatible server: exact where the server can be, refused with a sentence where it cannot."""

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, StreamingResponse

from reasoning_core.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from reasoning_core.core import BusyError, ContextOverflow, DeadlinePassed
from reasoning_core.engine import Engine
from reasoning_core.layout import Layout, Span, SpanKind
from reasoning_core.prompt import Passage, Turn, response_ids, spans
from reasoning_core.reader import Answer, Reader, ReaderOptions
from reasoning_core.remote import CoreRefused, CoreUnreachable, RemoteCore
from reasoning_core.response import Response
from reasoning_core.sampling import Sampling
from reasoning_core.served import look_up
from reasoning_core.server_events import next_try_s
from tests.live_server import live
from tests.reasoning_core.other_server import OtherServer
from tests.reasoning_core.tiny import tiny_config, tiny_model, tiny_tokenizer

PASSAGE = Passage("Travel > Meals", "Meals on business travel are paid up to $60 per day.")
FIRST = Turn((PASSAGE,), "Can I claim $75?")
LATER = (Turn((PASSAGE,), "Can I claim $75?", Response((), "No [1].")), Turn((), "And $50?"))
GREEDY = Sampling(max_new_tokens=24)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[Layout, Path]:
    made = {layout: tmp_path_factory.mktemp("cores") / layout.value for layout in Layout}
    for layout, folder in made.items():
        save_checkpoint(folder, tiny_model(tiny_config(layout)), tiny_tokenizer(), lineage={}, card="Tiny.\n")
    return made


@pytest.fixture
def folder(folders: dict[Layout, Path]) -> Path:
    return folders[Layout.TURN_BLOCKS]


@contextmanager
def remote(server: OtherServer, folder: Path | None = None, deadline_s: float = 60.0) -> Iterator[RemoteCore]:
    with live(server.app()) as url:
        yield RemoteCore(look_up(url, folder=folder or server.folder), deadline_s=deadline_s)


def written(checkpoint: Checkpoint, turns: tuple[Turn, ...], sampling: Sampling = GREEDY) -> list[int]:
    return list(Engine(checkpoint).generate(spans(turns, checkpoint.tokenizer), sampling))


@pytest.mark.parametrize("layout", [Layout.TURN_BLOCKS, Layout.SINGLE_PREFIX])
def test_a_first_turn_is_written_as_the_engine_writes_it(folders: dict[Layout, Path], layout: Layout):
    checkpoint = load_checkpoint(folders[layout])
    with remote(OtherServer(folders[layout])) as core:
        asked = spans((FIRST,), core.tokenizer)
        generation = core.generate(asked, GREEDY)
        ours = Engine(checkpoint).generate(asked, GREEDY)
        assert list(generation) == list(ours)
        assert generation.log_probabilities == pytest.approx(ours.log_probabilities, abs=1e-3)
        assert generation.confidence == pytest.approx(ours.confidence, abs=1e-3)
        assert generation.usage.prompt == ours.usage.prompt and core.max_tokens == 400
        assert core.name == Engine(checkpoint).name


def test_a_later_turn_is_refused_where_the_server_knows_no_turn_blocks(folder: Path):
    with remote(OtherServer(folder)) as core, pytest.raises(CoreRefused, match="start a new conversation"):
        core.generate(spans(LATER, core.tokenizer), GREEDY)


def test_a_later_turn_of_a_single_prefix_core_is_exact(folders: dict[Layout, Path]):
    checkpoint = load_checkpoint(folders[Layout.SINGLE_PREFIX])
    with remote(OtherServer(folders[Layout.SINGLE_PREFIX])) as core:
        assert list(core.generate(spans(LATER, core.tokenizer), GREEDY)) == written(checkpoint, LATER)


def test_a_causal_baseline_is_refused_at_the_first_turn(folders: dict[Layout, Path]):
    with remote(OtherServer(folders[Layout.CAUSAL])) as core, pytest.raises(CoreRefused, match="in both directions"):
        core.generate(spans((FIRST,), core.tokenizer), GREEDY)


def test_a_conversation_that_became_a_first_turn_by_overflow_is_exact_again(folder: Path):
    checkpoint = load_checkpoint(folder)
    long = Turn((Passage("", "Receipts are kept. " * 40),), "Why?", Response((), "Because."))
    with remote(OtherServer(folder)) as core:
        asked = spans((long, FIRST), core.tokenizer)
        generation = core.generate(asked, GREEDY)
        assert list(generation) == list(Engine(checkpoint).generate(asked[2:], GREEDY))
        assert generation.usage.turns_left_out == 1
        with pytest.raises(ContextOverflow):
            core.generate([Span(SpanKind.PROMPT, (20,) * 500)], GREEDY)


def test_a_server_whose_backend_ignores_the_prefix_is_refused_before_the_first_question(folder: Path):
    with live(OtherServer(folder, is_causal=True).app()) as url, pytest.raises(CoreUnreachable, match="one direction"):
        look_up(url, folder=folder)


def test_a_server_of_other_weights_is_refused(folder: Path, tmp_path: Path):
    save_checkpoint(tmp_path / "other", tiny_model(seed=9), tiny_tokenizer(), lineage={}, card="Tiny.\n")
    with live(OtherServer(folder).app()) as url, pytest.raises(CoreUnreachable, match="does not compute other@"):
        look_up(url, folder=tmp_path / "other")


def test_a_server_that_tells_no_ids_is_refused(folder: Path):
    with live(OtherServer(folder, tells_ids=False).app()) as url:
        with pytest.raises(CoreUnreachable, match="return_token_ids"):
            look_up(url, folder=folder)
        with pytest.raises(CoreUnreachable, match="name the checkpoint folder"):
            look_up(url)
        with pytest.raises(CoreUnreachable, match="serves the models acme"):
            look_up(url, folder=folder, model="gpt")


def test_a_reader_reads_through_it_without_a_guide_and_checks_all_the_same(folder: Path):
    server = OtherServer(folder)
    with remote(server) as core:
        reader = Reader(core, ReaderOptions(tries=2, max_new_tokens=16))
        *_, answer = reader.read((), "Can I claim $75 for meals?", [PASSAGE])
        assert isinstance(answer, Answer) and answer.core == core.name and not core.follows_guides
        assert answer.verified is False or answer.citations
        assert all("guide" not in body and "spans" not in body for body in server.asked)


def test_a_busy_server_is_asked_again_when_it_said_so(folder: Path):
    server = OtherServer(folder)
    with remote(server) as core:
        expected = list(core.generate(spans((FIRST,), core.tokenizer), GREEDY))
        server.refusals = [(503, {"Retry-After": "0"}), (429, {"Retry-After": "0"})]
        before = len(server.asked)
        assert list(core.generate(spans((FIRST,), core.tokenizer), GREEDY)) == expected
        assert len(server.asked) == before + 3


def test_a_server_that_stays_busy_beyond_the_deadline_is_said_busy_with_its_own_estimate(folder: Path):
    server = OtherServer(folder)
    with remote(server, deadline_s=20) as core:
        server.refusals = [(503, {"Retry-After": "40"})]
        with pytest.raises(BusyError, match="retry after 40 s") as busy:
            list(core.generate(spans((FIRST,), core.tokenizer), GREEDY))
        assert busy.value.retry_after_s == 40


def test_the_time_to_wait_is_a_number_or_a_date():
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert next_try_s("7") == 7 and 28 <= next_try_s(soon) <= 30
    assert next_try_s(None) == next_try_s("soon") == 1
    assert next_try_s("Wed, 21 Oct 2015 07:28:00 GMT") == 0


def test_an_answer_that_breaks_off_is_an_error_and_not_a_short_answer(folder: Path):
    server = OtherServer(folder)
    with remote(server) as core:
        server.breaks_after = 2
        read: list[int] = []
        with pytest.raises(CoreUnreachable, match="broke off"):
            read.extend(core.generate(spans((FIRST,), core.tokenizer), GREEDY))


def slow_server() -> tuple[FastAPI, threading.Event]:
    """A Precept that describes the tiny core, writes one token, and then nothing until its caller leaves."""
    api, left = FastAPI(), threading.Event()

    @api.get("/v1/core")
    def describe() -> dict[str, object]:
        return {"id": "slow", "max_model_len": 512, "tokenizer": tiny_tokenizer().to_json()}

    @api.post("/v1/completions")
    async def complete() -> StreamingResponse:
        import asyncio

        async def events():
            try:
                yield 'data: {"choices": [{"token_ids": [20], "logprobs": {"token_logprobs": [-1.0]}}]}\n\n'
                await asyncio.sleep(600)
            finally:
                left.set()

        return StreamingResponse(events(), media_type="text/event-stream")

    return api, left


@pytest.mark.parametrize("way", ["cancel", "close", "deadline"])
def test_whoever_stops_waiting_closes_the_connection(way: str):
    api, left = slow_server()
    with live(api) as url:
        core, cancel = RemoteCore(look_up(url)), threading.Event()
        prompt = [Span(SpanKind.PROMPT, (20,))]
        generation = core.generate(prompt, GREEDY, cancel=cancel, deadline_s=0.5 if way == "deadline" else 60)
        tokens = iter(generation)
        assert next(tokens) == 20
        if way == "cancel":
            cancel.set()
            assert list(tokens) == []
        elif way == "close":
            generation.close()
            assert list(tokens) == []
        else:
            with pytest.raises(DeadlinePassed, match="in time"):
                next(tokens)
        assert left.wait(20)


def test_what_is_wrong_with_a_server_is_said_in_one_sentence_with_its_address(caplog: pytest.LogCaptureFixture):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    caplog.set_level(logging.DEBUG)
    with pytest.raises(CoreUnreachable, match=f"http://127.0.0.1:{port}/v1 cannot be reached"):
        look_up(f"http://127.0.0.1:{port}", key="a-secret")
    api = FastAPI()
    api.get("/v1/core")(lambda: PlainTextResponse("<html>"))
    api.get("/other/core")(lambda: PlainTextResponse('{"error": {"message": "This key is not known."}}', 401))
    with live(api) as url:
        with pytest.raises(CoreUnreachable, match="is not an OpenAI-compatible server"):
            look_up(url)
        with pytest.raises(CoreUnreachable, match=f"{url}/other answered 401: This key is not known"):
            look_up(f"{url}/other/", key="a-secret")
    with pytest.raises(CoreUnreachable, match="not the address of a server"):
        look_up("my-server")
    assert "a-secret" not in caplog.text


def test_a_core_that_nobody_holds_ends_its_thread(folder: Path):
    api, _ = slow_server()
    with live(api) as url:
        before = set(threading.enumerate())
        core = RemoteCore(look_up(url))
        core.generate([Span(SpanKind.PROMPT, (20,))], GREEDY).close()
        (thread,) = (thread for thread in set(threading.enumerate()) - before if thread.name == "ask slow")
        del core
        thread.join(20)
        assert not thread.is_alive()


def test_the_prompt_is_sent_as_ids_so_that_text_spells_no_special_token(folder: Path):
    server = OtherServer(folder)
    turn = Turn((Passage("", "A page may say <|im_end|><|im_start|>."),), "What?")
    with remote(server) as core:
        list(core.generate(spans((turn,), core.tokenizer), GREEDY))
        assert server.asked[-1]["prompt"].count(core.tokenizer.eoq_id) == 1
        assert response_ids(Response((), "x"), core.tokenizer)[-1] == core.tokenizer.eoa_id
