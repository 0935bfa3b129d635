"""`distill filter` on a recipe: looked at, written, and written by many tasks, with the same rows."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from distill.cli import main
from distill.filter.chain import Chain
from distill.filter.ledger import Ledger
from distill.filtering import settings
from distill.rows import read_rows, to_line
from tests.filter.make import chat
from tests.test_cli import QUICKSTART

CHAIN = "filter=[{kind: finished}, {kind: repetition}, {kind: near_duplicate}, {kind: contamination}]"
FILTER = ["filter", QUICKSTART, "--set", CHAIN]
"""Nothing in it counts tokens: reading the student's tokenizer takes longer than all the rest."""
ROWS = [
    *(
        {"question": f"What is {n} times three?", "answer": f"It is {3 * n}, since three {n}s are that."}
        for n in range(12)
    ),
    {"question": "Say it", "answer": "the same again and the same again " * 20},
    {"question": "What is 5 times three?", "answer": "It is 15, since three 5s are that."},
    {"question": "Anything?", "answer": ""},
]


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    return ["--runs", str(tmp_path / "runs"), "--cache", str(tmp_path / "cache")]


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    folder = tmp_path / "shards"
    folder.mkdir()
    for number in range(3):
        text = "".join(json.dumps(row) + "\n" for row in ROWS[number * 5 : number * 5 + 5])
        (folder / f"{number}.jsonl").write_text(text)
    return folder


def test_a_preview_of_a_file_asks_nobody_and_writes_nothing(
    folders: list[str], shards: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main([*FILTER, "--preview", "--rows", str(shards), *folders]) == 0
    shown = capsys.readouterr().out
    assert f"quickstart: all 15 rows of {shards}" in shown
    for line in (
        ["finished", "empty", "1", "6.7%"],
        ["near_duplicate", "near_pair", "1", "6.7%"],
        ["kept", "12", "80.0%"],
    ):
        assert line in [one.split() for one in shown.splitlines()]
    assert "contamination: heldout is not made yet, and was not looked for" in shown
    assert not (tmp_path / "cache" / "answers").exists() and not (tmp_path / "runs").exists()


def test_without_a_file_what_the_run_has_is_looked_at(
    folders: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main([*FILTER, "--preview", "40", *folders]) == 0
    shown = capsys.readouterr().out
    assert "40 of 719 rows, drawn by lot, of the real training data (nothing is generated yet)" in shown
    assert "duplicates of rows that were not drawn are not seen" in shown
    made = tmp_path / "runs" / "quickstart" / "1-generate"
    made.mkdir(parents=True)
    split = next((tmp_path / "cache").glob("split-*"))
    lines = (split / "train" / "chat.jsonl").read_text().splitlines(keepends=True)
    (made / "rows.jsonl").write_text("".join(lines[:9]))
    assert main([*FILTER, "--preview", *folders]) == 0
    assert "all 9 rows of" in (shown := capsys.readouterr().out) and "made by an earlier recipe of this name" in shown


def test_a_file_is_judged_and_written_with_its_page(
    folders: list[str], shards: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert main([*FILTER, "--rows", str(shards), "--out", str(out), *folders]) == 0
    assert f"rows: {out}" in capsys.readouterr().out
    assert len(list(read_rows(out / "kept.jsonl"))) == 12
    account = Ledger.read(out)["teacher"]
    assert account["requested"] == 15 == account["kept"] + sum(account["dropped"].values())
    assert {path.name for path in out.iterdir()} == {"kept.jsonl", "dropped.jsonl", "ledger.json", "rows.html"}
    again = [*FILTER, "--set", "filter=[]", "--rows", str(shards), "--out", str(out), *folders]
    assert main(again) == 0 and len(list(read_rows(out / "kept.jsonl"))) == 15, "an earlier result is replaced"
    assert main(["show", str(out), "--page", *folders]) == 0
    assert str(out / "rows.html") in capsys.readouterr().out


def test_what_filters_have_to_say_is_in_the_ledger(folders: list[str], shards: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    chain = ["filter", QUICKSTART, "--set", "filter=[{kind: math}]"]
    assert main([*chain, "--rows", str(shards), "--out", str(out), *folders]) == 0
    (note,) = Ledger.read(out)["notes"]
    assert note.startswith("math: none of 15 rows had a reference")


def test_of_a_file_select_chooses_among_all_rows(folders: list[str], shards: Path, tmp_path: Path) -> None:
    (shards / "evolved.jsonl").write_text(
        to_line(chat("What now?", "Now comes the end of it.", method="evolve").scored(people=2))
    )
    for number, path in enumerate(sorted(shards.glob("[0-9]*"))):
        scored = [{**json.loads(line), "scores": {"people": 1 - number / 10}} for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps(row) + "\n" for row in scored))
    out = tmp_path / "out"
    chosen = ["filter", QUICKSTART, "--set", "filter=[{kind: select, by: [people]}]", "--set", "generate.rows=2"]
    assert main([*chosen, "--rows", str(shards), "--out", str(out), *folders]) == 0
    kept = list(read_rows(out / "kept.jsonl"))
    assert len(kept) == 2 and "evolve" in {row.provenance.method for row in kept}


def test_rows_that_are_lost_are_no_result(
    folders: list[str],
    shards: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    judge = Chain.judge
    monkeypatch.setattr(Chain, "judge", lambda *told: itertools.islice(judge(*told), 9))
    assert main([*FILTER, "--rows", str(shards), "--out", str(tmp_path / "out"), *folders]) == 2
    assert "15 rows of given were requested, but 9 are accounted for" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_of_two_jobs_for_one_folder_the_second_is_refused(
    folders: list[str], shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("datatrove")
    out = tmp_path / "out"
    code = f"""
from pathlib import Path
from distill.filter.alone import holding
with holding(Path({str(out)!r})):
    print(flush=True)
    input()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline()
        for tasks in ([], ["--tasks", "2"]):
            assert main([*FILTER, "--rows", str(shards), "--out", str(out), *tasks, *folders]) == 2
            assert f"another job is filtering into {out}" in capsys.readouterr().err
        process.communicate(b"\n")
    assert main([*FILTER, "--rows", str(shards), "--out", str(out), *folders]) == 0


def test_nothing_is_written_over_that_is_read_or_is_not_a_filters(
    folders: list[str], shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, stage, link, lost = (tmp_path / name for name in ("first", "stage", "link", "lost"))
    assert main([*FILTER, "--rows", str(shards), "--out", str(first), *folders]) == 0
    shutil.copytree(first, stage)
    (stage / "manifest.json").write_text("{}")
    link.symlink_to(first)
    lost.symlink_to(tmp_path / "nowhere")
    before = {path: path.read_bytes() for path in [*first.iterdir(), *stage.iterdir()]}
    for rows, out, message in (
        (first / "kept.jsonl", first, "holds the rows to be judged"),
        (first, first, "holds the rows to be judged"),
        (shards, shards / "inside", "lies among the rows to be judged"),
        (shards, stage, "is what a step of a run made"),
        (shards, link, "is a symbolic link"),
        (shards, lost, "is a symbolic link"),
    ):
        for tasks in ([], ["--tasks", "2"]):
            assert main([*FILTER, "--rows", str(rows), "--out", str(out), *tasks, *folders]) == 2
            assert message in capsys.readouterr().err
    assert before == {path: path.read_bytes() for path in [*first.iterdir(), *stage.iterdir()]}
    again = tmp_path / "again"
    assert main([*FILTER, "--rows", str(first), "--out", str(again), *folders]) == 0
    assert (again / "kept.jsonl").read_bytes() == (first / "kept.jsonl").read_bytes(), (
        "of its folder the rows kept are read"
    )


def test_settings_are_numbers_truths_and_texts() -> None:
    told = settings(["a=1", "b=-1", "c=true", "d=False", "e=2:00:00", "f="])
    assert told == {"a": 1, "b": -1, "c": True, "d": False, "e": "2:00:00", "f": ""}


@pytest.mark.distributed
def test_tasks_write_the_same_as_one_process(folders: list[str], shards: Path, tmp_path: Path) -> None:
    pytest.importorskip("datatrove")
    one, many = tmp_path / "one", tmp_path / "many"
    common = [*FILTER, "--rows", str(shards), *folders]
    assert main([*common, "--out", str(one)]) == 0
    assert main([*common, "--out", str(many), "--tasks", "3", "--option", "workers=2"]) == 0
    for name in ("kept.jsonl", "dropped.jsonl", "ledger.json"):
        assert (one / name).read_bytes() == (many / name).read_bytes()
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".many")] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "either look at rows or write them out"),
        (["--rows", "{shards}"], "--rows REF --out FOLDER"),
        (["--preview", "--out", "x"], "--preview writes nothing"),
        (["--rows", "{shards}", "--out", "{shards}"], "is there, and not what filters wrote"),
        (["--rows", "{shards}", "--out", "{shards}", "--tasks", "2"], "is there, and not what filters wrote"),
        (["--rows", "{shards}/nothing.jsonl", "--preview"], "no 'nothing.jsonl'"),
        (["--rows", "{shards}", "--out", "x", "--tasks", "2", "--option", "workers"], "'workers' is not KEY=VALUE"),
        (["--rows", "{shards}/empty.jsonl", "--preview"], "an empty file"),
    ],
)
def test_a_users_mistake_is_a_sentence(
    arguments: list[str], message: str, folders: list[str], shards: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (shards / "empty.jsonl").touch()
    assert main([*FILTER, *(one.format(shards=shards) for one in arguments), *folders]) == 2
    assert message in (said := capsys.readouterr().err) and "Traceback" not in said
    assert len(list(shards.iterdir())) == 4


def test_an_option_that_datatrove_would_not_take_is_a_sentence(
    folders: list[str], shards: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("datatrove")
    asked = ["--rows", str(shards), "--out", f"{shards}-x", "--tasks", "2", "--option", "workers=abc"]
    assert main([*FILTER, *asked, *folders]) == 2
    assert "not a whole number" in (said := capsys.readouterr().err) and "Traceback" not in said
