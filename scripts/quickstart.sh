#!/usr/bin/env bash
# From nothing to a report: the locked environment, then recipes/quickstart.yaml. Arguments go to `distill run`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
./scripts/setup.sh
exec .venv/bin/distill run recipes/quickstart.yaml "$@"
