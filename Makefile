# Everything a newcomer needs. `make help` lists the targets.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.made-from-lock

.DEFAULT_GOAL := help
.PHONY: help env serve demo chaos test vendor-clients check coverage format lock clean mutation bench bench-short gym

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

env: $(STAMP) ## make .venv from the lock (with uv where it is there, else pip)

$(STAMP): requirements.lock pyproject.toml scripts/make_env
	@PYTHON="$(PYTHON)" scripts/make_env $(VENV)
	@touch $@

serve: $(STAMP) ## run the system on http://127.0.0.1:8000 until Ctrl-C
	@exec $(BIN)/orchestrator serve

demo: $(STAMP) ## tell the story in a minute, on a system of its own
	@exec $(BIN)/orchestrator demo

test: $(STAMP) ## run all tests: first those without Ray, then those with it
	@$(BIN)/python -m pytest -q -m "not ray" -n 2
	@$(BIN)/python -m pytest -q -m ray

vendor-clients: $(STAMP) ## run the vendors' own clients against the sandbox (makes environments with pip)
	@$(BIN)/python tests/vendor_clients/run

check: $(STAMP) ## lint, format, strict types, import rules, docstrings, spelling
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/interrogate --quiet --fail-under 100 tests --ignore-nested-functions --ignore-module --ignore-init-module --ignore-private --ignore-magic --ignore-regex "^(?!test_)"
	@$(BIN)/codespell README.md CHANGELOG.md CONTRIBUTING.md docs orchestrator actors models sandbox benchmarks tests

chaos: $(STAMP) ## kill parts of running systems at random, and all of one, and count what came of it
	@$(BIN)/python -m pytest -q tests/chaos tests/properties/test_backfill_kill_properties.py

coverage: $(STAMP) ## tests without Ray, with a floor of 90 % over the pure core
	@$(BIN)/python -m pytest -q -m "not ray" -n 2 --cov --cov-report=term

format: $(STAMP) ## format and mend what can be mended
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock: ## renew requirements.lock from pyproject.toml (needs uv)
	@uv pip compile pyproject.toml --extra notebooks --group dev --group bench --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements.lock

bench: $(STAMP) ## measure what it costs, against floors of the same run (ONLY=http_ops for one)
	@$(BIN)/python -m benchmarks $(ONLY)

bench-short: $(STAMP) ## show that the benchmarks run; judges nothing
	@$(BIN)/python -m benchmarks --short $(ONLY)

mutation: $(STAMP) ## ask of the tests of the pure core whether they would notice (takes an hour or two)
	@$(BIN)/python scripts/mutation

gym: $(STAMP) ## run the selection policies through the simulated days behind docs/selection.md (hours)
	@$(BIN)/python -m orchestrator.gym contest --last-look --models data/gym --lines data/gym/lines.jsonl

clean: ## remove what was made, but not the data folder
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
