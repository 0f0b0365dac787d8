# `make demo` runs the main job, `make test` passes the tests; both set up everything they need first.
# PYTHON=/path/to/python chooses the interpreter (3.11 or newer).
.DEFAULT_GOAL := help
# Every target is a command; none names a file.
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*/\1/p' $(MAKEFILE_LIST))

export PYTHON
BIN := .venv/bin

help:  ## what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:[^#]*## /\t/' | expand -t 12

env:
	@tools/venv .venv requirements/dev.txt .

unit: env  ## the pure tests: seconds
	$(BIN)/python -m pytest tests/unit

clients: env  ## every client against a misbehaving server
	$(BIN)/python -m pytest tests/clients

cloud-up:  ## a real OpenStack on this machine: sandbox/README.md
	@sandbox/cloud up

cloud-down:  ## stop it; its data stay
	@sandbox/cloud down
sahara: env  ## Sahara 19.0.0's own tests, with ours in place of its function
	@tools/venv .venv-sahara tests/sahara/requirements.txt
	$(BIN)/python -m pytest tests/sahara

bench: env  ## what a call and an import cost, against the peers
	$(BIN)/python bench/success_path.py
	$(BIN)/python bench/attached.py
	$(BIN)/python bench/import_time.py

lint: env  ## ruff, mypy --strict, the import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lock:  ## bring every lock up to date with PyPI
	tools/lock

clean:  ## remove what the other targets made
	rm -rf .venv* .cache .state .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

docs: env  ## the documentation, into site/
	$(BIN)/mkdocs build --strict --quiet --site-dir site
