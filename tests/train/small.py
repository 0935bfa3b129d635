"""A small training on the tiny model, here and in processes of its own.

python tests/train/small.py FOLDER SPEC.json OUT …    trains FOLDER/mix into FOLDER/OUT on the model in FOLDER/model, as
                                                      often as there is a spec
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from distill.context import Context, Ranks, Resolved, Runtime
from distill.engines.teacher import Teacher
from distill.engines.transformers import Transformers
from distill.launch import guarded
from distill.protocols import Summary
from distill.rows import Message, Provenance, Row, digest, root_of, write_rows
from distill.score import stage as scoring
from distill.tokenise import stage as tokenise
from distill.train import settings, stage
from distill.train.logits import Logits
from distill.train.student import Lora, Student
from distill.train.watch import Watched

MODEL, OTHER = "tiny", "teacher"
TEACHER = {"model": MODEL, "engine": {"kind": "transformers", "dtype": "float32"}}
"""The student with the layer that was taken out of it."""
WORDS = "the river runs past old stones and a quiet mill where nobody asks what time it is".split()

UNWANTED = "no never because nothing else would ever matter here or anywhere today".split()


def make_row(number: int, words: int = 0, source: str = "teacher", terms: tuple[str, ...] = ("apache-2.0",)) -> Row:
    """A conversation of a length of its own."""
    said = " ".join(WORDS[(number + place) % len(WORDS)] for place in range(words or 3 + number % 9))
    messages = (Message(role="user", content=f"Say {number}."), Message(role="assistant", content=said))
    provenance = Provenance(
        source="teacher" if source == "teacher" else "real",
        origin=f"{source}@1",
        method="answer" if source == "teacher" else "real",
        root=root_of(messages),
        depth=1 if source == "teacher" else 0,
        terms=terms,
    )
    return Row(kind="chat", messages=messages, provenance=provenance)


def make_pair(number: int) -> Row:
    """The conversation of that number, and an answer of other words that was rejected."""
    row = make_row(number)
    said = " ".join(UNWANTED[(number + place) % len(UNWANTED)] for place in range(2 + number % 5))
    return row.model_copy(update={"kind": "preference", "rejected": (Message(role="assistant", content=said),)})


def spec_of(seed: int = 5, dropout: float = 0.0, **train: Any) -> settings.Spec:
    chosen = {"dtype": "float32", "batch_size": 16, "learning_rate": 5e-3, **train}
    student = Student(model=MODEL, lora=Lora(r=4, alpha=8, dropout=dropout), drop_layers=(1,))
    teacher = TEACHER if chosen.get("objective") == "on_policy" else None
    return settings.Spec.model_validate({"student": student, "train": chosen, "seed": seed, "teacher": teacher})


def context_of(folder: Path, ranks: Ranks | None = None, **runtime: Any) -> Context:
    # By the path of the model itself, which a student's description has: it is one for all folders.
    source = Resolved(MODEL, (folder / "model").resolve(), "sha256:0", ("apache-2.0",))
    teacher = Resolved(OTHER, folder / "teacher", "sha256:1", ("mit",))
    return Context(folder / "cache", {MODEL: source, OTHER: teacher}, Runtime(**runtime), ranks or Ranks())


def put(folder: Path, rows: Sequence[Row], real: Sequence[Row] = ()) -> None:
    """The rows that are trained on, those that the training is watched on, and nothing of those before them."""
    pairs = [row for row in rows if row.kind == "preference"]
    files = {"train": [row for row in rows if row not in pairs], "preference": pairs, "validation": list(real)}
    for name, written in files.items():
        (folder / "mix" / f"{name}.jsonl").unlink(missing_ok=True)
        if written or name == "train":
            write_rows(folder / "mix" / f"{name}.jsonl", written)
    shutil.rmtree(folder / "tokens", ignore_errors=True)
    inputs_of(folder)


def inputs_of(folder: Path) -> dict[str, Path]:
    """What the nodes before training left: rows, and their tokens."""
    if not (tokens := folder / "tokens").exists():
        tokens.mkdir()
        tokenise.run(tokenise.Spec(student=MODEL), {"mix": folder / "mix"}, tokens, context_of(folder))
    return {"mix": folder / "mix", "tokenise": tokens}


def score(folder: Path, spec: settings.Spec, **runtime: Any) -> dict[str, Path]:
    """What a training on the teacher's distributions finds besides."""
    assert isinstance(spec.train, Logits)
    keep, temperature = spec.train.keep, spec.train.temperature
    teacher = Teacher(model=OTHER, engine=Transformers(dtype="float32"))
    asked = scoring.Spec(teacher=teacher, student=MODEL, keep=keep, temperature=temperature)
    out = folder / f"score-{digest(asked.model_dump(mode='json'))[:8]}"
    if not (out / "teacher.json").exists():
        out.mkdir(exist_ok=True)
        scoring.run(asked, inputs_of(folder), out, context_of(folder, **runtime))
    return {"score": out}


def all_inputs(folder: Path, spec: settings.Spec) -> dict[str, Path]:
    """What the nodes before this training left."""
    return inputs_of(folder) | (score(folder, spec) if spec.train.SCORED else {})


def train(folder: Path, spec: settings.Spec, out: str = "out", after: str | None = None, **runtime: Any) -> Summary:
    """Train here, into a folder that may hold what a killed training left.

    Args:
        after: folder of the training that this one goes on with.
    """
    (folder / out).mkdir(exist_ok=True)
    inputs = all_inputs(folder, spec)
    if after is not None:
        inputs, spec = inputs | {after: folder / after}, spec.model_copy(update={"after": after})
    return stage.run(spec, inputs, folder / out, context_of(folder, **runtime))


@contextmanager
def as_it_is_logged(step: int, do: Callable[[], None]) -> Iterator[None]:
    """Something happens inside a training as this step is to be logged."""
    entry = Watched.entry

    def after(self: Watched, at: int, logs: dict[str, Any]) -> dict[str, Any]:
        if at == step:
            do()
        return entry(self, at, logs)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Watched, "entry", after)
        yield


@contextmanager
def interrupted_at(step: int) -> Iterator[None]:
    """A training inside is stopped as this step is to be logged."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    with as_it_is_logged(step, interrupt), pytest.raises(KeyboardInterrupt):
        yield


def main(folder: Path, *asked: str) -> int:
    from accelerate import PartialState

    def work() -> None:
        state = PartialState(cpu=True)
        ranks = Ranks(state.process_index, state.num_processes)
        for file, out in zip(asked[::2], asked[1::2], strict=True):
            spec = settings.Spec.model_validate_json((folder / file).read_text(encoding="utf-8"))
            stage.run(spec, all_inputs(folder, spec), folder / out, context_of(folder, ranks))
        state.destroy_process_group()

    return guarded(work)


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), *sys.argv[2:]))
