# On a bare machine only python3 (3.11 or newer), make and a package index are needed.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: audit fuzz load ollama release soak ten-million types vscode try-vscode test-vscode test-jvm edits-table help setup try test test-editors lint lock bench clean

help:
	@echo "make setup   create .venv with everything that running needs"
	@echo "make try     set up, fetch the embedded model, and run the whole path once"
	@echo "make test    install what the tests need and run them all"
	@echo "make lint    format check, lint, types, import direction"
	@echo "make vscode       build the VS Code extension"
	@echo "make try-vscode   real VS Code in the browser, with the extension and the embedded model"
	@echo "make test-vscode  test the extension in real VS Code"
	@echo "make types   generate the clients' message types anew"
	@echo "make lock    resolve the dependencies anew"
	@echo "make release wheel, sdist and bill of materials, twice the same"

setup: $(VENV)/.run
try: setup
	$(BIN)/lido try
test: $(VENV)/.dev
	$(MAKE) lint
	$(BIN)/python -m pytest -n 2 --dist loadgroup

# Real Neovim, Emacs, Vim and Kate; what is not installed is skipped.
test-editors: $(VENV)/.dev
	$(BIN)/python -m pytest tests/e2e/editors -rs

# The VS Code extension: clients/vscode/lido.vsix. Needs Node 20 or newer and npm.
vscode: setup
	clients/vscode/scripts/ci.sh --build
# Real VS Code in the browser, with the extension, the sample project and the embedded model.
try-vscode: setup
	clients/vscode/scripts/ci.sh --host
	node clients/vscode/scripts/try.mjs
# Types, lint, unit tests, and the extension in real VS Code.
test-vscode: setup
	clients/vscode/scripts/ci.sh
# The JetBrains side: the core against the real server, the plugin on the platform's jars. Needs a JDK 17 and Maven.
test-jvm: setup
	clients/intellij/ci.sh

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Lido needs Python 3.11 or newer; try: make setup PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(BIN)/python locks/run.txt pyproject.toml
	$(BIN)/python -m pip install -q --require-hashes -r locks/run.txt
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run locks/dev.txt
	$(BIN)/python -m pip install -q --require-hashes -r locks/dev.txt
	@touch $@

lock: $(BIN)/python
	$(BIN)/python -m pip install -q uv
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
	  --no-emit-package lido-lsp --extra local -o locks/run.txt pyproject.toml locks/build.in
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
	  --no-emit-package lido-lsp --extra dev -c locks/run.txt -o locks/dev.txt pyproject.toml locks/build.in
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
	  --no-emit-package lido-lsp --extra collect -c locks/dev.txt -o locks/collect.txt pyproject.toml locks/build.in

# The message types of the clients, from server/lido/lsp/messages.py; a test compares them.
types: $(VENV)/.dev
	$(BIN)/python -m lido.lsp.schema

# dist/: wheel, sdist, bill of materials, checksums; only what two builds agree on.
release: $(VENV)/.dev
	$(BIN)/python tools/release.py
# Known vulnerabilities of what is locked; skipped, and said, where the database is out of reach.
audit: $(VENV)/.dev
	$(BIN)/python tools/audit.py

# What is applied, refused and (which must be nothing) applied wrongly, on real model outputs.
edits-table: $(VENV)/.dev
	$(BIN)/python tests/edits/corpus.py
	$(BIN)/python tests/edits/outputs.py

# What Lido adds to a completion, a keystroke, a start; ratios and a table for docs/completion.md.
bench: $(VENV)/.dev
	$(BIN)/python tests/bench/completion.py

# Many servers, one collector on PostgreSQL, restarts in the middle. Needs PostgreSQL's programs.
load: $(VENV)/.dev
	$(BIN)/python tests/collect/load.py --clients 200 --rate 2000 --seconds 60
# Ten million events, and what the page asks of them. Ten minutes, 15 GB of disk.
ten-million: $(VENV)/.dev
	$(BIN)/python tests/bench/ten_million.py
# A real Ollama, built from its sources; needs Go, nlohmann-json3-dev and libstb-dev.
ollama: $(VENV)/.dev
	PYTHON=$(BIN)/python tools/build-ollama.sh .cache/ollama
	LIDO_TEST_OLLAMA=.cache/ollama $(BIN)/python -m pytest tests/models/test_real_ollama.py -rs
# A minute for each parser, guided by what it covers.
fuzz: $(VENV)/.dev
	$(BIN)/python -m pip install -q atheris
	$(BIN)/python tests/faults/fuzz_atheris.py --seconds 60
# Hours of work in minutes, by one editor and by fifty.
soak: $(VENV)/.dev
	$(BIN)/python tests/faults/soak.py --seconds 600
	$(BIN)/python tests/faults/soak.py --seconds 600 --clients 50

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .cache
