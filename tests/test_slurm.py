"""Jobs as they are written; tests/slurm submits some."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from distill.cli import main
from distill.job import Job
from distill.load import load_recipe

ONE_MINUTE = str(Path(__file__).parents[1] / "recipes" / "one_minute.yaml")


def jobs(tmp_path: Path, *more: str) -> dict[str, str]:
    """Name of each job to its script."""
    folders = ["--runs", str(tmp_path / "runs"), "--cache", str(tmp_path / "cache"), "--out", str(tmp_path / "jobs")]
    assert main(["slurm", ONE_MINUTE, *folders, *more]) == 0
    for path in (tmp_path / "jobs").glob("*.s*"):
        subprocess.run(["bash", "-n", str(path)], check=True)
    return {path.stem: path.read_text() for path in (tmp_path / "jobs").glob("*.sbatch")}


def test_every_node_with_processes_of_its_own_is_a_job_after_those_it_needs(tmp_path: Path) -> None:
    made = jobs(tmp_path)
    names = ["heldout", "generate", "train", "evaluate-teacher", "evaluate-base", "evaluate-student", "compare"]
    assert sorted(made) == sorted(names)
    order = (tmp_path / "jobs" / "submit.sh").read_text()
    assert "afterok:${job[heldout]} " in next(line for line in order.splitlines() if "generate.sbatch" in line)
    assert all("#SBATCH --requeue" in script and "#SBATCH --signal=B:USR1@120" in script for script in made.values())
    assert (tmp_path / "runs" / "one_minute" / "recipe.resolved.yaml").exists()


def test_students_of_other_seeds_are_jobs_of_their_own_by_names_that_slurm_reads_whole(tmp_path: Path) -> None:
    made = jobs(tmp_path, "--set", "evaluate.seeds=2", "--set", "evaluate.real_only=true")
    assert {"train-seed2", "train-real_only", "evaluate-student-seed2", "evaluate-real_only"} <= set(made)
    for script in made.values():
        options = [line for line in script.splitlines() if line.startswith("#SBATCH")]
        assert options and not any("#" in line.removeprefix("#") for line in options), "the rest would be a comment"
    submit = tmp_path / "jobs" / "submit.sh"
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "sbatch").write_text('#!/bin/sh\nfor last; do :; done\necho "$(basename $last)+$*" | tr " " "_"\n')
    (programs / "sbatch").chmod(0o755)
    said = subprocess.run(
        ["bash", str(submit)], env={"PATH": f"{programs}:/usr/bin:/bin"}, capture_output=True, text=True, check=True
    ).stdout
    line = next(line for line in said.splitlines() if line.startswith("evaluate/student#2: "))
    assert "train-seed2.sbatch+" in line and "train.sbatch+" not in line, "it waits for its own training"


def test_resources_of_a_stage_go_before_what_is_common_to_all(tmp_path: Path) -> None:
    asked = (
        "{all: {partition: gpu, time: '1:00:00', before: [module load x]}, train: {gpus: 8, nodes: 2, time: '8:00:00'}}"
    )
    made = jobs(tmp_path, "--set", f"runtime.slurm={asked}", "--launch", "train=multi_node")
    train, compare = made["train"], made["compare"]
    for line in ("--nodes=2", "--gpus-per-node=8", "--time=8:00:00", "--partition=gpu"):
        assert f"#SBATCH {line}\n" in train
    assert "\nmodule load x\n" in train and "#SBATCH --time=1:00:00\n" in compare and "gpus" not in compare
    config = yaml.safe_load((tmp_path / "jobs" / "train.accelerate.yaml").read_text())
    assert (config["num_machines"], config["num_processes"]) == (2, 16)


def test_each_node_puts_in_its_own_number(tmp_path: Path) -> None:
    """In double quotes the shell of the script would, and every node would be the first."""
    script = jobs(tmp_path, "--set", "runtime.slurm.train={gpus: 8, nodes: 2}", "--launch", "train=multi_node")["train"]
    said = 'srun() { for SLURM_NODEID in 0 1; do export SLURM_NODEID; "${@:2}"; done; }\nscontrol() { echo NodeAddr=10.0.0.1; }\n'
    lines = [line for line in script.splitlines() if line.startswith(("first=", "export MASTER", "srun "))]
    shown = "\n".join(lines).replace("exec ", "echo ").removesuffix(" &")
    done = subprocess.run(
        ["bash", "-c", f"SLURM_JOB_ID=7 SLURM_JOB_NODELIST=a,b\n{said}{shown}"],
        capture_output=True,
        text=True,
        check=True,
    )
    first, second = done.stdout.splitlines()
    assert "--machine_rank 0 --main_process_ip 10.0.0.1 --main_process_port 20007" in first
    assert "--machine_rank 1 --main_process_ip 10.0.0.1 --main_process_port 20007" in second


def test_a_single_process_has_no_launcher_that_would_die_before_it(tmp_path: Path) -> None:
    train = jobs(tmp_path)["train"]
    assert "accelerate.commands.launch" not in train and "ACCELERATE_USE_CPU=true" in train


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--launch", "train=multi_gpu"), "and its job has none"),
        (
            ("--set", "runtime.slurm.evaluate.nodes=2", "--set", "runtime.launch={}"),
            "2 nodes for a stage of one process",
        ),
        (("--launch", "train=single_gpu", "--set", "runtime.slurm.train.gpus=4"), "which is one process"),
        (("--launch", "train=cpu", "--set", "runtime.slurm.train.nodes=2"), "which is one process"),
        (("--set", "runtime.slurm.trian.gpus=2"), "did you mean train?"),
        (("--set", "runtime.slurm.train.gpu=2"), "did you mean gpus?"),
    ],
)
def test_jobs_that_cannot_work_are_refused(
    tmp_path: Path, more: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = ["--runs", str(tmp_path / "runs"), "--cache", str(tmp_path / "cache")]
    assert main(["slurm", ONE_MINUTE, *folders, *more]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("command", ["check", "slurm"])
def test_all_that_cannot_work_is_said_at_once(tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = ["--launch", "train=multi_gpu", "--launch", "generate=cpu", "--set", "runtime.slurm.generate.nodes=2"]
    folders = ["--runs", str(tmp_path / "runs"), "--cache", str(tmp_path / "cache")]
    assert main([command, ONE_MINUTE, *folders, *wrong, "--set", "runtime.slurm.train.nodes=1"]) == 2
    said = capsys.readouterr().err
    assert "and its job has none" in said and "which is one process, and its job has 2 nodes" in said


def test_one_process_in_shards_is_started_as_such(tmp_path: Path) -> None:
    train = jobs(tmp_path, "--launch", "train=fsdp2", "--set", "runtime.slurm.train.gpus=1")["train"]
    assert "accelerate.commands.launch" in train


def test_without_slurm_nothing_is_submitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["slurm", ONE_MINUTE, "--submit", "--runs", str(tmp_path / "runs")]) == 2
    assert "no `sbatch` on this machine" in capsys.readouterr().err


def test_a_job_that_slurm_refuses_is_an_error_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sbatch").write_text("#!/bin/sh\necho 'invalid partition' >&2\nexit 1\n")
    (tmp_path / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert (
        main(["slurm", ONE_MINUTE, "--submit", "--runs", str(tmp_path / "runs"), "--cache", str(tmp_path / "c")]) == 2
    )
    said = capfd.readouterr().err
    assert "invalid partition" in said and "sbatch refused a job" in said


def test_a_job_over_another() -> None:
    assert Job(gpus=1).over(Job(gpus=8, time="1:00")) == Job(gpus=1, time="1:00")


def test_resources_are_in_no_recipe_unless_asked_for() -> None:
    assert load_recipe(Path(ONE_MINUTE)).runtime.slurm == {}
