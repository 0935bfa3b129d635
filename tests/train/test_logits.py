from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from distill.errors import TrainError
from distill.soft_targets import Cache, write
from distill.train import checkpoints, data
from distill.train.logits import Distilled, Logits, unbalanced
from distill.train.watch import read_log
from tests.train.small import context_of, interrupted_at, make_row, put, score, spec_of, train


def logits_of(**options: Any) -> Any:
    return spec_of(**{"objective": "logits", "keep": {"kind": "top_k", "k": 16}, **options})


def losses(folder: Path, out: str = "out", name: str = "loss") -> list[float]:
    return [line[name] for line in read_log(folder / out / "log.jsonl")]


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_the_loss_is_the_mixture_over_the_learnt_tokens_of_the_step(folder: Path, temperature: float) -> None:
    """From the models themselves, over the whole vocabulary."""
    put(folder, [make_row(number) for number in range(16)])
    import torch

    from distill.engines import models
    from distill.train import order

    whole = {"kind": "top_k", "k": 100_000, "dtype": "float32"}
    train(folder, logits_of(max_steps=1, keep=whole, weight=0.3, temperature=temperature))
    context = context_of(folder)
    student = models.load(context.resolved["tiny"], context.cache, "float32", (1,)).model
    teacher = models.load(context.resolved["teacher"], context.cache, "float32").model
    rows = data.read(folder / "tokens" / "train.arrow", 2048, "error")
    divergence = nll = 0.0
    for row in order.plan(rows.lengths, 16, 1, 1, 5)[0]:
        ids, labels = torch.tensor([rows.table[row]["input_ids"]]), torch.tensor(rows.table[row]["labels"])[1:]
        with torch.no_grad():
            z, t = (model(ids).logits[0, :-1][labels != -100] for model in (student, teacher))
        q, p = (torch.log_softmax(logits / temperature, -1) for logits in (z, t))
        divergence += float((p.exp() * (p - q)).sum())
        nll += float(torch.nn.functional.cross_entropy(z, labels[labels != -100], reduction="sum"))
    line = read_log(folder / "out" / "log.jsonl")[0]
    assert line["divergence"] == pytest.approx(divergence / line["tokens"], rel=1e-4)
    assert line["nll"] == pytest.approx(nll / line["tokens"], rel=1e-5)
    assert line["loss"] == pytest.approx(0.3 * temperature**2 * line["divergence"] + 0.7 * line["nll"], rel=1e-5)


def test_without_weight_it_is_sft(folder: Path) -> None:
    train(folder, spec_of(max_steps=2), out="sft")
    train(folder, logits_of(max_steps=2, weight=0.0), out="logits")
    assert losses(folder, "logits") == pytest.approx(losses(folder, "sft"), abs=1e-5)


def test_passes_of_any_size_packed_or_padded_give_the_same_losses(folder: Path) -> None:
    """The last step has blanks, which weigh nothing."""
    passes = {"one": {}, "many": {"pass_tokens": 90}, "padded": {"packing": False, "per_device_batch": 4}}
    for out, runtime in passes.items():
        train(folder, logits_of(weight=0.8), out=out, **runtime)
    assert len(losses(folder, "one")) == 3
    for out in ("many", "padded"):
        for name in ("loss", "divergence", "nll"):
            assert losses(folder, out, name) == pytest.approx(losses(folder, "one", name), abs=1e-4)


def test_a_model_that_makes_its_logits_itself_gives_the_same_losses(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(folder, logits_of(max_steps=2), out="lean")
    monkeypatch.setattr("distill.train.divergence.plain_head", lambda _: False)
    train(folder, logits_of(max_steps=2), out="plain")
    assert losses(folder, "plain") == pytest.approx(losses(folder, "lean"), abs=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"divergence": "reverse_kl"},
        {"divergence": "jensen_shannon", "beta": 0.1},
        {"keep": {"kind": "sampled", "n": 20}},
        {"dtype": "bfloat16"},
    ],
    ids=str,
)
def test_every_way_of_learning_lowers_its_loss(folder: Path, options: dict[str, Any]) -> None:
    """The same rows in every step."""
    train(folder, logits_of(max_steps=4, batch_size=40, weight=1.0, learning_rate=1e-2, warmup_ratio=0.0, **options))
    assert losses(folder)[-1] < losses(folder)[0]


def test_interrupted_and_resumed_is_the_undisturbed_run(folder: Path) -> None:
    spec = logits_of(max_steps=8, checkpoint_every=2)
    train(folder, spec, out="undisturbed")
    with interrupted_at(5):
        train(folder, spec)
    assert checkpoints.step_of(checkpoints.last_whole(folder / "out" / "checkpoints")) == 4
    train(folder, spec)
    for name in ("log.jsonl", "adapter/adapter_model.safetensors", "summary.json"):
        assert (folder / "out" / name).read_bytes() == (folder / "undisturbed" / name).read_bytes()


def test_the_student_inherits_the_teachers_terms_and_depth(folder: Path) -> None:
    import json

    train(folder, logits_of(max_steps=1))
    record = json.loads((folder / "out" / "student.json").read_text())
    assert record["taught_by"] == {"teacher@sha256:1": ["mit"]}
    assert "mit" in record["terms"] and record["depth"] == 1
    assert "| teacher | teacher@sha256:1 |" in (folder / "out" / "README.md").read_text()
    train(folder, spec_of(max_steps=1), out="sft")
    assert "taught_by" not in json.loads((folder / "sft" / "student.json").read_text())


def test_a_row_that_was_not_scored_is_named(folder: Path) -> None:
    spec = logits_of()
    found = score(folder, spec)["score"]
    path = next(found.glob("teacher-*.arrow"))
    cache = Cache(found)
    rows = data.read(folder / "tokens" / "train.arrow", 2048, "error")
    *others, lost = rows.ids
    kept = [(name, cache[name]) for name in others]
    write(path, cache.about, kept)
    with pytest.raises(TrainError, match=f"row {lost}: the teacher's distributions are there at 0 of its"):
        Distilled(spec.train, folder / "tokens" / "train.arrow", found, context_of(folder)).read()


def test_losses_that_are_far_apart_are_noted() -> None:
    spec = Logits(objective="logits", weight=0.5)
    (note,) = unbalanced(spec, [{"divergence": 0.003, "nll": 3.0}, {"divergence": 0.001, "nll": 2.0}])
    assert "more than 100 times" in note and "the divergence decides next to nothing" in note
    assert "train.weight: 0.9992" in note
    assert not unbalanced(spec, [{"divergence": 0.03, "nll": 2.0}])
    assert not unbalanced(spec.model_copy(update={"weight": 1.0}), [{"divergence": 0.001, "nll": 3.0}])
    assert "next-token loss decides" in unbalanced(spec, [{"divergence": 5.0, "nll": 0.01}])[0]
    hot = spec.model_copy(update={"temperature": 4.0})
    assert not unbalanced(hot, [{"divergence": 0.01, "nll": 2.0}]), "it counts as it enters the loss"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep": {"kind": "sampled"}, "divergence": "reverse_kl"}, "write keep: {kind: top_k}"),
        ({"beta": 0.5}, "beta is for divergence: jensen_shannon"),
        ({"keep": {"kind": "sampled", "n": 256}}, "less than or equal to 255"),
    ],
)
def test_settings_that_do_not_fit_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Logits.model_validate({"objective": "logits", **options})
