from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from distill import launch
from distill.errors import LaunchError
from distill.launch import find_config, read_config
from distill.workspace import Workspace
from tests.test_workspace import small

ROOT = Path(__file__).parents[1]
CONFIGS = sorted((ROOT / "accelerate_configs").glob("*.yaml"))


def test_configurations_are_found_by_bare_name_and_by_path(tmp_path: Path) -> None:
    assert find_config("multi_cpu", tmp_path).name == "multi_cpu.yaml"
    (tmp_path / "mine.yaml").write_text("num_processes: 1\n")
    assert find_config("mine.yaml", tmp_path) == tmp_path / "mine.yaml"
    with pytest.raises(LaunchError, match=r"no accelerate configuration 'zero9'(.|\n)*multi_cpu"):
        find_config("zero9", tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"use_cpu: true\nnum_processes: [2\n", r"x\.yaml:3: cannot be read: "),
        (b"use_cpu: \xff\n", r"x\.yaml: cannot be read: .*utf-8"),
        (b"- num_processes\n", r"x\.yaml: is not an accelerate configuration"),
        (b"# num_processes\nnum_processes: two\n", r"x\.yaml:2: num_processes is 'two', no whole number"),
        (b"num_machines: 1.5\n", r"x\.yaml:1: num_machines is 1\.5, no whole number"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_named_with_its_line(tmp_path: Path, text: bytes, message: str) -> None:
    (tmp_path / "x.yaml").write_bytes(text)
    with pytest.raises(LaunchError, match=message):
        read_config(tmp_path / "x.yaml")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_configuration_is_one_that_accelerate_reads_and_says_if_it_was_tried(path: Path) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(path))
    assert config.num_processes >= 1
    assert "verified" in path.read_text().lower()


@pytest.mark.parametrize(
    ("asked", "started", "kind", "message"),
    [
        ({"num_processes": 2, "distributed_type": "MULTI_CPU"}, 1, "NO", "2 processes were asked for, 1 started"),
        (
            {"num_processes": 2, "distributed_type": "FSDP"},
            2,
            "MULTI_CPU",
            "FSDP was asked for, MULTI_CPU is what started",
        ),
        ({"num_processes": 1, "distributed_type": "DEEPSPEED"}, 1, "NO", "DEEPSPEED was asked for"),
    ],
)
def test_other_processes_than_asked_for_stop_the_stage(
    asked: dict[str, object], started: int, kind: str, message: str
) -> None:
    with pytest.raises(LaunchError, match=message):
        launch._check(asked, "x.yaml", started, kind)


def test_what_was_asked_for_is_let_through() -> None:
    launch._check({"num_processes": 2, "distributed_type": "MULTI_GPU", "use_cpu": True}, "x.yaml", 2, "MULTI_CPU")
    launch._check({"num_processes": 4, "distributed_type": "FSDP"}, "x.yaml", 4, "FSDP")


def accelerate(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = folder / "stage.py"
    script.write_text(
        "from distill.launch import guarded, ranks\n"
        "import os, torch.distributed as group\n"  # one write a line: the ranks share a pipe
        "status = guarded(lambda: os.write(1, f'started {ranks().world} {ranks().rank}\\n'.encode()) and None)\n"
        "os.write(1, f'in a group at the end: {group.is_initialized()}\\n'.encode())\n"
        "raise SystemExit(status)\n"
    )
    command = [sys.executable, "-m", "accelerate.commands.launch", *arguments, str(script)]
    return subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.distributed
def test_accelerate_that_quietly_starts_one_process_is_noticed(tmp_path: Path) -> None:
    done = accelerate(tmp_path, "--cpu", "--num_processes", "2")
    assert done.returncode != 0
    assert "2 processes were asked for, 1 started" in done.stderr


@pytest.mark.distributed
def test_fsdp_that_quietly_becomes_plain_data_parallelism_is_noticed(tmp_path: Path) -> None:
    config = tmp_path / "fsdp.yaml"
    config.write_text("distributed_type: FSDP\nuse_cpu: true\nnum_processes: 2\nnum_machines: 1\nfsdp_config: {}\n")
    done = accelerate(tmp_path, "--config_file", str(config), "--main_process_port", "0")
    assert done.returncode != 0
    assert "FSDP was asked for" in done.stderr


@pytest.mark.distributed
def test_two_processes_know_each_other(tmp_path: Path) -> None:
    done = accelerate(tmp_path, "--config_file", str(ROOT / "accelerate_configs" / "multi_cpu.yaml"))
    assert done.returncode == 0, done.stderr
    assert {"started 2 0", "started 2 1"} <= set(done.stdout.splitlines())
    assert done.stdout.count("in a group at the end: False") == 2, "half of those that end in one are aborted"


class Waiting(Workspace):
    """Of a process that must not make anything itself."""

    def make(self, name: str) -> Any:
        raise AssertionError(f"{name} is made twice")


def test_light_nodes_are_made_by_one_process_before_they_know_each_other(tmp_path: Path) -> None:
    space = small(tmp_path)
    other = Waiting(space.recipe, space.base, space.runs, space.cache)
    with ThreadPoolExecutor() as pool:
        waits = pool.submit(launch.prepare, other, ["generate"], 1)
        time.sleep(0.2)
        assert not waits.done()
        launch.prepare(space, ["generate"], 0)
        waits.result(timeout=60)
    assert (space.run_folder / "0-split" / "manifest.json").exists()


def test_nobody_waits_for_what_a_stage_before_has_not_made(tmp_path: Path) -> None:
    space = small(tmp_path)
    space.make("split")
    for rank in (0, 1):
        launch.prepare(space, ["train"], rank)
    assert space.find("tokenise") is None


@pytest.mark.parametrize(
    ("status", "said", "what"),
    [
        (2, True, "train: stopped, see above"),
        (1, False, "train: ended with exit status 1, see above"),
        (0, False, "train: ended with exit status 0, see above"),
        (-9, False, "train: its process was killed (exit status -9)"),
        (137, False, "train: its process was killed (exit status 137)"),
    ],
)
def test_only_what_a_signal_ended_was_killed(status: int, said: bool, what: str) -> None:
    error = str(launch._stopped("train", status, said))
    assert error.startswith(what) and "the same command again" in error
