# One command for each thing to do; everything is installed into .venv, nothing outside this folder
# (but `make test` as root on Debian installs and starts the database servers that the tests talk to).

BIN := .venv/bin
WANTED := pyproject.toml requirements-dev.lock

.DEFAULT_GOAL := help
.PHONY: help demo test lint format bench screenshots lab e2e clean

help:  ## say what there is
	@sed -n 's/^\([a-z0-9]*\):.*## /  make \1\t/p' Makefile | expand -t 18

demo: .venv/.runtime  ## the daemon on a simulated PBX; Ctrl-C prints the agents' report
	@$(BIN)/python -m pbxmonitor.simulator.demo $(ARGS)

test: lint  ## formatting, lint, types, import contracts, then the whole suite
	@.ci/services $(BIN)/pytest -n 2 --dist loadgroup -m "not full and not bench" $(ARGS)

lint: .venv/.dev  ## formatting, lint, types and import contracts only
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: .venv/.dev  ## put the code in form
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

bench: .venv/.dev  ## measure, and say on what machine
	@.ci/services $(BIN)/python -m tests.bench $(ARGS)

screenshots: .venv/.dev  ## draw docs/*.png from the simulated clinic
	@.ci/services $(BIN)/python -m tests.browser.screenshots

lab: .venv/.dev  ## a real Asterisk 22 to play with, left running
	@$(BIN)/python -m tests.rig up 22

e2e: .venv/.dev  ## stage every scenario on Asterisk 22 and 16
	@.ci/services $(BIN)/pytest -m "asterisk" $(ARGS)

clean:  ## remove what was built and installed here
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.runtime: pyproject.toml
	@.ci/install -e '.[charts]'
	@touch $@

.venv/.dev: $(WANTED)
	@.ci/install -c requirements-dev.lock -e '.[postgresql,mariadb,charts,apprise,oidc,dev]'
	@touch $@ .venv/.runtime
