"""Data of a suite -> items: which are asked, after which examples, in which words, and what they share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from distill.errors import SourceError, TemplateError
from distill.evidence import QUESTION
from distill.rows import Message, Row, root_of, write_rows
from distill.sources.real import Real
from distill.suites.text import Text
from tests.suites.written import data, load, resolved, said

RECORDS = [{"q": f"What is {n} called?", "a": f"Name {n}", "page": n // 4, "about": f"topic {n}"} for n in range(20)]


def suite(
    folder: Path, records: list[dict[str, Any]] | None = None, source: dict[str, Any] | None = None, **more: Any
) -> Text:
    ref = data(folder, RECORDS if records is None else records)
    return Text.model_validate({"source": {"data": ref, "prompt": "q", "answer": "a", **(source or {})}, **more})


def test_a_file_and_its_columns_are_a_suite(tmp_path: Path) -> None:
    items = load(suite(tmp_path))
    assert [said(item) for item in items] == [[("user", r["q"]), ("assistant", r["a"])] for r in RECORDS]
    assert {item.kind for item in items} == {"benchmark"}
    assert [item.provenance.root for item in items] == [root_of(item.messages) for item in items]
    assert all(item.evidence == {} for item in items)
    assert items[0].provenance.terms == ("mit",)


def test_the_first_by_hash_are_the_same_in_any_order(tmp_path: Path) -> None:
    (tmp_path / "back").mkdir()
    some = load(suite(tmp_path, items=6))
    back = load(suite(tmp_path / "back", RECORDS[::-1], items=6))
    assert [item.id for item in some] == [item.id for item in back][::-1]
    assert len(some) == 6
    assert {item.id for item in some} < {item.id for item in load(suite(tmp_path, items=7))}
    assert len(load(suite(tmp_path, items=99))) == 20


def test_an_item_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    items = load(suite(tmp_path, RECORDS * 2, items=6))
    assert len({item.id for item in items}) == 6


def test_shots_are_put_aside_and_not_asked(tmp_path: Path) -> None:
    items = load(suite(tmp_path, shots=2))
    assert len(items) == 18
    shown = {tuple(said(item)[:4]) for item in items}
    assert len(shown) == 1
    examples = {text for role, text in shown.pop() if role == "user"}
    assert len(examples) == 2
    assert not examples & {item.question for item in items}
    assert [role for role, _ in said(items[0])] == ["user", "assistant"] * 3
    question = items[0].question
    assert items[0].provenance.root == root_of([Message(role="user", content=question)])
    assert items[0].evidence[QUESTION] == question


def test_shots_of_other_data_are_never_what_is_asked(tmp_path: Path) -> None:
    own = data(tmp_path, [*RECORDS[:3], {"q": "Other?", "a": "Yes"}, {"q": "Another?", "a": "No"}], "shots.jsonl")
    examples = {"data": own, "prompt": "q", "answer": "a"}
    items = load(suite(tmp_path, shots=2, examples=examples))
    assert len(items) == 20
    assert {text for role, text in said(items[0])[:4] if role == "user"} == {"Other?", "Another?"}
    assert suite(tmp_path, shots=2, examples=examples).references == (str(tmp_path / "data.jsonl"), own)
    with pytest.raises(SourceError, match="3 shots, but only 2 examples"):
        load(suite(tmp_path, shots=3, examples=examples))


def test_more_items_leave_the_examples_as_they_are(tmp_path: Path) -> None:
    few, many = load(suite(tmp_path, shots=2, items=3)), load(suite(tmp_path, shots=2, items=9))
    assert said(few[0])[:4] == said(many[0])[:4]
    assert {item.id for item in few} < {item.id for item in many}


def test_an_instruction_stands_around_every_question(tmp_path: Path) -> None:
    text = "On {{ about }}: {{ question }} Be brief."
    items = load(suite(tmp_path, shots=1, instruction=text, source={"evidence": {"about": "about"}}))
    for item in items:
        asked = [content for role, content in said(item) if role == "user"]
        assert all(one.startswith("On topic ") and one.endswith("called? Be brief.") for one in asked)
        assert item.evidence[QUESTION] in asked[-1] and item.evidence[QUESTION].startswith("What")
        assert item.provenance.root == root_of([Message(role="user", content=item.evidence[QUESTION])])


def test_an_instruction_without_a_place_for_the_question_comes_first(tmp_path: Path) -> None:
    item = load(suite(tmp_path, instruction="Answer the question."))[0]
    assert item.question == f"Answer the question.\n\n{RECORDS[0]['q']}"


def test_a_system_message_is_the_items_own(tmp_path: Path) -> None:
    items = load(suite(tmp_path, shots=1, source={"system": "about"}))
    assert [role for role, _ in said(items[0])] == ["system", "user", "assistant", "user", "assistant"]
    assert {said(item)[0][1] for item in items} <= {record["about"] for record in RECORDS}


def test_items_of_a_group_share_a_root(tmp_path: Path) -> None:
    items = load(suite(tmp_path, group="page"))
    assert len({item.provenance.root for item in items}) == 5
    assert all("group" not in item.evidence for item in items)
    # What the item asks is known of it still.
    own = {root_of(item.messages) for item in items}
    assert own <= {root for item in items for root in item.roots}
    shown = load(suite(tmp_path, group="page", shots=1))
    assert len(shown) == 16, "items that share a page with an example are not asked"


def test_items_of_rows_that_were_written_to_measure_with(tmp_path: Path) -> None:
    rows = [row.model_copy(update={"kind": "benchmark"}) for row in load(suite(tmp_path))]
    write_rows(tmp_path / "rows.jsonl", rows)
    again = Text(source=Real(data=f"rows:{tmp_path / 'rows.jsonl'}"))
    from distill.context import Resolved

    ref = again.source.data
    found = list(again.load({ref: Resolved(ref, tmp_path / "rows.jsonl", "1")}))
    assert [row.id for row in found] == [row.id for row in rows]


def test_records_that_make_no_item_are_told(tmp_path: Path) -> None:
    mixed = suite(tmp_path, [*RECORDS[:3], {"q": "", "a": "x", "page": 1}, {"q": "y", "a": None, "page": 1}])
    loading = mixed.load(resolved(mixed))
    assert len(list(loading)) == 3
    (note,) = loading.notes()
    assert note.startswith("2 of 5 records of ") and "empty_prompt" in note and "empty_answer" in note


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"source": {"data": "x.jsonl", "text": "t"}}, "a suite asks questions"),
        ({"source": {"data": "x.jsonl", "prompt": "q"}, "examples": {"data": "y", "prompt": "q"}}, "without `shots`"),
        ({"source": {"data": "rows:x"}, "group": "page"}, "have roots already"),
        ({"source": {"data": "x.jsonl", "prompt": "q"}, "instruction": "{{ question"}, "not a Jinja template"),
        ({"source": {"data": "x.jsonl", "prompt": "q"}, "samples": 3}, "3 samples without a temperature"),
        ({"source": {"data": "x.jsonl", "prompt": "q"}, "items": 0}, "greater than 0"),
        ({"source": {"data": "x.jsonl", "prompt": "q"}, "shotz": 1}, "shotz"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Text.model_validate(fields)


def test_bad_data_say_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"evaluate.suites: text: no row in 1 records: 1 empty_prompt"):
        load(suite(tmp_path, [{"q": "", "a": "x"}]))
    with pytest.raises(SourceError, match="no column 'qq'; nearest there: q"):
        load(suite(tmp_path, source={"prompt": "qq"}))
    with pytest.raises(TemplateError, match="nothing"):
        load(suite(tmp_path, instruction="{{ question }} {{ nothing }}"))


def test_what_is_asked_later_does_not_decide_the_items(tmp_path: Path) -> None:
    one = suite(tmp_path, items=3)
    other = suite(tmp_path, items=3, max_new_tokens=7, temperature=1.0, samples=4, until=["x"])
    assert one.loading == other.loading
    assert one.loading != suite(tmp_path, items=4).loading
    assert one.loading != suite(tmp_path, items=3, instruction="{{ question }}").loading


def test_several_answers_are_a_share_and_not_right_or_wrong(tmp_path: Path) -> None:
    assert suite(tmp_path).metrics["exact_match"].right
    assert not suite(tmp_path, samples=4, temperature=1).metrics["exact_match"].right


def test_an_item_is_a_row_that_can_be_written_and_read(tmp_path: Path) -> None:
    item = load(suite(tmp_path, group="page", shots=1, instruction="{{ question }}"))[0]
    assert Row.model_validate(item.model_dump()).id == item.id
