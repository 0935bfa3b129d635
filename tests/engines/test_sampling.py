"""Tokens are drawn from the right distribution, by noise that nothing but the request decides."""

import math

import pytest
import torch

from distill.engines import sampling
from distill.engines.sampling import Picker, noise
from distill.errors import EngineError
from distill.protocols import Sampling


def pick(logits: torch.Tensor, hows: list[Sampling], uniforms: list[float]) -> torch.Tensor:
    return Picker(hows, "cpu")(logits, uniforms)


def frequencies(logits: torch.Tensor, how: Sampling, draws: int = 20_000) -> torch.Tensor:
    uniforms = [noise("key", position) for position in range(draws)]
    tokens = pick(logits.expand(draws, -1), [how] * draws, uniforms)
    return torch.bincount(tokens, minlength=logits.shape[0]) / draws


def chi_square(observed: torch.Tensor, expected: torch.Tensor, draws: int = 20_000) -> float:
    kept = expected > 0
    assert observed[~kept].sum() == 0
    return float((((observed - expected) ** 2 / expected)[kept]).sum() * draws)


LOGITS = torch.linspace(3, -3, 40)[torch.randperm(40, generator=torch.Generator().manual_seed(3))]
LIMIT = 90.0
"""Chi-square of 39 degrees of freedom passes it once in 200 000 times."""


@pytest.mark.parametrize("coarse", [256, 7])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_plain_sampling_follows_the_softmax(temperature: float, coarse: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "COARSE", coarse)
    expected = torch.softmax(LOGITS / temperature, -1)
    assert chi_square(frequencies(LOGITS, Sampling(temperature=temperature)), expected) < LIMIT
    assert chi_square(frequencies(LOGITS, Sampling(temperature=temperature * 1.2)), expected) > LIMIT


def cut_by_hand(how: Sampling) -> torch.Tensor:
    probabilities = torch.softmax(LOGITS / how.temperature, -1)
    values, order = probabilities.sort(descending=True)
    kept = values[: how.top_k or None]
    kept = kept / kept.sum()
    count = next(n for n in range(1, len(kept) + 1) if kept[:n].sum() >= how.top_p - 1e-7)
    expected = torch.zeros_like(probabilities)
    expected[order[:count]] = kept[:count] / kept[:count].sum()
    return expected


@pytest.mark.parametrize("windows", [(4,), (4, 16), (512,)])
@pytest.mark.parametrize(
    "how", [Sampling(top_p=0.8), Sampling(top_k=5), Sampling(top_k=12, top_p=0.6), Sampling(temperature=2, top_p=0.95)]
)
def test_cut_sampling_follows_what_is_left(
    how: Sampling, windows: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "WINDOWS", windows)
    assert chi_square(frequencies(LOGITS, how), cut_by_hand(how)) < LIMIT


def test_rows_of_a_batch_keep_their_own_sampling() -> None:
    hows = [Sampling(temperature=0), Sampling(), Sampling(top_p=0.5), Sampling(top_k=3), Sampling(temperature=1e-6)]
    logits = torch.randn(5, 1000, generator=torch.Generator().manual_seed(1))
    uniforms = [0.1, 0.3, 0.5, 0.7, 0.999]
    together = pick(logits, hows, uniforms)
    alone = [pick(logits[i : i + 1], hows[i : i + 1], uniforms[i : i + 1]).item() for i in range(5)]
    assert together.tolist() == alone
    assert [together[0].item(), together[4].item()] == logits.argmax(-1)[[0, 4]].tolist()


@pytest.mark.parametrize("uniform", [0.0, math.nextafter(1.0, 0.0)])
def test_the_ends_of_the_interval_never_draw_the_impossible(uniform: float) -> None:
    logits = torch.tensor([[-math.inf, 1.0, 2.0, -math.inf, -math.inf]])
    for how in (
        Sampling(temperature=1),
        Sampling(temperature=1e-40),
        Sampling(temperature=1, top_p=0.9),
        Sampling(temperature=1, top_k=2),
    ):
        assert pick(logits, [how], [uniform]).item() in (1, 2)


def test_noise_depends_on_key_and_position_and_is_uniform() -> None:
    assert noise("a", 0) == noise("a", 0) != noise("a", 1) != noise("b", 1)
    values = torch.tensor([noise("k", position) for position in range(10_000)])
    assert values.min() >= 0 and values.max() < 1
    assert abs(values.mean() - 0.5) < 0.01 and abs(values.std() - 12**-0.5) < 0.01


def test_a_model_that_gives_no_numbers_is_an_error() -> None:
    with pytest.raises(EngineError, match="not a number"):
        pick(torch.tensor([[1.0, math.nan]]), [Sampling()], [0.5])


def test_halves_are_drawn_as_their_whole_numbers_are() -> None:
    logits = torch.randn(3, 5000, generator=torch.Generator().manual_seed(1)).bfloat16() * 4
    hows = [Sampling(temperature=0), Sampling(temperature=0.7), Sampling(temperature=0.7, top_p=0.9)]
    assert pick(logits, hows, [0.2, 0.4, 0.6]).tolist() == pick(logits.float(), hows, [0.2, 0.4, 0.6]).tolist()
