"""The objectives there are, and the only place that picks one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from distill.context import Context
from distill.train import logits, on_policy, preference, sft
from distill.train.how import How

if TYPE_CHECKING:
    from distill.train.settings import Spec

OPENED: Mapping[str, Callable[..., How]] = {
    "sft": sft.open_how,
    "logits": logits.open_how,
    "on_policy": on_policy.open_how,
    "preference": preference.open_how,
}


def open_how(spec: Spec, inputs: Mapping[str, Path], context: Context) -> How:
    """The objective of a spec."""
    return OPENED[spec.train.objective](spec, inputs, context)
