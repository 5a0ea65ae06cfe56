# make demo, make test and the rest set up .venv first, if it is not there: see `make help`.

PYTHON ?= python3
TORCH ?= torch==2.13.0
CPU_INDEX = https://download.pytorch.org/whl/cpu
# Where torch comes from; empty asks for the CPU build and falls back to pip's own index.
# With an NVIDIA card on Linux: make TORCH_INDEX=https://pypi.org/simple demo
TORCH_INDEX ?=
JOBS ?= 2

BIN = .venv/bin
READY = .venv/.ready
PIP = $(BIN)/python -m pip --disable-pip-version-check

.PHONY: help demo test test-fast format bench clean
.DELETE_ON_ERROR:

help:
	@echo 'make demo       segment a built-in phantom: fastsam3d-demo.png'
	@echo 'make test       formatting, lint, types and all tests'
	@echo 'make test-fast  the tests that take seconds'
	@echo 'make format     put the code in form'
	@echo 'make bench      speed and memory on this computer'
	@echo 'make clean      remove .venv'

demo: $(READY)
	$(BIN)/fastsam3d demo

test: $(READY) view-packages
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(JOBS) --dist loadfile

test-fast: $(READY) view-packages
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(JOBS) --dist loadfile -m 'not slow'

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY) view-packages
	$(BIN)/python Testing/bench.py $(BENCH)

clean:
	rm -rf .venv

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'Python 3.11 or newer is needed; name one: make PYTHON=python3.12'; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || $(MAKE) --no-print-directory venv-package
	$(PYTHON) -m venv .venv
	$(call install_torch)
	$(PIP) install --quiet --editable '.[dev]'
	@touch $@

# Debian and Ubuntu keep Python's venv in a package of its own.
VENV_PACKAGE = python$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv
INSTALL = apt-get install --yes $(VENV_PACKAGE)

.PHONY: venv-package
venv-package:
	@if [ "$$(id -u)" = 0 ]; then apt-get update && $(INSTALL); \
	elif sudo -n true 2>/dev/null; then sudo apt-get update && sudo $(INSTALL); \
	else echo 'Please run this first: sudo $(INSTALL)'; exit 1; fi

# What views and panel are drawn with in tests; where it may not be installed, tests say so.
ADD = apt-get install --yes --quiet --no-install-recommends

.PHONY: view-packages
view-packages: $(READY)
	@wanted="$$($(BIN)/python Testing/harness/packages.py)"; \
	if [ -z "$$wanted" ]; then exit 0; \
	elif [ "$$(id -u)" = 0 ]; then as=; \
	elif sudo -n true 2>/dev/null; then as=sudo; \
	else echo "Views and panel are NOT TESTED; please run: sudo $(ADD) $$wanted"; exit 0; fi; \
	$$as apt-get update --quiet; \
	for package in $$wanted; do $$as $(ADD) $$package || echo "No $$package here"; done

# PyPI's torch for Linux brings gigabytes of CUDA; the CPU build is a tenth of that.
define install_torch
@if [ -n '$(TORCH_INDEX)' ]; then \
	echo 'Installing $(TORCH) from $(TORCH_INDEX)'; \
	$(PIP) install --quiet --index-url '$(TORCH_INDEX)' '$(TORCH)'; \
elif $(BIN)/python -c '$(REACHABLE)' 2>/dev/null && \
	echo 'Installing $(TORCH) from $(CPU_INDEX)' && \
	$(PIP) install --quiet --index-url $(CPU_INDEX) '$(TORCH)'; then :; \
else \
	echo 'Installing $(TORCH)'; \
	$(PIP) install --quiet '$(TORCH)'; \
fi
endef
REACHABLE = from urllib.request import urlopen; urlopen("$(CPU_INDEX)/torch/", timeout=5)
