# The two commands of the README, and the one that installs `empf`. All install what is missing first; see tools/setup.

export PATH := $(HOME)/.cargo/bin:$(PATH)

.PHONY: demo install test

# Trains on generated data, compiles for a 16x16 array, emits Verilog and co-simulates 64 images.
demo:
	tools/setup
	cargo run --release -p empf-cli -- demo -o build/demo

# Puts the command `empf` into cargo's folder of programs.
install:
	tools/setup
	cargo install --locked --path cli

test:
	tools/setup --test
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy --workspace --all-targets --features empf-trainer/cuda -- -D warnings
	cargo test --workspace
