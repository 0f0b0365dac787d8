# `make demo` runs the main job, `make test` passes the tests; both set up everything they need first.
# PYTHON=/path/to/python chooses the interpreter (3.11 or newer).
.DEFAULT_GOAL := help
# Every target is a command; none names a file.
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*/\1/p' $(MAKEFILE_LIST))

export PYTHON
BIN := .venv/bin
# Two workers a processor: tests/parallel.py. WORKERS=0: one test after the other, in one process.
WORKERS ?= auto
PYTEST := $(BIN)/python -m pytest -n $(WORKERS)

help:  ## what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:[^#]*## /\t/' | expand -t 17

env:
	@tools/venv .venv requirements/dev.txt .

test: env  ## everything: the pure tests, every client, Sahara's own tests, the real services
	@tools/venv .venv-sahara tests/sahara/requirements.txt
	@tools/venv .venv-untuned tests/sahara/untuned.txt
	@tools/venv .venv-lowest requirements/lowest.txt .
	@tools/venv sandbox/.venv sandbox/requirements.txt
	$(PYTEST)
	$(MAKE) --no-print-directory lowest

test-full: env  ## every create x every way of losing it x drawn seeds, for hours; ARGS="--seed N --repeat N -k ..."
	@sandbox/cloud up
	$(BIN)/python -m pytest --full tests/cloud/test_creates_together.py $(ARGS)

demo: env  ## a cluster provisioned under faults, plainly and with retries; ARGS=--help
	@sandbox/cloud up
	@$(BIN)/python examples/provision.py $(ARGS)

unit: env  ## the pure tests: seconds
	$(PYTEST) tests/unit

clients: env  ## every client against a misbehaving server
	$(PYTEST) tests/clients

lowest:  ## an attached session on the oldest keystoneauth and an older openstacksdk
	@tools/venv .venv-lowest requirements/lowest.txt .
	.venv-lowest/bin/python -m pytest $(OLDER)

# Some clients are not there.
OLDER := -W "ignore:The openstack.version module is deprecated" tests/clients/test_attach.py \
	--deselect tests/clients/test_attach.py::test_all_22_configurations_are_tested_here

matrix: lowest  ## the tests on every Python from 3.11 on that is there, and on older releases; PYTHONS="/path/to/python ..."
	@tools/venv .venv-middle requirements/middle.txt .
	.venv-middle/bin/python -m pytest $(OLDER)
	@tools/matrix

cloud: env  ## the real services of sandbox/, and the clients on them
	$(PYTEST) tests/cloud

cloud-up:  ## a real OpenStack on this machine: sandbox/README.md
	@sandbox/cloud up

cloud-down:  ## stop it; its data stay
	@sandbox/cloud down
	@for state in sandbox/.state-*; do test ! -d $$state || sandbox/cloud down --state $$state; done

sahara: env  ## Sahara 19.0.0's own tests with ours in place of its function, and the rewriter's proof
	@tools/venv .venv-sahara tests/sahara/requirements.txt
	@tools/venv .venv-untuned tests/sahara/untuned.txt
	$(PYTEST) tests/sahara

programs:  ## programs of others under `os-retries run`, behind a proxy that misbehaves; ARGS=--help, ARGS=--short in CI
	@tools/venv .venv-programs programs/requirements.txt
	@tools/venv .venv-playbook programs/playbook.txt
	@tools/venv sandbox/.venv sandbox/requirements.txt
	@.venv-programs/bin/python programs/run.py $(ARGS)

peers:  ## the clients' and nova's own tests, plainly and with every session attached: peers/README.md; ARGS=--help
	@tools/venv .venv-peers peers/requirements.txt
	@.venv-peers/bin/python peers/run.py $(ARGS)

bench: env  ## what a call and an import cost, against the peers
	$(BIN)/python bench/success_path.py
	$(BIN)/python bench/attached.py
	$(BIN)/python bench/import_time.py
	$(BIN)/python bench/pacer.py
	$(BIN)/python bench/rewrite.py

storm: env  ## the outages of docs/pacing.md, on a virtual clock, and its picture
	$(BIN)/python bench/storm.py --picture docs/storm.svg

bench-duplicates: env  ## what becomes of creates whose answers are lost: plain, keystoneauth, a loop, ours; ARGS=--help
	@sandbox/cloud up
	@$(BIN)/python bench/duplicates.py $(ARGS)

lint: env  ## ruff, mypy --strict, basedpyright on the public API, the import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/basedpyright
	$(BIN)/lint-imports

docs: env  ## the documentation, into site/
	$(BIN)/mkdocs build --strict --site-dir site

lock:  ## bring every lock up to date with PyPI
	tools/lock

clean:  ## remove what the other targets made
	-@for state in sandbox/.state*; do test ! -d $$state || sandbox/cloud down --state $$state; done
	rm -rf .venv* .cache sandbox/.venv sandbox/.state* programs/.state peers/.state site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
