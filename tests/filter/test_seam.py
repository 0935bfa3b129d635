"""What a filter may do besides keeping and dropping: score, change, see all rows first, choose among the accepted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest

from distill.context import Context, Ranks
from distill.filter import chain as chains
from distill.filter.bindings import Bindings, FilterSpec, RowFilter
from distill.filter.chain import Chain
from distill.filter.opener import Opener
from distill.filter.text.finished import Finished
from distill.protocols import KEEP, Filter, Judged, Scope, Verdict
from distill.rows import Row
from tests.beside import together
from tests.filter.make import chat


class Words(RowFilter):
    """Scores each row; drops what is long."""

    kind: Literal["words"] = "words"
    most: int = 3

    def verdict(self, row: Row) -> Verdict:
        count = len(row.answer.split())
        return Verdict(count <= self.most, "long", count, "see there")


class Loud(RowFilter):
    kind: Literal["loud"] = "loud"

    def verdict(self, row: Row) -> Verdict:
        if row.answer.isupper():
            return KEEP
        messages = (*row.prompt, row.messages[-1].model_copy(update={"content": row.answer.upper()}))
        return Verdict(True, "raised", row=Row.model_validate({**row.model_dump(), "messages": messages}))


class Quiet(RowFilter):
    """Drops what nobody raised; a witness of what filters before it did."""

    kind: Literal["quiet"] = "quiet"

    def verdict(self, row: Row) -> Verdict:
        return Verdict(row.answer.isupper(), "quiet")


class Least(FilterSpec):
    """Keeps the rows with the lowest score of all."""

    kind: Literal["least"] = "least"
    scope: ClassVar[Scope] = "pool"
    CHOOSES: ClassVar[bool] = False

    def bind(self, bindings: Bindings) -> Filter:  # noqa: ARG002
        return _Least()


class Choice(Least):
    kind: Literal["choice"] = "choice"  # type: ignore[assignment]
    CHOOSES: ClassVar[bool] = True


class _Least:
    kind = "least"
    scope: Scope = "pool"

    def __init__(self) -> None:
        self.scores: list[float] = []

    def survey(self, rows: Sequence[Row]) -> None:
        self.scores += [row.scores["words"] for row in rows]

    def judge(self, rows: Sequence[Row]) -> list[Verdict]:
        return [Verdict(row.scores["words"] == min(self.scores), "more", row.scores["words"]) for row in rows]


ROWS = [
    chat("a", "one two"),
    chat("b", "one two three four"),
    chat("c", "one"),
    chat("d", "I"),
    chat("e", "", finish="length"),
]


def chain(*specs: Any, ranks: Ranks | None = None) -> Chain:
    opener = Opener(Context(Path("cache"), {}, ranks=ranks or Ranks()))
    return Chain(specs, Bindings(open=opener))


def told(results: Sequence[Judged]) -> list[str]:
    return ["" if one.verdict.keep else f"{one.filter}.{one.verdict.reason}" for one in results]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chains, "BATCH_ROWS", 2)


def test_a_kept_row_carries_its_score_to_the_filters_after_it() -> None:
    judged = list(chain(Finished(), Words(), Least()).judge(ROWS))
    assert told(judged) == ["least.more", "words.long", "", "", "finished.truncated"]
    both = {"words": 1, "least": 1}
    assert [result.row.scores for result in judged] == [{"words": 2}, {}, both, both, {}]
    assert judged[0].verdict == Verdict(False, "more", 2)


def test_a_score_of_an_earlier_run_goes_where_there_is_none_now() -> None:
    class Unsure(Words):
        def verdict(self, row: Row) -> Verdict:
            return Verdict(True, "missing", 1.0 if row.answer else None)

    rows = [row.scored(words=9, other=2) for row in ROWS[3:]]
    judged = list(chain(Unsure(), Loud()).judge(rows))
    assert [result.row.scores for result in judged] == [{"words": 1, "other": 2}, {"other": 2}]


def test_what_waits_on_the_disk_comes_back_as_it_was() -> None:
    specs = (Loud(), Words(), Least(), Least())
    assert list(chain(*specs).judge(ROWS)) == chain(*specs).together(ROWS)


def test_a_changed_row_goes_on_changed_and_the_change_is_told() -> None:
    judged = list(chain(Words(), Loud(), Quiet()).judge(ROWS[:2]))
    # Of a dropped row too: it is written as well.
    assert [result.row.answer for result in judged] == ["ONE TWO", "ONE TWO THREE FOUR"]
    assert [result.changed for result in judged] == [("loud.raised",), ()]
    assert judged[0].row.id != ROWS[0].id and judged[0].row.scores == {"words": 2}
    assert judged[0].row.id == chat("a", "ONE TWO").id


def test_of_a_dropped_row_it_is_told_who_else_would_have_dropped_it() -> None:
    judged = list(chain(Words(most=1), Quiet(), Finished()).judge(ROWS))
    assert told(judged) == ["words.long", "words.long", "quiet.quiet", "", "quiet.quiet"]
    assert [result.also for result in judged] == [("quiet",), ("quiet",), (), (), ("finished",)]
    assert all(not result.also for result in chain(Words(most=1), Quiet()).together(ROWS))


@pytest.mark.parametrize("attribute", ["COSTLY", "AUDITED"])
def test_one_that_costs_much_is_not_asked_about_what_is_dropped_already(attribute: str) -> None:
    asked = []

    class Dear(Words):
        def verdict(self, row: Row) -> Verdict:
            asked.append(row.question)
            return KEEP

    setattr(Dear, attribute, attribute == "COSTLY")
    judged = list(chain(Words(most=1), Dear(), Finished()).judge(ROWS))
    assert asked == ["c", "d", "e"]
    assert told(judged) == ["words.long", "words.long", "", "", "finished.truncated"]


def test_generation_does_not_choose_among_what_it_has_so_far() -> None:
    assert told(chain(Words(), Choice()).together(ROWS)) == ["", "words.long", "", "", ""]
    assert told(list(chain(Words(), Choice()).judge(ROWS[:4]))) == ["choice.more", "words.long", "", ""]
    assert told(chain(Words(), Choice(), Least()).alone(ROWS)) == ["", "words.long", "", "", ""]


def test_ranks_share_the_rows_and_all_know_all_verdicts() -> None:
    asked: list[list[str]] = [[], []]

    def judge(ranks: Ranks) -> list[Judged]:
        class Heard(Words):
            def judge(self, rows: Sequence[Row]) -> list[Verdict]:
                asked[ranks.rank] += [row.question for row in rows]
                return super().judge(rows)

        return list(chain(Heard(), Loud(), Least(), ranks=ranks).judge(ROWS))

    alone = list(chain(Words(), Loud(), Least()).judge(ROWS))
    assert together(2, judge) == [alone, alone]
    assert sorted(asked[0] + asked[1]) == list("abcde") and all(asked)
