"""How a stage starts the servers of a model itself: which program, on which GPUs and nodes. Speed and place only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from pydantic import Field, model_validator

from distill.rows import Frozen

Kind = Literal["vllm", "sglang", "llama_cpp", "transformers"]
Word = str | int | float
"""A word of a command line; YAML reads some of them as numbers."""
FASTER: dict[Kind, str] = {
    "vllm": """
        api-server-count async-scheduling attention-backend block-size compilation-config cpu-offload-gb
        data-parallel-size disable-custom-all-reduce disable-log-stats distributed-executor-backend enable-chunked-prefill
        enable-expert-parallel enable-prefix-caching enforce-eager gpu-memory-utilization max-model-len
        max-num-batched-tokens max-num-seqs max-parallel-loading-workers pipeline-parallel-size uvicorn-log-level""",
    "sglang": """
        attention-backend chunked-prefill-size context-length cuda-graph-max-bs data-parallel-size disable-cuda-graph
        disable-custom-all-reduce disable-overlap-schedule disable-radix-cache dp-size enable-mixed-chunk
        enable-torch-compile ep-size log-level max-prefill-tokens max-running-requests max-total-tokens
        mem-fraction-static page-size pipeline-parallel-size pp-size sampling-backend schedule-conservativeness
        schedule-policy watchdog-timeout""",
    "llama_cpp": "batch-size ctx-size n-gpu-layers parallel threads threads-batch ubatch-size",
    "transformers": "attn-implementation compile device log-level",
}
"""Options of each kind that are known to leave answers as they are; any other is taken to change them."""


class Start(Frozen):
    """Servers that a stage starts before its first question and stops when it ends."""

    kind: Kind
    python: str | None = None
    """Interpreter of the environment that the server is installed in, a path or a name on PATH; distill's own when not given."""
    gpus: int | None = Field(None, ge=0)
    """Of each server, its weights split over them. One when not given, or none on a node without GPUs."""
    servers: int | None = Field(None, gt=0)
    """On each node; when not given as many as its GPUs make, or one without GPUs."""
    nodes: Literal["here", "slurm"] = "here"
    """`slurm`: on every node of the job that the stage runs in."""
    args: tuple[Word, ...] = ()
    """Options for the server that make it faster or smaller. Those that change answers belong to `engine.args`."""
    environment: dict[str, str] = {}
    """Variables for the server beside those of the stage."""
    ready_within: float = Field(1800.0, gt=0)
    """Seconds from the start until every server must answer."""
    restarts: int = Field(2, ge=0)
    """Times that each server is started again after a crash, before the run gives up."""

    @model_validator(mode="after")
    def _changes_no_answer(self) -> Start:
        known = FASTER[self.kind].split()
        for name in options(self.args):
            if name not in known:
                raise ValueError(
                    f"--{name} may change the answers of {self.kind}: write it under the teacher's engine.args, which is"
                    f" in the key (here: {', '.join(known)})"
                )
        return self


def options(words: Iterable[Word]) -> Iterator[str]:
    """Names of the options among the words of a command line: `--no-x_y=1` is `x-y`."""
    for word in map(str, words):
        if word.startswith("-") and not word.lstrip("-")[:1].isdecimal():
            yield word.lstrip("-").partition("=")[0].replace("_", "-").removeprefix("no-")
