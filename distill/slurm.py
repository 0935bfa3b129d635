"""A recipe as Slurm jobs: one for each node of the plan that has processes of its own, each after those it needs.

    OUT/submit.sh              sbatch for every job, with its dependencies
    OUT/train.sbatch           the job: resources, its command, what happens before its time is up
    OUT/train.accelerate.yaml  the configuration of runtime.launch.train with this job's nodes and GPUs written in
    OUT/train-123.log          what it said, however often it was queued again

Light nodes (split, mix, tokens) are made by the first job that needs them, the report by a last one. All jobs work in the
cache, which is on a disk that all nodes see, so a job that is started again does what is left, and training goes on from its
last checkpoint.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from distill.artifacts import disk
from distill.engines.serving import slurm
from distill.errors import LaunchError
from distill.job import Job
from distill.launch import CONFIG, GRACE, SHARDED, find_config, on_cpu, read_config
from distill.names import job_name
from distill.nodes.node import Node
from distill.workspace import Workspace

REPORT = "report"
"""Key of `runtime.slurm` for the last job."""
NOTICE = 120
"""Seconds before its time is up at which a job is told."""
BATCH = """\
#!/bin/bash
# {node} of {recipe}, written by `distill slurm`.
{options}
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@{notice}

# Before the time is up: training writes a checkpoint when it is told to end, and the job is queued again to go on from there.
again() {{
  echo "the time is nearly up: to be queued again" >&2
  {tell}
  for _ in $(seq {patience}); do kill -0 "$stage" 2>/dev/null || break; sleep 1; done
  kill -0 "$stage" 2>/dev/null || ! wait "$stage" || exit 0  # it was done
  scontrol requeue "$SLURM_JOB_ID"
}}
trap again USR1
trap : TERM  # preempted: Slurm tells the stage itself, and queues the job again

cd {here}
export HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false{environment}
{before}{command} &
stage=$!
# A signal ends the waiting, not the stage.
while :; do wait "$stage"; status=$?; kill -0 "$stage" 2>/dev/null || break; done
exit "$status"
"""


@dataclass(frozen=True)
class Batch:
    """One job."""

    node: Node
    after: tuple[str, ...]
    """Nodes whose jobs must have ended well."""
    job: Job

    @property
    def name(self) -> str:
        return job_name(self.node.name)


def batches(workspace: Workspace) -> Iterator[Batch]:
    """The jobs of all nodes that are not there yet, each after those it needs."""
    heavy = [node.name for node in workspace.nodes if node.launch] + [workspace.nodes[-1].name]
    left = [name for name in dict.fromkeys(heavy) if workspace.find(name) is None]
    asked = workspace.recipe.runtime.slurm
    for name in left:
        node = workspace.planned[name].node
        common, own = asked.get("all", Job()), asked.get(node.launch or REPORT, Job())
        if not node.launch:
            common = common.model_copy(update={"nodes": 1, "gpus": 0})
        needs = workspace.wanted(name)
        yield Batch(node, tuple(other for other in left if other in needs and other != name), own.over(common))


def write(workspace: Workspace, out: Path) -> list[str]:
    """Write all jobs of a recipe and return their names; what needs no job was made before.

    Raises:
        LaunchError: a job whose resources do not go with its launch.
    """
    jobs = list(batches(workspace))
    check(workspace, jobs)
    lines = [
        "#!/bin/bash",
        f"# All jobs of {workspace.recipe.name}, written by `distill slurm`; run it on a login node.",
        "set -e",
    ]
    workspace.save_recipe()
    with disk(out):
        out.mkdir(parents=True, exist_ok=True)
        for old in (*out.glob("*.sbatch"), *out.glob("*.accelerate.yaml")):
            old.unlink()
        for batch in jobs:
            (out / f"{batch.name}.sbatch").write_text(_script(workspace, batch, out), encoding="utf-8")
            after = "".join(f":${{job[{name}]}}" for name in batch.after)
            wait = f" --kill-on-invalid-dep=yes --dependency=afterok{after}" if after else ""
            path = shlex.quote(str(out / f"{batch.name}.sbatch"))
            lines += [
                f"job[{batch.node.name}]=$(sbatch --parsable{wait} {path})",
                f'echo "{batch.node.name}: job ${{job[{batch.node.name}]}}"',
            ]
        lines.insert(3, "declare -A job")
        (out / "submit.sh").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [batch.node.name for batch in jobs]


def check(workspace: Workspace, jobs: Iterable[Batch] | None = None) -> None:
    """Refuse resources that do not go with their stage's launch, all of them at once.

    Raises:
        LaunchError: what `launched` finds of any job.
    """
    errors: dict[str, None] = {}
    for batch in batches(workspace) if jobs is None else jobs:
        try:
            launched(workspace, batch)
        except LaunchError as error:
            errors[str(error)] = None
    if errors:
        raise LaunchError("\n".join(errors))


def launched(workspace: Workspace, batch: Batch) -> tuple[dict[str, Any], int] | None:
    """The accelerate configuration that starts a job's stage and its processes on a node; None for one process.

    Raises:
        LaunchError: a job whose resources do not go with it.
    """
    stage = batch.node.launch or ""
    launch = workspace.recipe.runtime.launch.get(stage)
    if launch is None:
        _check_nodes(workspace, batch)
        return None
    config, job = read_config(find_config(launch, workspace.base)), batch.job
    beside = int(config.get("num_processes") or 1) // int(config.get("num_machines") or 1)
    if not config.get("use_cpu"):
        beside = job.gpus
    if not beside:
        raise LaunchError(
            f"{stage} is launched by {launch}, which is for GPUs, and its job has none",
            where=f"runtime.slurm.{stage}.gpus",
            hint="say how many each node has, or launch it by cpu or multi_cpu",
        )
    if beside * job.nodes > 1 and str(config.get("distributed_type", "NO")).upper() == "NO":
        raise LaunchError(
            f"{stage} is launched by {launch}, which is one process, and its job has {job.nodes} nodes of {beside}",
            where=f"runtime.slurm.{stage}",
            hint="launch it by multi_gpu, multi_cpu or multi_node, or give its job one node and one GPU",
        )
    return config, beside


def _script(workspace: Workspace, batch: Batch, out: Path) -> str:
    command, environment, spread = _command(workspace, batch, out)
    return BATCH.format(
        node=batch.node.name,
        recipe=workspace.recipe.name,
        options="\n".join(f"#SBATCH {option}" for option in _options(workspace, batch, out)),
        notice=NOTICE,
        patience=NOTICE - 30,
        tell='scancel --signal=TERM "$SLURM_JOB_ID"' if spread else 'kill -TERM "$stage"',
        here=shlex.quote(str(Path.cwd())),
        environment="".join(f" {name}={shlex.quote(value)}" for name, value in environment.items()),
        before="".join(f"{line}\n" for line in (*batch.job.before, *(slurm.MASTER if spread else ()))),
        command=command,
    )


def _options(workspace: Workspace, batch: Batch, out: Path) -> Iterator[str]:
    job = batch.job
    yield f"--job-name={workspace.recipe.name}/{batch.node.name.replace('#', '-seed')}"  # a # would begin a comment
    yield f"--output={out / batch.name}-%j.log"
    yield f"--nodes={job.nodes}"
    yield "--ntasks-per-node=1"
    told = {
        "gpus-per-node": job.gpus or None,
        "cpus-per-task": job.cpus,
        "mem": job.memory,
        "time": job.time,
        "partition": job.partition,
        "account": job.account,
    }
    yield from (f"--{name}={value}" for name, value in told.items() if value is not None)
    yield from job.options


def _command(workspace: Workspace, batch: Batch, out: Path) -> tuple[str, dict[str, str], bool]:
    """The stage's command, variables it needs, and whether it runs on several nodes."""
    planned, job = workspace.planned[batch.node.name], batch.job
    run, cache = workspace.run_folder.resolve(), workspace.cache.resolve()
    worker = ["-m", "distill.launch", "--alone", batch.node.name, planned.key, str(run), str(cache)]
    started = launched(workspace, batch)
    if started is None:
        return shlex.join([sys.executable, *worker]), {}, False
    config, beside = started
    path = out / f"{batch.name}.accelerate.yaml"
    config |= {"num_machines": job.nodes, "num_processes": beside * job.nodes}
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    environment = on_cpu(path)
    if environment:
        environment["OMP_NUM_THREADS"] = str(max(1, (job.cpus or 1) // beside))  # of that machine, not of this one
    if beside * job.nodes == 1 and str(config.get("distributed_type", "NO")).upper() not in SHARDED:
        return shlex.join([sys.executable, *worker]), environment, False  # a launcher would die before it lets go
    environment |= {CONFIG: str(path), "TORCH_ELASTIC_SHUTDOWN_TIMEOUT": GRACE}
    launcher = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(path), "--quiet"]
    if job.nodes == 1:
        return shlex.join([*launcher, *worker]), environment, False
    return slurm.everywhere(launcher, worker), environment, True


def _check_nodes(workspace: Workspace, batch: Batch) -> None:
    """Several nodes are of use to a stage whose servers are started on them; to others only through accelerate."""
    endpoints = (workspace.recipe.runtime.endpoint(name) for name in workspace.recipe.cast)
    serves = any(one is not None and one.start is not None and one.start.nodes == "slurm" for one in endpoints)
    if batch.job.nodes > 1 and not serves:
        raise LaunchError(
            f"{batch.job.nodes} nodes for a stage of one process",
            where=f"runtime.slurm.{batch.node.launch or REPORT}.nodes",
            hint="name an accelerate configuration for it in runtime.launch, such as multi_node",
        )
