# Each target installs what it needs, and installs it again only if pyproject.toml has changed.
# `demo` and `serve` install the server. The other targets also install the development tools.

# Tested with Python 3.11. For 3.12 to 3.14, `make check` verifies that all dependencies have wheels.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
SERVER := $(VENV)/.server
DEV := $(VENV)/.dev
ONLY ?=
COMPARE ?=
ROUNDS ?=
SOAK_KILLS ?= 200
SOAK_LATE ?= 100
SOAK_EXAMPLES ?= 100
SOAK_SEED ?= $(shell date +%s)

.PHONY: setup demo serve test test-quick soak bench check gen clean

setup: $(DEV)

$(BIN)/python:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed, $(PYTHON) is older; try make PYTHON=python3.12"; exit 1; }
	@"$(PYTHON)" -m venv $(VENV)

$(SERVER): pyproject.toml | $(BIN)/python
	@echo "Installing the server into $(VENV): about 900 MB, a minute or two ..."
	@$(PIP_INSTALL) --no-compile --editable ".[server]"
	@touch $@

$(DEV): pyproject.toml | $(BIN)/python
	@echo "Installing the server and its tests into $(VENV): about 2 GB, a few minutes ..."
	@$(PIP_INSTALL) --editable ".[dev]"
	@$(BIN)/python .ci/contract.py protos
	@touch $(SERVER) $@

# Without bytecode files, because most of the installed modules are never imported.
demo serve: export PYTHONDONTWRITEBYTECODE :=

demo: $(SERVER)
	@$(BIN)/python -m quantcloud demo

serve: $(SERVER)
	@$(BIN)/python -m quantcloud serve

test: $(DEV)
	@$(BIN)/python -m pytest $(ONLY)

test-quick: $(DEV)
	@POSTGRES=none $(BIN)/python -m pytest -m "not slow" $(or $(ONLY),tests/unit)

soak: $(DEV)
	@SOAK_KILLS=$(SOAK_KILLS) SOAK_LATE=$(SOAK_LATE) SOAK_SEED=$(SOAK_SEED) \
		SOAK_EXAMPLES=$(SOAK_EXAMPLES) $(BIN)/python -m pytest --capture=no \
		tests/faults/test_kills.py tests/faults/test_late_writes.py tests/http/test_openapi.py

bench: $(DEV)
	@$(BIN)/python tests/benchmarks/run.py $(if $(ONLY),--only $(ONLY)) \
		$(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(COMPARE),--compare "$(COMPARE)")

check: $(DEV)
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m ruff check .
	$(BIN)/python -m pyright
	$(BIN)/lint-imports
	$(BIN)/python .ci/contract.py protos
	$(BIN)/buf format --diff --exit-code
	$(BIN)/buf lint
	$(BIN)/buf build --output /dev/null
	$(BIN)/python .ci/console_types.py
	$(BIN)/python .ci/contract.py breaking
	$(BIN)/python .ci/contract.py stale
	$(BIN)/python .ci/resolve.py

gen: $(DEV)
	$(BIN)/python .ci/contract.py generate

clean:
	rm -rf $(VENV) .build
