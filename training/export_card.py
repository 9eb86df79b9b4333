"""The card of an exported core: how others load it, and where their reading ends."""

from reasoning_core.layout import Layout

_LATER_TURNS = {
    Layout.TURN_BLOCKS: """\
It was trained on turn blocks: each prompt block is bidirectional inside, sees what stands before it and nothing that
follows. transformers, vLLM and SGLang know one bidirectional prefix. On the first turn the two are the same, and what
they compute is exact. On a later turn they are not:

- transformers continues its cache with a causal second question, which is neither layout; the template refuses it.
- vLLM and SGLang encode the whole conversation again as one prefix, with earlier answers inside it: a layout this core
  was not trained on, and whose answers were not evaluated.
- To ask again, send a self-contained question with its documents as a new prompt, or serve the core with Precept's own
  engine, whose cache is exact over all turns.
""",
    Layout.SINGLE_PREFIX: """\
It was trained on one bidirectional prefix, everything before the answer, as transformers, vLLM and SGLang compute it.
On a later turn the whole conversation has to be encoded again as one prefix, with every token before the new answer
typed 1; continuing the cache of transformers makes the second question causal, which is another layout. The template
renders the first turn and refuses others.
""",
}


def card(layout: Layout, original: str) -> str:
    """Return README.md of an export: how to load it, what holds on later turns, then the core's own card."""
    return f"""\
---
library_name: transformers
pipeline_tag: text-generation
---

# A Precept core for transformers, vLLM and SGLang

```python
from transformers import AutoTokenizer, HrmTextForCausalLM

tokenizer = AutoTokenizer.from_pretrained(folder)
model = HrmTextForCausalLM.from_pretrained(folder, dtype="float32")
prompt = tokenizer.apply_chat_template(
    [{{"role": "user", "content": "Can I claim $75 for meals?"}}],
    documents=[{{"title": "Travel policy", "text": "Meals are paid up to $60 per day."}}],
    return_dict=True,
    return_tensors="pt",
)
answer = model.generate(**prompt, max_new_tokens=200)
print(tokenizer.decode(answer[0, prompt["input_ids"].shape[1] :]))
```

vLLM and SGLang take the folder as their model and the documents as an argument of the template. What stands between
`<|work_start|>` and `<|work_end|>` is the working that Precept checks; here nobody does.

## Prompts are bidirectional

The tokens of a prompt have to be typed 1 (`token_type_ids`) and those of an answer 0. The tokenizer types all it
encodes 1, so pass on what it returns; without it transformers computes a causal model, silently. For training, type the
answers 0 yourself: typed 1 they would see what they have to predict.

Text that spells a special token, as `<|im_end|>`, is refused by the template: these tokenizers would read the token.

## Later turns

{_LATER_TURNS[layout]}
## The core's own card

{original}"""
