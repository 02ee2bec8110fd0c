# `make demo` shows what ncodec does; `make test` runs everything that is tested; `make check` is what CI runs.
PYTHON ?= python3
BIN := .venv/bin
# PyTorch's default build for Linux brings CUDA; tests do not need it, so a CPU build is taken where one is found.
TORCH ?= torch==2.13.0

.PHONY: demo figures test fuzz lint docs types check browser players xla arm64 ray clean help
.DEFAULT_GOAL := demo

.venv/runtime: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable .
	touch $@

.venv/dev: .venv/runtime
	$(BIN)/pip install --quiet '$(TORCH)'
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@

.venv/docs: pyproject.toml
	$(BIN)/python -c 'import material, mkdocstrings_handlers.python, ruff' 2>/dev/null \
		|| { $(PYTHON) -m venv .venv && $(BIN)/pip install --quiet --editable '.[docs]'; }
	touch $@

demo: .venv/runtime ## encode and decode a photograph, show it beside JPEG
	mkdir -p demo
	$(BIN)/ncodec encode docs/osprey.png -q 30 -f -o demo/osprey.nci --measure
	$(BIN)/ncodec decode demo/osprey.nci -f -o demo/osprey.png
	$(BIN)/ncodec bench compare docs/osprey.png -q 30 -f -o demo/side-by-side.png

test: .venv/dev ## every test
	$(BIN)/python -m pytest

MINUTES ?= 5
fuzz: .venv/dev ## decoders by Atheris for MINUTES=5 in all; findings in build/fuzz
	PYTHONPATH=tests $(BIN)/python -m fuzz.run --minutes $(MINUTES)

lint: .venv/dev types ## ruff, its format, and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p ncodec

# The banner of MkDocs Material about versions to come is no warning of the pages.
docs: .venv/docs types ## the site, in build/site; warnings are errors
	NO_MKDOCS_2_WARNING=1 PATH="$(abspath $(BIN)):$$PATH" $(BIN)/mkdocs build --strict

# mypy and griffe cannot follow setuptools' import hook, so they see the four folders through links.
types: ## links of the four folders as one package, in build/types
	rm -rf build/types
	mkdir -p build/types/ncodec
	for entry in codec/*; do ln -sfn ../../../$$entry build/types/ncodec/; done
	for folder in training eval weights; do ln -sfn ../../../$$folder build/types/ncodec/; done

check: lint test ## lint and test, as CI does

figures: .venv/dev ## the figures of README, results and model card, from eval/results
	$(BIN)/python -m ncodec.eval.figures README.md docs/results.md weights/README.md

# What tests in browsers need, on Debian and as root; without it they are skipped. Firefox takes H.264 and HEVC from libavcodec.
BROWSERS := chromium chromium-driver firefox-esr libavcodec-extra
browser: ## Chromium, its driver, Firefox and npm, on Debian and as root
	dpkg -s $(BROWSERS) >/dev/null 2>&1 || (apt-get update -qq && apt-get install -y -qq --no-install-recommends $(BROWSERS))
	command -v npm >/dev/null || apt-get install -y -qq --no-install-recommends npm

tests/players/node_modules: tests/players/package-lock.json
	npm ci --prefix tests/players --ignore-scripts --no-audit --no-fund
	touch $@

players: tests/players/node_modules ## hls.js, dash.js and Shaka Player for the tests of streams, by npm

# In an environment of its own, several gigabytes large: torch_xla fixes an older PyTorch.
.venv-xla/installed: pyproject.toml training/tpu.lock
	$(PYTHON) -m venv .venv-xla
	.venv-xla/bin/pip install --quiet --editable '.[tpu]' -c training/tpu.lock
	touch $@

xla: .venv-xla/installed ## training by torch_xla on a CPU
	PJRT_DEVICE=CPU .venv-xla/bin/python -m ncodec.training.xla --data docs --data tests/golden --crops.crop=64 --crops.batch=2

# In an environment of its own, which needs no PyTorch.
.venv-ray/installed: pyproject.toml
	$(PYTHON) -m venv .venv-ray
	.venv-ray/bin/pip install --quiet --editable '.[ray,eval]' pytest s3fs 'moto[server]'
	touch $@

ray: .venv-ray/installed ## libraries and reports on a Ray cluster of two nodes, of this machine
	.venv-ray/bin/python -m pytest tests/test_ray.py tests/test_ray_report.py

# On Debian and as root; elsewhere it says so. CLIPS=all adds the clips and Kodak pictures of ../shared.
arm64: .venv/runtime ## Linux on ARM, emulated: symbols and frames as here
	tests/arm64/run.sh $(CLIPS)

clean: ## remove environments, builds and the demo
	rm -rf .venv .venv-ray .venv-xla .arm64 build dist demo tests/players/node_modules *.egg-info

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "%-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
