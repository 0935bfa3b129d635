"""The books: every row in one place by source, method and origin; overlap and changes counted beside them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from distill.filter.ledger import Ledger
from distill.protocols import KEEP, Judged, Verdict
from distill.rows import Row
from tests.filter.make import chat


def of(origin: str, real: bool = False) -> Row:
    row = chat("q", f"an answer of {origin}", real=real)
    return row.model_copy(update={"provenance": row.provenance.model_copy(update={"origin": origin})})


def kept(row: Row, *changed: str) -> Judged:
    return Judged(row, KEEP, "", changed=changed)


def dropped(row: Row, name: str, *also: str, changed: tuple[str, ...] = ()) -> Judged:
    return Judged(row, Verdict(False, "bad"), name, also, changed)


def ledger(*results: Judged) -> Ledger:
    books = Ledger()
    for result in results:
        real = result.row.provenance.source == "real"
        (books.real if real else books.teacher).requested += 1
        books.enter(result, real)
    return books


def test_drops_by_reason_and_by_origin() -> None:
    one, other, people = of("one@1"), of("other@2"), of("data@3", real=True)
    books = ledger(
        kept(one), dropped(one, "a"), dropped(one, "b"), dropped(one, "b"), kept(other), dropped(people, "a")
    )
    assert books.record()["by_origin"] == {
        "one@1": {"source": "teacher", "rows": 4, "kept": 1, "dropped": {"b.bad": 2, "a.bad": 1}},
        "other@2": {"source": "teacher", "rows": 1, "kept": 1, "dropped": {}},
        "data@3": {"source": "real", "rows": 1, "kept": 0, "dropped": {"a.bad": 1}},
    }


def test_overlap_counts_rows_that_two_filters_would_drop() -> None:
    row = of("one@1")
    books = ledger(dropped(row, "a", "b", "c", "b"), dropped(row, "a", "b"), dropped(row, "b"), kept(row))
    assert books.record()["overlap"] == {"a+b": 2, "a+c": 1}, "two filters of one kind are one row"


def test_changes_are_counted_in_what_is_kept() -> None:
    row, real = of("one@1"), of("data@3", real=True)
    gone = dropped(row, "a", changed=("privacy.email",))
    books = ledger(
        kept(row, "privacy.email+phone"), kept(row, "privacy.email", "x.y"), kept(real, "x.y"), kept(row), gone
    )
    teacher = {"privacy.email": 2, "privacy.phone": 1, "x.y": 1}
    assert books.record()["changed"] == {"teacher": teacher, "real": {"x.y": 1}}


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.booleans(), st.sampled_from(["", "a", "b"])), max_size=40))
def test_origins_add_up_to_the_sources_and_order_does_not_matter(drawn: list[tuple[str, bool, str]]) -> None:
    def enter(these: list[tuple[str, bool, str]]) -> Ledger:
        rows = [(of(f"{origin}{real}@1", real), name) for origin, real, name in these]
        return ledger(*(dropped(row, name) if name else kept(row) for row, name in rows))

    books = enter(drawn)
    for source, account in (("teacher", books.teacher), ("real", books.real)):
        origins = [one for one in books.by_origin.values() if one.source == source]
        assert sum(one.rows for one in origins) == account.requested == account.judged
        assert sum(one.kept for one in origins) == account.kept
        assert sum((one.dropped for one in origins), type(account.dropped)()) == account.dropped
    assert enter(drawn[::-1]).by_origin == books.by_origin
