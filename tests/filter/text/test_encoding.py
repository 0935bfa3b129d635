"""Damaged and hidden characters, and all that is only unusual."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from distill.filter.text.encoding import Encoding
from distill.protocols import Verdict
from distill.rows import read_rows, write_rows
from tests.filter.make import chat, pair


def judged(answer: str, **fields: bool) -> Verdict:
    return Encoding(**fields).judge([chat("q", answer)])[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("a\ud800b", "surrogate"),
        ("na\ufffdve", "replacement_character"),
        ("a\x00b", "control_character"),
        ("a\x1b[31mred", "control_character"),
        ("é\x81", "control_character"),
        ("\uf0b7 first point", "no_character"),
        ("a\ufffe", "no_character"),
        ("pass\u200bword", "hidden"),
        ("a\ufeffb", "hidden"),
        ("user\u202eadmin", "hidden"),
        ("if access\u2066 then", "hidden"),
        ("hello\U000e0041\U000e0042", "hidden"),
        ("cafÃ© au lait", "mojibake"),
        ("It â€™s fine", "mojibake"),
        ("ÐŸÑ€Ð¸Ð²ÐµÑ‚", "mojibake"),
        ("p\u0430yp\u0430l", "mixed_script"),
        ("\u043f\u0440\u0438v\u0435\u0442", "mixed_script"),
    ],
)
def test_damage(answer: str, reason: str) -> None:
    verdict = judged(answer)
    assert (verdict.keep, verdict.reason) == (False, reason)
    assert verdict.score is not None and verdict.evidence and verdict.evidence.isascii()


@pytest.mark.parametrize(
    "answer",
    [
        "plain\tASCII\r\n\f",
        "naïve café — “quoted” … ½ ≤ 3 µm",
        "CAFÉ»",
        "PDFы и SQL-запрос, x-координата",
        "APIを使う",
        "2πr and dθdt",
        "می‌خواهم",
        "क्‍ष",
        "👩‍👩‍👧 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ❤️",
        "\u2067שלום\u2069 world",
        "ภาษา\u200bไทย",
        "\ufeffA mark at the beginning.",
        "NÃO É ASSIM",
        "Ünïcödé Ärger Ôtez",
        "",
    ],
)
def test_what_is_only_unusual_is_kept(answer: str) -> None:
    assert judged(answer).keep


def test_every_message_of_a_row_is_read() -> None:
    verdict = Encoding().judge([chat("wh\ufffdt", "a", "b", "c")])[0]
    assert verdict.evidence == r"user: 'wh\ufffdt'" and verdict.score == 2
    assert Encoding().judge([chat("q", "a", system="a\x00")])[0].reason == "control_character"
    assert Encoding().judge([pair("q", "a", "cafÃ©")])[0].reason == "mojibake"


def test_two_of_the_looks_can_be_left_out() -> None:
    assert judged("cafÃ©", mojibake=False).keep
    assert judged("p\u0430yp", mixed_script=False).keep


def test_a_row_with_half_a_surrogate_pair_is_written_and_read_back(tmp_path: Path) -> None:
    rows = [chat("q", "a\ud800é"), chat("q", "é")]
    write_rows(tmp_path / "rows.jsonl", rows)
    lines = (tmp_path / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    assert list(read_rows(tmp_path / "rows.jsonl")) == rows
    assert json.loads(lines[0])["id"] == rows[0].id and "é" in lines[1]
