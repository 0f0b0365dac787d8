# `make demo` runs the demo, and `make test` runs all the tests. Both install everything that they need first.
# PYTHON=/path/to/python chooses the interpreter (3.11 or newer).
.DEFAULT_GOAL := help
# Every target is a command. No target is a file.
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*/\1/p' $(MAKEFILE_LIST))

export PYTHON
BIN := .venv/bin
# Two workers for each processor (tests/parallel.py). With WORKERS=0 the tests run one after the other in one process.
WORKERS ?= auto
PYTEST := $(BIN)/python -m pytest -n $(WORKERS)

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:[^#]*## /\t/' | expand -t 17

env:
	@tools/venv .venv requirements/dev.txt .

test: env  ## run all tests: the pure tests, every client, Sahara's own tests, the real services
	@tools/venv .venv-sahara tests/sahara/requirements.txt
	@tools/venv .venv-untuned tests/sahara/untuned.txt
	@tools/venv .venv-lowest requirements/lowest.txt .
	@tools/venv sandbox/.venv sandbox/requirements.txt
	$(PYTEST)
	$(MAKE) --no-print-directory lowest

test-full: env  ## test every create x every way to lose its answer x random seeds, for hours; ARGS="--seed N --repeat N -k ..."
	@sandbox/cloud up
	$(BIN)/python -m pytest --full tests/cloud/test_creates_together.py tests/cloud/test_creates_on_extras.py \
		tests/cloud/test_manila_on_cloud.py tests/cloud/test_zaqar_on_cloud.py tests/cloud/test_operations_on_cloud.py $(ARGS)

demo: env  ## provision a cluster under faults, without and with retries; ARGS=--help
	@sandbox/cloud up
	@$(BIN)/python examples/provision.py $(ARGS)

demo-sahara: env  ## let Sahara provision, scale and delete a cluster under faults, without and with os-retries; ARGS=--help
	@$(BIN)/python bench/sahara_demo.py $(ARGS)

unit: env  ## run the pure tests, in seconds
	$(PYTEST) tests/unit

clients: env  ## test every client against a misbehaving server
	$(PYTEST) tests/clients

lowest:  ## test an attached session with the oldest keystoneauth and an older openstacksdk
	@tools/venv .venv-lowest requirements/lowest.txt .
	.venv-lowest/bin/python -m pytest $(OLDER)

# Some clients are not there.
OLDER := -W "ignore:The openstack.version module is deprecated" tests/clients/test_attach.py \
	--deselect tests/clients/test_attach.py::test_all_22_configurations_are_tested_here

matrix: lowest  ## the tests on every Python from 3.11 on that is there, and on older releases; PYTHONS="/path/to/python ..."
	@tools/venv .venv-middle requirements/middle.txt .
	.venv-middle/bin/python -m pytest $(OLDER)
	@tools/matrix

cloud: env  ## test the clients on the real services of sandbox/
	$(PYTEST) tests/cloud

cloud-up:  ## start a real OpenStack on this machine (sandbox/README.md)
	@sandbox/cloud up

cloud-down:  ## stop it and keep its data
	@sandbox/cloud down
	@for state in sandbox/.state-*; do test ! -d $$state || sandbox/cloud down --state $$state; done

sahara: env  ## run Sahara 19.0.0's own tests with our execute_with_retries, and test rewrite on Sahara
	@tools/venv .venv-sahara tests/sahara/requirements.txt
	@tools/venv .venv-untuned tests/sahara/untuned.txt
	$(PYTEST) tests/sahara

programs:  ## run other projects' programs under `os-retries run`, behind a misbehaving proxy; ARGS=--help, ARGS=--short in CI
	@tools/venv .venv-programs programs/requirements.txt
	@tools/venv .venv-playbook programs/playbook.txt
	@tools/venv sandbox/.venv sandbox/requirements.txt
	@.venv-programs/bin/python programs/run.py $(ARGS)

rehearsals:  ## rehearse programs of others on the sandbox: openstack, an Ansible playbook, openstacksdk's tests; ARGS=--help
	@tools/venv .venv-programs programs/requirements.txt
	@tools/venv .venv-playbook programs/playbook.txt
	@tools/venv sandbox/.venv sandbox/requirements.txt
	@.venv-programs/bin/python -W ignore programs/rehearse.py $(ARGS)

peers:  ## run the clients' and nova's own tests without and with attached sessions (peers/README.md); ARGS=--help
	@tools/venv .venv-peers peers/requirements.txt
	@.venv-peers/bin/python peers/run.py $(ARGS)

bench: env  ## measure what a call, a request, a create, an import and `os-retries run` cost
	$(BIN)/python bench/success_path.py
	$(BIN)/python bench/attached.py
	$(BIN)/python bench/creates.py
	$(BIN)/python bench/run_cost.py
	$(BIN)/python bench/import_time.py
	$(BIN)/python bench/pacer.py
	$(BIN)/python bench/rewrite.py
	$(BIN)/python bench/observed.py

mutation: env  ## small changes of the code, and whether the fast tests notice them; ARGS="--seed N --sample N --at-most PERCENT"
	$(BIN)/python tools/mutation $(ARGS)

coverage: env  ## the branches of the same code that the pure tests, the clients and the pacers take
	$(BIN)/coverage run -m pytest tests/unit tests/clients tests/fleet
	$(BIN)/coverage report

storm: env  ## simulate the outages of docs/pacing.md, and draw its picture
	$(BIN)/python bench/storm.py --picture docs/storm.svg

bench-duplicates: env  ## count the duplicates of creates whose answers are lost, for four ways to retry; ARGS=--help
	@sandbox/cloud up
	@$(BIN)/python bench/duplicates.py $(ARGS)

cloud-under-fire: env  ## let one in ten requests between the services of a cloud fail, without and with os-retries in them; ARGS=--help
	@tools/venv sandbox/.venv sandbox/requirements.txt
	@$(BIN)/python bench/cloud_under_fire.py $(ARGS)

services-cost: env  ## measure what os-retries in the services of a cloud costs its users while nothing fails; ARGS=--help
	@tools/venv sandbox/.venv sandbox/requirements.txt
	@$(BIN)/python bench/services_cost.py $(ARGS)

bench-operations: env  ## measure what the creates of an operation cost; ARGS=--help
	@sandbox/cloud up
	@$(BIN)/python bench/operations.py $(ARGS)

lint: env  ## check with ruff, mypy --strict, basedpyright on the public API, and the import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/basedpyright
	$(BIN)/lint-imports

terminal: env  ## write the completions for the shells and the manual page anew, from the parsers
	$(BIN)/python tools/terminal

docs: env  ## build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir site

site: docs  ## test the built documentation in a headless Chromium (CHROMIUM=/path/to/it uses that one)
	@tools/venv .venv-site tests/site/requirements.txt
	@tools/chromium
	.venv-site/bin/python -m pytest tests/site

lock:  ## update every lock file from PyPI
	tools/lock

clean:  ## remove everything that the other targets have made
	-@for state in sandbox/.state*; do test ! -d $$state || sandbox/cloud down --state $$state; done
	rm -rf .venv* .cache sandbox/.venv* sandbox/.state* bench/.fire programs/.state peers/.state site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
