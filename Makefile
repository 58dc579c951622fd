# Everything a newcomer needs: `make run`, `make test`. Each target sets up what it needs and is quick when nothing changed.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
UV     := $(BIN)/uv pip

# Some environments forbid it; each of the hundreds of processes that the tests start would compile every module again.
export PYTHONDONTWRITEBYTECODE :=

PYTEST := $(BIN)/python -m pytest
# Two processes on two cores; the plug-in of schemathesis alone takes two seconds to load, and few tests use it.
PARALLEL := --numprocesses auto --dist worksteal -p no:schemathesis

.PHONY: help run demo install train-install quick test test-slow other-python coverage audit check bench format requirements openapi clean

help:                       ## what there is to make
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

run: install                ## upgrade the database and serve on http://127.0.0.1:8000
	$(BIN)/invigil serve

demo: install               ## an exam of today with 60 people who do not exist, on http://127.0.0.1:8000
	$(BIN)/invigil demo

install: $(VENV)/.base      ## the service and the command line, without torch

quick: $(VENV)/.all         ## tests for the loop of every change: under two minutes on two cores
	$(PYTEST) $(PARALLEL) -q -m quick

# CI runs the quick ones just before, and leaves them out here: TESTS='not slow and not quick'.
TESTS  ?= not slow
test: $(VENV)/.all          ## all tests but those marked slow
	$(PYTEST) $(PARALLEL) -m "$(TESTS)"

# By files: what the slow tests of one file share takes longer to make than they do.
test-slow: $(VENV)/.all     ## the tests marked slow: compilers, exports, kills, whole days
	$(PYTEST) --numprocesses auto --dist loadfile -m slow

# Torch is left out: it would be fetched for one Python more. A pyenv shim of a version that is not chosen does not run.
OTHER  ?= 3.13
other-python: $(BIN)/uv     ## quick tests of the base install on another Python (OTHER=3.13)
	@for python in $(HOME)/.pyenv/versions/$(OTHER)*/bin/python python$(OTHER); do \
	    $$python --version >/dev/null 2>&1 && found=$$python; done; \
	if [ -z "$$found" ]; then echo "Python $(OTHER): not tried, it is not here"; exit 0; fi; \
	$(BIN)/uv venv -q --allow-existing --python $$found .venv-$(OTHER) && \
	$(UV) install -q --python .venv-$(OTHER)/bin/python --require-hashes -r requirements/test.txt && \
	.venv-$(OTHER)/bin/python -m pytest $(PARALLEL) -q -m quick tests/embedding tests/index tests/exams

coverage: $(VENV)/.all      ## branch coverage of embedding, index and service by `make test`
	$(PYTEST) $(PARALLEL) -q -m "not slow" --cov --cov-report=term

audit: $(VENV)/.all         ## known vulnerabilities of the pinned dependencies
	$(BIN)/python .ci/audit.py requirements/all.txt

check: $(VENV)/.all         ## format, lint, types of Python and of the pages' scripts, arrows
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_arrows.py
	.ci/js/check

bench: $(VENV)/.all         ## speed and memory, printed as tables
	$(BIN)/python -m benchmarks

train-install: $(VENV)/.train ## adds torch and what training needs

format: $(VENV)/.all
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

openapi: $(VENV)/.all       ## write docs/openapi.json and the Python client again
	$(BIN)/python -m service.openapi docs/openapi.json
	$(BIN)/python clients/python/generate.py

requirements:               ## resolve the pinned, hashed requirement files again
	$(UV) compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml -o requirements/base.txt
	$(UV) compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --extra train pyproject.toml -o requirements/train.txt
	$(UV) compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --extra test pyproject.toml -o requirements/test.txt
	$(UV) compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --extra train --extra test pyproject.toml -o requirements/all.txt

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache

# uv, not pip: torch and torchvision then come as a pair that works together (docs/decisions/0003-dependencies.md).
$(BIN)/uv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check uv==0.13.8

$(VENV)/.%: requirements/%.txt pyproject.toml | $(BIN)/uv
	$(UV) install -q --python $(BIN)/python --require-hashes -r requirements/$*.txt
	$(UV) install -q --python $(BIN)/python --no-deps -e .
	touch $@
