"""What a stage is told besides its spec: where things lie, how fast to go, which rank of how many it is.

Nothing here changes an answer, so nothing here is part of a key.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import Field

from distill.endpoint import FREE, Endpoint, Price
from distill.job import Job
from distill.rows import Frozen
from distill.trackers import Tracked

if TYPE_CHECKING:
    from distill.protocols import Accept

T = TypeVar("T")

NOWHERE = Path(os.devnull)
"""Path of a model that is served elsewhere: its weights are not looked for on this machine."""
UNVERSIONED = "unversioned"
"""Revision of a served model of which the recipe states none."""


class Runtime(Frozen):
    """How fast and where, never what: no field of this changes a result, but for the last digits.

    Other batches add up in another order: in float32 that is the seventh digit, in bfloat16 a sampled answer may differ.
    """

    launch: dict[str, str] = {}
    """Stage (`generate`, `filter`, `score`, `train`, `evaluate`, `judge`) to the accelerate configuration that starts it: a bare
    name, or a path."""
    slurm: dict[str, Job] = {}
    """Stage, `report` for the last job, or `all` for what is common to them, to the resources of its job: `distill slurm`."""
    batch_tokens: int = Field(8192, gt=0)
    """Most tokens (padding and new ones included) in one generation or scoring batch."""
    device_map: Literal["auto", "sequential"] | None = None
    """For a teacher that is larger than one accelerator: in parts on all of this process, of even size or one full after
    the other. One process a machine then."""
    packing: bool = True
    """Rows lie one after the other in a training pass, each kept to itself, and nothing is padding. A model that cannot be
    served so is trained with padding."""
    pass_tokens: int | None = Field(None, gt=0)
    """Most tokens in a packed pass, a single longer row excepted. When not given 2048 on a processor and 8192 on a GPU, or
    `per_device_batch` x `train.max_length` if that is less."""
    per_device_batch: int = Field(8, gt=0)
    """Training rows per process and pass where there is padding; accumulation makes up the rest of `train.batch_size`."""
    gradient_checkpointing: bool | None = None
    """Compute activations again in the backward pass instead of keeping them: less memory, about a fifth more time.
    On a GPU when not given."""
    report_to: tuple[str, ...] = ()
    """Experiment trackers that are told of every step, and of the report in the end: `tensorboard`, `wandb`, `trackio`,
    `mlflow`. Of others that transformers knows (`comet_ml`, `clearml`, `swanlab`, …) the steps alone."""
    server: Endpoint | None = None
    """Of a teacher with `engine: {kind: server}`, unless `servers` names that teacher."""
    servers: dict[str, Endpoint] = {}
    """Of each teacher by its name: `teacher`, or a name under `teachers`."""

    def endpoint(self, teacher: str) -> Endpoint | None:
        """Where the server of a teacher is, by the teacher's name."""
        return self.servers.get(teacher, self.server)

    def price(self, teacher: str) -> Price | None:
        """What the server of a teacher charges, None where the recipe does not say; servers started here are free."""
        endpoint = self.endpoint(teacher)
        if endpoint is None:
            return None
        return endpoint.price or (FREE if endpoint.start else None)


@dataclass(frozen=True)
class Resolved:
    """A reference that was followed: where it lies on this machine and exactly what it is."""

    ref: str
    path: Path
    revision: str
    """Commit for a hub id, `sha256:…` for files; of a served model what the recipe states. Never empty."""
    terms: tuple[str, ...] = ()
    """Licence ids: those that the recipe states, else those found with it (package metadata, hub card); empty when unknown."""
    card: tuple[str, ...] = ()
    """Those found with it, whatever the recipe states."""

    @property
    def origin(self) -> str:
        """`<name>@<revision>`, as rows carry it."""
        return f"{self.ref}@{self.revision}"

    @property
    def identity(self) -> str:
        """What tells it from all others: the revision alone, or with the name where nobody here has seen the weights."""
        return self.origin if self.path == NOWHERE else self.revision


@dataclass(frozen=True)
class Ranks:
    """This process among the processes of its stage."""

    rank: int = 0
    world: int = 1

    @property
    def main(self) -> bool:
        return self.rank == 0

    def barrier(self) -> None:
        """Wait for the others; returns at once in a world of one."""
        if self.world > 1:
            import torch.distributed as dist

            dist.barrier()

    def gather(self, items: Sequence[T]) -> list[T]:
        """Every rank's items, those of rank 0 first, on every rank."""
        if self.world == 1:
            return list(items)
        import torch.distributed as dist

        parts: list[Any] = [None] * self.world
        dist.all_gather_object(parts, list(items))
        return [item for part in parts for item in part]


@dataclass(frozen=True)
class Context:
    """Handed to every stage beside its spec and inputs."""

    cache: Path
    """Root of the cache: `answers/` and `models/` lie under it."""
    resolved: Mapping[str, Resolved]
    """Every reference in the spec, already followed."""
    runtime: Runtime = Runtime()
    ranks: Ranks = Ranks()
    key: str = ""
    """Of the node that is made."""
    tracked: Tracked | None = None
    """What trackers know it by."""
    accept: Accept | None = None
    """For generation: the recipe's own filters."""
    started: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        """One line for the person watching, from the first rank only."""
        if self.ranks.main:
            print(text, file=sys.stderr, flush=True)

    def progress(
        self, items: Iterable[T], total: int, label: str, unit: str, note: Callable[[T], str] | None = None
    ) -> Iterator[T]:
        """The items as they come, with rate and remaining time on a terminal and silence elsewhere.

        Args:
            note: text after the bar, from the item that has just come.
        """
        from tqdm import tqdm

        quiet = not self.ranks.main or bool(os.environ.get("DISTILL_QUIET")) or None
        bar = tqdm(items, total=total, desc=f"  {label}", unit=unit, disable=quiet, leave=False, smoothing=0.1)
        for item in bar:
            if note is not None and not bar.disable:
                bar.set_postfix_str(note(item), refresh=False)
            yield item
