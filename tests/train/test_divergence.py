"""The mixed loss against a dense computation by autograd, over the whole vocabulary or the buckets that are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from distill.score.keep import keep
from distill.soft_targets import Keep, Sampled, TopK
from distill.train import divergence, loss, targets
from distill.train.divergence import Divergence, Mixture

N, V = 13, 40
DIVERGENCES: tuple[Divergence, ...] = ("forward_kl", "reverse_kl", "jensen_shannon")
FULL = TopK(k=V, dtype="float32")


def mixture(
    kind: Divergence = "forward_kl", weight: float = 0.5, temperature: float = 1.0, beta: float = 0.3
) -> Mixture:
    return Mixture(kind, beta, weight, temperature, V)


def logits(seed: int, sharpness: float = 3.0) -> Any:
    import torch

    return torch.randn(N, V, generator=torch.Generator().manual_seed(seed)) * sharpness


def labels() -> Any:
    import torch

    return torch.randint(0, V, (N,), generator=torch.Generator().manual_seed(9))


def kept(how: Keep, temperature: float = 1.0, seed: int = 1) -> dict[str, Any]:
    """As if the N positions were three rows."""
    import torch

    rows = [keep(f"{seed}-{place}", part, how, temperature) for place, part in enumerate(torch.split(logits(seed), 5))]
    return targets.batch(rows, how)


def dense(p: Any, q: Any, kind: Divergence, beta: float) -> Any:
    """Sum of the divergence over positions, from log-probabilities of whatever tokens or buckets there are."""
    import torch

    def kl(a: Any, b: Any) -> Any:
        return (a.exp() * (a - b)).where(a > -torch.inf, torch.zeros(())).sum()

    if kind == "forward_kl":
        return kl(p, q)
    if kind == "reverse_kl":
        return kl(q, p)
    m = (beta * p.exp() + (1 - beta) * q.exp()).log()
    return beta * kl(p, m) + (1 - beta) * kl(q, m)


def expected(mix: Mixture, student: Any, p: Any, buckets: Any = None) -> tuple[list[float], Any]:
    """Parts and gradient, by autograd in float64."""
    import torch

    z = student.double().requires_grad_()
    q = torch.log_softmax(z / mix.temperature, -1)
    if buckets is not None:
        tail = torch.ones_like(q, dtype=torch.bool).scatter(1, buckets, False)
        q = torch.cat([q.gather(1, buckets), q.where(tail, torch.full((), -torch.inf)).logsumexp(-1, keepdim=True)], 1)
    apart = dense(p.double(), q, mix.divergence, mix.beta)
    nll = torch.nn.functional.cross_entropy(z, labels(), reduction="sum")
    (mix.weight * mix.temperature**2 * apart + (1 - mix.weight) * nll).backward()
    return [apart.item(), nll.item()], z.grad.float()


@pytest.mark.parametrize("temperature", [1.0, 2.5])
@pytest.mark.parametrize("kind", DIVERGENCES)
def test_with_everything_kept_it_is_the_full_divergence_and_its_gradient(kind: Divergence, temperature: float) -> None:
    import torch

    mix, student = mixture(kind, 0.7, temperature), logits(2)
    parts, gradient = divergence.slope(student.clone(), labels(), kept(FULL, temperature), mix)
    whole, slope = expected(mix, student, torch.log_softmax(logits(1) / temperature, -1))
    assert parts.tolist() == pytest.approx(whole, rel=1e-5)
    assert torch.allclose(gradient, slope, atol=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 0.5])
@pytest.mark.parametrize("kind", DIVERGENCES)
def test_what_is_left_out_is_one_bucket(kind: Divergence, temperature: float) -> None:
    """Never a renormalised top k: with the tail it is a divergence of its own, and its gradient moves the tail's mass."""
    import torch

    mix, student = mixture(kind, 0.7, temperature), logits(2)
    some = kept(TopK(k=4, dtype="float32"), temperature)
    p = torch.log_softmax(logits(1) / temperature, -1)
    tail = torch.ones_like(p, dtype=torch.bool).scatter(1, some["ids"], False)
    p = torch.cat([p.gather(1, some["ids"]), p.where(tail, torch.full((), -torch.inf)).logsumexp(-1, keepdim=True)], 1)
    assert torch.allclose(some["tail"], p[:, -1], atol=1e-5)
    parts, gradient = divergence.slope(student.clone(), labels(), some, mix)
    whole, slope = expected(mix, student, p, some["ids"])
    assert parts.tolist() == pytest.approx(whole, rel=1e-4)
    assert torch.allclose(gradient, slope, atol=1e-5)


@pytest.mark.parametrize("kind", DIVERGENCES)
def test_a_student_that_is_the_teacher_has_no_divergence_and_no_gradient(kind: Divergence) -> None:
    for how in (FULL, TopK(k=3), TopK(k=3, dtype="float32")):
        parts, gradient = divergence.slope(logits(1), labels(), kept(how), mixture(kind, 1.0))
        assert float(parts[0]) == pytest.approx(0, abs=1e-4)
        assert float(parts[0]) > -1e-5, "log-probabilities of two bytes add up to one again"
        assert float(gradient.abs().max()) < 2e-3


@pytest.mark.parametrize("kind", DIVERGENCES)
def test_students_that_are_certain_have_finite_gradients(kind: Divergence) -> None:
    """Logits 200 apart: most probabilities underflow."""
    student = logits(2, 100.0)
    parts, gradient = divergence.slope(student, labels(), kept(TopK(k=4)), mixture(kind, 0.5))
    assert parts.isfinite().all() and gradient.isfinite().all()


def test_draws_estimate_the_forward_divergence_without_bias() -> None:
    import torch

    mix, student = mixture(weight=1.0), logits(2, 1.0)
    whole, slope = expected(mix, student, torch.log_softmax(logits(1), -1))
    found = []
    for again in range(60):
        rows = [keep(f"draw {again}", logits(1), Sampled(kind="sampled", n=50, dtype="float32"), 1.0)]
        found.append(divergence.slope(student.clone(), labels(), targets.batch(rows, Sampled(kind="sampled")), mix))
    values = torch.stack([parts[0] for parts, _ in found])
    error = float(values.std()) / len(found) ** 0.5
    assert abs(float(values.mean()) - whole[0]) < 4 * error
    assert torch.allclose(torch.stack([gradient for _, gradient in found]).mean(0), slope, atol=0.05)
    assert all(float(gradient.sum(-1).abs().max()) < 1e-5 for _, gradient in found)


def test_draws_are_the_same_for_the_same_row_and_others_for_another() -> None:
    import numpy as np

    how = Sampled(kind="sampled", n=20)
    one, two, other = (keep(name, logits(1), how, 1.0) for name in ("a", "a", "b"))
    assert np.array_equal(one.ids, two.ids) and np.array_equal(one.counts, two.counts)
    assert not np.array_equal(one.ids, other.ids)
    assert one.counts is not None and one.kept is not None
    assert int(one.counts.sum()) == N * 20 and int(one.kept.sum()) == len(one.ids) < N * 20


@pytest.fixture
def model(tiny_model: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(tiny_model).requires_grad_(False)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_the_lean_way_and_the_plain_way_are_one(
    model: Any, temperature: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    import copy

    import torch

    from tests.train.test_loss import batch, gradient

    monkeypatch.setattr(loss, "CHUNK", 5)  # several chunks, the last one shorter
    size = model.config.vocab_size
    learnt = int((batch()["labels"][:, 1:] != -100).sum())
    teacher = torch.randn(learnt, size, generator=torch.Generator().manual_seed(3))
    given = targets.batch([keep("row", teacher, TopK(k=8, dtype="float32"), temperature)], TopK())
    mix = Mixture("forward_kl", 0.5, 0.4, temperature, size)
    found = []
    for lean in (True, False):
        one = copy.deepcopy(model)
        divergence.add_loss(one, mix, lean)
        found.append(gradient(one, lambda m: m(**batch(), teacher=given)["loss"]))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    assert torch.allclose(found[0][1], found[1][1], atol=1e-5)


def test_models_that_change_their_logits_do_so_here_too() -> None:
    """A cap on the logits that the lean way would not know of."""
    import torch
    from transformers import Gemma2Config, Gemma2ForCausalLM

    from tests.train.test_loss import batch

    torch.manual_seed(0)
    config = Gemma2Config(
        vocab_size=1000, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, head_dim=16, final_logit_softcapping=0.5,
    )  # fmt: skip
    capped = Gemma2ForCausalLM(config)
    logits = capped(batch()["input_ids"], attention_mask=batch()["attention_mask"]).logits[:, :-1]
    said = torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch()["labels"][:, 1:].flatten(), reduction="sum")
    learnt = int((batch()["labels"][:, 1:] != -100).sum())
    given = targets.batch([keep("row", torch.zeros(learnt, 1000), TopK(k=4), 1.0)], TopK())
    divergence.add_loss(capped, Mixture("forward_kl", 0.5, 0.0, 1.0, 1000), lean=True)
    found = capped(**batch(), teacher=given)
    assert float(found["loss"]) == pytest.approx(float(said), rel=1e-5)
    found["loss"].backward()
    assert capped.get_input_embeddings().weight.grad.abs().sum() > 0, "a head that is trained has its gradient"


@pytest.mark.parametrize("lean", [True, False])
def test_padding_of_the_output_layer_takes_no_part(model: Any, lean: bool) -> None:
    import torch

    from tests.train.test_loss import batch

    size = model.config.vocab_size - 128
    learnt = int((batch()["labels"][:, 1:] != -100).sum())
    given = targets.batch([keep("row", torch.zeros(learnt, size), TopK(k=4), 1.0)], TopK())
    divergence.add_loss(model, Mixture("reverse_kl", 0.5, 0.5, 1.0, size), lean)
    before = float(model(**batch(), teacher=given)["loss"])
    model.lm_head.weight[size:] = 100.0
    assert float(model(**batch(), teacher=given)["loss"]) == before
