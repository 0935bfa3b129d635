"""The nodes of the Slurm job that a stage runs in, and the words that run a program on one of them."""

from __future__ import annotations

import os
import subprocess

from distill.errors import EngineError

NODES = "SLURM_JOB_NODELIST"


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
