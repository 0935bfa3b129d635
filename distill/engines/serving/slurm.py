"""Slurm: whether jobs can be submitted here, the nodes of the job that a stage runs in, and the words that run a program there."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence

from distill.errors import EngineError, LaunchError

NODES = "SLURM_JOB_NODELIST"
MASTER = (
    f'first=$(scontrol show hostnames "${NODES}" | head -n 1)',
    """export MASTER_ADDR=$(scontrol show node "$first" | sed -n 's/.*NodeAddr=\\([^ ]*\\).*/\\1/p')""",
    "export MASTER_PORT=$((20000 + SLURM_JOB_ID % 20000))",
)
"""Lines of a job's script that say where its processes meet: on its first node, by a port of its own."""


def check_submit(where: str, hint: str) -> None:
    """Raises:
    LaunchError: jobs cannot be submitted from this machine."""
    if shutil.which("sbatch") is None:
        raise LaunchError("no `sbatch` on this machine", where=where, hint=hint)


def nodes() -> list[str]:
    """Names of the job's nodes, as they know each other.

    Raises:
        EngineError: this is no Slurm job, or Slurm does not answer.
    """
    listed = os.environ.get(NODES)
    if not listed:
        raise EngineError(
            f"`nodes: slurm` was asked for outside of a Slurm job ({NODES} is not set)",
            where="runtime.server.start.nodes",
            hint="start the run inside one (sbatch, salloc), or leave `nodes` out to serve on this machine alone",
        )
    ask = ["scontrol", "show", "hostnames", listed]
    try:
        said = subprocess.run(ask, capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        what = getattr(error, "stderr", None) or error
        raise EngineError(f"scontrol does not tell the job's nodes: {what}", where="runtime.server.start") from error
    return said.split()


def on(node: str | None) -> list[str]:
    """Words before a command that run it on a node of the job; none for this machine.

    The step shares the node with the stage itself (`--overlap`), with all processors and GPUs that the job has there.
    """
    if node is None:
        return []
    return ["srun", "--overlap", "--nodes=1", "--ntasks=1", f"--nodelist={node}", "--cpu-bind=none", "--export=ALL"]


def everywhere(launcher: Sequence[str], worker: Sequence[str]) -> str:
    """Line of a job's script that starts accelerate once on each node, after `MASTER`.

    In single quotes: each node puts in its own number, not the node of the script, as where the shell of the script does it.
    """
    rank = '--machine_rank "$SLURM_NODEID" --main_process_ip "$MASTER_ADDR" --main_process_port "$MASTER_PORT"'
    return (
        f"srun --kill-on-bad-exit=1 bash -c {shlex.quote(f'exec {shlex.join(launcher)} {rank} {shlex.join(worker)}')}"
    )
