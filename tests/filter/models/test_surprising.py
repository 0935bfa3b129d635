"""The draw by surprise: as many as are asked for, in proportion to the weights, whatever the order of the rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from distill.context import Context, Resolved
from distill.filter.bindings import ANY, Bindings
from distill.filter.chain import Chain
from distill.filter.models.likelihood import Likelihood
from distill.filter.models.surprising import ByWeight, Surprising, beyond_the_middle, drawn
from distill.filter.opener import Opener
from distill.protocols import Verdict
from distill.rows import Row
from tests.filter.make import chat, text


def test_rows_are_drawn_in_proportion_to_their_weights() -> None:
    """Of three rows that weigh 1, 2 and 5 two are drawn: chances by the formula of a draw without putting back."""
    weights = {"a": 0.0, "b": math.log(2), "c": math.log(5)}
    draws = 4000
    found: Counter[str] = Counter()
    for seed in range(draws):
        found.update(drawn(weights, 2, seed))
    expected = {"a": 1 / 8 + 2 / 8 / 6 + 5 / 8 / 3, "b": 2 / 8 + 1 / 8 * 2 / 7 + 5 / 8 * 2 / 3}
    expected["c"] = 2 - sum(expected.values())
    for row, share in expected.items():
        assert found[row] / draws == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / draws)), row


def test_a_draw_hangs_on_rows_and_seed_alone() -> None:
    weights = {f"r{place}": place % 7 / 2 for place in range(50)}
    backwards = dict(reversed(weights.items()))
    assert drawn(weights, 20, 1) == drawn(backwards, 20, 1) != drawn(weights, 20, 2)
    assert drawn({row: weight + 600 for row, weight in weights.items()}, 20, 1) == drawn(weights, 20, 1)


def judged(rows: Sequence[Row], spec: Surprising, **wanted: int) -> tuple[list[Verdict], list[str]]:
    bound = spec.bind(Bindings(rows=wanted, open=Opener(Context(Path("cache"), {}))))
    assert isinstance(bound, ByWeight)
    bound._likelihood = Known()
    for start in range(0, len(rows), 7):
        bound.survey(rows[start : start + 7])
    return bound.judge(rows), bound.notes()


class Known(Likelihood):
    """Says the loss that the answer names."""

    def __init__(self) -> None:
        pass

    def losses(self, rows: Sequence[Row], _given: str) -> list[float | str]:
        return [float(row.answer) if row.answer else "there is no answer" for row in rows]


ROWS = [chat(f"q{place}", f"{1 + place % 4}", method="evolve" if place % 3 else "answer") for place in range(120)]
SPEC = Surprising(model="m")


def test_as_many_as_are_asked_for_are_drawn_of_each_method_and_more_of_those_that_surprise() -> None:
    verdicts, notes = judged(ROWS, SPEC, answer=20, evolve=30)
    kept = [row for row, one in zip(ROWS, verdicts, strict=True) if one.keep]
    assert Counter(row.provenance.method for row in kept) == {"answer": 20, "evolve": 30}
    assert verdicts[0].score == pytest.approx(math.e, abs=1e-4)
    lost = next(one for one in verdicts if not one.keep)
    assert lost.reason == "not_drawn" and "50 rows were drawn" in str(lost.evidence)
    by_loss = Counter(row.answer for row in kept)
    assert by_loss["4"] > by_loss["2"] > 0
    assert "of the most surprising" in notes[0]
    alike, _ = judged(ROWS, Surprising(model="m", power=0), answer=20, evolve=30)
    even = Counter(row.answer for row, one in zip(ROWS, alike, strict=True) if one.keep)
    assert even["4"] < by_loss["4"]


def test_fewer_rows_than_are_asked_for_are_all_drawn_and_of_a_file_so_many_of_all() -> None:
    assert all(one.keep for one in judged(ROWS, SPEC, answer=99, evolve=99)[0])
    assert sum(one.keep for one in judged(ROWS, SPEC, **{ANY: 33})[0]) == 33


def test_one_broken_text_is_not_drawn_for_certain() -> None:
    rows = [*ROWS, chat("broken", "400")]
    found = sum(judged(rows, Surprising(model="m", seed=seed), answer=5, evolve=5)[0][-1].keep for seed in range(40))
    assert found < 30


def test_short_answers_are_not_drawn_for_being_short() -> None:
    """Short rows have high losses, long ones low: what is drawn is what surprises among rows of like length."""
    lengths = {f"{size}-{place}": size for size in (10, 500) for place in range(200)}
    losses = {row: (4.0 if size == 10 else 1.0) + int(row.rpartition("-")[2]) / 100 for row, size in lengths.items()}
    beside = beyond_the_middle(losses, lengths)
    for size in (10, 500):
        own = sorted(beside[row] for row in lengths if lengths[row] == size)
        assert own[0] < -0.1 and own[-1] > 0.1
    chosen = [row for seed in range(20) for row in drawn(beside, 100, seed)]
    short = sum(lengths[row] == 10 for row in chosen) / len(chosen)
    assert short == pytest.approx(0.5, abs=0.05)
    for_all = [row for seed in range(20) for row in drawn(losses, 100, seed)]
    assert sum(lengths[row] == 10 for row in for_all) / len(for_all) > 0.8


def test_a_row_without_a_number_is_dropped_or_drawn_like_a_middling_one() -> None:
    rows = [*ROWS, text("")]
    assert judged(rows, SPEC, answer=99, evolve=99, **{"continue": 9})[0][-1] == Verdict(
        False, "missing", None, "there is no answer"
    )
    kept = judged(rows, Surprising(model="m", missing="keep"), **{ANY: 121})[0]
    assert sum(one.keep for one in kept) == 121 and kept[-1].reason == "missing"
    few = judged(rows, Surprising(model="m", missing="keep"), **{ANY: 1})[0]
    assert sum(one.keep for one in few) == 1


def test_a_real_small_model_draws_through_the_chain(tiny_model: Path, tmp_path: Path) -> None:
    opener = Opener(Context(tmp_path / "cache", {"tiny": Resolved("tiny", tiny_model, "tiny-1")}))
    rows = [chat(f"Name {place}.", f"It is number {place}, a thing of its own.") for place in range(12)]
    results = [
        {judged.row.id for judged in Chain([Surprising(model="tiny")], bound).judge(order) if judged.verdict.keep}
        for order in (rows, rows[::-1])
        for bound in [Bindings(rows={"answer": 5}, open=opener)]
    ]
    assert results[0] == results[1] and len(results[0]) == 5
