from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distill.context import Context, Resolved
from distill.engines.teacher import Teacher
from distill.engines.transformers import Transformers
from distill.errors import ArtifactError, EngineError, TrainError
from distill.rows import Message, Row, write_rows
from distill.score import stage
from distill.score.stage import Spec
from distill.soft_targets import Cache, Sampled, TopK
from distill.tokenise import stage as tokenise
from tests.conftest import TOKENS
from tests.train.small import MODEL, OTHER, context_of, inputs_of, make_row

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path, tiny_model: Path, sharp_model: Path) -> Path:
    """A student's model, a teacher's, rows and their tokens: two turns to learn in one, a plain text, rows of people."""
    (tmp_path / "model").symlink_to(tiny_model)
    (tmp_path / "teacher").symlink_to(sharp_model)
    (tmp_path / "mix").mkdir()
    turns = [("user", "Hi."), ("assistant", "Good day."), ("user", "And?"), ("assistant", "That is all there is.")]
    messages = tuple(Message(role=role, content=said) for role, said in turns)  # type: ignore[arg-type]
    two = make_row(1).model_copy(update={"messages": messages})
    text = make_row(2).model_copy(update={"kind": "text", "messages": (messages[3],)})
    rows: list[Row] = [two, text, *(make_row(number, source="real") for number in range(3, 9))]
    write_rows(tmp_path / "mix" / "train.jsonl", rows)
    inputs_of(tmp_path)
    return tmp_path


def spec_of(keep: Any = None, temperature: float = 1.0, dtype: Any = "float32") -> Spec:
    teacher = Teacher(model=OTHER, engine=Transformers(dtype=dtype))
    return Spec(teacher=teacher, student=MODEL, keep=keep or TopK(k=8, dtype="float32"), temperature=temperature)


def run(folder: Path, spec: Spec, out: str = "score", **runtime: Any) -> dict[str, Any]:
    (folder / out).mkdir(exist_ok=True)
    return stage.run(spec, inputs_of(folder), folder / out, context_of(folder, **runtime))


def rows_of(folder: Path) -> list[dict[str, Any]]:
    from datasets import Dataset

    return list(Dataset.from_file(str(folder / "tokens" / "train.arrow")))


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_every_learnt_token_has_the_teachers_distribution_before_it(folder: Path, temperature: float) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    summary = run(folder, spec_of(temperature=temperature))
    teacher = AutoModelForCausalLM.from_pretrained(folder / "teacher")
    cache = Cache(folder / "score")
    assert summary["counts"] == {"rows": 8, "positions": sum(row["learnt"] for row in rows_of(folder))}
    for row in rows_of(folder):
        with torch.no_grad():
            logits = teacher(torch.tensor([row["input_ids"]])).logits[0]
        places = [place for place, label in enumerate(row["labels"][1:]) if label != -100]
        expected = torch.log_softmax(logits[places] / temperature, -1)
        found = cache[row["id"]]
        assert found.positions == row["learnt"]
        values, ids = expected.topk(8)
        assert np.array_equal(found.ids.reshape(-1, 8), ids.numpy())
        assert np.allclose(found.logprobs.reshape(-1, 8), values.numpy(), atol=1e-4)
        assert found.tail is not None
        assert np.allclose(np.exp(found.tail), 1 - values.exp().sum(-1).numpy(), atol=1e-5)


def test_settings_and_size_are_stated(folder: Path) -> None:
    summary = run(folder, spec_of(TopK(k=8)))
    assert {name: summary[name] for name in ("format", "keep", "temperature", "vocabulary", "teacher", "notes")} == {
        "format": 1,
        "keep": {"kind": "top_k", "k": 8, "dtype": "float16"},
        "temperature": 1.0,
        "vocabulary": TOKENS,
        "teacher": "teacher@sha256:1",
        "notes": [],
    }
    assert 8 * 4 + 2 <= summary["bytes_per_token"] < 60, "two bytes an id, two a log-probability, and headers"
    assert 0.5 < summary["tail_mass"] < 1
    assert json.loads((folder / "score" / "teacher.json").read_text()) == {
        "origin": "teacher@sha256:1", "terms": ["mit"], "depth": 0,
    }  # fmt: skip
    drawn = run(folder, spec_of(Sampled(kind="sampled", n=5)), "drawn")
    assert 1 < drawn["ids_per_token"] <= 5


def test_batches_of_any_size_give_the_same(folder: Path) -> None:
    for keep in (TopK(k=8, dtype="float32"), Sampled(kind="sampled", n=8, dtype="float32")):
        for batch_tokens in (64, 8192):
            run(folder, spec_of(keep), f"{keep.kind}-{batch_tokens}", batch_tokens=batch_tokens)
        small, large = (Cache(folder / f"{keep.kind}-{size}") for size in (64, 8192))
        for row in rows_of(folder):
            one, two = small[row["id"]], large[row["id"]]
            assert np.array_equal(one.ids, two.ids)
            assert np.allclose(one.logprobs, two.logprobs, atol=1e-5)


def test_a_killed_run_goes_on_with_the_files_that_are_missing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "SHARD", 64)
    run(folder, spec_of(), "whole")
    shards = sorted((folder / "whole").glob("*.arrow"))
    assert len(shards) > 3
    program = (
        "import sys, time; from distill.score import stage; from pathlib import Path; from tests.score import test_stage as t\n"
        "stage.SHARD = 64\n"
        "write = stage.write\n"
        "def slow(*a): write(*a); time.sleep(0.3)\n"
        "stage.write = slow; t.run(Path(sys.argv[1]), t.spec_of())"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DISTILL_QUIET": "1"}
    process = subprocess.Popen([sys.executable, "-c", program, str(folder)], env=environment, cwd=ROOT)
    until = time.monotonic() + 120
    while len(list((folder / "score").glob("teacher-*.arrow"))) < 2 and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    there = {path.name: path.stat().st_mtime_ns for path in (folder / "score").glob("teacher-*.arrow")}
    assert 2 <= len(there) < len(shards)
    (folder / "score" / ".teacher-00099.arrow").touch()
    summary = run(folder, spec_of())
    assert all((folder / "score" / name).stat().st_mtime_ns == then for name, then in there.items())
    assert summary["counts"]["rows"] == 8
    for path in shards:
        assert path.read_bytes() == (folder / "score" / path.name).read_bytes()


@pytest.mark.distributed
def test_two_processes_make_the_files_of_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "SHARD", 64)
    run(folder, spec_of(), "one")
    program = folder / "two.py"
    program.write_text(
        "from pathlib import Path; from accelerate import PartialState; from distill.context import Ranks\n"
        "from distill.score import stage; from tests.score import test_stage as t\n"
        "state = PartialState(cpu=True); ranks = Ranks(state.process_index, state.num_processes)\n"
        f"folder = Path({str(folder)!r})\n"
        "for out, tokens in (('two', 64), ('lonely', 1 << 15)):\n"
        "    stage.SHARD = tokens\n"
        "    stage.run(t.spec_of(), t.inputs_of(folder), folder / out, t.context_of(folder, ranks))\n"
        "state.destroy_process_group()\n"
    )
    for out in ("two", "lonely"):
        (folder / out).mkdir()
    config = ROOT / "accelerate_configs" / "multi_cpu.yaml"
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(config), str(program)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DISTILL_QUIET": "1", "OMP_NUM_THREADS": "1"}
    subprocess.run(command, env=environment, cwd=ROOT, check=True, timeout=300)
    one, two = Cache(folder / "one"), Cache(folder / "two")
    assert len(list((folder / "lonely").glob("*.arrow"))) == 1, "one of the two has nothing to do"
    assert len(list((folder / "two").glob("*.arrow"))) == len(list((folder / "one").glob("*.arrow"))) > 3
    for row in rows_of(folder):
        assert np.array_equal(one[row["id"]].ids, two[row["id"]].ids)
        assert np.allclose(one[row["id"]].logprobs, two[row["id"]].logprobs, atol=1e-5)


def test_another_tokenizer_is_refused_and_padding_is_not(folder: Path, tmp_path: Path, sharp_model: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(sharp_model)
    model = AutoModelForCausalLM.from_pretrained(sharp_model)
    model.resize_token_embeddings(TOKENS + 128)
    for name in ("padded", "other"):
        model.save_pretrained(tmp_path / name)
        tokenizer.save_pretrained(tmp_path / name)
        tokenizer.add_tokens(["<|new|>"])
    plain = context_of(folder)

    def with_teacher(name: str) -> Context:
        found = {**plain.resolved, OTHER: Resolved(OTHER, tmp_path / name, "sha256:2")}
        return Context(plain.cache, found)

    (folder / "score").mkdir()
    with pytest.raises(TrainError, match=f"is none and {TOKENS}") as error:
        stage.run(spec_of(), inputs_of(folder), folder / "score", with_teacher("other"))
    assert "train by `sft`" in str(error.value)
    summary = stage.run(spec_of(), inputs_of(folder), folder / "score", with_teacher("padded"))
    assert summary["vocabulary"] == TOKENS


def test_another_template_of_the_teacher_is_noted(folder: Path, tmp_path: Path, sharp_model: Path) -> None:
    import shutil

    shutil.copytree(sharp_model, tmp_path / "own")
    (tmp_path / "own" / "chat_template.jinja").write_text(
        "{% for m in messages %}{{ m.content }}<|im_end|>{% endfor %}"
    )
    plain = context_of(folder)
    context = Context(plain.cache, {**plain.resolved, OTHER: Resolved(OTHER, tmp_path / "own", "sha256:2")})
    (folder / "score").mkdir()
    summary = stage.run(spec_of(), inputs_of(folder), folder / "score", context)
    assert summary["notes"] == ["The teacher read the student's chat template, which is not its own."]


def test_output_that_is_not_a_number_names_the_row(folder: Path, tmp_path: Path, sharp_model: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(sharp_model)
    model.model.norm.weight.data[0] = float("nan")
    model.save_pretrained(tmp_path / "broken")
    AutoTokenizer.from_pretrained(sharp_model).save_pretrained(tmp_path / "broken")
    plain = context_of(folder)
    context = Context(plain.cache, {**plain.resolved, OTHER: Resolved(OTHER, tmp_path / "broken", "sha256:2")})
    (folder / "score").mkdir()
    ids = "|".join(row["id"] for row in rows_of(folder))
    for keep in (TopK(), Sampled(kind="sampled")):
        with pytest.raises(EngineError, match=f"row ({ids}): the teacher's output is not a number"):
            stage.run(spec_of(keep), inputs_of(folder), folder / "score", context)
    assert not list((folder / "score").glob("*.arrow"))


def test_a_row_that_the_teacher_cannot_read_is_named(folder: Path) -> None:
    long = make_row(77, words=2100)
    write_rows(folder / "mix" / "train.jsonl", [make_row(1), long])
    tokenise.run(tokenise.Spec(student=MODEL), {"mix": folder / "mix"}, folder / "tokens", context_of(folder))
    with pytest.raises(EngineError, match=rf"row {long.id}: \d+ tokens are more than the model's 2048 positions"):
        run(folder, spec_of())


def test_files_of_another_format_or_damaged_ones_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(folder, spec_of())
    path = next((folder / "score").glob("*.arrow"))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 3])
    with pytest.raises(ArtifactError, match="cannot be read"):
        Cache(folder / "score")
    path.write_bytes(whole)
    monkeypatch.setattr("distill.soft_targets.FORMAT", 2)
    with pytest.raises(ArtifactError, match="format 1; this version reads 2"):
        Cache(folder / "score")
    with pytest.raises(ArtifactError, match="no teacher's distributions"):
        Cache(folder / "mix")
