"""manifests -> what the run spent; this machine -> what the report was written on."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from distill.compare.arms import manifest_of
from distill.compare.value import Value

LIBRARIES = (
    "distill",
    "torch",
    "transformers",
    "trl",
    "peft",
    "accelerate",
    "datasets",
    "numpy",
    "bitsandbytes",
    "vllm",
)


class StageCost(Value):
    tokens: int
    """Prompt and new tokens of engines and scorers."""
    seconds: float
    peak_memory_bytes: int
    processes: int = 1
    accelerators: int = 0
    """GPUs that its processes computed on; those of a server are not known."""


class Cost(StageCost):
    """Sum of the stages' tokens and seconds, largest of their peaks; the comparison itself is not in it."""

    money: float = 0.0
    """What teachers charged, by their own word or by the prices in the recipe; 0 where nobody did."""
    stages: dict[str, StageCost]


class Environment(Value):
    """Of the process that wrote the report."""

    python: str
    platform: str
    processor: str
    cores: int
    libraries: dict[str, str]


def read_cost(inputs: Mapping[str, Path]) -> Cost:
    """Of every stage before the comparison, in the order they were handed in."""
    stages = {name: _stage(folder) for name, folder in inputs.items()}
    return Cost(
        tokens=sum(stage.tokens for stage in stages.values()),
        seconds=sum(stage.seconds for stage in stages.values()),
        peak_memory_bytes=max((stage.peak_memory_bytes for stage in stages.values()), default=0),
        stages=stages,
        money=money(inputs),
    )


def money(inputs: Mapping[str, Path]) -> float:
    """What teachers charged in these stages."""
    return float(sum(manifest_of(folder)["summary"].get("money", 0.0) for folder in inputs.values()))


def _stage(folder: Path) -> StageCost:
    manifest = manifest_of(folder)
    tokens = manifest["summary"].get("tokens", {})
    return StageCost(
        tokens=sum(tokens.values()),
        seconds=manifest["cost"]["seconds"],
        peak_memory_bytes=manifest["cost"]["peak_memory_bytes"],
        processes=manifest["cost"].get("processes", 1),
        accelerators=manifest["cost"].get("accelerators", 0),
    )


def read_environment() -> Environment:
    """Versions by package metadata: nothing heavy is imported."""
    return Environment(
        python=platform.python_version(),
        platform=platform.platform(),
        processor=_processor(),
        cores=os.cpu_count() or 1,
        libraries={name: found for name in LIBRARIES if (found := _version(name))},
    )


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    """The model's name where Linux tells it, else the kind of machine."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
