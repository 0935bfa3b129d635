"""Which training had a row: by the tokens of its mix, its limit, and its arm."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from distill.cli import main
from distill.names import folder_name
from distill.rows import read_rows
from distill.tokenise.stage import write
from tests.conftest import Run
from tests.trail.conftest import FIRST


def train(run: Path, node: str) -> None:
    folder = run / f"4-{folder_name(node)}"
    folder.mkdir()
    (folder / "manifest.json").write_text(
        json.dumps({"node": node, "key": "k", "files": {}, "identity": {"upstream": {"mix": "k"}}})
    )
    base = {"ref": "S", "revision": "1", "path": ".", "terms": []}
    (folder / "student.json").write_text(json.dumps({"base": base, "terms": [], "depth": 2}))


@pytest.fixture
def trained(two_runs: Run, tmp_path: Path) -> Run:
    """The first run as it would be after a training: tokens and student.json are put there by hand."""
    run = Run(two_runs.recipe, tmp_path / "runs", two_runs.cache)
    folder = run.runs / "first"
    folder.mkdir(parents=True)
    for link in (two_runs.runs / "first").glob("[0-9]-*"):
        (folder / link.name).symlink_to(link.resolve())
    (folder / "run.json").write_text(json.dumps({"base": str(two_runs.runs.parent)}))
    more = {"student": {"model": "S"}, "train": {"max_length": 100}, "evaluate": {"primary": "heldout_teacher.chrf"}}
    chain = [{"kind": "finished"}, {"kind": "length", "max_words": 14}]
    (folder / "recipe.resolved.yaml").write_text(yaml.safe_dump({**FIRST, **more, "filter": chain}))
    rows = list(read_rows(folder / "3-mix" / "train.jsonl"))
    (folder / "3-tokenise").mkdir()
    records = [
        {"id": row.id, "length": 90 + place, "learnt": place, "prompt": 0, "input_ids": [1], "labels": [1]}
        for place, row in enumerate(rows)
    ]
    write(folder / "3-tokenise" / "train.arrow", records)
    train(folder, "train")
    went = [{"out": "/somewhere/student"}, {"out": "https://hub/org/student", "format": "adapter"}]
    went += [went[1], {"out": "https://hub/datasets/org/rows", "format": "rows"}]
    (folder / "exports.jsonl").write_text("".join(json.dumps(one) + "\n" for one in went))
    return run


def test_a_row_is_learnt_from_unless_it_is_too_long(trained: Run, capsys: pytest.CaptureFixture[str]) -> None:
    rows = list(read_rows(trained.runs / "first" / "3-mix" / "train.jsonl"))
    for place, left_out in ((3, False), (12, True)):
        assert main(["trace", "first", rows[place].id, "--json", *trained.options]) == 0
        (found,) = json.loads(capsys.readouterr().out)["learnt"]
        assert found == {"training": "train", "tokens": 90 + place, "supervised": place, "left_out": left_out}


def test_a_withdrawal_names_the_student_and_what_it_was_exported_to(
    trained: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["trace", "first", "--source", "asked", "--json", *trained.options]) == 0
    (taught,) = json.loads(capsys.readouterr().out)["taught"]
    assert taught == {"training": "train", "rows": 15, "of": 15}
    assert main(["withdraw", "first", "asked", "--json", *trained.options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["students"] == [{"node": "train", "reference": "run:first/train", "why": "15 of its rows"}]
    pushed = ["https://hub/org/student", "https://hub/datasets/org/rows"]
    assert found["exports"] == ["/somewhere/student", *pushed] and "4-train" in found["anew"]
    assert main(["withdraw", "first", "--root", "nobody said that", *trained.options]) == 2


def test_a_base_is_a_source_without_rows(trained: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["withdraw", "first", "S", "--json", *trained.options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["students"][0]["why"] == "made from it" and found["change"] == ["name another model under student"]
    counted = ["1-generate", "2-filter", "3-guard", "3-mix", "3-panel"]
    assert found["anew"] == [*counted, "4-train"], "a filter counts in its tokens"
    assert found["remove"] == [str((trained.runs / "first" / "4-train").resolve())], "they hold nothing of it"
    assert found["exports"] == ["/somewhere/student", "https://hub/org/student"], "none of its rows was pushed"


def test_students_of_further_seeds_are_withdrawn_too(trained: Run, capsys: pytest.CaptureFixture[str]) -> None:
    folder = trained.runs / "first"
    train(folder, "train#2")
    assert main(["withdraw", "first", "S", "--json", *trained.options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["reference"] for one in found["students"]] == ["run:first/train", "run:first/train#2"]
    assert [Path(path).name for path in found["remove"]] == ["4-train", "4-train-seed2"]


def test_a_further_seed_learns_as_the_first_one_does(trained: Run, capsys: pytest.CaptureFixture[str]) -> None:
    folder = trained.runs / "first"
    recipe = yaml.safe_load((folder / "recipe.resolved.yaml").read_text())
    recipe["train"] = [{"objective": "sft", "max_length": 100}, {"objective": "sft", "max_length": 500}]
    (folder / "recipe.resolved.yaml").write_text(yaml.safe_dump(recipe))
    for node in ("train/sft", "train/sft#2", "train/sft-2#2"):
        train(folder, node)
    rows = list(read_rows(folder / "3-mix" / "train.jsonl"))
    assert main(["trace", "first", rows[12].id, "--json", *trained.options]) == 0
    left_out = {one["training"]: one["left_out"] for one in json.loads(capsys.readouterr().out)["learnt"]}
    assert {node: left_out[node] for node in ("train/sft", "train/sft#2", "train/sft-2#2")} == {
        "train/sft": True,
        "train/sft#2": True,
        "train/sft-2#2": False,
    }


def test_another_arm_and_the_data_of_a_suite_are_named_where_they_stand(
    trained: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = trained.runs / "first"
    recipe = yaml.safe_load((folder / "recipe.resolved.yaml").read_text())
    source = {"data": "asked.jsonl", "prompt": "q", "evidence": {"reference": "{a}"}}
    suite = {"kind": "text", "source": source}
    recipe["evaluate"] |= {"arms": {"other": {"model": "org/other"}}, "suites": ["heldout_teacher", suite]}
    (folder / "recipe.resolved.yaml").write_text(yaml.safe_dump(recipe))
    (folder / "5-evaluate-other").mkdir()
    (folder / "5-evaluate-other" / "manifest.json").write_text("{}")
    assert main(["withdraw", "first", "org/other", "--json", *trained.options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["change"] == ["name another under evaluate.arms.other.model"]
    assert found["anew"] == ["5-evaluate-other"] and len(found["remove"]) == 1
    assert main(["withdraw", "first", "asked.jsonl", "--json", *trained.options]) == 0
    assert "name another under evaluate.suites.1.source.data" in json.loads(capsys.readouterr().out)["change"]
