"""What a stage asks of a cluster that runs it as a job. Speed and place only."""

from __future__ import annotations

from pydantic import Field

from distill.rows import Frozen


class Job(Frozen):
    """Resources of a stage under Slurm, as `sbatch` takes them."""

    nodes: int = Field(1, gt=0)
    gpus: int = Field(0, ge=0)
    """On each node; a process for each where the stage is launched by accelerate."""
    cpus: int | None = Field(None, gt=0)
    """On each node; the cluster's default when not given, as below."""
    memory: str | None = Field(None, pattern=r"^\d+[KMGT]?$")
    """On each node, such as `64G`; `0` is all of it."""
    time: str | None = Field(None, pattern=r"^[\d:-]+$")
    """Limit, such as `8:00:00` or `2-00:00:00`: a job that is about to reach it is queued again and goes on."""
    partition: str | None = None
    account: str | None = None
    options: tuple[str, ...] = ()
    """Others, such as `--constraint=h100`."""
    before: tuple[str, ...] = ()
    """Lines of shell before the stage, such as `module load cuda`."""

    def over(self, common: Job) -> Job:
        """This job, with what it leaves open taken from another."""
        told = {name: getattr(job, name) for job in (common, self) for name in job.model_fields_set}
        return Job(**told)
