"""Which launch goes with which recipe: a table of what does not work, each with the reason and with what does.

It is read by `check` and before a run, never by a training: what it refuses fails hours later, or not at all and wrongly.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill import trackers
from distill.errors import LaunchError
from distill.launch import find_config, read_config
from distill.recipe import Recipe
from distill.workspace import Workspace


@dataclass(frozen=True)
class Launch:
    """What an accelerate configuration starts, as far as it matters here."""

    stage: str
    name: str
    config: dict[str, Any]

    @property
    def kind(self) -> str:
        return str(self.config.get("distributed_type", "NO")).upper()

    @property
    def fsdp(self) -> dict[str, Any]:
        return self.config.get("fsdp_config") or {} if self.kind == "FSDP" else {}

    @property
    def zero(self) -> int | None:
        """Stage of ZeRO."""
        return (self.config.get("deepspeed_config") or {}).get("zero_stage", 2) if self.kind == "DEEPSPEED" else None

    @property
    def sharded(self) -> bool:
        return self.kind in ("FSDP", "DEEPSPEED")

    @property
    def beside(self) -> int:
        """Processes on one machine."""
        return int(self.config.get("num_processes") or 1) // int(self.config.get("num_machines") or 1)


@dataclass(frozen=True)
class Rule:
    """A combination that does not work."""

    name: str
    holds: Callable[[Recipe, Launch], bool]
    take: str
    """What works instead."""
    why: str
    """Reason, and where it was seen."""


def _quantized(recipe: Recipe, launch: Launch) -> str | None:
    return getattr(recipe.student, "quantization", None) if launch.stage == "train" else None


def _dora(recipe: Recipe) -> bool:
    return recipe.student is not None and recipe.student.lora is not None and recipe.student.lora.dora


def _learns(recipe: Recipe, launch: Launch, objective: str) -> bool:
    return launch.stage == "train" and any(training.objective == objective for training in recipe.trainings)


RULES = (
    Rule(
        "shards outside of training",
        lambda _, launch: launch.sharded and launch.stage != "train",
        "multi_gpu, runtime.device_map for a teacher larger than one GPU, or a server",
        "the model answers whole: every process would hold all of it all the same",
    ),
    Rule(
        "FSDP 1",
        lambda _, launch: launch.kind == "FSDP" and launch.fsdp.get("fsdp_version") != 2,
        "fsdp2, or fsdp_version: 2 in your own file",
        "version 1 saves and resumes LoRA wrongly (transformers #28320, #31892, #35850)",
    ),
    Rule(
        "quantization with ZeRO-3",
        lambda recipe, launch: bool(_quantized(recipe, launch)) and launch.zero == 3,
        "fsdp2_qlora, or zero2",
        "4-bit weights do not survive being cut by it (peft #2016, #2450; LLaMA-Factory #6898)",
    ),
    Rule(
        "int8 with FSDP",
        lambda recipe, launch: _quantized(recipe, launch) == "int8" and launch.kind == "FSDP",
        "student.quantization: nf4 with fsdp2_qlora, or multi_gpu",
        "bitsandbytes stores only 4-bit weights in a dtype that shares can be cut from (its guide to FSDP and QLoRA)",
    ),
    Rule(
        "quantization with a model that one process hands out",
        lambda recipe, launch: (
            bool(_quantized(recipe, launch)) and bool(launch.fsdp.get("fsdp_cpu_ram_efficient_loading"))
        ),
        "fsdp2_qlora",
        "accelerate leaves 4-bit weights where they are, so all processes but the first would train on an empty model "
        "(fsdp2_prepare_model in accelerate 1.15)",
    ),
    Rule(
        "all weights trained in shards",
        lambda recipe, launch: (
            launch.stage == "train" and launch.sharded and getattr(recipe.student, "lora", None) is None
        ),
        "multi_gpu, or LoRA",
        "only adapters are put together from shards before they are written",
    ),
    Rule(
        "DoRA with FSDP",
        lambda recipe, launch: launch.stage == "train" and bool(launch.fsdp) and _dora(recipe),
        "multi_gpu, or lora without dora",
        "its magnitudes are not put back into shards, so that a killed training could not go on",
    ),
    Rule(
        "preference in shards",
        lambda recipe, launch: launch.sharded and _learns(recipe, launch, "preference"),
        "multi_gpu",
        "the frozen copy that it is held near to has no place in a sharded checkpoint",
    ),
    Rule(
        "on_policy in shards",
        lambda recipe, launch: launch.sharded and _learns(recipe, launch, "on_policy"),
        "multi_gpu",
        "the student writes while it learns, and would gather its weights for every token (TRL #3351, #4725)",
    ),
    Rule(
        "DeepSpeed on processors",
        lambda _, launch: launch.kind == "DEEPSPEED" and bool(launch.config.get("use_cpu")),
        "multi_cpu",
        "accelerate starts it without DeepSpeed, and without a word",
    ),
    Rule(
        "DeepSpeed, which is not installed",
        lambda _, launch: launch.kind == "DEEPSPEED" and importlib.util.find_spec("deepspeed") is None,
        "pip install deepspeed; without it, to train in shards, fsdp2, or fsdp2_qlora for quantised weights",
        "accelerate fails only when the model has been read",
    ),
    Rule(
        "float16 on processors",
        lambda recipe, launch: (
            launch.stage == "train"
            and bool(launch.config.get("use_cpu"))
            and any(training.dtype == "float16" for training in recipe.trainings)
        ),
        "train.dtype: bfloat16 or float32",
        "gradients in float16 are scaled on GPUs only",
    ),
    Rule(
        "device_map with several processes on a machine",
        lambda recipe, launch: (
            launch.stage in ("generate", "score", "evaluate")
            and recipe.runtime.device_map is not None
            and launch.beside > 1
        ),
        "single_gpu",
        "each process would spread the model over the same GPUs",
    ),
)


def launches(recipe: Recipe, base: Path) -> Iterator[Launch]:
    """Every stage's launch that the recipe names.

    Raises:
        LaunchError: there is no such configuration, or it cannot be read.
    """
    for stage, name in recipe.runtime.launch.items():
        yield Launch(stage, name, read_config(find_config(name, base)))


def check(recipe: Recipe, base: Path) -> None:
    """Refuse what does not work, all of it at once.

    Raises:
        LaunchError: see above, or a combination of `RULES`.
        TrainError: a tracker that is not installed.
    """
    refuse(recipe, list(launches(recipe, base)))


def refuse(recipe: Recipe, started: Sequence[Launch]) -> None:
    """Raises:
    LaunchError: a launch that cannot work, by `RULES`."""
    found = [(launch, rule) for launch in started for rule in RULES if rule.holds(recipe, launch)]
    if found:
        lines = [f"{launch.stage}={launch.name} is {rule.name}: {rule.why}; take {rule.take}" for launch, rule in found]
        raise LaunchError("\n  ".join([f"{len(lines)} that cannot work", *lines]), where="runtime.launch")
    trackers.check(recipe.runtime.report_to)


def check_labels(workspace: Workspace) -> None:
    """Read the pairs that people have labelled, before anything is paid for.

    Raises:
        SourceError: a line that is none, with its place.
    """
    judge = workspace.recipe.evaluate.judge if workspace.recipe.student else None
    if judge is not None and judge.labels is not None:
        from distill.judge.labels import labelled

        labelled(judge.labels, workspace.resolved[judge.labels.data].path)


def check_tokens(workspace: Workspace) -> None:
    """Compare the tokenizers where a training needs the teacher's distributions, before anything is paid for.

    Raises:
        TrainError: student and teacher have different tokens.
    """
    recipe = workspace.recipe
    asked = any(training.SCORED or training.TEACHER for training in recipe.trainings)
    if recipe.student is None or not asked or all(workspace.find(name) for name in recipe.train_names):
        return
    from distill.engines.models import load_tokenizer
    from distill.engines.vocabulary import check_same

    ours, theirs = recipe.student.model, recipe.teacher.model
    one, other = (load_tokenizer(workspace.resolved[ref], workspace.cache) for ref in (ours, theirs))
    check_same(one, other, ours, theirs)
