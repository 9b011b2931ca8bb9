# `make demo` and `make test` are the whole set-up: each makes .venv first if it is not there.
#
#   PYTHON    the Python that .venv is made with (3.11 or newer)
#   PIP_ARGS  more for pip, such as --extra-index-url https://download.pytorch.org/whl/cpu

PYTHON   ?= python3
PIP_ARGS ?=
# As many tests at once as there are cores, up to four: each process needs about 2 GB.
TEST_ARGS ?= -n auto --maxprocesses 4 --dist worksteal

VENV  := .venv
BIN   := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help demo test check lint format docs install clean

help:
	@echo "make demo     assess the sample scan and say where the report is"
	@echo "make test     run all tests"
	@echo "make check    what CI runs: lint, then test"
	@echo "make lint     style, types, layers, spelling"
	@echo "make format   put the code into the project's style"
	@echo "make docs     write the reference pages that come from the code"
	@echo "make clean    remove .venv and everything that was made"

demo: install
	@$(BIN)/isocenter demo --out demo-report

test: install
	$(BIN)/python -m pytest $(TEST_ARGS)

check: lint
	@$(MAKE) --no-print-directory test

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: install
	$(BIN)/python tools/make_reference.py

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Isocenter needs Python 3.11 or newer and '$(PYTHON)' is not: name one, as in make PYTHON=python3.12 $(or $(MAKECMDGOALS),install)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "'$(PYTHON)' cannot make a virtual environment: on Debian or Ubuntu, apt install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) -c constraints.txt -e '.[test,dev]'
# piq asks for torchvision, which no test needs and which breaks torchmetrics: so piq comes alone.
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) --no-deps 'piq==0.8.0'
	@touch $@

clean:
	rm -rf $(VENV) build dist demo-report .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
