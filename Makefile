# Every target does its own set-up in .venv; what is there already is left alone.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check -q
RUST := $(shell find rust_core -name '*.rs' -o -name '*.weights' -o -name Cargo.toml) Cargo.toml Cargo.lock
STAMPS := $(VENV)/stamps
CACHE ?= $(HOME)/.cache/persona-voice

.PHONY: demo test bench lint sanitize train clean

demo: $(STAMPS)/demo
	$(BIN)/persona-voice demo --out demo_out

test: $(STAMPS)/test
	cargo test --release -q
	$(BIN)/python -m pytest -q

bench: $(STAMPS)/bench
	$(BIN)/python -m training.models $(CACHE)/models
	$(BIN)/python -m benches quality --models $(CACHE)/models

lint: $(STAMPS)/test
	cargo fmt --check
	cargo clippy --release -q --all-targets -- -D warnings
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# Rust's tests under AddressSanitizer, which rustc has on the stable channel, too, but calls unstable.
sanitize:
	RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address cargo test --release -q \
		--target $$(rustc -vV | sed -n 's/^host: //p') --target-dir target/sanitize

train: $(STAMPS)/bench
	nice $(BIN)/python -m training --cache $(CACHE)

clean:
	rm -rf $(VENV) target persona_voice/_core*.so

# The package, editable, with the Rust core built in release.
$(STAMPS)/package: pyproject.toml constraints.txt $(RUST)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install -c constraints.txt -e .
	mkdir -p $(STAMPS) && touch $@

$(STAMPS)/%: $(STAMPS)/package
	$(PIP) install -c constraints.txt -e '.[$*]'
	touch $@
