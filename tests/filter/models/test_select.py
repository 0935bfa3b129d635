"""The choice: as many as are asked for, the best that are not alike, whatever the order of the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.context import Context
from distill.errors import SourceError
from distill.filter.bindings import ANY, Bindings
from distill.filter.chain import Chain
from distill.filter.models import nearest
from distill.filter.models import select as selecting
from distill.filter.models.nearest import Near
from distill.filter.models.select import Select
from distill.filter.opener import Opener
from distill.protocols import Verdict
from distill.rows import Row
from tests.filter.make import Places, chat


def at(degrees: float, score: float | None = None, method: str = "answer", **scores: float) -> Row:
    row = chat(f"{method} {degrees} {score}", f"{degrees} degrees", method=method)
    return row.scored(**scores, **({} if score is None else {"judge": score}))


def bound(spec: Select, wanted: Mapping[str, int]) -> Any:
    opener = Opener(Context(Path("cache"), {}))
    opener._opened["embedder", spec.embedder] = Places()
    return spec.bind(Bindings(rows=wanted, open=opener))


def choose(
    rows: Sequence[Row], spec: Select | None = None, batch: int = 3, **wanted: int
) -> tuple[list[Verdict], list[str]]:
    one = bound(spec or Select(by=("judge",)), wanted)
    parts = [rows[start : start + batch] for start in range(0, len(rows), batch)]
    for part in parts:
        one.survey(part)
    return [verdict for part in parts for verdict in one.judge(part)], one.notes()


def kept(rows: Sequence[Row], verdicts: Sequence[Verdict]) -> set[str]:
    return {row.id for row, verdict in zip(rows, verdicts, strict=True) if verdict.keep}


def test_the_best_that_are_not_alike_are_chosen() -> None:
    rows = [at(0, 5), at(10, 4), at(40, 3), at(80, 2), at(50, 1)]
    verdicts, notes = choose(rows, answer=3)
    assert [one.keep for one in verdicts] == [True, False, True, True, False] and notes == []
    assert verdicts[0] == Verdict(True, score=5)
    assert verdicts[1] == Verdict(False, "not_chosen", 4, f"{rows[0].id}: cosine 0.985")
    assert verdicts[4].evidence == "rank 5 of 5; 3 of answer are chosen"


def test_where_there_are_too_few_the_best_of_the_rest_fill_up() -> None:
    rows = [at(0, 5), at(1, 4), at(2, 3), at(90, 1)]
    verdicts, (note,) = choose(rows, answer=3)
    assert [one.keep for one in verdicts] == [True, True, False, True]
    assert note.startswith("1 of 3 chosen rows are like another chosen one (max_similarity 0.9)")
    assert [one.keep for one in choose(rows, answer=9)[0]] == [True] * 4


def test_each_method_has_its_number_and_all_are_compared() -> None:
    rows = [at(0, 5), at(1, 4, "evolve"), at(60, 3, "evolve"), at(90, 2), at(61, 1)]
    verdicts, _ = choose(rows, answer=2, evolve=1)
    assert [one.keep for one in verdicts] == [True, False, True, True, False]


def test_of_a_file_so_many_of_all_rows_are_chosen() -> None:
    rows = [at(0, 5), at(90, 4, "evolve"), at(45, 3, "given")]
    verdicts, _ = choose(rows, **{ANY: 2})
    assert [one.keep for one in verdicts] == [True, True, False]
    assert verdicts[2].evidence == "rank 3 of 3; 2 of all are chosen"


def test_scores_are_multiplied_or_added() -> None:
    one, other = at(0, 1, difficulty=0.9), at(90, 5, difficulty=0.1)
    assert kept([one, other], choose([one, other], Select(by=("judge", "difficulty")), answer=1)[0]) == {one.id}
    total = Select(by=("judge", "difficulty"), combine="sum")
    assert kept([one, other], choose([one, other], total, answer=1)[0]) == {other.id}
    with pytest.raises(SourceError, match="no less than 0"):
        choose([at(0, -1, difficulty=1)], Select(by=("judge", "difficulty")), answer=1)


def test_a_row_without_a_score_comes_last_and_is_told() -> None:
    rows = [at(0), at(90, 1)]
    assert kept(rows, choose(rows, answer=1)[0]) == {rows[1].id}
    assert choose(rows, answer=2)[1] == ["1 of 2 chosen rows lack a score of judge: too few have one"]
    with pytest.raises(SourceError, match="no row has the scores judge"):
        choose([at(0), at(1)], answer=1)


def test_without_scores_ids_decide_and_no_score_is_given() -> None:
    rows = [at(0), at(90)]
    verdicts, _ = choose(rows, Select(), answer=1)
    assert kept(rows, verdicts) == {min(row.id for row in rows)} and {one.score for one in verdicts} == {None}


def test_no_rows_and_ten_thousand_copies_of_one() -> None:
    assert choose([], answer=3) == ([], [])
    rows = [at(0, 5)] * 10_000
    verdicts, _ = choose(rows, batch=1024, answer=3)
    assert sum(one.keep for one in verdicts) == 3


SOME = st.lists(
    st.builds(at, st.integers(0, 360), st.integers(1, 5), st.sampled_from(["answer", "evolve"])),
    unique_by=lambda row: row.id,
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(rows=SOME, wanted=st.integers(0, 12), seed=st.randoms(use_true_random=False), block=st.sampled_from([1, 4, 256]))
def test_the_order_of_the_rows_and_of_the_work_does_not_matter(
    rows: list[Row], wanted: int, seed: Any, block: int
) -> None:
    numbers = {"answer": wanted, "evolve": 3}
    verdicts, notes = choose(rows, **numbers)
    chosen = kept(rows, verdicts)
    for method, number in numbers.items():
        of = [row for row in rows if row.provenance.method == method]
        assert sum(row.id in chosen for row in of) == min(number, len(of)), "exactly as many as are asked for"
    if not notes:
        angles = [float(row.answer.split()[0]) for row in rows if row.id in chosen]
        apart = [abs(a - b) % 360 for i, a in enumerate(angles) for b in angles[:i]]
        assert all(np.cos(np.radians(angle)) < 0.9 + 1e-3 for angle in apart), "no two chosen ones are alike"
    shuffled = list(rows)
    seed.shuffle(shuffled)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selecting, "BLOCK", block)
        patch.setattr(selecting, "MANY", 20)
        assert kept(shuffled, choose(shuffled, batch=7, **numbers)[0]) == chosen


def clustered(count: int, dim: int = 32) -> np.ndarray:
    """Vectors of length 1 around a third as many points: most are near another."""
    rng = np.random.default_rng(3)
    points = rng.normal(size=(count // 3, dim))
    made = points[rng.integers(0, len(points), count)] + 0.35 * rng.normal(size=(count, dim))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("cosine", [0.87, 0.89, 0.91])
@pytest.mark.parametrize("centres", [1, nearest.PROBES])
def test_with_few_cells_the_nearest_is_found_as_by_looking_at_all(cosine: float, centres: int) -> None:
    vectors = clustered(600)
    near = Near(vectors[:centres], cosine)
    for name in range(300):
        near.take(name, vectors[name])
    cosines, names = near.nearest(vectors[300:])
    whole = vectors[300:] @ vectors[:300].T
    found = whole.max(axis=1) >= cosine
    assert 0 < found.sum() < 300
    assert np.array_equal(np.array(names) >= 0, found)
    assert np.allclose(cosines[found], whole.max(axis=1)[found], atol=1e-6)
    assert (np.array(names)[found] == whole.argmax(axis=1)[found]).all()


def test_with_many_cells_what_is_near_is_found_nearly_always() -> None:
    vectors = clustered(8000)
    near = Near(vectors[::80], 0.9)
    for name in range(4000):
        near.take(name, vectors[name])
    _, names = near.nearest(vectors[4000:])
    there = (vectors[4000:] @ vectors[:4000].T).max(axis=1) >= 0.9
    found = np.array(names) >= 0
    assert there.sum() > 500 and not (found & ~there).any()
    assert found.sum() / there.sum() > 0.98


def test_generation_does_not_choose() -> None:
    opener = Opener(Context(Path("cache"), {}))
    assert all(one.verdict.keep for one in Chain([Select()], Bindings(open=opener)).together([at(0), at(0, 1)]))
