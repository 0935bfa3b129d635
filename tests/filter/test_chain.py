"""The chain: the first that objects drops, later ones see only what is left."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from distill.filter import chain
from distill.filter.bindings import Bindings
from distill.filter.chain import AnyFilter, Chain, batches, fresh, judged_batches
from distill.filter.contamination.contamination import Contamination
from distill.filter.duplicates.near import ExactDuplicate, NearDuplicate
from distill.filter.text.finished import Finished
from distill.filter.text.length import Length
from distill.filter.text.refusal import Refusal
from distill.filter.text.repetition import Repetition
from distill.protocols import Accept
from distill.rows import Row
from tests.filter.make import chat, word_tokenizer

ROWS = [
    chat("a", "one"),
    chat("a", "one"),
    chat("b", "I cannot provide that."),
    chat("c", "cut", finish="length"),
    chat("a", "one", finish="length"),
    chat("d", "two"),
]


def reasons(results: list[chain.Judged]) -> list[str]:
    return [f"{result.filter}.{result.verdict.reason}" if not result.verdict.keep else "" for result in results]


def test_every_filter_is_known_by_its_kind() -> None:
    adapter: TypeAdapter[AnyFilter] = TypeAdapter(AnyFilter)
    kinds = [
        "finished",
        "length",
        "repetition",
        "refusal",
        "exact_duplicate",
        "near_duplicate",
        "semantic_duplicate",
        "contamination",
    ]
    made = [adapter.validate_python({"kind": kind}) for kind in kinds]
    assert [spec.kind for spec in made] == kinds
    assert [spec.kind for spec in made if spec.scope == "set"] == kinds[4:7]
    assert [spec.kind for spec in made if spec.judges_real] == ["contamination"]
    more: list[dict[str, object]] = [{"kind": "privacy"}, {"kind": "blocklist", "words": ["darn"]}]
    more += [{"kind": kind} for kind in ("code", "math", "json_schema", "grounded")]
    checks = [adapter.validate_python(one) for one in more]
    assert [spec.kind for spec in checks] == [one["kind"] for one in more]
    assert {spec.scope for spec in checks} == {"row"}
    assert [spec.kind for spec in checks if spec.judges_real] == ["privacy", "blocklist"]
    assert [spec.kind for spec in checks if spec.FIRST] == ["privacy"]
    with pytest.raises(ValidationError):
        adapter.validate_python({"kind": "finished", "max": 3})


def test_a_bound_filter_says_what_it_is(tmp_path: Path) -> None:
    bindings = Bindings(word_tokenizer(tmp_path))
    for spec in (Finished(), Length(), Repetition(), Refusal(), ExactDuplicate(), NearDuplicate(), Contamination()):
        bound = spec.bind(bindings)
        assert (bound.kind, bound.scope) == (spec.kind, spec.scope)


def test_the_first_that_objects_drops_and_its_name_is_kept() -> None:
    found = Chain([Finished(), Refusal(), ExactDuplicate()], Bindings()).together(ROWS)
    assert [result.row for result in found] == ROWS
    assert reasons(found) == [
        "",
        "exact_duplicate.same_pair",
        "refusal.refused",
        "finished.truncated",
        "finished.truncated",
        "",
    ]


def test_a_set_filter_sees_only_what_is_left() -> None:
    rows = [chat("a", "one", finish="length"), chat("a", "one")]
    assert reasons(Chain([Finished(), ExactDuplicate()], Bindings()).together(rows)) == ["finished.truncated", ""]
    assert reasons(Chain([ExactDuplicate(), Finished()], Bindings()).together(rows)) == [
        "finished.truncated",
        "exact_duplicate.same_pair",
    ]


def test_alone_asks_only_those_that_judge_a_row_alone() -> None:
    accept: Accept = Chain([ExactDuplicate(), Finished(), Contamination()], Bindings(evaluated=[chat("d")]))
    assert reasons(accept.alone(ROWS)) == [
        "",
        "",
        "",
        "finished.truncated",
        "finished.truncated",
        "contamination.question_seen",
    ]


def test_a_second_pass_does_not_remember_the_first() -> None:
    accept = Chain([ExactDuplicate(), NearDuplicate(on="answer")], Bindings())
    assert reasons(accept.together(ROWS)) == reasons(accept.together(ROWS))
    assert reasons(accept.together(ROWS))[0] == ""


def test_an_empty_chain_keeps_all_and_no_rows_are_no_trouble() -> None:
    assert reasons(Chain([], Bindings()).together(ROWS)) == [""] * len(ROWS)
    assert Chain([], Bindings()).alone(ROWS) == Chain([], Bindings()).together(ROWS)
    assert Chain([Finished(), NearDuplicate(), Contamination()], Bindings()).together([]) == []


def test_batches_are_bounded_by_rows_and_by_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "BATCH_ROWS", 3)
    monkeypatch.setattr(chain, "BATCH_CHARACTERS", 10)
    rows = [chat("q", "a" * size) for size in (1, 1, 1, 1, 30, 1, 5, 5)]
    assert [[len(row.answer) for row in batch] for batch in batches(rows)] == [[1, 1, 1], [1], [30], [1, 5], [5]]
    assert list(batches([])) == []
    assert [[one.row for one in batch] for batch in judged_batches(fresh(rows))] == list(batches(rows))


def test_the_bounds_of_batches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    specs = [Finished(), ExactDuplicate(on="answer"), NearDuplicate()]
    rows = [chat(f"question {n % 9}", f"answer {n % 11} " * (n % 5)) for n in range(200)]
    expected = reasons(Chain(specs, Bindings()).together(rows))
    monkeypatch.setattr(chain, "BATCH_ROWS", 7)
    assert reasons(Chain(specs, Bindings()).together(rows)) == expected


def test_rows_are_judged_as_they_come() -> None:
    taken = []

    def endless() -> object:
        n = 0
        while True:
            taken.append(n)
            yield chat(f"q{n}", "a")
            n += 1

    judged = Chain([Finished()], Bindings()).judge(endless())  # type: ignore[arg-type]
    assert next(judged).verdict.keep
    assert len(taken) <= chain.BATCH_ROWS + 1


TEXTS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["I'm sorry, but I can't help with that.", "one two " * 20, "a" * 50, "", "Hi", "你好" * 30]),
)
SOME_ROWS = st.lists(
    st.builds(chat, TEXTS, TEXTS, finish=st.sampled_from(["stop", "length"]), real=st.booleans()), max_size=12
)
ALONE = [Finished(), Refusal(), Repetition(), Length(min_tokens=None, max_tokens=None, max_words=9), Contamination()]


@given(SOME_ROWS, st.permutations(ALONE), st.integers(0, 5))
def test_the_order_of_row_filters_does_not_matter(rows: list[Row], order: list[AnyFilter], cut: int) -> None:
    bindings = Bindings(evaluated=rows[:cut])
    one, other = (Chain(specs, bindings).together(rows) for specs in (ALONE, order))
    assert [result.verdict.keep for result in one] == [result.verdict.keep for result in other]
    assert Chain(order, bindings).alone(rows) == other


@given(SOME_ROWS)
def test_every_row_has_one_result_and_every_drop_a_reason(rows: list[Row]) -> None:
    results = Chain([*ALONE[:4], ExactDuplicate(), NearDuplicate()], Bindings()).together(rows)
    assert [result.row for result in results] == rows
    for result in results:
        dropped = not result.verdict.keep
        assert dropped == bool(result.filter) == bool(result.verdict.reason) == (result.verdict.score is not None)
        assert dropped == (result.verdict.evidence is not None)
