"""accelerate_configs/ against the accelerate that is installed: no key it would ignore, and the processes it promises."""

from __future__ import annotations

import os
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
    comment = " ".join(line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#"))
    assert ("Verified: " in comment) != ("Unverified: " in comment)
    assert "Take it " in comment


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_precision_is_left_to_the_recipe(path: Path) -> None:
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["mixed_precision"] == "no"


@pytest.mark.distributed
@pytest.mark.parametrize(("name", "processes"), [("cpu", 1), ("multi_cpu", 2)])
def test_as_many_processes_start_as_the_file_says(name: str, processes: int, tmp_path: Path) -> None:
    script = tmp_path / "roll_call.py"
    script.write_text(ROLL_CALL)
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(FOLDER / f"{name}.yaml")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    out = subprocess.run([*command, str(script)], check=True, capture_output=True, text=True, env=environment).stdout
    assert sorted(out.splitlines()) == [f"process {rank} of {processes}" for rank in range(processes)]
