#!/usr/bin/env bash
# Everything that must hold before a commit: lint, format, types, tests. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
./scripts/setup.sh
# Tests never use a network, and two test processes must not fight for the same cores.
export HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
# All of them run two at a time, a file's tests in one process, in the order of tests/conftest.py; what is asked for by name
# runs as it is asked.
[ $# -gt 0 ] || set -- -n 2 --dist loadfile --no-loadscope-reorder
.venv/bin/python -m pytest "$@"
