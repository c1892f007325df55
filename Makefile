# Everything runs in .venv, which `make setup` makes and keeps up to date.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8480
PYTEST_ARGS ?=
MINUTES ?= 10
MUTANTS ?=
# the tests start hundreds of processes: each reads what the first has compiled
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup setup-test demo demo-kafka test test-faults test-long mutants bench lint audit lock docs clean

setup: $(VENV)/.ready

setup-test: $(VENV)/.ready-test

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "ctihub needs Python 3.11 or newer; say PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || { rm -rf $(VENV); $(MAKE) --no-print-directory venv-package && $(PYTHON) -m venv $(VENV); }

.PHONY: venv-package
venv-package:
	@if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then apt-get update -qq && apt-get install -y -qq python3-venv; \
	else echo "This Python has no venv. On Debian or Ubuntu type:  sudo apt-get install -y python3-venv" >&2; exit 1; fi

$(VENV)/.ready: pyproject.toml constraints.txt | $(BIN)/python
	@$(BIN)/python -m deploy.install "Installing ctihub into $(VENV)" kafka postgres
	@$(BIN)/python -m compileall -q hub connectors schemas deploy  # once, rather than in each of the processes that start together
	@touch $@

# Kafka and PostgreSQL as the demo and the tests start them
$(VENV)/.ready-servers: $(VENV)/.ready tests/servers/kafka-jars.sha256
	@$(BIN)/python -m deploy.install "Installing Java and PostgreSQL" kafka postgres test-servers
	@$(BIN)/python -m tests.servers.prepare || true  # whoever needs Kafka says again what is missing
	@touch $@

$(VENV)/.ready-test: $(VENV)/.ready-servers
	@$(BIN)/python -m deploy.install "Installing the tests' tools" kafka postgres yara test-servers test
	@touch $@

demo: setup
	@$(BIN)/python -m deploy.demo --port $(PORT) $(if $(ONCE),--once)

demo-kafka: $(VENV)/.ready-servers
	@$(BIN)/python -m deploy.demo --port $(PORT) --kafka $(if $(ONCE),--once)

test: setup-test
	@$(BIN)/python -m pytest -n auto --dist loadgroup $(PYTEST_ARGS)

test-faults: setup-test
	@CTIHUB_TEST_ROUNDS=20 $(BIN)/python -m pytest -m faults $(PYTEST_ARGS)

# so many minutes of new examples: histories of whole hubs, and patterns compared with the reference
test-long: setup-test
	@CTIHUB_TEST_MINUTES=$(MINUTES) $(BIN)/python -m pytest -n auto --dist loadgroup tests/promises tests/patterns $(PYTEST_ARGS)

# deliberate breakages of the core: the short tests must catch each of them
mutants: setup-test
	@nice $(BIN)/python -m tests.mutants $(MUTANTS)

bench: setup-test
	@$(BIN)/python -m tests.bench $(if $(LONG),--long)

lint: setup-test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m tests.licences

# what a deployment is made of (SBOM), what is known against it, and under which licences; 3 where that is not known
audit: $(VENV)/.ready-audit
	@$(BIN)/python -m tests.audit

$(VENV)/.ready-audit: $(VENV)/.ready
	@echo "Setting up the tools of the audit …"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[kafka,postgres,audit]'
	@touch $@

# the versions of constraints.txt with the hashes of their files, for deployments: on Linux with the image's Python
PIP_COMPILE = $(BIN)/pip-compile -q --generate-hashes --build-deps-for wheel --allow-unsafe --strip-extras --no-header \
	--no-annotate --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options -c constraints.txt
lock: $(VENV)/.ready-audit
	@$(subst --build-deps-for wheel,--extra kafka --extra postgres --extra yara,$(PIP_COMPILE)) -o requirements.lock pyproject.toml
	@$(PIP_COMPILE) --only-build-deps -o requirements-build.lock pyproject.toml

# what is written from the code: the commands' page, and the documents of what crosses a border
docs: setup
	@$(BIN)/python -m hub.cli.reference > docs/commands.md
	@$(BIN)/python -m hub.documents
	@$(BIN)/python -m schemas.generate

clean:
	@rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache ctihub-demo
