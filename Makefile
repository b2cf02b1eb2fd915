# make help says what there is. PYTHON=python3.12 chooses the interpreter, VENV=folder the virtual environment, JOBS=2 the test workers.
PYTHON ?= python3
VENV ?= .venv
JOBS ?= auto
CUDA ?= cuda13
N ?= 100000
SEED ?= 1000000
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: help run test lint docs bench tables fuzz parity gpu-check check-archs clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.run  ## set up and backtest the sample bars
	$(BIN)/gpubt run

test: $(VENV)/.test  ## set up and run the tests
	$(BIN)/python -m pytest -n $(JOBS) --maxprocesses 8

lint: $(VENV)/.dev  ## ruff and strict type checks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.docs  ## the documentation as a site, in site/; a broken link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

bench: $(VENV)/.run  ## the benchmark pairs: agreement first, then times
	$(BIN)/python -m bench.brackets

tables: $(VENV)/.run  ## the tables of docs/performance.md from the newest records
	$(BIN)/python -m bench.tables

fuzz: $(VENV)/.test  ## generated runs on all implementations: make fuzz N=100000 SEED=7
	$(BIN)/python tests/fuzz.py $(N) --seed $(SEED)

parity: $(VENV)/.parity  ## the same rules in other engines, trade by trade
	$(BIN)/python -m bench.parity

# Without network: GPUBT_WHEELS=folder of wheels, and PYTHON an interpreter that has the rest. Else the environment gets CuPy from $(CUDA).
gpu-check: $(if $(GPUBT_WHEELS),,$(VENV)/.gpu)  ## check and time a machine with a GPU: make gpu-check CHECK="--quick --minutes 9"
	$(if $(GPUBT_WHEELS),$(PYTHON),$(BIN)/python) -m bench.gpu_check $(CHECK)

check-archs: $(VENV)/.test  ## the CUDA sources for every architecture that the compiler knows
	GPUBT_ARCHS=all $(BIN)/python -m pytest -n $(JOBS) --maxprocesses 8 --require-nvrtc tests/test_nvrtc.py

clean:  ## remove the environment, outputs and caches of tools
	rm -rf $(VENV) build dist outputs multirun site .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "gpubt needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

# A stamp for each set of extras: the next call is instant until pyproject.toml changes.
$(VENV)/.run: EXTRAS :=
$(VENV)/.test: EXTRAS := [test]
$(VENV)/.dev: EXTRAS := [dev]
$(VENV)/.parity: EXTRAS := [parity]
$(VENV)/.docs: EXTRAS := [docs]
$(VENV)/.gpu: EXTRAS = [test,$(CUDA)]
$(VENV)/.run $(VENV)/.test $(VENV)/.dev $(VENV)/.docs $(VENV)/.parity $(VENV)/.gpu: pyproject.toml $(VENV)/pyvenv.cfg
	$(PIP) --editable '.$(EXTRAS)'
	@touch $@
