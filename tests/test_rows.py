from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pydantic import ValidationError

from distill.errors import SourceError
from distill.rows import Message, Provenance, Row, digest, normalise, read_rows, root_of, write_rows


def chat(question: str, answer: str = "yes", **changes: object) -> Row:
    made = Provenance(source="real", origin="d@1", method="real", root="r")
    messages = (Message(role="user", content=question), Message(role="assistant", content=answer))
    return Row.model_validate({"kind": "chat", "messages": messages, "provenance": made, **changes})


def test_the_id_is_the_content_and_nothing_else() -> None:
    row = chat("Who?")
    assert row.id == "1f131c9b2fa33211"
    assert chat("Who?", scores={"judge": 1.0}).id == row.id
    assert chat("Who?", "no").id != row.id
    assert chat("Who?", evidence={"passage": "x"}).id != row.id


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    rows = [chat("Who?\n\u2028\u0000", "日本 \U0001f600"), chat("Why?", scores={"a": 0.5})]
    assert write_rows(tmp_path / "rows.jsonl", rows) == 2
    assert list(read_rows(tmp_path / "rows.jsonl")) == rows


def test_a_lone_surrogate_can_be_written_and_comes_back(tmp_path: Path) -> None:
    rows = [chat("half of a pair \ud83d", "日本"), chat("日本")]
    write_rows(tmp_path / "rows.jsonl", rows)
    assert list(read_rows(tmp_path / "rows.jsonl")) == rows
    first, second = (tmp_path / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    assert "\\ud83d" in first and "日本" in second


@pytest.mark.parametrize("line", ["{", "[]", '{"kind": "chat"}', "null", '"text"'])
def test_a_line_that_is_no_row_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "rows.jsonl"
    write_rows(path, [chat("Who?")])
    with path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(SourceError, match=r"rows.jsonl:2"):
        list(read_rows(path))


def test_a_row_without_messages_is_refused() -> None:
    with pytest.raises(ValidationError):
        chat("x", messages=())


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("What is AI?", "  what IS ai ", True),
        ("Ｗｈａｔ is AI", "what is ai", True),
        ("दिन", "दान", False),
        ("กิน", "กัน", False),
        ("C++", "C#", True),
        ("???", "!!!", False),
    ],
)
def test_what_counts_as_the_same_prompt(one: str, other: str, same: bool) -> None:
    assert (normalise(one) == normalise(other)) is same


@given(some.text(some.characters(max_codepoint=127)))
def test_plain_letters_go_a_faster_way_to_the_same_words(text: str) -> None:
    spaced = "".join(one if unicodedata.category(one)[0] in "LMN" else " " for one in text.casefold())
    assert normalise(text) == (" ".join(spaced.split()) or text.strip())


def test_a_root_is_what_the_user_said_first() -> None:
    first, answer = Message(role="user", content="Hi!"), Message(role="assistant", content="Hello")
    more = Message(role="user", content="And then?")
    system = Message(role="system", content="Be kind")
    assert root_of([first]) == root_of([system, first, answer, more]) == root_of([Message(role="user", content="hi")])


def test_a_digest_refuses_what_is_not_json() -> None:
    with pytest.raises(TypeError):
        digest(object())
    with pytest.raises(ValueError, match="JSON"):
        digest(float("nan"))
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})


def test_the_id_of_a_copy_follows_its_content() -> None:
    row = chat("Who?")
    first = row.id
    other = row.model_copy(update={"messages": (row.messages[0], Message(role="assistant", content="two"))})
    assert other.id != first and other.id == Row.model_validate(other.model_dump()).id
    assert row.scored(judge=3.0).id == first and row.scored(judge=3.0).scores == {"judge": 3.0}
    assert row.scored(judge=3.0, other=1).scored(judge=None).scores == {"other": 1}


@pytest.mark.parametrize("score", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_no_score(tmp_path: Path, score: float) -> None:
    with pytest.raises(ValidationError, match="finite"):
        chat("Who?", scores={"judge": score})
    with pytest.raises(AssertionError):
        chat("Who?").scored(judge=score)
    line = {**chat("Who?").model_dump(), "scores": {"judge": score}}
    (tmp_path / "rows.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(SourceError, match=r"rows.jsonl:1: not a row"):
        list(read_rows(tmp_path / "rows.jsonl"))


def test_the_roots_of_a_row_are_where_it_came_from_and_what_it_asks() -> None:
    def root(text: str) -> str:
        return root_of([Message(role="user", content=text)])

    row = chat("Who?")
    assert row.roots == {"r", root("Who?")}
    # An item of a suite, asked after an example: its own question, and that in the words around it.
    said = [("user", "Q: Why?"), ("assistant", "So."), ("user", "Q: Who?"), ("assistant", "yes")]
    messages = [{"role": role, "content": content} for role, content in said]
    item = Row.model_validate({**row.model_dump(), "messages": messages, "evidence": {"question": "Who?"}})
    assert item.roots == {"r", root("Who?"), root("Q: Who?")}
