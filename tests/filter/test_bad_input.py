"""Whatever rows hold, the stage ends with files that can be read, counts that add up, or a sentence."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.errors import SourceError, YieldError
from distill.filter import chain as chains
from distill.filter.bindings import Bindings
from distill.filter.chain import AnyFilter, Chain
from distill.filter.contamination.contamination import Contamination
from distill.filter.duplicates.near import ExactDuplicate, NearDuplicate
from distill.filter.ledger import Ledger
from distill.filter.text.finished import Finished
from distill.filter.text.length import Length
from distill.filter.text.refusal import Refusal
from distill.filter.text.repetition import Repetition
from distill.protocols import Judged
from distill.rows import Row, read_rows
from tests.filter.make import chat, pair, text
from tests.filter.test_ranks import Shortest
from tests.filter.test_stage import folders, go, lines, spec

WHOLE: tuple[AnyFilter, ...] = (
    Finished(), Length(min_tokens=None, max_tokens=None, max_chars=100_000), Repetition(), Refusal(), ExactDuplicate(),
    NearDuplicate(), Contamination(),
)  # fmt: skip
LONE = "half of a pair \ud83d, then the other \ude00"
BAD = [
    chat("", ""),
    chat("no answer", " \u200b\n"),
    chat("long", "a word and " * 1_000_000),
    chat("one line", "x" * 10_000_000),
    chat(LONE, f"{LONE} that is an answer with many words in it"),
    chat("mixed", "हिन्दी 中文 русский العربية 日本語 English \u202e backwards \x00\x1b[31m"),
    chat("deep", "[" * 200_000 + "]" * 200_000),
    text(""),
    pair("which", "the one", ""),
]


@pytest.mark.parametrize("filters", [WHOLE, WHOLE[::-1], ()], ids=["chain", "backwards", "empty"])
def test_the_worst_rows_go_through_and_are_counted(tmp_path: Path, filters: Sequence[AnyFilter]) -> None:
    inputs = folders(tmp_path, BAD, [chat("real", LONE, real=True)], [chat(LONE, LONE)])
    with pytest.raises(YieldError) as caught:
        go(tmp_path, spec(99, filters, answer=1, **{"continue": 1}, rank=1), inputs)
    assert "\x1b" not in str(caught.value) and len(str(caught.value)) < 2500
    assert str(caught.value).encode()
    out = tmp_path / "out"
    kept, dropped = list(read_rows(out / "kept.jsonl")), lines(out / "dropped.jsonl")
    account = Ledger.read(out)["teacher"]
    assert len(kept) == account["kept"] and len(kept) + sum(account["dropped"].values()) == len(BAD)
    assert {row.id for row in kept} | {line["row"]["id"] for line in dropped} >= {row.id for row in BAD}
    assert all(len(line["evidence"] or "") < 500 for line in dropped)
    if filters:
        by = {line["row"]["id"]: line["filter"] for line in dropped}
        assert {by[BAD[place].id] for place in (2, 3, 6)} <= {"length", "repetition"}
        assert BAD[0].id in by and BAD[1].id in by
    else:
        assert kept == BAD


def test_ten_thousand_copies_are_one_row_in_any_chain(tmp_path: Path) -> None:
    row = chat("the same question", "the same answer, of a few words")
    summary, out = go(tmp_path, spec(1, WHOLE), folders(tmp_path, [row] * 10_000))
    assert list(read_rows(out / "kept.jsonl")) == [row]
    assert summary["dropped"] == {"exact_duplicate.same_pair": 9999} and row.id in summary["notes"][0]


def test_a_file_without_rows_keeps_too_little(tmp_path: Path) -> None:
    with pytest.raises(YieldError, match="0 of 1 rows kept; the filters accepted 0 of 0"):
        go(tmp_path, spec(1, WHOLE), folders(tmp_path, []))
    assert Ledger.read(tmp_path / "out")["teacher"]["requested"] == 0


def test_a_line_that_is_no_row_is_named(tmp_path: Path) -> None:
    inputs = folders(tmp_path, [chat("q", "a")])
    with (inputs["generate"] / "rows.jsonl").open("a") as file:
        file.write(json.dumps({"kind": "chat", "provenance": {"method": "answer"}}) + "\n")
    with pytest.raises(SourceError, match=r"rows.jsonl:2: not a row"):
        go(tmp_path, spec(1), inputs)


@pytest.mark.parametrize("chain", [(Finished(),), (Shortest(), Finished(), Shortest())], ids=["alone", "pool"])
def test_memory_does_not_grow_with_the_rows(chain: tuple[AnyFilter, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """What filters must have seen whole waits on the disk."""
    monkeypatch.setattr(chains, "BATCH_ROWS", 50)

    def peak(count: int) -> int:
        def rows() -> Iterator[Row]:
            return (chat(f"question {n}", "word " * 40) for n in range(count))

        def drain(judged: Iterator[Judged]) -> int:
            return sum(1 for _ in judged)

        tracemalloc.start()
        assert drain(Chain(chain, Bindings()).judge(rows())) == count
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(2_000) < 1.5 * peak(500)


CONTENT = st.text(st.characters(), max_size=12) | st.sampled_from(
    ["", "\ud800", "a" * 300, "so so " * 40, "What is the capital of Peru?", "Lima is its capital, on the coast."]
)
GOOD = chat("Name a river in Germany and the sea it flows to.", "The Elbe; it flows to the North Sea.")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.builds(chat, CONTENT, CONTENT), max_size=12), st.permutations(WHOLE), st.integers(0, 13))
def test_any_rows_through_any_order_add_up(
    tmp_path_factory: pytest.TempPathFactory, others: list[Row], filters: list[AnyFilter], wanted: int
) -> None:
    root, rows = tmp_path_factory.mktemp("any"), [GOOD, *others]
    with suppress(YieldError):  # what is kept is written all the same
        go(root, spec(wanted, filters), folders(root, rows, heldout=others[:1]))
    account = Ledger.read(root / "out")["teacher"]
    kept = [row.id for row in read_rows(root / "out" / "kept.jsonl")]
    dropped = lines(root / "out" / "dropped.jsonl")
    assert account["requested"] == len(rows) == len(kept) + len(dropped)
    assert (account["kept"], sum(account["dropped"].values())) == (len(kept), len(dropped))
    assert sorted([*kept, *(line["row"]["id"] for line in dropped)]) == sorted(row.id for row in rows)
    surplus = account["dropped"].get("quota.surplus", 0)
    assert len(kept) == min(len(kept) + surplus, wanted) and kept[:1] == [GOOD.id][:wanted]
