# One command each: `make run` and `make test` do all their own set-up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8501

.DEFAULT_GOAL := help
.PHONY: help install run test check format bench bench-peers soak proofs engines sample lock

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "tiertune needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

install: $(VENV)/installed  ## Create .venv with the locked packages

run: install  ## Start the dashboard with the sample log loaded
	$(BIN)/tiertune serve --port $(PORT)

test: install  ## Run every test, the browser journey included
	$(BIN)/python -m tests.chromium
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

check: install  ## Lint, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install  ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install  ## Measure speed against other tools; prints ratios
	$(BIN)/python -m tests.benchmarks

bench-peers: install  ## Fetch RouteLLM's sources, without its dependencies, for `make bench`
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
	    --upgrade --target build/peers -r tests/benchmarks/peers.txt

soak: install  ## Run the long proofs (hours) and update docs/figures.md
	$(BIN)/python -m tests.chromium
	$(BIN)/python -m tests.soak --write

proofs: install  ## Simulate what certificates and intervals promise (an hour) and update docs/figures.md
	$(BIN)/python -m tests.proofs --write

engines: install  ## Run the collapse on other engines and exports through a router's validator; update docs/figures.md
	$(BIN)/python -m tests.engines --write
	$(BIN)/python -m tests.validators --write

sample: install  ## Write the sample logs anew from their seed
	$(BIN)/python -m data.generator

lock: install  ## Resolve the lock file for Python 3.11 to 3.13 (needs uv on the path)
	uv pip compile --universal --python-version 3.11 --extra dev --extra sign-in --generate-hashes --no-emit-index-url \
	    --no-annotate --no-header --upgrade pyproject.toml -o requirements.lock
