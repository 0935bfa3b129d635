"""Rows of every kind for the eye."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from distill.cli import main
from distill.rows import Message, Provenance, Row, root_of, to_json, to_line, write_rows
from distill.show import dropped, rows


def row(kind: str, *said: Message, **more: object) -> Row:
    made = Provenance(source="teacher", origin="org/teacher@1", method="m", root=root_of(said), terms=("mit",))
    return Row.model_validate({"kind": kind, "messages": said, "provenance": made, **more})


ASKED, ANSWERED = Message(role="user", content="Why?"), Message(role="assistant", content="So.")


def test_each_file_of_a_node_and_all_that_a_row_holds(tmp_path: Path) -> None:
    folder = tmp_path / "3-mix"
    folder.mkdir()
    write_rows(folder / "train.jsonl", [row("chat", ASKED, ANSWERED), row("text", ANSWERED)])
    write_rows(folder / "preference.jsonl", [row("preference", ASKED, ANSWERED, rejected=(ASKED,))])
    write_rows(folder / "benchmark.jsonl", [row("benchmark", ASKED, ANSWERED, evidence={"reference": "so"})])
    shown = rows(tmp_path, "mix", 2)
    for part in (
        "train.jsonl:\n",
        "text · teacher · m",
        "\n  text      So.",
        "preference.jsonl:\n",
        "preference · teacher",
        "\n  rejected  Why?",
        "benchmark.jsonl:\n",
        "\n  (reference) so",
    ):
        assert part in shown, part
    assert "chat ·" not in shown


def test_items_of_suites_are_shown_as_they_are_asked(tmp_path: Path) -> None:
    folder = tmp_path / "0-suites"
    folder.mkdir()
    for suite in ("quiz", "facts"):
        write_rows(folder / f"{suite}.jsonl", [row("benchmark", ASKED, ANSWERED)])
    shown = rows(tmp_path, "suites", 1)
    assert shown.startswith("facts.jsonl:\n") and "quiz.jsonl:\n" in shown and shown.count("user      Why?") == 2


def test_half_a_surrogate_pair_is_shown_escaped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "3-mix"
    folder.mkdir()
    write_rows(folder / "train.jsonl", [row("chat", ASKED, ANSWERED.model_copy(update={"content": "half \ud83d"}))])
    assert main(["show", str(tmp_path), "--rows", "mix"]) == 0
    assert "half \\ud83d" in capsys.readouterr().out


def test_dropped_rows_with_odd_line_ends_are_shown(tmp_path: Path) -> None:
    odd = row("chat", ASKED, ANSWERED.model_copy(update={"content": "one\x85two\u2028three"}))
    found = {"filter": "length", "reason": "too_long", "score": 3, "evidence": None, "row": json.loads(to_line(odd))}
    (tmp_path / "2-filter").mkdir()
    (tmp_path / "2-filter" / "dropped.jsonl").write_text(to_json(found) + "\n", encoding="utf-8")
    assert "two\u2028three" in dropped(tmp_path, "", 3)
