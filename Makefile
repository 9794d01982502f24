# Every target that needs set-up does it, and does it again only when pyproject.toml changed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
ONLY ?=
COMPARE ?=
SOAK_KILLS ?= 200
SOAK_LATE ?= 100
SOAK_SEED ?= $(shell date +%s)

.PHONY: setup demo serve test soak bench check gen clean

setup: $(STAMP)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed, $(PYTHON) is older; try make PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@$(BIN)/python .ci/contract.py protos
	@touch $@

demo: setup
	@$(BIN)/quantcloud demo

serve: setup
	@$(BIN)/quantcloud serve

test: setup
	@$(BIN)/python -m pytest $(ONLY)

soak: setup
	@SOAK_KILLS=$(SOAK_KILLS) SOAK_LATE=$(SOAK_LATE) SOAK_SEED=$(SOAK_SEED) \
		$(BIN)/python -m pytest --capture=no tests/faults/test_kills.py tests/faults/test_late_writes.py

bench: setup
	@$(BIN)/python tests/benchmarks/run.py $(if $(ONLY),--only $(ONLY)) \
		$(if $(COMPARE),--compare "$(COMPARE)")

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python .ci/contract.py protos
	$(BIN)/buf format --diff --exit-code
	$(BIN)/buf lint
	$(BIN)/buf build --output /dev/null
	$(BIN)/python .ci/contract.py breaking
	$(BIN)/python .ci/contract.py stale

gen: setup
	$(BIN)/python .ci/contract.py generate

clean:
	rm -rf $(VENV) .build
