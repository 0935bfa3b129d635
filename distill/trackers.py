"""Experiment trackers: what each needs, the name under which it knows a training, and how the report's numbers get there.

transformers tells a tracker of every step while a student learns, accelerate of the report in the end; both by the same
run of the tracker: killed and resumed trainings go on in it.

    tensorboard    runs/NAME/trackers/NODE/      $TENSORBOARD_LOGGING_DIR
    wandb          project distill, id KEY       $WANDB_PROJECT, $WANDB_RUN_ID, $WANDB_MODE=offline, …
    trackio        project distill, NAME/NODE    $TRACKIO_DIR
    mlflow         experiment distill, NAME/NODE $MLFLOW_EXPERIMENT_NAME, $MLFLOW_TRACKING_URI

What the environment says goes before what is set here. Keys of the trackers are theirs, from the environment alone.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.errors import TrainError
from distill.names import folder_name

PROJECT = "distill"
TAG = "distill.key"
"""By which mlflow finds the run of a training."""
PACKAGES: Mapping[str, tuple[str, ...]] = {
    "tensorboard": ("tensorboard", "tensorboardX"),
    "wandb": ("wandb",),
    "trackio": ("trackio",),
    "mlflow": ("mlflow",),
    "clearml": ("clearml",),
    "codecarbon": ("codecarbon",),
    "comet_ml": ("comet_ml",),
    "dvclive": ("dvclive",),
    "swanlab": ("swanlab",),
}
"""Those that transformers knows, and packages of which each needs one."""
REPORTED = ("tensorboard", "wandb", "trackio", "mlflow")
"""Those that get the report's numbers too."""


@dataclass(frozen=True)
class Tracked:
    """What trackers know a training by."""

    run: str
    """Name of the run."""
    node: str
    """`train`, `train#2`, …"""
    key: str
    """Of the node."""
    folder: Path
    """Of the run, for those that write files."""

    @property
    def name(self) -> str:
        return f"{self.run}/{self.node}"

    @property
    def files(self) -> Path:
        return self.folder / "trackers" / folder_name(self.node)


def check(names: Sequence[str]) -> None:
    """Refuse a tracker that there is not. Nothing of it is loaded.

    Raises:
        TrainError: no such tracker, or its package is not installed.
    """
    for name in names:
        if name not in PACKAGES:
            hint = f"name some of {', '.join(sorted(PACKAGES))}"
            raise TrainError(f"{name!r} is no tracker", where="runtime.report_to", hint=hint)
        if not any(importlib.util.find_spec(package) for package in PACKAGES[name]):
            hint = f"pip install {PACKAGES[name][-1].replace('_', '-')}, or leave it out"
            raise TrainError(f"the tracker {name} is not installed", where="runtime.report_to", hint=hint)


@contextmanager
def told(names: Sequence[str], tracked: Tracked | None) -> Iterator[None]:
    """Inside, transformers' trackers write where the training belongs; afterwards none is open.

    Raises:
        TrainError: mlflow cannot be asked for the run to go on in.
    """
    if not names or tracked is None:
        yield
        return
    own = {
        "TENSORBOARD_LOGGING_DIR": str(tracked.files),
        "WANDB_PROJECT": PROJECT,
        "WANDB_RUN_ID": tracked.key,
        "WANDB_RESUME": "allow",
        "MLFLOW_EXPERIMENT_NAME": PROJECT,
        "MLFLOW_TAGS": json.dumps({TAG: tracked.key}),
    }
    set_here = {name: value for name, value in own.items() if name not in os.environ}
    os.environ.update(set_here)
    try:
        if "mlflow" in names and "MLFLOW_RUN_ID" not in os.environ and (before := _mlflow_run(tracked.key)):
            set_here["MLFLOW_RUN_ID"] = os.environ["MLFLOW_RUN_ID"] = before
        yield
    finally:
        for name in set_here:
            os.environ.pop(name, None)
        if "wandb" in names:
            import wandb

            wandb.finish()


def settings(names: Sequence[str], tracked: Tracked | None) -> dict[str, Any]:
    """Of transformers' trainer."""
    named = {"run_name": tracked.name, "project": PROJECT} if names and tracked else {}
    return {"report_to": list(names) or "none", **named}


def report(names: Sequence[str], tracked: Tracked, values: Mapping[str, float], step: int) -> None:
    """Hand numbers to the run of a training that has ended, each as of its last step."""
    from accelerate import PartialState
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS

    PartialState()  # which its trackers ask for their place
    for name in (name for name in names if name in REPORTED):
        with told([name], tracked):
            tracker = LOGGER_TYPE_TO_CLASS[name](**_opened(name, tracked))
            tracker.start()
            # wandb counts steps on by itself and draws over this one, which transformers gives it too.
            more = {"train/global_step": step} if name in ("wandb", "trackio") else {}
            tracker.log({**values, **more}, step=None if name == "wandb" else step)
            tracker.finish()


def _opened(name: str, tracked: Tracked) -> dict[str, Any]:
    """Arguments with which accelerate's tracker goes on in the training's run."""
    if name == "tensorboard":
        folder = Path(os.environ["TENSORBOARD_LOGGING_DIR"])
        return {"run_name": folder.name, "logging_dir": str(folder.parent)}
    if name == "trackio":
        return {"run_name": PROJECT, "name": tracked.name, "resume": "allow"}
    if name == "mlflow":
        return {"experiment_name": PROJECT, "run_name": tracked.name}
    return {"run_name": os.environ["WANDB_PROJECT"], "name": tracked.name}


def _mlflow_run(key: str) -> str | None:
    """Raises:
    TrainError: it cannot be reached, or refuses."""
    import mlflow

    experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
    try:
        found = mlflow.search_runs(
            experiment_names=[experiment], filter_string=f"tags.`{TAG}` = '{key}'", output_format="list", max_results=1
        )
    except Exception as error:  # of a library, a server or a network that is not ours
        hint = "start the server that MLFLOW_TRACKING_URI names, or leave mlflow out; nothing of the training is lost"
        told = f"mlflow cannot be asked: {type(error).__name__}: {error}"
        raise TrainError(told, where="runtime.report_to", hint=hint) from error
    return str(found[0].info.run_id) if found else None
