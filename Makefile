# The two commands of the README. Both install what is missing first; see tools/setup.

export PATH := $(HOME)/.cargo/bin:$(PATH)

# Results computed elsewhere that the trainer is held to; they are not part of this repository.
VECTORS := $(or $(EMPF_VECTORS),$(wildcard ../shared/vectors))

.PHONY: demo test

# Trains on generated data, emits a 16x16 accelerator and co-simulates random networks on it.
demo:
	tools/setup
	cargo run --release -p empf-cli -- train --data glyphs --network tiny --resume -o build/demo/run
	cargo run --release -p empf-cli -- emit --rows 16 --cols 16 -o build/demo/accel
	cargo run --release -p xtask -- regress --array 16x16 --cases 12

test:
	tools/setup --test
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
ifeq ($(VECTORS),)
	@echo 'NOTE: no test vectors: set EMPF_VECTORS to their folder to check the trainer against them'
	cargo test --workspace -- --exact --skip vectors
else
	cargo test --workspace
endif
