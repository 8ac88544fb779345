# Needs only python3 (3.11 or later), pip and make. Flags for a command: make train ARGS="-n 20000"
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# On a machine without a GPU, the address of PyTorch's CPU wheels makes a small installation (README).
TORCH_INDEX ?=
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt
ARGS ?=

# The agent that `make watch` shows.
AGENT ?= zoo/ppo-canopy1

.PHONY: train watch test lint check docs zoo-table results-table format clean rom check-rom fuzz

train: $(VENV)/.package
	$(BIN)/python -m sonic_sb3.train --algo ppo $(ARGS)

watch: $(VENV)/.package
	$(BIN)/python -m sonic_sb3.evaluate $(AGENT) -n 4 --video watch.mp4 $(ARGS)

test: $(VENV)/.test
	$(BIN)/python -m pytest -n auto --dist loadfile $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

check: lint test

docs: $(VENV)/.test
	$(BIN)/python docs/build_api.py build/docs

zoo-table: $(VENV)/.package
	$(BIN)/python -m sonic_sb3.share table zoo --write README.md

results-table: $(VENV)/.package
	$(BIN)/python docs/results_table.py

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache

$(VENV)/bin/pip:
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "expected Python 3.11 or later, got " + sys.version.split()[0]'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.torch: $(VENV)/bin/pip constraints.txt
	$(PIP) torch $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))
	touch $@

$(VENV)/.package: $(VENV)/.torch pyproject.toml
	$(PIP) --editable '.[compare,play]'
	touch $@

$(VENV)/.test: $(VENV)/.package
	$(PIP) --editable '.[test]'
	touch $@

$(VENV)/.dev: $(VENV)/.test
	$(PIP) --editable '.[dev]'
	touch $@

rom:
	$(MAKE) -C pangolin rom

check-rom:
	$(MAKE) -C pangolin check-rom

fuzz: $(VENV)/.test
	$(MAKE) -C pangolin fuzz
	$(BIN)/python -m tests.chaos fuzz mutants
