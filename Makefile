# What Scrip needs is put into .venv and node_modules, from the lock files; `make` installs it when it is not there yet.
.DEFAULT_GOAL := help
.PHONY: help install demo serve test lint format bench soak pending lock clean

help:  ## list these
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: install  ## run the example product: prints http://127.0.0.1:8000/demo (ARGS="--port 9000")
	@exec .venv/bin/scrip demo $(ARGS)

serve: install  ## run Scrip on its embedded PostgreSQL (ARGS="--port 9000")
	@exec .venv/bin/scrip serve $(ARGS)

test:  ## install what the tests need, run all of them, print one closing line (ARGS="-k burn" for some of the Python ones)
	@exec scripts/test $(ARGS)

lint:  ## check style, types and layers
	@scripts/install dev
	@exec scripts/lint

format:  ## rewrite the Python sources in our style
	@scripts/install dev
	@.venv/bin/python -m ruff check --fix --quiet .; .venv/bin/python -m ruff format .

bench: install  ## run the benchmarks of the README, each as a ratio against its limit
	@exec .venv/bin/scrip bench $(ARGS)

soak:  ## run the tests that take hours
	@scripts/install dev
	@exec .venv/bin/python -m pytest -m soak --timeout 0 -s $(ARGS)

pending:  ## write schema/schema.graphql anew, and what of the contract is still to come
	@scripts/install dev
	@.venv/bin/python -m tests.schema.test_contract

lock:  ## choose the newest versions that fit and write the lock files
	@exec scripts/lock

install:  ## install what runs, and nothing for tests
	@scripts/install

clean:  ## remove what was installed and built; data folders stay
	rm -rf .venv node_modules test-results .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
