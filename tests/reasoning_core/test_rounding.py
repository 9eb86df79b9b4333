"""How far the ways of computing a logit lie apart on the shipped core: what the scheduler's close calls rest on."""

from reasoning_core import prompt
from reasoning_core.checkpoint import default_core_folder, load_checkpoint
from reasoning_core.decoding import Decoder
from reasoning_core.layout import Span, SpanKind, lay_out
from reasoning_core.prompt import Passage, Turn
from reasoning_core.response import Response
from reasoning_core.scheduler import CLOSE_CALL

TURNS = [
    Turn(
        tuple(
            Passage("Travel policy", f"{thing} are paid up to ${limit} per day, with a receipt.") for thing in things
        ),
        f"Can I claim ${limit + 5} for {things[0].lower()}?",
        Response((f'"up to ${limit} per day" [1]', f"{limit + 5} > {limit}"), f"No. ${limit + 5} is too much [1]."),
    )
    for limit, things in ((60, ("Meals", "Taxis", "Hotels")), (45, ("Books", "Phones")), (20, ("Parking", "Trains")))
]


def test_cached_batched_and_drafted_logits_lie_well_within_a_close_call_of_a_full_forward():
    core = load_checkpoint(default_core_folder())
    decoder, layout = Decoder(core.model), core.model.config.layout
    decoder.warm_up()
    spans = prompt.spans(TURNS, core.tokenizer)
    caches, last = [decoder.new_cache() for _ in range(3)], len(spans) - 1
    response = list(spans[last].tokens)
    before = [token for span in spans[:last] for token in span.tokens]
    for cache in caches:
        for n in range(1, last + 1, 2):  # turn by turn, as conversations grow
            tokens = [token for span in spans[:n] for token in span.tokens]
            decoder.prefill(tokens, lay_out([spans[:n]], layout), cache)
    one_by_one = [decoder.step([[token]], caches[:1])[0][0] for token in response]
    drafted = decoder.step([response, response[:4]], caches[1:])[0]
    fresh = decoder.new_cache()
    worst = 0.0
    for n, logits_V in enumerate(one_by_one, start=1):
        fresh.crop(0)
        row = lay_out([[*spans[:last], Span(SpanKind.RESPONSE, tuple(response[:n]))]], layout)
        full_V = decoder.prefill([*before, *response[:n]], row, fresh)
        worst = max(worst, *(float((other - full_V).abs().max()) for other in (logits_V, drafted[n - 1])))
    assert worst < CLOSE_CALL / 4
