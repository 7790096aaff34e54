# From a clone on a bare Debian 12 (git, make, Python 3.11):
#
#   make demo    see it work: no PBX, no account, no root
#   make page    the same with the page, in a browser
#   make test    all checks and tests, on real Asterisk 22 and 16 (needs root or sudo for those)
#
# What they need they set up themselves, once, in .venv and ~/.cache/pbx-bridge.

PYTHON ?= python3
VENV ?= .venv
export PYTHON

.PHONY: help demo page test check unit browser nightly setup setup-test setup-release trees clean
.PHONY: build deb lock sbom audit pythons
.DEFAULT_GOAL := help

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

demo: setup ## see recorded real calls judged and texted
	@$(VENV)/bin/pbx-bridge demo

page: setup ## the page of a made-up office, with weeks of recorded calls, until Ctrl-C
	@$(VENV)/bin/pbx-bridge demo --page

test: setup-test ## all checks, then all tests, end to end on real Asterisks too
	@scripts/run-tests $(VENV)/bin

check: setup-test ## format, lint, types, architecture: what needs no running
	@scripts/run-tests $(VENV)/bin check

unit: setup-test ## the fast tests only, without Asterisk
	@scripts/run-tests $(VENV)/bin unit

browser: setup-test ## the page in Chromium only
	@scripts/run-tests $(VENV)/bin browser

nightly: setup-test ## load, faults and attack at full size: hours
	@scripts/run-tests $(VENV)/bin nightly

setup: $(VENV)/.installed ## install the service into .venv
setup-test: $(VENV)/.installed-test ## the same with what the checks and tests need
setup-release: $(VENV)/.installed-release ## the same with what a release is made with

trees: ## fetch Asterisk 22 and 16 (kept outside the checkout)
	@scripts/run-tests $(VENV)/bin trees

build: setup-release ## wheel and source distribution in dist/
	@scripts/build-dist $(VENV)/bin

SUITE ?= bookworm
deb: setup-release ## the Debian package in dist/, for SUITE=bookworm or another release
	@scripts/build-deb $(VENV)/bin $(SUITE)

lock: setup-release ## write packaging/requirements.txt anew after a change of the dependencies
	@scripts/lock $(VENV)/bin

sbom: setup-release ## the bill of materials, dist/sbom.cdx.json
	@scripts/sbom $(VENV)/bin

audit: setup-release ## known vulnerabilities of the locked libraries
	@scripts/audit $(VENV)/bin

pythons: setup-release ## the fast tests on every Python that is here, and on Debian's newest
	@scripts/test-pythons $(VENV)/bin

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

$(VENV)/.installed-release: $(VENV)/.installed-test
	$(VENV)/bin/pip install --quiet --group package --group release
	@touch $@
