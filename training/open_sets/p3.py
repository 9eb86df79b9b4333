"""P3: prompts of many tasks with their completions, one file for each template.

`p3` takes them in upstream's form, an instruction and a response without passages, under the condition `direct`.
`p3-reading` takes apart the templates that show a text and ask for words of it. A split is a source set, because each
has a licence of its own; `sample` is all of them under the strictest.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from training.instructions import Dialogue, Exchange
from training.open_sets.evidence import Place, Text
from training.open_sets.open_set import DIRECT, Converted, LeftOut, Licence, OpenSet, Split
from training.open_sets.spans import answered

_END = "<|endoftext|>"
_LONGEST_PROMPT = 2000
_READING = (
    re.compile(r"Given the following context:\s+(?P<text>.+?)\s+answer the following question:\s+(?P<asked>.+)", re.S),
    re.compile(r'Question: "(?P<asked>.+?)"\s+Context: "(?P<text>.+)"\s+Answer:', re.S),
)


def _each(convert: Callable[[str, str, str], Converted], files: Sequence[Path]) -> Iterator[Converted]:
    for path in files:
        for number, line in enumerate(path.read_text("utf-8").splitlines()):
            if line.strip():
                record = json.loads(line)
                response = record["completion"].removesuffix(_END).strip()
                yield convert(f"{path.stem}-{number}", record["prompt"].strip(), response)


def _instruction(name: str, prompt: str, response: str) -> Converted:
    if not prompt or not response:
        return LeftOut("prompt or completion is empty")
    if len(prompt) > _LONGEST_PROMPT:
        return LeftOut("the prompt is long")
    return Dialogue(name, "p3", "", (DIRECT,), (Exchange((), prompt, (), response, "answer", "p3"),))


def _reading(name: str, prompt: str, response: str) -> Converted:
    match = next((found for form in _READING if (found := form.fullmatch(prompt))), None)
    if match is None:
        return LeftOut("the template does not show a text and a question")
    text, question = match["text"].strip(), " ".join(match["asked"].split())
    places = [place.span() for place in re.finditer(rf"(?<!\w){re.escape(response)}(?!\w)", text)]
    if len(places) != 1:
        return LeftOut("the answer does not stand in one place")
    exchange = answered(question, [Text("Article", text)], Place(0, *places[0]), "p3-reading", name)
    return exchange if isinstance(exchange, LeftOut) else Dialogue(name, "p3-reading", "", (), (exchange,))


def _splits(**licences: Licence) -> dict[str, Split]:
    return {name: Split(f"data_per_template/{name}_*.jsonl", licence) for name, licence in licences.items()}


_SOURCE = "https://github.com/bigscience-workshop/promptsource"
_MIT, _BY = Licence("MIT"), Licence("CC-BY-4.0")
_BY_SA_3, _BY_SA_4 = (Licence(f"CC-BY-SA-{version}", share_alike=True) for version in ("3.0", "4.0"))
SET = OpenSet(
    name="p3",
    about="prompts of many tasks with their completions",
    source=_SOURCE,
    splits={
        "sample": Split("data_per_template/*.jsonl", Licence("Apache-2.0 AND CC-BY-SA-4.0", share_alike=True)),
        **_splits(
            adversarial_qa=_BY_SA_4, common_gen=_MIT, commonsense_qa=_MIT, cosmos_qa=_BY, dbpedia_14=_BY_SA_3,
            duorc=_MIT, kilt_tasks_hotpotqa=_BY_SA_4, qasc=_BY, quartz=_BY, quoref=_BY, ropes=_BY,
            wiki_hop=_BY_SA_3,
        ),
    },
    read=lambda folder, files: _each(_instruction, files),
)  # fmt: skip
READING = OpenSet(
    name="p3-reading",
    about="questions over a text that its words answer, from the prompts of P3",
    source=_SOURCE,
    splits={
        "quoref": Split("data_per_template/quoref_Answer_Question_Given_Context.jsonl", _BY),
        "adversarial_qa": Split("data_per_template/adversarial_qa_*_question_context_answer.jsonl", _BY_SA_4),
    },
    read=lambda folder, files: _each(_reading, files),
)
