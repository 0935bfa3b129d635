"""The reward filter: a number or a class, its bounds, and one classifier that has learnt something."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from distill.context import Context, Resolved
from distill.errors import EngineError
from distill.filter.bindings import Bindings
from distill.filter.chain import Chain
from distill.filter.models.reward import Reward
from distill.filter.opener import Opener
from distill.protocols import Verdict
from distill.rows import Row
from tests.engines.classifiers import decoder, encoder
from tests.filter.make import chat

KIND = "thank you for the kind and helpful question friend"
RUDE = "what a stupid awful terrible idiot you are"
WORDS = sorted({*KIND.split(), *RUDE.split()})


class Said:
    """A classifier that said these logits of everything, in turn."""

    def __init__(
        self, logits: Sequence[list[float] | str], labels: tuple[str, ...] = ("score",), exclusive: bool = True
    ) -> None:
        self.labels, self.exclusive, self._logits = labels, exclusive, list(logits)

    def logits(self, conversations: Sequence[Any], answer_only: bool = False) -> list[list[float] | str]:  # noqa: ARG002
        return self._logits[: len(conversations)]

    def close(self) -> None: ...


def judge(spec: Reward, said: Said, rows: int) -> list[Verdict]:
    opener = Opener(Context(Path("cache"), {}))
    opener._opened["classifier", spec.model] = said  # type: ignore[assignment]
    return spec.bind(Bindings(open=opener)).judge([chat("q", str(n)) for n in range(rows)])


def test_a_number_is_the_score_and_bounds_drop_at_both_ends() -> None:
    verdicts = judge(Reward(model="m", min_score=-1, max_score=2), Said([[-1.5], [0.25], [2.5]]), 3)
    assert verdicts == [
        Verdict(False, "low_score", -1.5, "score -1.5, under -1"),
        Verdict(True, score=0.25),
        Verdict(False, "high_score", 2.5, "score 2.5, above 2"),
    ]


def test_a_class_is_asked_for_by_name_and_its_probability_is_the_score() -> None:
    labels = ("calm", "rude", "spam")
    (one,) = judge(Reward(model="m", probability_of="rude", max_score=0.5), Said([[0.0, 2.0, 1.0]], labels), 1)
    share = math.exp(2) / (1 + math.exp(2) + math.exp(1))
    assert one == Verdict(False, "high_score", round(share, 4), f"probability of rude {share:.4f}, above 0.5")
    (one,) = judge(Reward(model="m", probability_of="rude"), Said([[900.0, -900.0, 1.0]], labels), 1)
    assert one == Verdict(True, score=0.0)


def test_classes_that_do_not_exclude_each_other_each_have_a_probability_of_their_own() -> None:
    (one,) = judge(Reward(model="m", probability_of="b"), Said([[3.0, 0.0]], ("a", "b"), exclusive=False), 1)
    assert one.score == 0.5
    extreme = Said([[3.0, -1e9]], ("a", "b"), exclusive=False)
    assert judge(Reward(model="m", probability_of="b"), extreme, 1)[0].score == 0


@pytest.mark.parametrize(
    ("labels", "asked", "message"),
    [
        (("a", "b"), None, "it tells classes apart, and none is asked for; there are: a, b"),
        (("a", "b"), "c", "no class 'c'; there are: a, b"),
        (("score",), "a", "it gives one number: leave probability_of out"),
    ],
)
def test_a_class_that_is_none_is_said(labels: tuple[str, ...], asked: str | None, message: str) -> None:
    with pytest.raises(EngineError, match=message):
        judge(Reward(model="m", probability_of=asked), Said([[0.0] * len(labels)], labels), 1)


def test_what_the_model_cannot_read_is_missing_and_never_zero() -> None:
    said = Said(["900 tokens; the model reads 512 tokens", [0.0]])
    verdicts = judge(Reward(model="m", min_score=-1), said, 2)
    assert verdicts == [
        Verdict(False, "missing", None, "900 tokens; the model reads 512 tokens"),
        Verdict(True, score=0),
    ]
    spec = Reward(model="m", min_score=-1, missing="keep")
    assert judge(spec, said, 1) == [Verdict(True, "missing", None, "900 tokens; the model reads 512 tokens")]


def test_bounds_the_wrong_way_round_are_refused() -> None:
    with pytest.raises(ValidationError, match="min_score is 2, above max_score, which is 1"):
        Reward(model="m", min_score=2, max_score=1)


def chained(spec: Reward, rows: Sequence[Row], folder: Path, cache: Path) -> list[Row | None]:
    opener = Opener(Context(cache, {"m": Resolved("m", folder, "sha256:1")}))
    judged = Chain([spec], Bindings(open=opener)).judge(rows)
    return [one.row if one.verdict.keep else None for one in judged]


def test_a_reward_model_scores_through_the_chain(tiny_model: Path, tmp_path: Path) -> None:
    folder = decoder(tmp_path / "reward", tiny_model)
    rows = [chat("Hello?", "Hi."), chat("Hello?", "Go away, please.")]
    scores = [
        row.scores["politeness"] for row in chained(Reward(model="m", name="politeness"), rows, folder, tmp_path) if row
    ]
    assert len(set(scores)) == 2
    kept = chained(Reward(model="m", min_score=max(scores)), rows, folder, tmp_path)
    assert [row is not None for row in kept] == [score == max(scores) for score in scores]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier that was shown some kind and some rude sentences."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = encoder(tmp_path_factory.mktemp("trained"), ("kind", "rude"), WORDS)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForSequenceClassification.from_pretrained(folder)
    generator = torch.Generator().manual_seed(1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for step in range(40):
        label, words = step % 2, (KIND, RUDE)[step % 2].split()
        picked = [words[int(place)] for place in torch.randint(len(words), (8, 4), generator=generator).flatten()]
        batch = tokenizer([" ".join(picked[4 * row : 4 * row + 4]) for row in range(8)], return_tensors="pt")
        optimizer.zero_grad()
        model(**batch, labels=torch.full((8,), label)).loss.backward()
        optimizer.step()
    model.save_pretrained(folder)
    return folder


def test_a_classifier_that_learnt_what_is_rude_drops_it(trained: Path, tmp_path: Path) -> None:
    rows = [
        chat("friend?", "thank you helpful friend"),
        chat("friend?", "you are a stupid idiot"),
        chat("q", "kind question"),
    ]
    spec = Reward(model="m", probability_of="rude", max_score=0.5, reads="answer", name="rudeness")
    kept = chained(spec, rows, trained, tmp_path)
    assert [row is not None for row in kept] == [True, False, True]
    assert all(row.scores["rudeness"] < 0.2 for row in kept if row)
