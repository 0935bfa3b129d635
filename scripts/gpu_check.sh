#!/usr/bin/env bash
# On a machine with GPUs: does training, generation and evaluation work there? One table, no network, a few minutes.
#   ./scripts/gpu_check.sh               every case that this machine can run; what is skipped is listed with its reason
#   ./scripts/gpu_check.sh lora fsdp2    these, and it fails where one of them is skipped
#   ./scripts/gpu_check.sh --cpu         the same on the processor: a check of the check
# PYTHON=/path/to/python takes another environment than .venv.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
exec "${PYTHON:-.venv/bin/python}" scripts/gpu_check.py "$@"
