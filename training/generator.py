"""From rules to labelled dialogues, the same ones for the same rules, recipe, split, seed and index.

The split `train` never shows a held-out value, entity, phrasing or rule. The other splits are suites:
`in-distribution` asks about policy texts that training happens never to show, and holds nothing else back; `values`,
`entities`, `phrasings` and `families` hold one thing back each; `turns`, `refusal`, `ask-back`, `hostile` and
`counterfactual` use held-out values. The dialogues of
`counterfactual` come in pairs: the second asks the same of the same passages after the fact that decides was edited,
and its answer differs.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from reasoning_core.prompt import numbered
from reasoning_core.response import Response
from reasoning_core.working import check
from training import real_text
from training.asking import Asked, answered, asked_back, refused, some_question
from training.background import Background, could_answer
from training.counterfactual import counterfactual
from training.currencies import in_another_currency, speaks_of_dollars
from training.cut_tables import cut
from training.drills import comparison_drill
from training.follow_ups import follow_up
from training.instructions import Dialogue, Exchange
from training.library import Library
from training.lookups import lookups
from training.phrase_bank import renamed
from training.rules import Rule
from training.scene import Scene
from training.typos import loosely, mistyped
from training.values import Entity, Side, can_hold_out

SIDES: Mapping[str, Side] = {
    "train": Side(),
    "in-distribution": Side(statements=True),
    "values": Side(statements=True, values=True),
    "entities": Side(statements=True, entities=True),
    "phrasings": Side(statements=True, phrasings=True),
    "families": Side(statements=True),
    "turns": Side(statements=True, values=True),
    "refusal": Side(statements=True, values=True),
    "ask-back": Side(statements=True, values=True),
    "hostile": Side(statements=True, values=True, attacks=True),
    "counterfactual": Side(statements=True, values=True),
}
_DRILLS_OF_AUXILIARY = 0.4
_TRIES = 30
_LONG_CHARS = 950  # a conversation this long does not go on: most should stay below 350 tokens
_LONG_CHARS_A_QUESTION = 150
_FOLLOW_UPS = (0, 1, 1, 2, 2, 2, 3, 3, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What goes into the dialogues beside the rules.

    `more_questions` is the largest number of further questions that a conversation of the split `train` gets beyond the
    usual: they share the passages' cost, so that more of the tokens are learned from.
    With a background, `real_text_share` of the dialogues of the split `train` are about its own sentences, and in
    `renamed_share` of the others the things that the rules speak of have names out of it. `cut_share` of the tables in
    `train` lack their first row, as a window's do.
    `auxiliary_share` of the dialogues of the split `train` are lookups and comparisons; in `train` and
    `in-distribution`, `hostile_share` of the dialogues have hostile text in their passages, `currency_share` of them
    count in euros or pounds, `loose_share` of the questions write amounts and dates in forms of their own, and
    `typo_share` are mistyped. In `hostile` all dialogues have hostile text, and half of the questions are loose or
    mistyped.
    """

    more_questions: int = 0
    auxiliary_share: float = 0.07
    real_text_share: float = 0.3
    renamed_share: float = 0.5
    cut_share: float = 0.4
    hostile_share: float = 0.05
    currency_share: float = 0.25
    loose_share: float = 0.25
    typo_share: float = 0.12
    background: Background | None = None


def generate(
    rules: Sequence[Rule], count: int, seed: int, split: str, recipe: Recipe | None = None
) -> Iterator[Dialogue]:
    """Yield `count` dialogues, each of them checked as an answer of the core would be.

    Raises:
        ValueError: an unknown split, no rule for it, or a rule whose working does not hold.
    """
    if split not in SIDES:
        raise ValueError(f"unknown split {split!r}: use one of {', '.join(SIDES)}")
    held_out = split == "families"
    asked = [rule for rule in rules if rule.held_out == held_out]
    others = [rule for rule in rules if not rule.held_out] or asked
    if not asked:
        raise ValueError(f"no rule is {'held out' if held_out else 'for training'}: the split {split!r} would be empty")
    held_back = [rule for rule in asked if _holds_back(rule, split)]
    kitchen = _Kitchen(held_back or asked, Library(others), split, recipe or Recipe())
    for index in range(count):
        yield kitchen.dialogue(seed, index)


@dataclass(frozen=True, slots=True)
class _Kitchen:
    """What all dialogues of one run are made of."""

    asked: Sequence[Rule]
    library: Library
    split: str
    recipe: Recipe

    def dialogue(self, seed: int, index: int) -> Dialogue:
        """Return the first dialogue of this index that has one reading only."""
        dialogue_id = f"{self.split}-{seed}-{index}"
        if self.split == "counterfactual":
            key = f"{seed}/{self.split}/{index // 2}"
            return counterfactual(self.asked, self.library, dialogue_id, key, SIDES[self.split], edited=index % 2 == 1)
        for attempt in range(_TRIES):
            rng = random.Random(f"{seed}/{self.split}/{index}/{attempt}")
            drawn = self._drawn(rng, dialogue_id)
            if drawn is not None:
                return _verified(drawn)
        raise ValueError(f"no dialogue {dialogue_id} with one reading in {_TRIES} tries: use another background")

    def _drawn(self, rng: random.Random, dialogue_id: str) -> Dialogue | None:
        if self.split != "train":
            return self._conversation(rng, dialogue_id)
        background = self.recipe.background
        if background is not None and background.states_anything and rng.random() < self.recipe.real_text_share:
            return self._of_real_text(background, rng, dialogue_id)
        auxiliary = rng.random() < self.recipe.auxiliary_share
        return self._auxiliary(rng, dialogue_id) if auxiliary else self._conversation(rng, dialogue_id)

    def _of_real_text(self, background: Background, rng: random.Random, dialogue_id: str) -> Dialogue | None:
        exchanges = cut(real_text.conversation(background, rng), rng, self.recipe.cut_share)
        tags = ("real-text", *(["refusal"] if any(e.kind == "refusal" for e in exchanges) else []))
        return (
            Dialogue(dialogue_id, real_text.FAMILY, self.split, tags, self._typed(exchanges, rng))
            if exchanges
            else None
        )

    def _auxiliary(self, rng: random.Random, dialogue_id: str) -> Dialogue | None:
        if rng.random() < _DRILLS_OF_AUXILIARY:
            return Dialogue(dialogue_id, "comparison-drill", self.split, ("auxiliary",), comparison_drill(rng))
        exchanges = lookups(Scene(self.library, rng, SIDES[self.split]), self.library)
        return Dialogue(dialogue_id, "auxiliary", self.split, ("auxiliary",), exchanges) if exchanges else None

    def _conversation(self, rng: random.Random, dialogue_id: str) -> Dialogue | None:
        hostile = rng.random() < self._share(self.recipe.hostile_share, of_hostile=1.0)
        scene = Scene(self.library, rng, SIDES[self.split], self.recipe.background, hostile)
        rule = rng.choices(self.asked, [rule.weight for rule in self.asked])[0]
        first = _first(scene, rule, self.asked, _first_kind(self.split, rng))
        if first is None:
            return None
        exchanges, last = [first[0]], first[1]
        more = rng.randint(0, self.recipe.more_questions) if self.split == "train" and self.recipe.more_questions else 0
        longest = _LONG_CHARS + _LONG_CHARS_A_QUESTION * more
        for _ in range(_num_follow_ups(self.split, rng) + more):
            if not scene.facts or sum(map(_size, exchanges)) > longest:
                break
            exchange, asked = follow_up(scene, last)
            if all(exchange.question != other.question for other in exchanges):
                exchanges.append(exchange)
                last = asked
            elif exchange.passages:
                return None
        if any(could_answer(text, e.question) for text in scene.irrelevant for e in exchanges):
            return None
        if self.split == "train" and self.recipe.background and rng.random() < self.recipe.renamed_share:
            things = [fact.thing for fact in (*scene.facts, *scene.missed)]
            exchanges = renamed(exchanges, things, self.recipe.background.phrases, rng)
        dollars_beside = any(speaks_of_dollars(text) for text in scene.irrelevant)
        if not dollars_beside and rng.random() < self._share(self.recipe.currency_share, of_hostile=0.0):
            exchanges = in_another_currency(exchanges, rng)
        if self.split == "train":
            exchanges = cut(exchanges, rng, self.recipe.cut_share)
        tags = [*dict.fromkeys(e.kind for e in exchanges if e.kind != "answer"), *["hostile"] * hostile]
        return Dialogue(dialogue_id, rule.id, self.split, tuple(tags), self._typed(exchanges, rng))

    def _typed(self, exchanges: Sequence[Exchange], rng: random.Random) -> tuple[Exchange, ...]:
        loose = self._share(self.recipe.loose_share, of_hostile=0.5)
        hasty = self._share(self.recipe.typo_share, of_hostile=0.5)
        typed = []
        for exchange in exchanges:
            question = loosely(exchange.question, rng) if rng.random() < loose else exchange.question
            question = mistyped(question, rng) if rng.random() < hasty else question
            typed.append(replace(exchange, question=question))
        return tuple(typed)

    def _share(self, usual: float, *, of_hostile: float) -> float:
        """Return a share of the recipe where this split follows it."""
        return usual if self.split in ("train", "in-distribution") else of_hostile * (self.split == "hostile")


def _size(exchange: Exchange) -> int:
    shown = sum(len(passage.heading) + len(passage.text) for passage in exchange.passages)
    return shown + len(exchange.question) + sum(map(len, exchange.working)) + len(exchange.answer)


def _holds_back(rule: Rule, split: str) -> bool:
    """Tell whether a rule has something of what a suite holds back."""
    domains = [*rule.values.values(), *(rule.table.values.values() if rule.table else ())]
    domains += rule.versions.values.values() if rule.versions else ()
    if split == "values":
        return any(can_hold_out(domain) for domain in domains)
    return split != "entities" or any(isinstance(domain, Entity) for domain in domains)


def _first_kind(split: str, rng: random.Random) -> str:
    if split in ("refusal", "ask-back"):
        return split
    chance = rng.random()
    return "refusal" if chance < 0.13 else "ask-back" if chance < 0.24 else "answer"


def _num_follow_ups(split: str, rng: random.Random) -> int:
    if split == "turns":
        return rng.randint(2, 4)
    return 0 if split in ("refusal", "ask-back") else rng.choice(_FOLLOW_UPS)


def _first(scene: Scene, rule: Rule, asked: Sequence[Rule], kind: str) -> tuple[Exchange, Asked] | None:
    """Return the first exchange; None where nothing is absent that could be refused."""
    rng = scene.rng
    if kind == "ask-back" and not any(q.missing for q in rule.questions):
        with_missing = [r for r in asked if any(q.missing for q in r.questions)] or [rule]
        rule = rng.choices(with_missing, [r.weight for r in with_missing])[0]
    facts = scene.invent_asked(rule)
    if kind == "refusal":
        # The near miss: the rule is shown, if it has a key, with every key but the one that is asked for.
        passages = scene.open([] if rule.key is None or rng.random() < 0.3 else facts)
        absent = scene.absent(rule)
        return refused(scene, absent, some_question(absent, rng), passages) if absent else None
    passages = scene.open(facts)
    fact = rng.choice(facts)
    if kind == "ask-back" and (asking := [q for q in fact.rule.questions if q.missing]):
        return asked_back(scene, fact, rng.choice(asking), passages)
    return answered(scene, fact, some_question(fact, rng), passages)


def _verified(dialogue: Dialogue) -> Dialogue:
    """Return the dialogue if every line of working holds against the passages shown so far.

    Raises:
        ValueError: a line that does not hold, which is a mistake of the rulebook.
    """
    turns = dialogue.turns()
    texts = {n: passage.text for n, passage in numbered(turns).items()}
    num_shown = 0
    for exchange in dialogue.exchanges:
        num_shown += len(exchange.passages)
        _verify(exchange, {n: text for n, text in texts.items() if n <= num_shown})
    return dialogue


def _verify(exchange: Exchange, texts: Mapping[int, str]) -> None:
    for line in exchange.working:
        verdict = check(line, texts)
        if not verdict.holds:
            raise ValueError(f"the working {line!r} of rule {exchange.family!r} does not hold: {verdict.reason}")
    missing = [n for n in Response(exchange.working, exchange.answer).cited if n not in texts]
    if missing:
        raise ValueError(f"rule {exchange.family!r} cites passage {missing[0]}, which is not shown")
