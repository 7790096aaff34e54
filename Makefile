# From a clone on a bare Debian 12 (git, make, Python 3.11):
#
#   make demo    see it work: no PBX, no account, no root
#   make test    all checks and tests, on real Asterisk 22 and 16 (needs root or sudo for those)
#
# What they need they set up themselves, once, in .venv and ~/.cache/pbx-bridge.

PYTHON ?= python3
VENV ?= .venv
export PYTHON

.PHONY: help demo test check unit setup setup-test trees clean
.DEFAULT_GOAL := help

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

demo: setup ## see recorded real calls judged and texted
	@$(VENV)/bin/pbx-bridge demo

test: setup-test ## all checks, then all tests, end to end on real Asterisks too
	@scripts/run-tests $(VENV)/bin

check: setup-test ## format, lint, types, architecture: what needs no running
	@scripts/run-tests $(VENV)/bin check

unit: setup-test ## the fast tests only, without Asterisk
	@scripts/run-tests $(VENV)/bin unit

setup: $(VENV)/.installed ## install the service into .venv
setup-test: $(VENV)/.installed-test ## the same with what the checks and tests need

trees: ## fetch Asterisk 22 and 16 (kept outside the checkout)
	@scripts/run-tests $(VENV)/bin trees

clean: ## remove what was installed and cached in the checkout
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/bin/pip: scripts/make-venv
	scripts/make-venv $(VENV)
	@touch $@

# The stamps are newer than pyproject.toml, so that a second run installs nothing.
$(VENV)/.installed: $(VENV)/bin/pip pyproject.toml
	$(VENV)/bin/pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-test: $(VENV)/bin/pip pyproject.toml
	$(VENV)/bin/pip install --quiet --editable . --group test --group check
	@touch $@ $(VENV)/.installed
