"""python -m pytest tests/test_real.py"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from distill.context import Resolved
from distill.errors import SourceError, TemplateError
from distill.rows import Message, Provenance, Row, root_of, write_rows
from distill.sources.real import Reading, Real, read_real
from distill.sources.references import resolve

CHAT = "package:chatterbot_corpus/data/english"


def reading(tmp_path: Path, records: list[Any], **shape: Any) -> Reading:
    """A JSON lines file of these records, read in this shape."""
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    source = Resolved("./data.jsonl", path, "sha256:0123456789abcdef", ("mit",))
    return read_real("chat", Real(data="./data.jsonl", **shape), source)


def said(row: Row) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in row.messages]


# The spec --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape",
    [
        {"prompt": "q"},
        {"prompt": "q", "answer": "a", "system": "s", "items": "data", "limit": 3},
        {"messages": "m", "items": "data"},
        {"turns": "alternate"},
        {"turns": "alternate", "items": "conversations"},
        {"prompt": "q", "answer": "a", "score": "s", "each": "votes", "evidence": {"reference": "r"}},
        {"text": "t", "title": "n", "passage_words": 80, "min_words": 3},
    ],
)
def test_one_shape(shape: dict[str, Any]) -> None:
    Real(data="x.json", **shape)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "exactly one of `prompt`, `messages`, `turns` or `text` says how a record becomes a row: found none"),
        ({"items": "data"}, "found none"),
        ({"prompt": "q", "messages": "m"}, "found `prompt` and `messages`"),
        ({"prompt": "q", "messages": "m", "turns": "alternate"}, "found `prompt`, `messages` and `turns`"),
        ({"turns": "alternate", "answer": "a"}, "`answer` goes with `prompt`, not with `turns`"),
        ({"messages": "m", "system": "s"}, "`system` goes with `prompt`, not with `messages`"),
        ({"text": "t", "evidence": {"tests": "t"}}, "`score` and `evidence` are of prompts and answers"),
        ({"prompt": "q", "score": "s"}, "`score` is of an answer, and there is none"),
        ({"data": "rows:x", "each": "e", "score": "s"}, "so `each` and `score` cannot be given"),
        ({"prompt": "q", "passage_words": 50}, "`passage_words` goes with `text`, not with `prompt`"),
        ({"text": "t", "answer": "a"}, "`answer` goes with `prompt`, not with `text`"),
        ({"text": "t", "passage_words": 5}, "greater than or equal to 10"),
        ({"data": "rows:x", "text": "t"}, "so `text` cannot be given"),
        ({"data": "rows:x", "prompt": "q"}, "'rows:x' holds rows already, so `prompt` cannot be given"),
        ({"data": "run:x/filter", "items": "q", "terms": ["mit"]}, "so `items` and `terms` cannot be given"),
        ({"prompt": "q", "limit": 0}, "greater than 0"),
        ({"turns": "alternating"}, "Input should be 'alternate'"),
        ({"promt": "q"}, "Extra inputs"),
    ],
)
def test_shapes_that_do_not_fit(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Real(**{"data": "x.json", **fields})
    assert message in str(caught.value)


# From records to rows --------------------------------------------------------------------------------------------


def test_columns(tmp_path: Path) -> None:
    records = [{"q": "Hello  ", "a": "\n  indented\n", "s": ""}, {"q": 3, "a": "b", "s": "Be kind."}]
    first, second = reading(tmp_path, records, prompt="q", answer="{{ a }}", system="s")
    assert said(first) == [("user", "Hello"), ("assistant", "  indented")]
    assert said(second) == [("system", "Be kind."), ("user", "3"), ("assistant", "b")]
    assert first.kind == "chat"
    assert first.provenance == Provenance(
        source="real",
        origin="./data.jsonl@sha256:0123456789abcdef",
        method="real",
        root=root_of(first.messages),
        terms=("mit",),
    )


def test_a_prompt_without_an_answer_is_a_prompt(tmp_path: Path) -> None:
    (row,) = reading(tmp_path, [{"q": "Hello"}], prompt="q", terms=("bsd",))
    assert (row.kind, said(row)) == ("prompt", [("user", "Hello")])
    assert row.provenance.terms == ("bsd",)


def test_messages(tmp_path: Path) -> None:
    system, user, assistant = ({"role": r, "content": r[0]} for r in ("system", "user", "assistant"))
    records = [
        [system, user, {**assistant, "reasoning": "hm"}, user],
        [user],
        [{"role": "system", "content": None}, user, assistant],
    ]
    found = reading(tmp_path, [{"m": record} for record in records], messages="m")
    first, second, third = found
    assert said(first) == [("system", "s"), ("user", "u"), ("assistant", "a")]
    assert first.messages[-1].reasoning == "hm"
    assert second.kind == "prompt"
    assert said(third) == [("user", "u"), ("assistant", "a")]
    assert found.cut == 1


def test_alternating_turns(tmp_path: Path) -> None:
    found = reading(tmp_path, [["a", "b", "c", 4], ["a", True, "cut"]], turns="alternate")
    first, second = found
    assert said(first) == [("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "4")]
    assert said(second) == [("user", "a"), ("assistant", "True")]
    assert first.provenance.root == second.provenance.root
    assert (found.read, found.cut, dict(found.skipped)) == (2, 1, {})


SHAPES: dict[str, dict[str, Any]] = {
    "prompt": {"prompt": "q", "answer": "a"},
    "messages": {"messages": "m"},
    "turns": {"turns": "alternate"},
}
GOOD = {"prompt": {"q": "x", "a": "y"}, "messages": {"m": [{"role": "user", "content": "x"}]}, "turns": ["x", "y"]}


@pytest.mark.parametrize(
    ("shape", "record", "reason"),
    [
        ("prompt", {"q": " \n", "a": "y"}, "empty_prompt"),
        ("prompt", {"q": None, "a": "y"}, "empty_prompt"),
        ("prompt", {"q": "x", "a": None}, "empty_answer"),
        ("messages", {"m": "text"}, "not_a_list"),
        ("messages", {"m": None}, "not_a_list"),
        ("messages", {"m": ["text"]}, "not_a_list"),
        ("messages", {"m": []}, "no_user_first"),
        ("messages", {"m": [{"role": "assistant", "content": "x"}]}, "no_user_first"),
        ("messages", {"m": [{"role": "user", "content": "x"}, {"role": "tool", "content": "y"}]}, "no_user_last"),
        ("messages", {"m": [{"role": "user", "content": ""}]}, "empty_turn"),
        ("messages", {"m": [{"role": "user", "content": ["x"]}]}, "not_text"),
        ("messages", {"m": [{"role": "human", "content": "x"}]}, "unknown_role"),
        ("turns", "x", "not_a_list"),
        ("turns", {"q": "x"}, "not_a_list"),
        ("turns", ["x"], "one_turn"),
        ("turns", [], "one_turn"),
        ("turns", ["x", ["y"]], "not_text"),
        ("turns", ["x", ""], "empty_turn"),
        ("turns", [None, "y"], "empty_turn"),
    ],
)
def test_a_record_that_makes_no_row_is_counted(shape: str, record: Any, reason: str, tmp_path: Path) -> None:
    found = reading(tmp_path, [GOOD[shape], record, record], **SHAPES[shape])
    for _ in range(2):  # reading again counts again
        assert len(list(found)) == 1
        assert (found.read, dict(found.skipped), found.first) == (3, {reason: 2}, {reason: "data.jsonl:2"})
    assert found.reasons == f"2 {reason} (first: data.jsonl:2)"
    with pytest.raises(SourceError, match=f"real.chat: no row in 1 records: 1 {reason}"):
        list(reading(tmp_path, [record], **SHAPES[shape]))


def test_a_missing_column_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"data\.jsonl:2: no column 'answer'; nearest there: answr"):
        list(reading(tmp_path, [{"q": "x", "answer": "y"}, {"q": "x", "answr": "y"}], prompt="q", answer="answer"))
    with pytest.raises(TemplateError, match="'answr' is undefined"):
        list(reading(tmp_path, [{"q": "x", "answer": "y"}], prompt="{{ q }} {{ answr }}"))
    with pytest.raises(SourceError, match="no `role` and `content`, but from, value"):
        list(reading(tmp_path, [{"m": [{"from": "human", "value": "x"}]}], messages="m"))


def test_what_a_check_needs_is_kept_as_evidence(tmp_path: Path) -> None:
    records = [{"q": "Double 2", "t": "assert f(2) == 4", "n": None}, {"q": "Halve 2", "t": "", "n": "f"}]
    rows = list(reading(tmp_path, records, prompt="q", evidence={"tests": "t", "name": "{{ n }}"}))
    assert [row.evidence for row in rows] == [{"tests": "assert f(2) == 4"}, {"name": "f"}]
    assert [row.kind for row in rows] == ["prompt", "prompt"]


def test_scores_of_people_and_records_in_a_list(tmp_path: Path) -> None:
    answers = [{"text": "Blue.", "votes": 7}, {"text": "Green.", "votes": None}, {"text": "Red.", "votes": "many"}]
    records = [{"q": "Which colour?", "answers": answers}, {"q": "And now?", "answers": []}]
    found = reading(tmp_path, records, prompt="q", each="answers", answer="{{ item.text }}", score="{{ item.votes }}")
    rows = list(found)
    assert [(row.answer, row.scores) for row in rows] == [("Blue.", {"people": 7.0})]
    assert found.read == 3 and dict(found.skipped) == {"no_score": 1, "score_no_number": 1}
    assert (
        found.reasons
        == "1 no_score (first: data.jsonl:1, answers[1]), 1 score_no_number (first: data.jsonl:1, answers[2])"
    )


def test_lists_side_by_side(tmp_path: Path) -> None:
    records = [{"q": "Which colour?", "answers": ["Blue.", "Green."], "votes": [7, 2]}]
    shape = {"prompt": "q", "each": "answers", "answer": "{{ item }}", "score": "{{ votes[index] }}"}
    rows = list(reading(tmp_path, records, **shape))
    assert [(row.answer, row.scores["people"]) for row in rows] == [("Blue.", 7), ("Green.", 2)]


def test_records_in_what_is_no_list(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="column 'answers' holds str, not a list"):
        list(reading(tmp_path, [{"q": "Why?", "answers": "so"}], prompt="q", each="answers"))


def test_limit_counts_records(tmp_path: Path) -> None:
    found = reading(tmp_path, [["a", "b"], ["one"], ["c", "d"], ["e", "f"]], turns="alternate", limit=3)
    assert [row.question for row in found] == ["a", "c"]
    assert (found.read, found.skipped.total()) == (3, 1)


def test_lone_surrogates_are_replaced_and_pairs_kept(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text('["a\\ud83d", "\\ud83d\\ude00 \\udc00b \\ud800"]\n')
    (row,) = read_real("chat", Real(data="./data.jsonl", turns="alternate"), Resolved("./data.jsonl", path, "sha256:0"))
    assert said(row) == [("user", "a\ufffd"), ("assistant", "\U0001f600 \ufffdb \ufffd")]
    write_rows(tmp_path / "rows.jsonl", [row])


# Texts -----------------------------------------------------------------------------------------------------------


def folder(tmp_path: Path, **files: str) -> Resolved:
    root = tmp_path / "documents"
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Resolved("./documents", root, "sha256:0", ("cc0-1.0",))


MOSS = "# On moss\n\nMoss grows where it is wet and dark.\n\nIt has no roots, and drinks with its leaves."


def test_a_document_is_a_row_of_kind_text(tmp_path: Path) -> None:
    source = folder(tmp_path, moss_md=MOSS, on__lake_water_txt="A lake lies still and mirrors the hills around it.")
    first, second = read_real("docs", Real(data="./documents", text="text", title="title"), source)
    assert (first.kind, said(first), first.evidence) == ("text", [("assistant", MOSS)], {"title": "On moss"})
    assert (first.question, first.answer, first.prompt) == ("", MOSS, ())
    assert first.provenance.root == root_of(first.messages) and first.provenance.terms == ("cc0-1.0",)
    assert second.evidence == {"title": "lake.water"}


def test_the_passages_of_a_document_have_its_root(tmp_path: Path) -> None:
    real = Real(data="./documents", text="{{ text }}", passage_words=10, min_words=2)
    rows = list(read_real("docs", real, folder(tmp_path, moss_md=MOSS)))
    assert [row.answer for row in rows] == MOSS.rsplit("\n\n", 1)
    assert {row.provenance.root for row in rows} == {root_of([Message(role="assistant", content=MOSS)])}
    assert len({root_of(row.messages) for row in rows} | {rows[0].provenance.root}) == 3


def test_texts_that_are_empty_or_too_short_are_counted(tmp_path: Path) -> None:
    source = folder(tmp_path, a_txt="", b_txt=" \n", c_txt="Too short.", d_txt=MOSS)
    found = read_real("docs", Real(data="./documents", text="text"), source)
    assert len(list(found)) == 1
    assert (found.read, found.reasons) == (
        4,
        "2 empty_text (first: documents/a.txt), 1 too_short (first: documents/c.txt)",
    )


def test_limit_counts_documents_and_not_passages(tmp_path: Path) -> None:
    source = folder(tmp_path, a_txt=MOSS, b_txt=MOSS)
    real = Real(data="./documents", text="text", passage_words=10, min_words=1, limit=1)
    assert len(list(read_real("docs", real, source))) == 2


def test_texts_are_read_from_data_files_too(tmp_path: Path) -> None:
    (row,) = reading(tmp_path, [{"t": MOSS}], text="t")
    assert (row.kind, row.answer) == ("text", MOSS)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"a_pdf": "%PDF", "b_txt": MOSS},
            "1 of its files hold no plain text, such as a.pdf; read are .txt, .md, .jsonl",
        ),
        ({"a_jsonl": "{}", "README_md": MOSS}, r"holds documents \(README.md, …\) and data files \(a.jsonl, …\)"),
        ({"a_py": "pass"}, "no document; read are .txt, .md, .jsonl"),
    ],
)
def test_folders_that_are_no_texts_say_what_is_read(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        list(read_real("docs", Real(data="./documents", text="text"), folder(tmp_path, **files)))


def test_documents_are_no_records_of_another_shape(tmp_path: Path) -> None:
    source = folder(tmp_path, a_jsonl='{"q": "x"}', README_md=MOSS)
    assert len(list(read_real("chat", Real(data="./documents", prompt="q"), source))) == 1


# Rows and hub data sets ------------------------------------------------------------------------------------------


def test_rows_are_taken_as_they_are(tmp_path: Path) -> None:
    provenance = Provenance(
        source="teacher", origin="model@1", method="evolve", root="r", depth=2, terms=("llama3",), parents=("p",)
    )
    messages = (Message(role="user", content="q "), Message(role="assistant", content="a"))
    chat = Row(kind="chat", messages=messages, provenance=provenance, scores={"s": 1.0})
    text = Row(kind="text", messages=messages[1:], provenance=provenance)
    pair = Row(kind="preference", messages=messages, rejected=messages[1:], provenance=provenance)
    write_rows(tmp_path / "rows.jsonl", [chat, text, pair])
    found = read_real("made", Real(data="rows:x"), Resolved("rows:x", tmp_path / "rows.jsonl", "sha256:0"))
    assert list(found) == [chat, text]
    assert dict(found.skipped) == {"kind_preference": 1}


def test_a_hub_data_set(tmp_path: Path) -> None:
    path = tmp_path / "snapshots" / "c0ffee"
    path.mkdir(parents=True)
    (path / "train.jsonl").write_text('{"q": "x"}\n')
    (path / "test.jsonl").write_text('{"q": "y"}\n')
    source = Resolved("org/name", path, "c0ffee")
    (row,) = read_real("hub", Real(data="org/name", prompt="q", split="test"), source)
    assert (row.question, row.provenance.origin) == ("y", "org/name@c0ffee")
    with pytest.raises(SourceError, match="`items` is for JSON and YAML"):
        list(read_real("hub", Real(data="org/name", prompt="q", items="data"), source))


def test_a_configuration_is_for_the_hub(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"real.chat: `config` is for data sets of the hub"):
        list(reading(tmp_path, [{"q": "x"}], prompt="q", config="small"))


# Real data -------------------------------------------------------------------------------------------------------


def chatterbot(tmp_path: Path) -> Reading:
    source = resolve(CHAT, "data", tmp_path, tmp_path, tmp_path)
    return read_real("chat", Real(data=CHAT, items="conversations", turns="alternate"), source)


def test_chatterbot_english(tmp_path: Path) -> None:
    found = chatterbot(tmp_path)
    rows = list(found)
    assert found.read == 2026
    assert found.reasons == "1 not_a_list (first: english/trivia.yml, record 14)"
    assert len(rows) == 2025
    assert len({row.id for row in rows}) == 898
    assert len({row.messages[0].content for row in rows}) == 748
    assert len({row.provenance.root for row in rows}) == 747
    assert sum(len(row.messages) == 2 for row in rows) == 1957
    assert all(row.messages[-1].role == "assistant" and row.provenance.terms == ("bsd",) for row in rows)
    assert said(rows[0])[0] == ("user", "What is AI?")


@pytest.mark.parametrize(
    ("fields", "answered"),
    [
        ({"prompt": "q"}, False),
        ({"prompt": "q", "answer": "a"}, True),
        ({"messages": "m"}, True),
        ({"turns": "alternate"}, True),
        ({"data": "run:x/filter"}, True),
        ({"text": "t"}, False),
    ],
)
def test_which_data_may_have_answers(fields: dict[str, Any], answered: bool) -> None:
    real = Real(**{"data": "x.json", **fields})
    assert real.answered is answered
    assert real.teaches is (answered or "text" in fields)


def test_evidence_of_lists_and_objects_is_json(tmp_path: Path) -> None:
    record = {"q": "Who?", "names": ["Ann", "Zoë"], "more": {"a": [1, None]}, "none": [], "said": "as it is"}
    evidence = {"names": "names", "more": "more", "none": "none", "said": "said", "one": "{{ names[0] }}"}
    (row,) = reading(tmp_path, [record], prompt="q", evidence=evidence)
    assert row.evidence == {
        "names": '["Ann", "Zoë"]', "more": '{"a": [1, null]}', "none": "[]", "said": "as it is", "one": "Ann",
    }  # fmt: skip
