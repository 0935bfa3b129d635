"""Every item is scored or says why not, whatever the order in which results come."""

from __future__ import annotations

from pathlib import Path

import pytest

from distill.context import Context, Ranks
from distill.errors import CompareError
from distill.evaluate import scoring
from distill.evaluate.answers import Item
from distill.evaluate.teacher import Teacher
from tests.evaluate.fakes import FakeScorer, row

ITEMS = [Item("heldout_real", row(f"Question {n}?", f"Answer {n}")) for n in range(6)]
CONTEXT = Context(Path("unused"), {})


def teacher_of(scorer: FakeScorer) -> Teacher:
    scored = scoring.score(ITEMS, scorer, None, 4, True, CONTEXT)
    items = {key: each.distribution for key, each in scored.items() if each.distribution}
    return Teacher(items, "model@1", scorer.template, scorer.tokenizer)


def test_the_teacher_keeps_its_distributions_and_agrees_with_itself() -> None:
    scored = scoring.score(ITEMS, FakeScorer(), None, 4, True, CONTEXT)
    assert list(scored) == [item.key for item in ITEMS]
    for each in scored.values():
        assert each.distribution is not None
        assert each.distribution.ids.shape == (9, 4)
        assert each.measures["agreement"]["value"] == 1
        assert each.measures["kl"]["value"] == pytest.approx(0, abs=1e-7)


def test_an_arm_is_measured_at_the_teachers_own_tokens() -> None:
    teacher = teacher_of(FakeScorer(seed=1))
    same = scoring.score(ITEMS, FakeScorer(seed=1), teacher, 4, False, CONTEXT)
    other = scoring.score(ITEMS, FakeScorer(seed=2), teacher, 4, False, CONTEXT)
    assert all(each.measures["kl"]["value"] == pytest.approx(0, abs=1e-7) for each in same.values())
    assert all(each.measures["kl"]["value"] > 0.1 for each in other.values())
    assert all(each.distribution is None for each in other.values())


def test_the_order_of_the_results_changes_nothing() -> None:
    teacher = teacher_of(FakeScorer(seed=1))
    forward, backward = (
        scoring.score(ITEMS, FakeScorer(seed=2, order=order), teacher, 4, False, CONTEXT) for order in (1, -1)
    )
    assert {key: each.measures for key, each in forward.items()} == {
        key: each.measures for key, each in backward.items()
    }


def test_without_a_teacher_there_is_loss_only() -> None:
    scored = scoring.score(ITEMS, FakeScorer(), None, 4, False, CONTEXT)
    assert all(set(each.measures) == {"loss", "bits_per_byte"} for each in scored.values())


def test_an_item_that_the_teacher_failed_on_keeps_its_loss() -> None:
    teacher = teacher_of(FakeScorer(errors={"Answer 2": "too long"}))
    assert len(teacher.items) == 5
    scored = scoring.score(ITEMS, FakeScorer(seed=2), teacher, 4, False, CONTEXT)
    assert set(scored[ITEMS[2].key].measures) == {"loss", "bits_per_byte"}
    assert scored[ITEMS[2].key].error is None
    assert "kl" in scored[ITEMS[3].key].measures


def test_what_cannot_be_scored_says_why_and_has_no_number() -> None:
    items = [*ITEMS, Item("heldout_real", row("No answer?", None))]
    scorer = FakeScorer(errors={"Answer 0": "9000 tokens do not fit into 2048"}, nan="Answer 1")
    scored = scoring.score(items, scorer, None, 4, True, CONTEXT)
    errors = {key: each.error for key, each in scored.items() if each.error}
    assert errors == {
        items[0].key: "9000 tokens do not fit into 2048",
        items[1].key: "loss is nan",
        items[-1].key: scoring.NO_ANSWER,
    }
    assert all(scored[key].measures == {} and scored[key].distribution is None for key in errors)


def test_an_empty_answer_is_scored_by_its_stop_token() -> None:
    empty = Item("heldout_real", row("Silence?", ""))
    measures = scoring.score([empty], FakeScorer(), None, 4, False, CONTEXT)[empty.key].measures
    assert list(measures) == ["loss"]
    assert measures["loss"]["weight"] == 1


def test_a_result_that_never_came_is_a_fault_of_the_scorer() -> None:
    class Forgetful(FakeScorer):
        def score(self, requests, top_k):  # type: ignore[no-untyped-def]
            return super().score(requests[1:], top_k)

    with pytest.raises(AssertionError, match=ITEMS[0].key):
        scoring.score(ITEMS, Forgetful(), None, 4, False, CONTEXT)


def test_ranks_put_their_shares_together(monkeypatch: pytest.MonkeyPatch) -> None:
    class Share(FakeScorer):
        def score(self, requests, top_k):  # type: ignore[no-untyped-def]
            return super().score(requests[self.seed - 7 :: 2], top_k)

    whole = scoring.score(ITEMS, FakeScorer(seed=7), None, 4, False, CONTEXT)
    other = [scored for key, scored in whole.items() if key in {item.key for item in ITEMS[1::2]}]
    monkeypatch.setattr(Ranks, "gather", lambda _self, mine: [*mine, *other])
    both = scoring.score(ITEMS, Share(seed=7), None, 4, False, Context(Path("unused"), {}, ranks=Ranks(0, 2)))
    assert both == whole


def test_vocabulary_and_template_decide_what_can_be_compared() -> None:
    teacher = Teacher({}, "model@1", "plain", "characters")
    assert scoring.comparable(FakeScorer(), teacher)
    assert not scoring.comparable(FakeScorer(tokenizer="other", template="other"), teacher)
    with pytest.raises(CompareError, match=r"other.*plain") as error:
        scoring.comparable(FakeScorer(template="other"), teacher)
    assert error.value.hint is not None
