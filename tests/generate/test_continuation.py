"""Plain texts: on topics, after passages, in their manner; what is cut, what is refused and why."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from distill.context import Context
from distill.generate.author import Author, Unusable
from distill.generate.continuation import Continue, copied
from distill.generate.method import Candidate
from distill.generate.settings import Spec
from distill.generate.stage import run
from distill.protocols import Completion, Request
from distill.rows import Row, read_rows, root_of, write_rows
from tests.generate.conftest import MODEL, Canned, Say, real, work
from tests.generate.test_document_qa import passage

TEXT = (
    "The tide comes in twice a day along most coasts. It is drawn by the moon, which pulls at the near side of the earth "
    "more than at the far side. Fishermen know the hours of the tide by heart, and children learn them from a table."
)
TOPICS = ("tides", "glaciers", "bees")


def written(author: Author, text: str, finish: str = "stop", **fields: Any) -> Row:
    """The row of a method's first candidate whose teacher says this."""
    method = Continue.model_validate(
        {"min_words": 10, **fields} if "passages" in fields else {"min_words": 10, "topics": TOPICS, **fields}
    )
    candidate: Candidate = next(method.candidates(work(author, [passage()], "continue", "docs")))
    request = next(candidate)
    try:
        candidate.send(Completion(request.key, text, finish, 1, 1))  # type: ignore[arg-type]
    except StopIteration as stop:
        row: Row = stop.value
        return row
    raise AssertionError("asked again")


def refused(author: Author, text: str, finish: str = "stop", **fields: Any) -> str:
    with pytest.raises(Unusable) as caught:
        written(author, text, finish, **fields)
    return str(caught.value.reason)


def asked(author: Author, count: int, rows: list[Row] | None = None, **fields: Any) -> list[Request]:
    candidates = Continue.model_validate(fields).candidates(work(author, rows or [], "continue", "docs"))
    return [next(candidate) for candidate in islice(candidates, count)]


def test_a_row_is_the_text_alone(author: Author) -> None:
    row = written(author, f"Here is the text:\n\n{TEXT}\n\nI hope this helps!")
    assert (row.kind, [(m.role, m.content) for m in row.messages]) == ("text", [("assistant", TEXT)])
    made = row.provenance
    assert made.root == root_of(row.messages) and made.parents == () and made.depth == 1
    assert made.sampling["topic"] in TOPICS and made.sampling["style"] and made.sampling["audience"]
    assert (made.sampling["finish"], made.sampling["cut"], made.sampling["turn"]) == ("stop", False, "assistant")


def test_every_topic_comes_before_any_comes_again_and_then_for_others(author: Author) -> None:
    requests = asked(author, 12, topics=TOPICS)
    told = [request.messages[0].content for request in requests]
    for start in range(0, 12, 3):
        assert {topic for topic in TOPICS for text in told[start : start + 3] if topic in text} == set(TOPICS)
    assert len(set(told)) > 9 and len({request.key for request in requests}) == 12
    assert asked(author, 3, topics=TOPICS[::-1]) == requests[:3]


def test_topics_may_be_the_prompts_of_a_data_set(author: Author) -> None:
    rows = [real(topic, None) for topic in TOPICS]
    method = Continue(topics="docs")
    assert method.reads == ("docs",) and method.takes("docs") == {"prompt", "chat"}
    candidate = next(method.candidates(work(author, rows, "continue", "docs")))
    request = next(candidate)
    with pytest.raises(StopIteration) as stop:
        candidate.send(Completion(request.key, TEXT, "stop", 1, 1))
    row: Row = stop.value.value
    parent = next(one for one in rows if one.id == row.provenance.parents[0])
    assert parent.question in request.messages[0].content
    assert row.provenance.root == parent.provenance.root and "cc-by-4.0" in row.provenance.terms


def test_a_passage_is_gone_on_from_as_plain_text(author: Author) -> None:
    row = written(author, f" {TEXT}", passages="docs")
    assert row.answer == TEXT and row.provenance.parents == (passage().id,) and row.provenance.root == "bees"
    (request,) = asked(author, 5, [passage()], passages="docs")
    assert request.turn == "text" and [m.content for m in request.messages] == [passage().answer]


def test_only_the_opening_of_a_passage_is_shown_where_one_is_asked_for(author: Author) -> None:
    (request,) = asked(author, 5, [passage()], passages="docs", opening=3)
    assert request.messages[-1].content == " ".join(passage().answer.split()[:3])
    with pytest.raises(ValueError, match="without `manner`"):
        Continue.model_validate({"passages": "docs", "manner": True, "opening": 3})


def test_passages_come_as_often_as_there_are_samples(author: Author) -> None:
    rows = [passage(), passage("Another passage altogether.", "other")]
    requests = asked(author, 9, rows, passages="docs", samples=2)
    assert [request.sample for request in requests] == [0, 0, 1, 1]
    assert {request.messages[0].content for request in requests[:2]} == {row.answer for row in rows}


def test_a_text_in_the_manner_of_a_passage_is_asked_for_in_a_chat(author: Author) -> None:
    (request,) = asked(author, 1, [passage()], passages="docs", manner=True, language="es")
    assert request.turn == "assistant" and request.messages[-1].role == "user"
    told = request.messages[-1].content
    assert passage().answer in told and "The honey bee" in told and "in Spanish" in told


def test_a_text_that_was_cut_ends_with_its_last_sentence(author: Author) -> None:
    row = written(author, f"{TEXT} And then the", "length", passages="docs")
    assert row.answer == TEXT
    assert (row.provenance.sampling["finish"], row.provenance.sampling["cut"]) == ("stop", True)
    assert refused(author, "and so it goes on and on without any end", "length", passages="docs") == "short_text"


@pytest.mark.parametrize(
    ("text", "fields", "reason"),
    [
        ("The tide comes in.", {}, "short_text"),
        (f"Once upon a time, {TEXT}", {}, "avoided_opening"),
        (f"IMAGINE: {TEXT}", {}, "avoided_opening"),
        (TEXT, {"avoid": ["the tide"]}, "avoided_opening"),
        (TEXT, {"language": "German"}, "other_language"),
        (f"{TEXT} This is the rewritten text.", {}, "talks_of_task"),
        (f"I'd be happy to help. {TEXT}", {}, "talks_of_task"),
        (f"{passage().answer} {passage().answer}", {"passages": "docs"}, "copied"),
        (passage().answer, {"passages": "docs", "manner": True}, "copied"),
        ("", {}, "empty_text"),
    ],
)
def test_what_is_refused_and_why(author: Author, text: str, fields: dict[str, Any], reason: str) -> None:
    assert refused(author, text, **fields) == reason


def test_what_passes(author: Author) -> None:
    assert written(author, f"Title: Tides\n\n{TEXT}").answer == TEXT
    assert written(author, TEXT, language="en").answer == TEXT
    assert written(author, f"Imagining the sea is easy. {TEXT}").kind == "text"
    assert written(author, f"I am here to stay, said the sea. {TEXT}", passages="docs").kind == "text"


def test_copied_is_a_share_of_runs_of_words() -> None:
    assert copied(TEXT, f"{TEXT} {TEXT}") == 1.0
    assert copied(TEXT, "The tide comes in twice a day") == 0.0
    assert 0 < copied(TEXT, "The tide comes in twice a day along most coasts.") < 0.1
    assert copied("too short", "too short") == 0.0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "exactly one of `topics` and `passages`"),
        ({"topics": ["a"], "passages": "docs"}, "exactly one of `topics` and `passages`"),
        ({"topics": ["a"], "manner": True}, "`manner` is that of `passages`"),
        ({"topics": ["a"], "styles": []}, "at least 1 item"),
    ],
)
def test_what_cannot_be_asked(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Continue.model_validate(fields)


def test_the_stage_writes_rows_of_kind_text(
    split: Path, context: Context, use: Callable[[Say], Canned], tmp_path: Path
) -> None:
    write_rows(split / "train" / "docs.jsonl", [passage()])
    engine = use(lambda request: f"In {request.sample} of a hundred places this is so. {TEXT}")
    methods = [
        {"kind": "continue", "topics": TOPICS, "share": 0.75},
        {"kind": "continue", "passages": "docs", "share": 0.25},
    ]
    generate = {"rows": 4, "methods": methods}
    spec = Spec.model_validate(
        {"teachers": {"teacher": {"model": MODEL}}, "generate": generate, "filter": (), "seed": 7}
    )
    summary = run(spec, {"split": split}, tmp_path, context)
    rows = list(read_rows(tmp_path / "rows.jsonl"))
    assert {row.kind for row in rows} == {"text"} and summary["counts"]["failed"] == 0
    assert {request.turn for request in engine.asked} == {"assistant", "text"}
