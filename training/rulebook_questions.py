"""Reading the questions of a rule, and the exceptions that override their answers."""

from collections.abc import Iterable, Mapping, Sequence

from training.phrasing import labels, slots, with_label
from training.rulebook_values import domains, names_of, require_names, templates
from training.rules import DAY, Missing, Outcome, Override, Question
from training.values import AskedDay, Domain
from training.yaml_source import Field


def question(field: Field, values: Mapping[str, Domain], marks: set[str], *, versioned: bool) -> Question:
    """Read one question; where the rule has versions, every phrasing says the day that it asks for."""
    entries = field.mapping(
        required=("name", "phrasings", "outcomes"),
        optional=("inputs", "evidence", "changed", "other_key", "missing"),
    )
    outer: dict[str, Domain] = {**values, **({DAY: AskedDay()} if versioned else {})}
    inputs = domains(entries["inputs"], outer) if "inputs" in entries else {}
    if versioned:
        inputs = {DAY: AskedDay(), **inputs}
    known = names_of(outer) | names_of(inputs)
    evidence = entries["evidence"].texts() if "evidence" in entries else ("main",)
    for label in evidence:
        if label not in marks:
            raise field.error(f"the evidence {label!r} is not marked in the policy text: mark it [[{label}|...]]")
    phrasings = templates(entries["phrasings"], known)
    if versioned and (silent := _without_day(phrasings)):
        raise entries["phrasings"].error(
            f"{silent!r} asks for no day: say {{day}}, for it decides between the versions"
        )
    return Question(
        name=entries["name"].text(),
        inputs=inputs,
        phrasings=phrasings,
        outcomes=tuple(_outcome(item, known) for item in entries["outcomes"].items()),
        evidence=evidence,
        changed=templates(entries["changed"], known) if "changed" in entries else (),
        other_key=templates(entries["other_key"], known) if "other_key" in entries else (),
        missing=_missing(entries["missing"], known) if "missing" in entries else None,
    )


def override(field: Field, values: Mapping[str, Domain], questions: Sequence[Question]) -> Override:
    """Read one exception; it may use the values of the rule and the inputs that its questions share."""
    entries = field.mapping(required=("name", "when", "text", "answer"), optional=("questions", "working"))
    name = entries["name"].text()
    concerned = _concerned(entries.get("questions"), questions)
    shared = set.intersection(*(names_of(question.inputs) for question in concerned))
    known = names_of(values) | shared
    require_names(entries["when"], entries["when"].text(), known)
    texts = templates(entries["text"], names_of(values))
    for text in texts:
        if not labels(text) <= {"main", name} or len(labels(text)) != 1:
            raise entries["text"].error(f"{text!r} does not mark its evidence: mark the deciding words once, [[...]]")
    return Override(
        name=name,
        when=entries["when"].text(),
        texts=tuple(with_label(text, name) for text in texts),
        questions=tuple(question.name for question in concerned),
        working=templates(entries["working"], known) if "working" in entries else (),
        answer=_answer(entries["answer"], known),
    )


def _concerned(field: Field | None, questions: Sequence[Question]) -> Sequence[Question]:
    if field is None:
        return questions
    by_name = {question.name: question for question in questions}
    for name in field.texts():
        if name not in by_name:
            raise field.error(f"{name!r} is not a question of this rule: use one of {', '.join(by_name)}")
    return [by_name[name] for name in field.texts()]


def _without_day(phrasings: Iterable[str]) -> str | None:
    return next((text for text in phrasings if DAY not in {name for name, _ in slots(text)}), None)


def _missing(field: Field, known: set[str]) -> Missing:
    entries = field.mapping(required=("phrasings", "ask"))
    ask = templates(entries["ask"], known)[0]
    if not ask.endswith("?"):
        raise entries["ask"].error(f"{ask!r} is not a question: end it with a question mark")
    return Missing(templates(entries["phrasings"], known), ask)


def _outcome(field: Field, known: set[str]) -> Outcome:
    entries = field.mapping(required=("answer",), optional=("when", "working"))
    when = entries["when"].text() if "when" in entries else "True"
    if "when" in entries:
        require_names(entries["when"], when, known)
    working = templates(entries["working"], known) if "working" in entries else ()
    return Outcome(when, working, _answer(entries["answer"], known))


def _answer(field: Field, known: set[str]) -> str:
    answer = templates(field, known)[0]
    if answer.endswith((".", "]")):
        raise field.error(f"the answer {answer!r} is closed already: leave full stop and citations out")
    return answer
