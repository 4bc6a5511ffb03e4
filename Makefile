# make paper: set everything up and build the paper of the default study.
# make test:  set everything up and pass the tests.
# Both need Python 3.11 or newer and, for the set-up only, a network.

PYTHON ?= python3
VENV ?= .venv
CORES ?= $(shell $(PYTHON) -c "import os; print(os.cpu_count())")
STUDY ?= config.yaml
# What a study needs: some of Keras' older models need TensorFlow.
GROUP ?= $(if $(findstring keras,$(STUDY)),keras,core)
BIN := $(VENV)/bin
RUN = $(BIN)/snakemake --cores $(CORES) $(if $(filter-out config.yaml,$(STUDY)),--configfile $(STUDY))

.PHONY: paper figures statistics tables weightwatcher spectra retry clean install list where overview architecture test test-all lint lock help

paper figures statistics tables weightwatcher spectra retry clean: install ## Build that part of the study (STUDY=studies/other.yaml for another)
	$(RUN) -- $@

install: $(VENV)/$(GROUP).installed ## Set up what the study uses

list: install ## What a source offers: make list ARGS="timm 'resnet50*' --csv" (or keras, published)
	$(BIN)/python scripts/list_models.py $(ARGS)

where: install ## Where a number, table or figure of the paper comes from: make where NAME=verdict_a
	@$(BIN)/python scripts/where.py --study $(STUDY) -- "$(NAME)"

overview: ## Redraw docs/overview.png from the built default study
	$(MAKE) figures STUDY=config.yaml
	$(BIN)/python scripts/draw_overview.py

architecture: install ## Redraw docs/architecture.svg from the imports
	$(BIN)/python scripts/draw_architecture.py

test: $(VENV)/dev.installed ## Set up and run the fast tests
	$(BIN)/pytest -n $(CORES) --dist loadgroup -m "not slow" $(ARGS)

test-all: $(VENV)/dev.installed ## ... and the slow ones
	$(BIN)/pytest -n $(CORES) --dist loadgroup $(ARGS)

lint: $(VENV)/dev.installed ## Check style: ruff, snakefmt, snakemake --lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint

# A group of requirements (core, dev, keras, dashboard, slurm) is installed with its hashes checked,
# by the uv that the lock names: several times faster than pip, and it compiles what it installs.
$(VENV)/%.installed: requirements/%.txt requirements/uv.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode -r $<
	touch $@

$(BIN)/python:
	$(PYTHON) -c "import sys; sys.exit(0 if sys.version_info >= (3, 11) else 'Python 3.11 or newer is needed; name one with PYTHON=...')"
	$(PYTHON) -m venv $(VENV)

lock: $(VENV)/dev.installed ## Resolve the requirements again, and write the lock, its groups and envs/
	PATH=$(abspath $(BIN)):$$PATH $(BIN)/python requirements/lock.py

help: ## Show this
	@grep -hE '^[a-z %-]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 40
