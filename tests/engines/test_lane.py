"""The batch holds what fits, is filled up as rows end, and follows from lengths alone."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest

from distill.engines.lane import PATIENCE, STRETCH, Lane, Row
from distill.protocols import Request, Sampling
from distill.rows import Message

Seen = list[tuple[list[int], list[int]]]
"""After each step: the rows that are in the batch, and how many tokens each has."""


def rows(lengths: Sequence[tuple[int, int]]) -> list[Row]:
    """Rows of (prompt, most new tokens), the longest first; each is named by the text of its message."""
    made = []
    for name, (prompt, new) in enumerate(sorted(lengths, key=lambda each: -sum(each))):
        message = Message(role="user", content=str(name))
        made.append(Row(Request((message,), Sampling(max_new_tokens=new)), [0] * prompt))
    return made


def walk(
    lane: Lane, ends: Callable[[Row], bool] = lambda _: False, check: Callable[[Lane], None] = lambda _: None
) -> Seen:
    seen: Seen = []
    while not lane.over:
        change = lane.change()
        for row in lane.batch if change is None else change.entering:
            if not row.done:
                row.answer.append(0)
                row.ended = row.known is None and ends(row)
        check(lane)
        seen.append(
            ([int(row.request.messages[0].content) for row in lane.batch], [len(row.answer) for row in lane.batch])
        )
    return seen


def some(count: int, seed: int) -> list[tuple[int, int]]:
    rng = random.Random(seed)
    return [(rng.randint(1, 40), rng.randint(1, 90)) for _ in range(count)]


@pytest.mark.parametrize("rigid", [False, True])
@pytest.mark.parametrize("batch_tokens", [10, 300, 2000])
def test_every_row_is_written_and_no_batch_holds_too_much(batch_tokens: int, rigid: bool) -> None:
    all_rows = rows(some(60, batch_tokens))

    def check(lane: Lane) -> None:
        longest = max(row.reserved for row in lane.batch)
        assert len(lane.batch) == 1 or len(lane.batch) * longest <= batch_tokens

    walk(Lane(all_rows, batch_tokens, rigid), check=check)
    assert all(len(row.answer) == row.request.sampling.max_new_tokens for row in all_rows)


def test_places_are_filled_up_before_the_batch_is_done() -> None:
    def steps(rigid: bool) -> int:
        rng, waiting = random.Random(1), rows([(10, 90)] * 80)
        end = {id(row): rng.randint(5, 90) for row in waiting}
        return len(walk(Lane(waiting, 1600, rigid), lambda row: len(row.answer) >= end[id(row)]))

    assert steps(rigid=False) < 0.85 * steps(rigid=True)


def test_the_batch_changes_for_an_eighth_of_it_and_after_a_stretch() -> None:
    waiting = rows([(1, 200)] * 32)
    lane = Lane(waiting, 10_000)
    changes = []
    for step in range(200):
        change = lane.change()
        if change is not None:
            changes.append((step, len(lane.batch)))
        for row in lane.batch if change is None else change.entering:
            row.answer.append(0)
        if 10 <= step < 10 + 32 // PATIENCE:  # one more ends at each of these steps
            waiting[step].ended = True
    full = 10 + 32 // PATIENCE
    assert changes[:3] == [(0, 32), (full, 28), (full + STRETCH + 1, 28)]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_known_answers_take_up_their_places(share: float) -> None:
    rng = random.Random(7)
    lengths = some(60, 3)
    first = rows(lengths)
    end = {id(row): rng.randint(1, row.request.sampling.max_new_tokens) for row in first}
    whole = walk(Lane(first, 700), lambda row: len(row.answer) >= end[id(row)])
    again = rows(lengths)
    for row, before in zip(again, first, strict=True):
        end[id(row)] = end[id(before)]
        row.known = len(before.answer) if rng.random() < share else None
    assert walk(Lane(again, 700), lambda row: len(row.answer) >= end[id(row)]) == whole
    assert any(row.known is None for row in again) and any(row.known is not None for row in again)


def test_a_batch_that_nobody_needs_is_idle() -> None:
    first, second = rows([(3, 5), (3, 5)])
    first.known = 5
    lane = Lane([first, second], 100)
    lane.change()
    assert not lane.idle
    second.ended = True
    assert lane.idle and not lane.over
