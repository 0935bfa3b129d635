from __future__ import annotations

import pytest

from distill.engines.template import IGNORE
from distill.train.passes import collate, dataset, plan

LENGTHS = [40, 12, 9, 30, 25, 8, 8, 60, *[10] * 8]
"""Two steps of eight rows."""


@pytest.mark.parametrize("world", [1, 2])
def test_every_row_is_in_one_pass_of_its_own_step_and_no_pass_is_too_large(world: int) -> None:
    passes = plan(LENGTHS, 8, world, most=70)
    half = len(passes) // 2
    assert len(passes) % (2 * world) == 0
    for step, part in enumerate((passes[:half], passes[half:])):
        assert sorted(row for one in part for row in one) == list(range(8 * step, 8 * step + 8))
    assert all(sum(LENGTHS[row] for row in one) <= 70 for one in passes)


def test_there_are_as_few_passes_as_do_and_they_are_about_even() -> None:
    assert len(plan(LENGTHS, 8, 1, most=200)) == 2
    passes = plan(LENGTHS, 8, 2, most=200)
    assert len(passes) == 4
    tokens = [sum(LENGTHS[row] for row in one) for one in passes]
    assert abs(tokens[0] - tokens[1]) <= 10
    assert tokens[2] == tokens[3] == 40


def test_a_row_with_more_tokens_than_a_pass_has_one_of_its_own() -> None:
    passes = plan([100, 5, 5, 5], 4, 1, most=20)
    assert passes[0] == [0]
    assert sorted(row for one in passes for row in one) == [0, 1, 2, 3]


def test_there_are_never_more_passes_than_rows() -> None:
    assert plan([9, 9, 9, 9], 4, 1, most=1) == [[0], [1], [2], [3]]
    assert len(plan([9, 9, 9, 9], 4, 2, most=1)) == 4


def test_a_pass_is_rows_end_to_end_and_nothing_is_learnt_across_a_seam() -> None:
    rows = [{"input_ids": [7, 8, 9], "labels": [7, 8, 9]}, {"input_ids": [5, 6], "labels": [5, 6]}]
    one = collate([{name: [row[name] for row in rows] for name in ("input_ids", "labels")}])
    assert one["input_ids"].tolist() == [[7, 8, 9, 5, 6]]
    assert one["labels"].tolist() == [[IGNORE, 8, 9, IGNORE, 6]]
    assert one["position_ids"].tolist() == [[0, 1, 2, 0, 1]]
    assert one["cu_seq_lens_q"].tolist() == [0, 3, 5]
    assert one["max_length_q"] == 3


def test_passes_are_put_together_when_they_are_read() -> None:
    from datasets import Dataset

    rows = Dataset.from_list([{"input_ids": [row] * (row + 2), "labels": [row] * (row + 2)} for row in range(3)])
    packed = dataset(rows, [[2, 0], [1]])
    assert len(packed) == 2
    assert packed[0]["input_ids"] == [[2, 2, 2, 2], [0, 0]]
    assert packed[1]["labels"] == [[1, 1, 1]]
