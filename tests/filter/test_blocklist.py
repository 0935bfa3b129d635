"""The list-based safety filter: whole words of the user's own list, and the report says that it is on."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from distill.context import Context, Resolved
from distill.errors import SourceError
from distill.filter.bindings import Bindings
from distill.filter.blocklist import Blocklist
from distill.filter.opener import Opener
from distill.protocols import Verdict
from distill.rows import Row
from tests.filter.make import chat, pair
from tests.filter.test_stage import folders, go, spec


def verdict(row: Row, *listed: str, on: str = "row") -> Verdict:
    return Blocklist(words=listed, on=on).bind(Bindings()).judge([row])[0]  # type: ignore[arg-type]


def opened(tmp_path: Path, content: bytes) -> Bindings:
    path = tmp_path / "list.txt"
    path.write_bytes(content)
    return Bindings(open=Opener(Context(tmp_path, {"list.txt": Resolved("list.txt", path, "1")})))


def test_a_listed_word_is_found_whole_in_any_case() -> None:
    found = verdict(chat("q", "What a DARN, nuisance."), "darn")
    assert found == Verdict(False, "listed_word", evidence="'darn' in messages[1]")
    assert verdict(chat("q", "The darning needle; Scunthorpe"), "darn", "cunt").keep


@pytest.mark.parametrize(
    ("listed", "text"),
    [
        ("blue moon", "Once in a\nBlue-Moon, so"),
        ("ＤＡＲＮ", "darn"),
        ("गाली", "यह गाली है"),
        ("坏话", "他说坏话了"),
        ("C3", "c3"),
    ],
)
def test_phrases_and_other_scripts(listed: str, text: str) -> None:
    assert verdict(chat("q", text), listed).reason == "listed_word"


def test_a_phrase_counts_only_as_a_whole() -> None:
    assert verdict(chat("q", "blue skies, blue, moon blue"), "blue moon moon").keep
    assert verdict(chat("q", "the blue"), "blue moon").keep


def test_what_is_read() -> None:
    assert verdict(chat("darn", "fine"), "darn").reason == "listed_word"
    assert verdict(chat("darn", "fine"), "darn", on="answer").keep
    assert verdict(pair("q", "fine", "darn"), "darn").keep


def test_a_list_from_a_file(tmp_path: Path) -> None:
    bindings = opened(tmp_path, "\ufeff# mine\n\ndarn\r\n  blue moon \n!!!\n".encode())
    listed = Blocklist(file="list.txt", words=("heck",))
    assert listed.data == ("list.txt",) and Blocklist(words=("heck",)).data == ()
    rows = [chat("q", answer) for answer in ("darn", "blue moon", "heck", "mine")]
    assert [one.reason for one in listed.bind(bindings).judge(rows)] == ["listed_word"] * 3 + [""]


@pytest.mark.parametrize("content", [b"", b"# only this\n...\n", b"\xff\xfe\x00"])
def test_a_file_without_words_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(SourceError, match="list"):
        Blocklist(file="list.txt").bind(opened(tmp_path, content))


def test_a_list_must_be_given() -> None:
    with pytest.raises(ValidationError, match="no list comes with distill"):
        Blocklist()
    with pytest.raises(ValidationError, match="no letter or digit"):
        Blocklist(words=("ok", "!!!"))


def test_real_rows_are_judged_and_the_summary_names_the_list(tmp_path: Path) -> None:
    chain = (Blocklist(words=("darn", "heck")),)
    summary, _ = go(tmp_path, spec(1, chain), folders(tmp_path, [chat("a", "one")], [chat("r", "darn", real=True)]))
    assert summary["real"]["dropped"] == 1
    assert "blocklist is on: 2 words of the recipe" in summary["notes"][0]


def test_long_and_broken_texts() -> None:
    assert verdict(chat("\ud800", "x " * 500_000), "darn").keep
    assert not verdict(chat("q", "x " * 500_000 + "darn"), "x darn").keep
