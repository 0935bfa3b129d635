"""The privacy filter: rows dropped or redacted, counted by kind, and no secret in any file that the stage writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from distill.errors import DistillError, YieldError
from distill.filter.bindings import Bindings
from distill.filter.chain import AnyFilter, Chain
from distill.filter.contamination.contamination import Contamination
from distill.filter.duplicates.near import ExactDuplicate
from distill.filter.privacy.privacy import Privacy
from distill.filter.text.finished import Finished
from distill.filter.text.length import Length
from distill.protocols import Verdict
from distill.rows import Row, read_rows
from tests.filter.make import chat
from tests.filter.test_stage import folders, go, lines, spec

MAIL, CARD, KEY = "jo.smith@gmail.com", "4111 1111 1111 1111", "ghp_16C7e42F292c6912E7710c838347Ae178B4a"


def verdict(row: Row, **fields: Any) -> Verdict:
    return Privacy(**fields).judge([row])[0]


def test_a_row_is_dropped_for_the_worst_that_is_in_it() -> None:
    found = verdict(chat(f"Write to {MAIL} or {MAIL}", f"My card is {CARD}"))
    assert (found.keep, found.reason, found.score) == (False, "card", 3)
    assert found.evidence == (
        "email j***@g***.com in messages[0]; email j***@g***.com in messages[0]; card of 19 characters in messages[1]"
    )
    assert verdict(chat("Hello?", "Fine, 42 thanks.")) == Verdict(True)


def test_a_row_is_redacted_and_kept_with_the_kinds_as_reason() -> None:
    found = verdict(chat(f"Write to {MAIL}", CARD), action="redact")
    assert found.keep and found.reason == "card+email" and found.score is None
    assert found.row is not None and (found.row.question, found.row.answer) == ("Write to [EMAIL_1]", "[CARD_1]")


def test_only_the_kinds_of_the_recipe() -> None:
    assert verdict(chat(MAIL, "x"), kinds=["card", "key"]).keep
    assert verdict(chat(MAIL, KEY), kinds=["card", "key"]).reason == "key"
    with pytest.raises(ValidationError):
        Privacy(kinds=[])
    with pytest.raises(ValidationError):
        Privacy(kinds=["name"])


def test_evidence_is_short_however_much_is_found() -> None:
    found = verdict(chat("q", f"{MAIL} " * 10_000))
    assert found.score == 10_000 and found.evidence is not None and len(found.evidence) < 500
    assert found.evidence.endswith("; and 9995 more")


def test_bad_input_is_no_trouble() -> None:
    for text in ("", "\ud800", "\x00" * 100, "a" * 1_000_000, "العربية १२३ 中文 🙂"):
        assert verdict(chat(text, text)).keep
    assert verdict(chat("\ud800 " + MAIL, "\udfff"), action="redact").row is not None


def test_it_judges_first_so_that_what_others_drop_is_redacted() -> None:
    chain = Chain(
        [Finished(), Length(max_chars=5, min_tokens=None, max_tokens=None), Privacy(action="redact")], Bindings()
    )
    (cut,) = chain.together([chat("q", f"so, {MAIL}", finish="length")])
    assert (cut.filter, cut.verdict.reason, cut.row.answer) == ("finished", "truncated", "so, [EMAIL_1]")
    assert MAIL not in str(cut)
    (dropped,) = Chain([Finished(), Privacy()], Bindings()).together([chat("q", MAIL, finish="length")])
    assert (dropped.filter, dropped.row.answer) == ("privacy", "[EMAIL_1]")


def test_of_two_the_second_redacts_what_the_first_drops(tmp_path: Path) -> None:
    chain = (Privacy(kinds=["card"]), Finished(), Privacy(action="redact"))
    _, out = go(tmp_path, spec(2, chain), folders(tmp_path, ROWS, REAL, HELD))
    assert not any(place in contents(out) for place in PLACES)
    dropped = [line for line in lines(out / "dropped.jsonl") if line["reason"] == "card"]
    assert dropped[0]["row"]["messages"][1]["content"] == "one [EMAIL_1] and [CARD_1]"
    assert [row.answer for row in read_rows(out / "kept.jsonl")] == ["two [EMAIL_1]", "three"]


def test_later_filters_see_the_redacted_row() -> None:
    rows = [chat("Whose is it?", "Of al@gmail.com."), chat("Whose is it?", "Of bo@gmail.com.")]
    judged = Chain([ExactDuplicate(), Privacy(action="redact")], Bindings()).together(rows)
    assert [result.verdict.reason for result in judged] == ["", "same_pair"]


ROWS = [
    chat("a", f"one {MAIL} and {CARD}"),
    chat("b", f"two {MAIL}"),
    chat("c", "three"),
    chat("d", f"four {KEY}", finish="length"),
    chat("e", f"five, cut in the key {KEY[:38]}", finish="length"),
    chat(f"Is {CARD} a card?", "six"),
]
REAL = [chat("r", f"Call +44 20 7123 4567, says {MAIL}", real=True), chat("s", "nothing", real=True)]
HELD = [chat(f"Is {CARD} a card?", "so")]
PLACES = ("jo.smith", "4111", "16C7e42F", "7123")


def contents(out: Path) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in out.rglob("*") if path.is_file())


def test_redacted_rows_are_counted_by_kind_and_no_secret_is_written(tmp_path: Path) -> None:
    chain = (Finished(), Contamination(), Privacy(action="redact"))
    summary, out = go(tmp_path, spec(4, chain), folders(tmp_path, ROWS, REAL, HELD))
    assert not any(place in contents(out) + str(summary) for place in PLACES)
    ledger = json.loads((out / "ledger.json").read_text())
    assert ledger["changed"] == {
        "teacher": {"privacy.card": 2, "privacy.email": 2},
        "real": {"privacy.phone": 1, "privacy.email": 1},
    }
    assert summary["changed"] == ledger["changed"] and ledger["teacher"]["kept"] == 4
    assert any("privacy.email" in note for note in summary["notes"])
    assert [row.answer for row in read_rows(out / "kept.jsonl")][:2] == ["one [EMAIL_1] and [CARD_1]", "two [EMAIL_1]"]
    assert next(read_rows(out / "real.jsonl")).answer == "Call [PHONE_1], says [EMAIL_1]"


def test_dropped_rows_are_written_redacted_and_shown_so_when_too_few_are_left(tmp_path: Path) -> None:
    with pytest.raises(YieldError) as caught:
        go(tmp_path, spec(9, (Finished(), Privacy())), folders(tmp_path, ROWS, REAL))
    out = tmp_path / "out"
    assert not any(place in contents(out) + str(caught.value) for place in PLACES)
    assert "privacy.card: 'a' -> 'one [EMAIL_1] and [CARD_1]'" in str(caught.value)
    dropped = [(line["filter"], line["reason"]) for line in lines(out / "dropped.jsonl")]
    assert dropped.count(("privacy", "card")) == 2 and dropped.count(("privacy", "key")) == 2
    assert json.loads((out / "ledger.json").read_text())["real"]["dropped"] == {"privacy.email": 1}


def test_without_the_packages_names_are_refused_with_what_to_install() -> None:
    adapter: TypeAdapter[AnyFilter] = TypeAdapter(AnyFilter)
    asked = adapter.validate_python({"kind": "privacy", "names": True, "names_model": "no_such_model@1.0"})
    with pytest.raises(DistillError, match="not installed") as caught:
        asked.bind(Bindings())
    assert caught.value.hint is not None and "names: false" in caught.value.hint


def test_names_where_the_packages_are_installed() -> None:
    """Skipped without them: presidio brings spaCy, and its model lies on no package index of its own name."""
    pytest.importorskip("presidio_analyzer")
    pytest.importorskip("en_core_web_sm")
    asked = Privacy(names=True, action="redact").bind(Bindings())
    (found,) = asked.judge([chat("Who is Barack Obama?", f"Barack Obama. Write to {MAIL}.")])
    assert found.reason == "email+name" and found.row is not None
    assert (found.row.question, found.row.answer) == ("Who is [NAME_1]?", "[NAME_1]. Write to [EMAIL_1].")
