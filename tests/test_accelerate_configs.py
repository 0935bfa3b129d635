"""accelerate_configs/ against the accelerate that is installed: no key it would ignore, and the processes it promises."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

FOLDER = Path(__file__).parents[1] / "accelerate_configs"
FILES = sorted(FOLDER.glob("*.yaml"))
ROLL_CALL = """
import sys
from accelerate import PartialState
state = PartialState(cpu=True)
sys.stdout.write(f"process {state.process_index} of {state.num_processes}\\n")
state.destroy_process_group()
"""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_accelerate_knows_every_key(path: Path) -> None:
    from accelerate.commands.config.config_args import load_config_from_file
    from accelerate.commands.launch import launch_command_parser

    load_config_from_file(str(path))  # refuses unknown keys, but not those inside fsdp_config and deepspeed_config
    known = {action.dest for action in launch_command_parser()._actions}
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    nested = [key for value in config.values() if isinstance(value, dict) for key in value]
    assert set(nested) <= known


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_first_lines_say_when_to_take_it_and_whether_it_was_tried(path: Path) -> None:
    comments = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    said = [line for line in comments if "verified" in line]
    assert len(said) == 1
    assert re.match(r"# (unverified( \(|$)|verified on .+, [0-9a-f]{7,}(:|$))", said[0])
    assert any("Take it " in line for line in comments)


@pytest.fixture
def told(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> argparse.Namespace:
    """What accelerate makes of a file's options, with the environment that it gives to the processes it starts."""
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser
    from accelerate.utils.launch import prepare_deepspeed_cmd_env, prepare_multi_gpu_env

    path = FOLDER / f"{request.param}.yaml"
    arguments, defaults, _ = _validate_launch_command(
        launch_command_parser().parse_args(["--config_file", str(path), "stage.py"])
    )
    if arguments.use_deepspeed:
        arguments.deepspeed_fields_from_accelerate_config = ",".join(defaults.deepspeed_config)
        environment = prepare_deepspeed_cmd_env(arguments)[1]
    else:
        environment = prepare_multi_gpu_env(arguments)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return arguments


@pytest.mark.parametrize("told", ["fsdp2", "fsdp2_qlora"], indirect=True)
def test_the_plugin_of_fsdp2(told: argparse.Namespace) -> None:
    from accelerate.utils import FullyShardedDataParallelPlugin
    from torch.distributed.fsdp import StateDictType
    from torch.distributed.fsdp.wrap import transformer_auto_wrap_policy

    plugin = FullyShardedDataParallelPlugin()
    assert told.num_processes == 8
    assert plugin.fsdp_version == 2
    assert plugin.auto_wrap_policy is transformer_auto_wrap_policy
    assert plugin.state_dict_type is StateDictType.FULL_STATE_DICT
    assert plugin.reshard_after_forward is True
    assert plugin.mixed_precision_policy is None
    assert plugin.cpu_ram_efficient_loading is ("qlora" not in told.config_file)


@pytest.mark.parametrize(("told", "stage"), [("zero2", 2), ("zero3", 3)], indirect=["told"])
def test_the_plugin_of_deepspeed(told: argparse.Namespace, stage: int) -> None:
    from accelerate.utils import DeepSpeedPlugin

    plugin = DeepSpeedPlugin()
    assert told.num_processes == 8
    assert plugin.zero_stage == stage
    assert plugin.zero3_init_flag is False
    settings = plugin.deepspeed_config
    assert settings["zero_optimization"]["stage"] == stage
    assert settings["gradient_accumulation_steps"] == settings["gradient_clipping"] == "auto", "the recipe decides"
    assert settings["train_micro_batch_size_per_gpu"] == "auto"


@pytest.mark.parametrize("told", ["multi_gpu", "multi_node"], indirect=True)
def test_plain_data_parallelism_shards_nothing(told: argparse.Namespace) -> None:
    assert told.num_processes == 8 * told.num_machines
    assert "ACCELERATE_USE_FSDP" not in os.environ and "ACCELERATE_USE_DEEPSPEED" not in os.environ


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_precision_is_left_to_the_recipe(path: Path) -> None:
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["mixed_precision"] == "no"


@pytest.mark.distributed
def test_one_process_starts_for_one_of_the_cpu(tmp_path: Path) -> None:
    """That two start for multi_cpu, and know each other, is in tests/test_launch.py."""
    script = tmp_path / "roll_call.py"
    script.write_text(ROLL_CALL)
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(FOLDER / "cpu.yaml")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, str(script)], check=True, capture_output=True, text=True, env=environment)
    assert done.stdout == "process 0 of 1\n"
