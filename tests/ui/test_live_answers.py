import asyncio
import threading

from app.errors import Busy
from app.records import Answered, AnswerRecord, Delta, Role, Stage, User, Worked
from ui.live_answers import LiveAnswers

ADA, BOB = User(1, "ada@example.com", "Ada", Role.EMPLOYEE), User(2, "bob@example.com", "Bob", Role.EMPLOYEE)


def record(text, kind="answer"):
    return AnswerRecord(
        id=1, conversation="c", question="q", text=text, kind=kind, refused=False, verified=True, problems=(),
        citations=(), working=(), passages=(), core="small", index_generation=1,
    )  # fmt: skip


class Scripted:
    """Answers with given events; stops, as every asker must, when it is told to."""

    def __init__(self, *events):
        self.events = events
        self.go_on = threading.Event()

    def ask(self, actor, question, conversation=None, collection=None, cancel=None):
        yield Stage("searching")
        self.go_on.wait(5)
        for event in self.events:
            if cancel is not None and cancel.is_set():
                yield Answered(record("", "stopped"))
                return
            if isinstance(event, Exception):
                raise event
            yield event


def watched(answer):
    async def watch():
        return [progress async for progress in answer.watch()]

    return asyncio.run(watch())


def test_a_watcher_sees_the_end_of_the_answer_with_all_its_text_and_working():
    asker = Scripted(Delta("No. "), Worked("75 > 60", True), Delta("75 is more."), Answered(record("No. 75 is more.")))
    answer = LiveAnswers(asker).start(ADA, "q", "c", None)
    asker.go_on.set()
    last = watched(answer)[-1]
    assert last.finished
    assert last.text == "No. 75 is more."
    assert [line.line for line in last.working] == ["75 > 60"]
    assert last.record is not None


def test_two_pages_may_watch_the_same_answer():
    asker = Scripted(Delta("Yes."), Answered(record("Yes.")))
    live = LiveAnswers(asker)
    answer = live.start(ADA, "q", "c", None)
    assert live.running(ADA, "c") is answer
    asker.go_on.set()
    assert watched(answer)[-1] == watched(answer)[-1]
    assert live.running(ADA, "c") is None


def test_text_that_the_core_withdraws_is_not_shown_any_more():
    asker = Scripted(Delta("Maybe."), Delta("No.", restart=True), Answered(record("No.")))
    answer = LiveAnswers(asker).start(ADA, "q", "c", None)
    asker.go_on.set()
    assert watched(answer)[-1].text == "No."


def test_only_the_owner_can_stop_an_answer():
    asker = Scripted(Delta("Yes."), Answered(record("Yes.")))
    live = LiveAnswers(asker)
    answer = live.start(ADA, "q", "c", None)
    assert live.stop(BOB, "c") is None
    assert not answer.cancel.is_set()
    assert live.stop(ADA, "c") is answer
    asker.go_on.set()
    assert watched(answer)[-1].record.kind == "stopped"


def test_a_refusal_is_shown_as_it_is():
    asker = Scripted(Busy("The queue is full; try again in a minute."))
    answer = LiveAnswers(asker).start(ADA, "q", "c", None)
    asker.go_on.set()
    last = watched(answer)[-1]
    assert (last.refusal, last.error_id) == ("The queue is full; try again in a minute.", "")


def test_an_unforeseen_error_gets_an_id_that_the_log_has_too(caplog):
    asker = Scripted(RuntimeError("secret detail"))
    answer = LiveAnswers(asker).start(ADA, "q", "c", None)
    asker.go_on.set()
    last = watched(answer)[-1]
    assert "secret detail" not in last.refusal
    assert last.error_id
    assert last.error_id in caplog.text
