"""Where the weights of a model lie, and in how many bits: what a machine must have for it, and how they are read.

nothing said      whole on this process's accelerator, or on the processor
device_map        in parts on all accelerators that this process sees
sharded           on the processor, until each process of a training takes its share
quantization      linear layers in 4 or 8 bits by bitsandbytes, packed while they are read
"""

from __future__ import annotations

import importlib.util
import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from distill.errors import EngineError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Quantization = Literal["nf4", "int8"]


def device() -> str:
    """The accelerator of this process, or the processor where there is none or the launcher was told to use it."""
    import torch

    if os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes") or not torch.cuda.is_available():
        return "cpu"
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}"


def differentiable(model: PreTrainedModel) -> PreTrainedModel:
    """Let a gradient through quantised layers, whatever ran before.

    On a processor with bfloat16 arithmetic, bitsandbytes packs a layer for good when it first answers in evaluation mode, and
    no gradient passes through a packed one: what lies before it would learn from nothing, with a warning at most.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    return model


@dataclass(frozen=True)
class Placement:
    """How a model is loaded, beside its dtype."""

    quantization: Quantization | None = None
    device_map: str | None = None
    sharded: bool = False
    """Left on the processor, from where each process of a training takes its share; 4-bit weights in the dtype that shares
    are cut from."""

    def check(self) -> None:
        """Say what cannot be before anything is loaded.

        Raises:
            EngineError: a package is missing, or several processes would each spread over the same accelerators.
        """
        if self.quantization and importlib.util.find_spec("bitsandbytes") is None:
            raise EngineError(
                f"quantization: {self.quantization} needs bitsandbytes, which is not installed",
                where="quantization",
                hint="pip install 'distill[quantized]', or leave quantization out",
            )
        beside = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        if self.device_map and beside > 1:
            raise EngineError(
                f"{beside} processes on one machine cannot each spread a model over all of its accelerators",
                where="runtime.device_map",
                hint="start one process a machine (runtime.launch), or leave device_map out where one accelerator holds it",
            )

    def arguments(self, dtype: str) -> dict[str, Any]:
        """What `from_pretrained` is told."""
        import torch

        places = {"": device()} if device() == "cpu" or not self.device_map else self.device_map
        if self.quantization:
            from transformers import BitsAndBytesConfig

            logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it remarks on kernels that are not installed
            kind = getattr(torch, dtype)
            four: dict[str, Any] = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": kind}
            if self.sharded:
                four |= {"bnb_4bit_quant_storage": kind}
            packed = BitsAndBytesConfig(**(four if self.quantization == "nf4" else {"load_in_8bit": True}))
            return {"quantization_config": packed, "device_map": places}
        return {"device_map": places} if self.device_map else {}

    def settle(self, model: PreTrainedModel) -> None:
        """Put the loaded model where it belongs.

        Raises:
            EngineError: the accelerators do not hold all of it, and the rest would be fetched anew for every token.
        """
        outside = {"cpu", "disk"} & set(map(str, getattr(model, "hf_device_map", {}).values()))
        if device() != "cpu" and outside:
            raise EngineError(
                f"the model does not fit on this process's accelerators: parts would lie on {' and '.join(sorted(outside))}",
                where="runtime.device_map",
                hint="use more accelerators, engine.quantization, or a server (engine: {kind: server})",
            )
        if not (self.quantization or self.device_map or self.sharded):
            model.to(device())
