# make demo    the daemon on embedded SQLite against a simulated PBX
# make test    everything that CI looks at
# make lint    formatting, linting, types, import contracts
# make bench   the measurements, with the machine they were made on
# make lab     a real Asterisk with phones to play with (root on Debian)
# make e2e     every scenario staged on real Asterisks, 22 and 16 (root on Debian)

VENV   := .venv
BIN    := $(VENV)/bin
PY     := $(BIN)/python
EXTRAS := dev,postgresql,mariadb

.PHONY: demo test lint bench lab e2e setup services clean

demo: setup
	@$(PY) -m pbxmonitor.simulator.demo $(ARGS)

test: lint services
	@$(PY) -m pytest -m "not full and not bench"

lint: setup
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: setup services
	@$(PY) -m tests.bench

lab: setup
	@$(PY) -m tests.rig up $(or $(VERSION),22)

e2e: setup services
	@$(PY) -m pytest -m "asterisk" tests/e2e

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml requirements-dev.lock .ci/setup
	@sh .ci/setup "$(VENV)" "$(EXTRAS)"
	@touch $@

services: setup
	@sh .ci/services

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache var
