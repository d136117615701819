# Every command a newcomer needs. Only Python 3.11 or later and make are taken for granted.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PORT ?= 8000
# Test processes, one more than cores, since each waits for browsers and servers a quarter of its time; each has a
# database of its own.
WORKERS ?= $(shell expr $$(nproc) + 1)
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: run test subset lint docs lock audit trial screens clean

run: $(VENV)/run.stamp  ## start everything on this machine and print two sign-in links
	@$(BIN)/python manage.py start --port $(PORT)

test: $(VENV)/test.stamp  ## run every test
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

subset: $(VENV)/test.stamp  ## the part of the tests that also holds on SQLite
	@ACCORD_TEST_DATABASE=sqlite $(BIN)/python -m pytest -m sqlite -n $(WORKERS) --dist worksteal $(ARGS)

lint: $(VENV)/test.stamp docs  ## format, linters, types, import contracts, missing migrations, the site of docs/
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run

# Strict: a link that leads nowhere, or a page that the navigation does not name, is a failure. Nothing is fetched. All
# pages are written anew each time, since each holds the navigation.
docs: $(VENV)/test.stamp  ## the site of docs/ into .cache/docs: open .cache/docs/index.html
	@$(BIN)/python -m sphinx -q -W --keep-going -E -a -b html -d .cache/doctrees docs .cache/docs

trial: $(VENV)/test.stamp  ## what takes too long for the tests: make trial PART=kill
	@test -n "$(PART)" || { echo "PART is empty; one of: $$(ls tests/trials | sed -n 's/^trial_\(.*\)\.py$$/\1/p' | tr '\n' ' ')"; exit 2; }
	@$(BIN)/python -m pytest -s -m "" tests/trials/trial_$(PART).py

screens: $(VENV)/test.stamp  ## pictures of every screen into docs/screens: make screens ARGS="round rank" for two of them
	@$(BIN)/python -m tests.screens $(ARGS)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"Python {sys.version.split()[0]} is too old; Accord needs 3.11 or later (make PYTHON=python3.11 …)")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements.lock | $(VENV)/bin/python
	@echo "Installing what Accord needs into $(VENV) (once) …"
	@$(PIP_INSTALL) -r requirements.lock
	@touch $@

$(VENV)/test.stamp: requirements-dev.lock | $(VENV)/bin/python
	@echo "Installing the test tools into $(VENV) (once) …"
	@$(PIP_INSTALL) -r requirements-dev.lock
	@touch $@ $(VENV)/run.stamp

# The lock files say exactly what was tested. torch is written without its local build tag (+cpu), which an index lacks.
lock:  ## resolve pyproject.toml anew into the two lock files
	@rm -rf .cache/lock && $(PYTHON) -m venv .cache/lock
	@$(PYTHON) -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]; open(".cache/lock/run.txt", "w").write("\n".join(p["dependencies"])); open(".cache/lock/dev.txt", "w").write("\n".join(p["optional-dependencies"]["dev"]))'
	@.cache/lock/bin/python -m pip install --quiet -r .cache/lock/run.txt
	@.cache/lock/bin/python -m pip freeze | sed 's/+cpu$$//' > requirements.lock
	@.cache/lock/bin/python -m pip install --quiet -r .cache/lock/dev.txt -c requirements.lock
	@.cache/lock/bin/python -m pip freeze | sed 's/+cpu$$//' > requirements-dev.lock
	@rm -rf .cache/lock

# In an environment of its own; it asks a public index about each package of the two lock files, so it needs a
# network, and fails where it gets no answer about one.
audit:  ## known weaknesses of what is installed, and its licences into docs/licences.md
	@$(PYTHON) -m venv .cache/audit
	@.cache/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit
	@.cache/audit/bin/pip-audit --strict --no-deps --disable-pip -r requirements.lock
	@.cache/audit/bin/pip-audit --strict --no-deps --disable-pip -r requirements-dev.lock
	@$(BIN)/python -m tests.licences

clean:
	rm -rf $(VENV) var
