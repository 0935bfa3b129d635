# The same commands as scripts/, by short names. Each target's comment is its help.
.DEFAULT_GOAL := help
.PHONY: help setup test lint quickstart bench lock tree

help:        ## print this list
	@sed -n 's/^\([a-z]*\):[a-z ]*## */  \1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup:       ## make .venv from the lock
	./scripts/setup.sh

test:        ## lint, types and tests (ARGS="-k name" for pytest)
	./scripts/test.sh $(ARGS)

lint: setup  ## format and mend what can be mended
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

quickstart:  ## from a recipe to a report on two CPU cores
	./scripts/quickstart.sh $(ARGS)

bench: setup ## time, memory and gap recovered of the quickstart
	.venv/bin/python scripts/bench/pipeline.py

lock:        ## resolve pyproject.toml anew into requirements.lock
	python3 scripts/lock.py

tree: setup  ## bring the file list of README.md up to date
	.venv/bin/python scripts/tree.py
