"""The index of rows: what it keeps of each, and which folder it is of."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from distill.rows import Message, Provenance, Row, root_of, write_rows
from distill.trail.index import number, opened
from distill.trail.steps import Run as Trail
from distill.trail.steps import taken
from tests.conftest import Run


def row(question: str, **made: str) -> Row:
    said = (Message(role="user", content=question), Message(role="assistant", content="So."))
    return Row(
        kind="chat", messages=said, provenance=Provenance(source="real", origin="o@1", method="real", root="r", **made)
    )


def test_every_row_is_kept_with_what_it_asks_itself(two_runs: Run, tmp_path: Path) -> None:
    for folder in (two_runs.runs / "first").glob("[0-3]-*"):
        index = opened(folder, tmp_path)
        for place in range(len(index)):
            record = index.line(place)
            held = dict(record.get("row", record))
            held.pop("id")
            found = Row.model_validate(held)
            assert int(index.columns["own"][place]) == number(root_of(found.messages))
            assert int(index.columns["root"][place]) == number(found.provenance.root)


def test_what_is_asked_is_found_in_texts_and_in_items_after_examples(tmp_path: Path) -> None:
    text = row("x").model_copy(update={"kind": "text", "messages": (Message(role="assistant", content='A "text".'),)})
    item = row("An example? Yes. And this?").model_copy(update={"evidence": {"question": "And this?"}})
    system = row("Why?").model_copy(
        update={"messages": (Message(role="system", content="Be."), *row('Why "so"?').messages)}
    )
    write_rows(tmp_path / "rows.jsonl", [text, item, system])
    own = [int(one) for one in opened(tmp_path, tmp_path / "cache").columns["own"]]
    asked = ('A "text".', "And this?", 'Why "so"?')
    assert own == [number(root_of([Message(role="user", content=one)])) for one in asked]


def test_an_artifact_that_was_made_again_has_another_index(tmp_path: Path) -> None:
    folder = tmp_path / "mix-0123"
    for question in ("First?", "Second?"):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        write_rows(folder / "train.jsonl", [row(question)])
        (folder / "manifest.json").write_text(json.dumps({"made": question}))
        assert opened(folder, tmp_path / "cache").where(row(question).id)


def test_a_file_of_rows_is_indexed_alone(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("rows.jsonl", "deep/other.jsonl"):
        write_rows(tmp_path / name, [row(name)])
    index = opened(tmp_path / "rows.jsonl", tmp_path / "cache")
    assert index.files == ("rows.jsonl",) and index.line(0)["id"] == row("rows.jsonl").id
    assert opened(tmp_path / "rows.jsonl", tmp_path / "cache").line(0)["id"] == row("rows.jsonl").id, (
        "from what was kept"
    )


def test_rows_by_their_place_are_the_file_or_the_artifact_that_it_is_of(two_runs: Run, tmp_path: Path) -> None:
    kept = two_runs.runs / "first" / "2-filter" / "kept.jsonl"
    run = Trail(two_runs.runs / "second", two_runs.cache)
    assert taken(run, f"rows:{kept}") == kept.parent
    shutil.copy(kept, tmp_path / "rows.jsonl")
    (tmp_path / "manifest.json").write_text('{"of": "something else"}')
    assert taken(run, f"rows:{tmp_path}") == tmp_path / "rows.jsonl"
