# The project's commands. `make run` and `make test` are all that a newcomer needs; `make help` lists the rest.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run test set-up format lint unit e2e cases codegen deny

# What `make run` builds: release, or BUILD=debug for a quicker build of a slower program.
BUILD ?= release
# More words for the examples' starter: make run ARGS="--listen 127.0.0.1:4567 --data-dir /tmp/try"
ARGS ?=

help: ## Say what the commands are
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 16

run: ## Build, start on 127.0.0.1:4566 with the examples, and print addresses to try; Ctrl-C ends it
	@scripts/require cargo cc python3
	@echo "Building Frontgate ($(BUILD)); the first time takes some minutes."
	@cargo build --package frontgate $(if $(filter release,$(BUILD)),--release)
	@exec python3 examples/run.py --binary target/$(BUILD)/frontgate $(ARGS)

test: ## Everything that CI checks: set-up, format, lints, tidy, generated code, unit and end-to-end tests
	@scripts/test

set-up: ## Install what the tests need: Debian packages, a Python environment in .venv, Node packages
	@scripts/set-up

format: ## Format the Rust sources
	@cargo fmt --all

lint: ## Clippy and tidy
	@cargo clippy --workspace --all-targets -- -D warnings
	@cargo xtask tidy

unit: ## The Rust tests alone
	@cargo test --workspace

e2e: set-up ## The end-to-end tests alone, against a debug build: make e2e ARGS="-k items"
	@cargo build --workspace
	@folder=$$(mktemp --directory); trap 'rm -rf "$$folder"' EXIT; export PYTEST_DEBUG_TEMPROOT=$$folder; \
	cd tests/e2e && PATH="$(CURDIR)/.venv/bin:$$PATH" FRONTGATE_BIN="$(CURDIR)/target/debug/frontgate" python -m pytest $(ARGS)

cases: ## Write the golden help text and docs/configuration.md anew after a wanted change
	@FRONTGATE_UPDATE_CASES=1 cargo test --package frontgate

codegen: ## Generate crates/models and docs/operations.md from the public AWS models
	@cargo xtask codegen

deny: set-up ## Licences, duplicates and advisories of all dependencies; the advisories come from the network
	@PATH="$$PATH:$(CURDIR)/target/tools/bin" cargo deny check
