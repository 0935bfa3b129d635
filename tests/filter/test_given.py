"""Files that somebody has become rows as they are, and what is none is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from distill.errors import SourceError
from distill.filter.given import Given
from distill.rows import Row, write_rows
from tests.filter.make import chat, text


def given(path: Path, *records: Any) -> Given:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return Given(path, "file@1")


def test_rows_of_distill_come_as_they_are(tmp_path: Path) -> None:
    rows = [chat("q", "a").scored(judge=1.0), text("once upon a time"), chat("q", "half \ud83d")]
    write_rows(tmp_path / "rows.jsonl", rows)
    assert list(Given(tmp_path / "rows.jsonl", "unused@1")) == rows


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"question": "q", "answer": "a", "id": 7}, [("user", "q"), ("assistant", "a")]),
        ({"instruction": "i", "input": "", "output": "o"}, [("user", "i"), ("assistant", "o")]),
        ({"instruction": "i", "input": "of this", "output": "o"}, [("user", "i\n\nof this"), ("assistant", "o")]),
        (
            {"system": "s", "prompt": "p", "completion": "c"},
            [("system", "s"), ("user", "p"), ("assistant", "c")],
        ),
        ({"query": "q", "response": None}, [("user", "q"), ("assistant", "")]),
        ({"text": "only text"}, [("assistant", "only text")]),
        ({"text": "### i ### o", "instruction": "i", "input": "", "output": "o"}, [("user", "i"), ("assistant", "o")]),
        ({"text": "only text", "prompt": "p"}, [("assistant", "only text")]),
        (
            {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]},
            [("user", "q"), ("assistant", "a")],
        ),
    ],
)  # fmt: skip
def test_records_become_rows(tmp_path: Path, record: Any, said: list[tuple[str, str]]) -> None:
    (row,) = given(tmp_path / "a.jsonl", record)
    assert [(message.role, message.content) for message in row.messages] == said
    assert row.kind == ("text" if len(said) == 1 else "chat")
    made = row.provenance
    assert (made.source, made.origin, made.method, made.depth) == ("teacher", "file@1", "given", 1)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ([1], "not a record with columns"),
        ({"title": "t", "body": "b"}, "no question and answer among the columns title, body"),
        ({"question": "q", "answer": {"text": "a"}}, "`answer` is no text but dict"),
        ({"messages": []}, "`messages` is empty"),
        ({"messages": [{"role": "user", "content": "q"}]}, "no answer"),
        ({"conversations": [{"from": "human", "value": "q"}]}, r"columns conversations\n.*not {from, value} turns"),
        (
            {"messages": [{"from": "human", "value": "q"}]},
            r"not a row: role: Field required\n.*not {from, value} turns",
        ),
        ({"prompt": "p", "chosen": "c", "rejected": "r"}, r"rejected\n.*not {chosen, rejected} pairs"),
        ({"filter": "length", "reason": "too_long", "row": {}}, "dropped, with their reason\n.*kept.jsonl"),
        ({"messages": [{"role": "king", "content": "q"}]}, "not a row: role"),
        ({"provenance": {}, "kind": "chat", "messages": []}, "not a row: messages"),
    ],
)
def test_what_is_no_row_is_named_with_its_place(tmp_path: Path, record: Any, message: str) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        list(given(tmp_path / "a.jsonl", {"question": "q", "answer": "a"}, record))
    assert "a.jsonl:2" in str(caught.value)


def test_a_folder_is_its_files_by_name_without_the_empty_ones(tmp_path: Path) -> None:
    for name, answers in (("b", "34"), ("a", "12"), ("c", "")):
        given(tmp_path / f"{name}.jsonl", *({"question": "q", "answer": answer} for answer in answers))
    (tmp_path / "notes.md").write_text("no rows")
    whole = Given(tmp_path, "folder@1")
    assert [row.answer for row in whole] == list("1234")
    assert [path.name for path in whole.shards] == ["a.jsonl", "b.jsonl"]
    assert [row.answer for row in whole.of(whole.shards[1])] == list("34")


def test_evidence_and_scores_are_taken_along_and_other_columns_named(tmp_path: Path) -> None:
    record = {
        "question": "q",
        "answer": "a",
        "text": "t",
        "evidence": {"tests": "t", "no": None},
        "scores": {"judge": 4},
    }
    (row,) = (rows := given(tmp_path / "a.jsonl", record))
    assert (row.evidence, row.scores, rows.unread) == ({"tests": "t"}, {"judge": 4.0}, ["text"])
    (row,) = (rows := given(tmp_path / "b.jsonl", {"text": "t", "prompt": "p", "scores": [1, 2]}))
    assert (row.scores, rows.unread) == ({}, ["prompt", "scores"])


@pytest.mark.parametrize(("mark", "name"), [("ledger.json", "kept.jsonl"), ("manifest.json", "rows.jsonl")])
def test_of_a_folder_that_distill_wrote_its_rows_are_taken(tmp_path: Path, mark: str, name: str) -> None:
    write_rows(tmp_path / name, [chat("q", "a")])
    (tmp_path / mark).write_text("{}")
    (tmp_path / "dropped.jsonl").write_text('{"filter": "length", "reason": "too_long", "row": {}}\n')
    assert Given(tmp_path, "f@1").shards == [tmp_path / name]
    assert [row.answer for row in Given(tmp_path, "f@1")] == ["a"]


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no rows: an empty file"):
        list[Row](given(tmp_path / "a.jsonl"))
