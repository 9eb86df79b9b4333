"""The HRM-Text model, its PrefixLM layout, cache, engine and checkpoint, and the reader on top of them."""
