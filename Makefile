# Every everyday task of this repository. `make` alone lists them; each works from a fresh clone with Python >= 3.11.

MEMBERS := contracts kit services/auth services/listings services/bookings services/worker deploy/local
SERVICES := auth listings bookings worker
PROJECTS := $(MEMBERS:%=%/pyproject.toml)
BIN := .venv/bin
INSTALLED := .venv/installed

# Arguments of `make up`, `make test` ...: make up ARGS=--detach
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help venv up down status seed reset test check docs format bench lock clean

help: ## list these targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1 | \2/p' $(MAKEFILE_LIST) | column -t -s '|' 2>/dev/null \
	  || sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1: \2/p' $(MAKEFILE_LIST)

venv: $(INSTALLED) ## install everything into .venv, pinned by hash

up: venv ## start the whole suite, until Ctrl-C (ARGS=--detach leaves it running)
	@$(BIN)/nexus up $(ARGS)

down: venv ## stop it
	@$(BIN)/nexus down $(ARGS)

status: venv ## what is running, and where
	@$(BIN)/nexus status $(ARGS)

seed: venv ## make the demo logins, listings and bookings, as far as they are missing
	@$(BIN)/nexus seed $(ARGS)

reset: venv ## stop it and delete all its data
	@$(BIN)/nexus reset $(ARGS)

test: check ## every check and every test
	$(BIN)/pytest -n 2 --dist loadfile --ignore tests/worker --ignore tests/e2e --ignore tests/faults tests $(ARGS)
	$(BIN)/pytest -n 2 --dist loadfile tests/worker $(ARGS)  # apart: its threads disturb property tests in one process
	$(BIN)/pytest tests/e2e tests/faults $(ARGS)

check: venv ## lint, format, types, and who may import whom
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy $(MEMBERS) tests
	$(BIN)/lint-imports

docs: venv ## write again the documents that repeat the code (events, problems)
	$(BIN)/python docs/generate.py

format: venv ## let ruff lay out the code
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench: venv ## measure, write docs/performance.md and build/bench.json (ARGS=Searching: one section, no document)
	$(BIN)/python -m tests.bench $(ARGS)

# Addresses of package indexes come from your environment and are never written into a lock. The services' images get
# the versions that the tests ran with.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
  --no-emit-package nexus-contracts --no-emit-package nexus-kit --no-emit-package nexus-auth \
  --no-emit-package nexus-listings --no-emit-package nexus-bookings --no-emit-package nexus-worker
lock: venv ## resolve again what requirements.lock and each service's lock pin (ARGS=--upgrade for newer versions)
	$(COMPILE) $(ARGS) $(PROJECTS) requirements-dev.in --output-file requirements.lock
	for service in $(SERVICES); do \
	  $(COMPILE) --constraint requirements.lock \
	    contracts/pyproject.toml kit/pyproject.toml services/$$service/pyproject.toml \
	    --output-file services/$$service/requirements.lock || exit 1; \
	done

clean: ## remove .venv and build/ (the suite's data stays: `make reset` deletes that)
	rm -rf .venv build

$(INSTALLED): requirements.lock $(PROJECTS)
	@for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	  $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; python=; \
	done; \
	if [ -z "$$python" ]; then echo "Nexus needs Python 3.11 or newer; install it, then run make again."; exit 1; fi; \
	if ! $$python -c 'import ensurepip' 2>/dev/null; then \
	  echo "$$python lacks venv and pip: install its venv package (Debian, Ubuntu: apt install python3-venv)."; exit 1; \
	fi; \
	echo "Installing into .venv (once; a minute or two) ..."; \
	$$python -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation $(MEMBERS:%=-e %)
	@touch $@
