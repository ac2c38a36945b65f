# make demo   set up and run the main job, offline
# make test   set up and run the tests
# make test-browser  install a driver for Chromium and test the page in it
# make test-faults   kills, torn writes, flipped bits and bad input by the thousand: FAULTS="--scale 0.1 --seed 7" for less of it
# make check  lint, format, types, import and export tests
# make docs   build the site from docs/ into build/site, with its links checked
# make bench  print the benchmarks (EVAL=folder for those that read public data sets); fit_heads.py is no benchmark

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
# librosa's helpers are compiled when it is first imported, for some 20 seconds; here rather than with the first track.
# Types of an editable install are seen by editors and mypy only where its modules are links; new modules need new links,
# and a folder is newer than the stamp when a module was added to it.
LINKS  := --config-settings editable_mode=strict
FOLDERS := $(shell find catalog generator presets -type d -not -name __pycache__)
WARM   := $(BIN)/python -c 'import librosa.feature, librosa.onset'
EVAL   ?=
FAULTS ?=

.PHONY: demo test test-browser test-faults check docs format bench clean

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.10 or newer is needed; set PYTHON=python3.12, say") if sys.version_info < (3, 10) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(BIN)/python pyproject.toml constraints.txt $(FOLDERS)
	$(PIP) $(LINKS) --editable '.[offline]'
	$(WARM)
	touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml constraints.txt $(FOLDERS)
	$(PIP) $(LINKS) --editable '.[dev]'
	$(WARM)
	touch $@ $(VENV)/.demo

demo: $(VENV)/.demo
	PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/demo.sh data/demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest

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
	for script in $(filter-out %/fit_heads.py,$(sort $(wildcard tests/benchmarks/*/[a-z]*.py))); do \
		echo "== $$script"; \
		set --; \
		if grep -q '"--eval-dir"' $$script; then \
			if [ -n "$(EVAL)" ]; then set -- --eval-dir "$(EVAL)"; \
			elif grep -q '"--eval-dir".*required=True' $$script; then \
				echo "skipped: reads public data sets, set EVAL=folder"; continue; \
			fi; \
		fi; \
		$(BIN)/python $$script "$$@" || exit 1; \
	done

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
