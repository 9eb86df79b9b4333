"""The reader: question, passages and conversation in, a stream of answer events out (DESIGN 4).

It lets the core write under the working guide, re-executes the working, resolves the citations, traces every number,
and holds the result against a mechanical second reading. A failed check means another try; when all tries fail, the
best passage is quoted and labelled as a quotation. The application and the evaluation use this same reader.
"""

import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from reasoning_core import prompt
from reasoning_core.asking import self_contained
from reasoning_core.engine import Core, Generation
from reasoning_core.grounding import PassageCitation, citations, ungrounded
from reasoning_core.guide import WorkingGuide
from reasoning_core.judgement import BETTER_SENTENCE, OFF_TOPIC, UNNAMED, misfits, unconfirmed
from reasoning_core.prompt import Passage, Turn
from reasoning_core.response import REFUSAL, Response
from reasoning_core.sampling import Sampling
from reasoning_core.tokenizer import CoreTokenizer
from reasoning_core.verdicts import CONTRADICTED
from reasoning_core.words import coverage, sentence_spans
from reasoning_core.working import Verdict, check

_MIN_TOPIC_COVERAGE = 0.3
_STRONG_FIT = 0.75
_QUOTABLE_FIT = 0.6
_FAILED = "failed"
# Of answers with one of these doubts one in six was right, and almost half should have been refusals.
_BESIDE_THE_POINT = frozenset({OFF_TOPIC, UNNAMED})


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More text of the answer; the working is not part of it."""

    text: str


@dataclass(frozen=True, slots=True)
class WorkingLine:
    """One finished line of the working, re-executed."""

    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Retrying:
    """A check failed: everything streamed so far is withdrawn."""

    reason: str


@dataclass(frozen=True, slots=True)
class Answer:
    """How it ended. `kind` is answer, refusal, question, quotation or stopped.

    `verified` means that every line holds, every fact is sourced and the mechanical reading agrees; `problems` says
    what failed or could not be confirmed. `confidence` is the geometric mean of the probabilities that the core gave
    to the tokens it wrote, before the guide forbade any; None where the core does not tell them. `turns_left_out` of
    the oldest turns did not fit the core.
    """

    kind: str
    response: Response
    text: str
    citations: tuple[PassageCitation, ...]
    working: tuple[Verdict, ...]
    verified: bool
    problems: tuple[str, ...]
    prompt_tokens: int
    cached_tokens: int
    new_tokens: int
    core: str
    confidence: float | None = None
    turns_left_out: int = 0


ReaderEvent = TextDelta | WorkingLine | Retrying | Answer


@dataclass(frozen=True, slots=True)
class ReaderOptions:
    """`tries` counts the greedy one; the others are sampled at `temperature`."""

    tries: int = 3
    temperature: float = 0.7
    max_new_tokens: int = 192
    guided: bool = True


class Reader:
    """Reads with one core."""

    def __init__(self, core: Core, options: ReaderOptions | None = None) -> None:
        self._core = core
        self._options = options or ReaderOptions()
        self.core = core.name

    def read(
        self,
        history: Sequence[Turn],
        question: str,
        passages: Sequence[Passage],
        cancel: threading.Event | None = None,
        *,
        caller: str = "",
    ) -> Iterator[ReaderEvent]:
        """Answer `question`; `passages` are those new in this turn. The last event is always an `Answer`.

        Where the core is busy, the questions of one `caller` wait for each other and not everybody for them.

        Raises:
            BusyError: the engine takes no more requests.
            ContextOverflow: the conversation does not fit the core.
        """
        turns = (*history, Turn(tuple(passages), question))
        first: Answer | None = None
        for number in range(self._options.tries):
            if first is not None:
                yield Retrying(first.problems[0] if first.problems else "the documents seem to say")
            answer = yield from self._try(turns, number, cancel, caller, must_work=first is not None)
            if first is None:
                if not _worth_another_try(answer, turns):
                    yield answer
                    return
                first = answer
            elif answer.kind == "stopped" or _is_good_enough(answer, first):
                yield answer
                return
        assert first is not None, "ReaderOptions.tries is at least 1"
        yield first if first.kind == "refusal" else _quotation(first, turns)

    def _try(
        self, turns: Sequence[Turn], number: int, cancel: threading.Event | None, caller: str, *, must_work: bool
    ) -> Generator[ReaderEvent, None, Answer]:
        """Stream one response and return what became of it, kind `failed` included.

        The first try is free to quote anything, the second only what fits the question best, the others are sampled.
        """
        shown = _texts(turns)
        options, tokenizer = self._options, self._core.tokenizer
        quotable = shown if number == 0 else _best_sentences(turns)
        guide = WorkingGuide(tokenizer, quotable, [turn.question for turn in turns], must_work=must_work)
        generation = self._core.generate(
            prompt.spans(turns, tokenizer),
            Sampling(options.temperature if number > 1 else 0.0, number, options.max_new_tokens),
            guide if options.guided and quotable else None,
            cancel,
            caller=caller,
        )
        tokens: list[int] = []
        try:
            yield from _stream(generation, tokens, tokenizer, shown)
        finally:
            generation.close()
        response = prompt.parse_response(tokens, tokenizer)
        working = tuple(check(line, shown) for line in response.working)
        found = citations(response, shown)
        draft = Answer(
            kind=_FAILED,
            response=response,
            text=response.answer,
            citations=found,
            working=working,
            verified=False,
            problems=(),
            prompt_tokens=generation.usage.prompt,
            cached_tokens=generation.usage.cached,
            new_tokens=len(tokens),
            core=self.core,
            confidence=generation.confidence,
            turns_left_out=generation.usage.turns_left_out,
        )
        if cancel is not None and cancel.is_set():
            return replace(draft, kind="stopped", problems=("the answer was stopped",))
        return _judged(draft, turns, ended=bool(tokens) and tokens[-1] == tokenizer.eoa_id)


def _stream(
    generation: Generation, tokens: list[int], tokenizer: CoreTokenizer, shown: Mapping[int, str]
) -> Iterator[ReaderEvent]:
    """Record tokens as they come; yield each finished working line re-executed, then the answer's text."""
    in_working, line, pending = False, list[int](), list[int]()
    for token in generation:
        tokens.append(token)
        if token == tokenizer.work_start_id:
            in_working = True
        elif in_working:
            ended = token == tokenizer.work_end_id
            line.append(token)
            text = tokenizer.decode(line)
            if (ended or text.endswith("\n")) and text.strip():
                yield WorkingLine(check(text.rstrip("\n"), shown))
                line.clear()
            in_working = not ended
        else:
            pending.append(token)
            text = tokenizer.decode(pending)
            if text and not text.endswith("\ufffd"):
                yield TextDelta(text)
                pending.clear()


def _judged(draft: Answer, turns: Sequence[Turn], *, ended: bool) -> Answer:
    """Sort a finished response into refusal, question back, answer or failure."""
    response, shown = draft.response, _texts(turns)
    if response.refused:
        return replace(draft, kind="refusal", text=REFUSAL, citations=())
    if response.asks_back and not response.working:
        return replace(draft, kind="question", citations=())
    questions = [turn.question for turn in turns]
    if coverage(" ".join(questions[-2:]), [*shown.values(), *_headings(turns)]) < _MIN_TOPIC_COVERAGE:
        # Nothing that was read is about this; whatever the core made of it, the documents do not say.
        return replace(draft, kind="refusal", text=REFUSAL, citations=(), problems=("no passage is on the subject",))
    failures = [
        *([] if ended else ["the answer did not come to an end"]),
        *(f"a working line does not hold: {v.line} ({v.reason})" for v in draft.working if not v.holds),
        *(f"nothing that was read says {value}" for value in ungrounded(response, draft.citations, shown, questions)),
        *([] if draft.citations else ["the answer cites nothing that can be found"]),
        *misfits(response, _self_contained(turns)),
    ]
    if failures:
        return replace(draft, problems=tuple(failures))
    doubts = unconfirmed(response, _self_contained(turns), draft.citations, prompt.numbered(turns))
    if CONTRADICTED in doubts:
        return replace(draft, problems=doubts)
    return replace(draft, kind="answer", verified=not doubts, problems=doubts)


def _is_good_enough(answer: Answer, first: Answer) -> bool:
    """Tell whether a later try may be shown; one in place of a refusal must be verified."""
    if answer.kind != "answer" or _BESIDE_THE_POINT & set(answer.problems):
        return False
    return answer.verified or first.kind != "refusal"


def _worth_another_try(answer: Answer, turns: Sequence[Turn]) -> bool:
    """A failed check is; so is a reading of the wrong sentence, and a refusal where a sentence fits almost wholly."""
    if answer.kind == "refusal":
        ranked = _by_fit(turns)
        return bool(ranked) and ranked[0][0] >= _STRONG_FIT
    return answer.kind == _FAILED or bool({*_BESIDE_THE_POINT, BETTER_SENTENCE} & set(answer.problems))


def _quotation(failed: Answer, turns: Sequence[Turn]) -> Answer:
    """Fall back on a sentence that was read and fits the question best, verbatim; a refusal if none fits well."""
    ranked = _by_fit(turns)
    if not ranked or ranked[0][0] < _QUOTABLE_FIT:
        return replace(failed, kind="refusal", text=REFUSAL, citations=(), working=())
    best = ranked[0][1]
    text = _texts(turns)[best.n][best.start : best.end]
    return replace(failed, kind="quotation", text=text, citations=(best,), working=())


def _best_sentences(turns: Sequence[Turn]) -> dict[int, str]:
    """Return, by passage, the sentences that fit the question as well as any."""
    ranked, texts = _by_fit(turns), _texts(turns)
    best: dict[int, str] = {}
    for share, place in ranked:
        if share == ranked[0][0]:
            sentence = texts[place.n][place.start : place.end]
            best[place.n] = f"{best[place.n]}\n{sentence}" if place.n in best else sentence
    return best


def _by_fit(turns: Sequence[Turn]) -> list[tuple[float, PassageCitation]]:
    """Return the sentences that share enough with the question, the best first."""
    question = " ".join(_self_contained(turns))
    ranked = [
        (share, PassageCitation(n, start, end))
        for n, passage in prompt.numbered(turns).items()
        for start, end in sentence_spans(passage.text)
        if (share := coverage(question, [passage.text[start:end], passage.heading])) > _MIN_TOPIC_COVERAGE
    ]
    return sorted(ranked, key=lambda entry: -entry[0])


def _self_contained(turns: Sequence[Turn]) -> list[str]:
    return self_contained([turn.question for turn in turns])


def _texts(turns: Sequence[Turn]) -> dict[int, str]:
    return {n: passage.text for n, passage in prompt.numbered(turns).items()}


def _headings(turns: Sequence[Turn]) -> list[str]:
    return [passage.heading for turn in turns for passage in turn.passages]
