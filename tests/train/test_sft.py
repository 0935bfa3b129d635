from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from distill.context import Ranks
from distill.errors import LaunchError, TrainError
from distill.train import checkpoints, stage
from distill.train.watch import read_log
from tests.train.small import context_of, inputs_of, spec_of, train

ROOT = Path(__file__).parents[2]
WEIGHTS = "adapter/adapter_model.safetensors"


def losses(folder: Path, out: str = "out") -> list[float]:
    return [line["loss"] for line in read_log(folder / out / "log.jsonl")]


def test_the_loss_is_the_mean_over_the_learnt_tokens_of_the_step(folder: Path) -> None:
    import torch

    from distill.engines import models
    from distill.train import data, order

    train(folder, spec_of(max_steps=1))
    context = context_of(folder)
    loaded = models.load(context.resolved["tiny"], context.cache, "float32", (1,))
    rows = data.read(folder / "tokens" / "train.arrow", 2048, "error")
    step = order.plan(rows.lengths, 16, 1, 1, 5)[0]
    total = 0.0
    for row in step:
        ids, labels = torch.tensor([rows.table[row]["input_ids"]]), torch.tensor(rows.table[row]["labels"])
        with torch.no_grad():
            logits = loaded.model(ids).logits[0, :-1].float()
        total += float(torch.nn.functional.cross_entropy(logits, labels[1:], reduction="sum"))
    line = read_log(folder / "out" / "log.jsonl")[0]
    assert line["tokens"] == sum(rows.learnt[row] for row in step)
    assert line["loss"] == pytest.approx(total / line["tokens"], abs=1e-5)


def test_passes_of_any_size_packed_or_padded_give_the_same_losses(folder: Path) -> None:
    passes = {"one": {}, "many": {"pass_tokens": 90}, "padded": {"packing": False, "per_device_batch": 4}}
    for out, runtime in passes.items():
        train(folder, spec_of(epochs=2), out=out, **runtime)
    one, *others = (losses(folder, out) for out in passes)
    assert len(one) == 5
    assert one[-1] < one[0] - 0.1
    for other in others:
        assert other == pytest.approx(one, abs=1e-5)


@pytest.mark.parametrize("own_head", [True, False])
def test_sure_tokens_are_left_out_alike_in_passes_of_any_kind(
    folder: Path, own_head: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With our output layer and with TRL's, packed, padded and in several passes a step: the mean over all learnt tokens of what
    the plain formula gives."""
    import torch

    from distill.engines import models
    from distill.train import data, order

    if not own_head:
        monkeypatch.setattr("distill.train.sft.add_head", lambda _: False)
    context = context_of(folder)
    loaded = models.load(context.resolved["tiny"], context.cache, "float32", (1,))
    rows = data.read(folder / "tokens" / "train.arrow", 2048, "error")
    own = []
    for row in order.plan(rows.lengths, 16, 1, 1, 5)[0]:
        ids, labels = torch.tensor([rows.table[row]["input_ids"]]), torch.tensor(rows.table[row]["labels"])[1:]
        with torch.no_grad():
            said = torch.log_softmax(loaded.model(ids).logits[0, :-1].float(), -1)
        own.append(said[torch.arange(len(labels)), labels.clamp(min=0)][labels != -100])
    logprobs = torch.cat(own)
    surest = float(logprobs.median().exp()) * 1.001
    expected = float(-logprobs[logprobs.exp() <= surest].sum()) / len(logprobs)
    for out, runtime in {"packed": {"pass_tokens": 90}, "padded": {"packing": False, "per_device_batch": 4}}.items():
        train(folder, spec_of(max_steps=1, surest=surest), out=out, **runtime)
        assert losses(folder, out) == [pytest.approx(expected, abs=1e-5)], out


def test_a_model_that_cannot_keep_rows_apart_is_trained_with_padding_and_a_note(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("distill.train.attention.obstacle", lambda _: "it remembers")
    train(folder, spec_of(max_steps=1), out="padded")
    assert "rows are padded, since this model cannot keep them apart: it remembers" in capsys.readouterr().err
    monkeypatch.undo()
    train(folder, spec_of(max_steps=1), out="packed")
    assert losses(folder, "padded") == pytest.approx(losses(folder, "packed"), abs=1e-5)


def test_memory_saved_is_no_other_result(folder: Path) -> None:
    train(folder, spec_of(max_steps=2), out="kept")
    train(folder, spec_of(max_steps=2), out="recomputed", gradient_checkpointing=True)
    assert losses(folder, "recomputed") == pytest.approx(losses(folder, "kept"), abs=1e-6)


def test_the_same_seed_gives_the_same_bits_and_another_one_others(folder: Path) -> None:
    for out, seed in (("one", 5), ("two", 5), ("three", 6)):
        train(folder, spec_of(seed=seed, max_steps=3, dropout=0.1), out=out)
    one, two, three = ((folder / out / WEIGHTS).read_bytes() for out in ("one", "two", "three"))
    assert one == two
    assert one != three
    assert (folder / "one" / "log.jsonl").read_bytes() == (folder / "two" / "log.jsonl").read_bytes()


def test_bfloat16_learns_with_float32_adapters(folder: Path) -> None:
    from safetensors.torch import load_file

    train(folder, spec_of(epochs=2, dtype="bfloat16"))
    assert losses(folder)[-1] < losses(folder)[0] - 0.1
    assert {str(weight.dtype) for weight in load_file(folder / "out" / WEIGHTS).values()} == {"torch.float32"}


def test_a_loss_that_runs_away_stops_the_run_and_keeps_the_last_good_checkpoint(folder: Path) -> None:
    with pytest.raises(TrainError, match=r"step \d+ of 10: the loss is") as error:
        train(folder, spec_of(max_steps=10, learning_rate=1e25, max_grad_norm=1e30, checkpoint_every=1))
    last = checkpoints.last_whole(folder / "out" / "checkpoints")
    assert last is not None
    assert str(last) in str(error.value)
    assert len(losses(folder)) == int(last.name.partition("-")[2])


def test_no_memory_says_what_to_lower(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr("transformers.Trainer.training_step", full)
    with pytest.raises(TrainError, match=r"lower runtime\.pass_tokens"):
        train(folder, spec_of(max_steps=1))


def test_a_fault_of_ours_is_not_called_a_lack_of_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr("transformers.Trainer.training_step", broken)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        train(folder, spec_of(max_steps=1))


def test_a_tracker_that_is_not_there_is_an_error_that_says_what_to_install(folder: Path) -> None:
    with pytest.raises(TrainError, match=r"runtime\.report_to(.|\n)*pip install comet-ml"):
        train(folder, spec_of(max_steps=1), report_to=("comet_ml",))
    with pytest.raises(TrainError, match=r"'nonesuch' is no tracker(.|\n)*wandb"):
        train(folder, spec_of(max_steps=1), report_to=("nonesuch",))


def test_float16_on_a_processor_is_refused(folder: Path) -> None:
    with pytest.raises(TrainError, match=r"train\.dtype: float16(.|\n)*bfloat16"):
        train(folder, spec_of(dtype="float16"))


def test_other_processes_than_were_asked_for_are_refused(folder: Path) -> None:
    class Lonely(Ranks):
        """Told to be one of two, with nobody there to answer."""

        def gather(self, items: Sequence[Any]) -> list[Any]:
            return list(items)

    (folder / "out").mkdir()
    with pytest.raises(LaunchError, match="2 processes were asked for, the trainer finds 1"):
        stage.run(spec_of(), inputs_of(folder), folder / "out", context_of(folder, Lonely(0, 2)))


def test_layers_and_adapters_that_do_not_fit_are_refused(folder: Path) -> None:
    spec = spec_of()
    lora = spec.student.lora.model_copy(update={"target_modules": ("nonesuch",)})
    spec = spec.model_copy(update={"student": spec.student.model_copy(update={"lora": lora})})
    with pytest.raises(TrainError, match="target_modules"):
        train(folder, spec)


def test_nothing_is_printed_where_there_is_no_terminal(folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "spec.json").write_text(spec_of(max_steps=2, dtype="bfloat16").model_dump_json())
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "tests" / "train" / "small.py"), str(folder), "spec.json", "out"]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""
