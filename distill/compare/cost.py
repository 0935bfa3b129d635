"""manifests -> what the run spent; this machine -> what the report was written on."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from distill.compare.arms import manifest_of
from distill.compare.report import Cost, Environment, StageCost

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


def read_cost(inputs: Mapping[str, Path]) -> Cost:
    """Of every stage before the comparison, in the order they were handed in."""
    stages = {name: _stage(folder) for name, folder in inputs.items()}
    return Cost(
        tokens=sum(stage.tokens for stage in stages.values()),
        seconds=sum(stage.seconds for stage in stages.values()),
        peak_memory_bytes=max((stage.peak_memory_bytes for stage in stages.values()), default=0),
        stages=stages,
        money=sum(manifest_of(folder)["summary"].get("money", 0.0) for folder in inputs.values()),
    )


def _stage(folder: Path) -> StageCost:
    manifest = manifest_of(folder)
    tokens = manifest["summary"].get("tokens", {})
    return StageCost(
        tokens=sum(tokens.values()),
        seconds=manifest["cost"]["seconds"],
        peak_memory_bytes=manifest["cost"]["peak_memory_bytes"],
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
