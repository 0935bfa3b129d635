"""A run on the Hub: what arrives is what others load, and nothing of this machine is in it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from distill import push
from distill.cli import main
from distill.errors import DistillError, TermsError
from distill.rows import read_rows
from distill.terms import shipping
from distill.trail.verify import verify
from distill.workspace import Workspace
from tests.receiving import TOKEN, Received, hub
from tests.small_run import REVISION, make, open_run, write_recipe

HOUSE = """
- id: cc0-1.0
  name: As our house reads CC0
  layer: licence
  outputs: yes
  unclear: whether it does where we are
  source: {title: The house's rules, address: "https://example.com/rules"}
  confidence: read
"""
STUDENT, ROWS = "models/org/student", "datasets/org/rows"


@pytest.fixture
def finished(small_run: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """The student is a model of the hub, which lies in its cache; the teacher is a folder of this machine, by its whole path."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(small_run.base / "hub"))
    return small_run


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> Iterator[Received]:
    """The client's hub for this test."""
    with hub() as running:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", running.address)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield running


def pushed(workspace: Workspace, *arguments: str) -> int:
    return main(["push", "small", *arguments, "--runs", str(workspace.runs), "--cache", str(workspace.cache)])


def test_what_arrives_is_the_student_and_its_rows(
    finished: Workspace, received: Received, tmp_path: Path, capsys: pytest.CaptureFixture[str], tiny_model: Path
) -> None:
    import torch
    from datasets import load_dataset
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    assert pushed(finished, "org/student", "--data", "org/rows") == 0
    said = capsys.readouterr().out
    assert received.private == {STUDENT: True, ROWS: True} and received.said == ["distill push small"] * 2
    listed = {line.split()[0] for line in said.splitlines() if line.startswith("  ")}
    assert listed == {*received.files[STUDENT], *received.files[ROWS]}, "what is listed is what is sent"
    assert (
        "terms, if it were given away: adapter ok, rows ok" in said
        and f"pushed: {received.address}/org/student" in said
    )

    went = [json.loads(line) for line in (finished.run_folder / "exports.jsonl").read_text().splitlines()]
    assert [(one["out"], one["format"]) for one in went[-2:]] == [
        (f"{received.address}/org/student", "adapter"),
        (f"{received.address}/datasets/org/rows", "rows"),
    ]
    assert not any(one["out"].startswith("/") for one in went), "no folder that is gone by now"

    model = received.write(STUDENT, tmp_path / "model")
    (model / ".gitattributes").write_text("which a hub puts there")
    assert verify(model).faults == ()
    config = json.loads((model / "adapter_config.json").read_text())
    assert (config["base_model_name_or_path"], config["revision"]) == ("org/base", REVISION)
    worn = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_model), str(model))
    own = finished.run_folder / "4-train" / "adapter"
    same = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_model), str(own))
    ids = torch.tensor([[5, 6, 7, 8]])
    assert torch.equal(worn(ids).logits, same(ids).logits)
    assert AutoTokenizer.from_pretrained(model).chat_template

    card = (model / "README.md").read_text()
    front = yaml.safe_load(card.split("---\n")[1])
    assert front["base_model"] == "org/base" and front["datasets"] == ["org/rows"] and "lora" in front["tags"]
    assert 'from_pretrained("org/student")' in card and "THIS" not in card
    assert "[report/report.md](report/report.md)" in card and (model / "report" / "report.html").exists()

    rows = received.write(ROWS, tmp_path / "rows")
    loaded = load_dataset(str(rows), cache_dir=str(tmp_path / "datasets"))
    mix = finished.run_folder / "3-mix"
    assert {name: len(loaded[name]) for name in loaded} == {
        name: len(list(read_rows(mix / f"{name}.jsonl"))) for name in ("train", "validation", "heldout")
    }


def test_nothing_of_this_machine_is_in_it(finished: Workspace, received: Received, sharp_model: Path) -> None:
    assert pushed(finished, "org/student", "--data", "org/rows", "--format", "merged") == 0
    written = {f"{repo}/{name}": text for repo, files in received.files.items() for name, text in files.items()}
    assert str(sharp_model).encode() in (finished.run_folder / "3-mix" / "train.jsonl").read_bytes()
    for place in (str(finished.base), str(sharp_model.parent), str(Path.home()) + "/", TOKEN):
        assert [name for name, text in written.items() if place.encode() in text] == [], place
    origins = {row["provenance"]["origin"] for row in map(json.loads, written[f"{ROWS}/train.jsonl"].splitlines())}
    assert any(origin.startswith(f"{sharp_model.name}@sha256:") for origin in origins)
    assert "manifest.json" not in "".join(written), "it has the name of the host"


def test_rows_bring_their_licences_and_what_their_owner_says_of_them(finished: Workspace, tmp_path: Path) -> None:
    run = tmp_path / "small"
    run.mkdir()
    shutil.copyfile(finished.run_folder / "run.json", run / "run.json")
    shutil.copytree(finished.run_folder / "3-mix", run / "3-mix")
    shipping.write(run / "3-mix", {"licences/org-data/LICENSE": "As it lay with the data."})
    own = tmp_path / "own"
    own.mkdir()
    (own / "own.yaml").write_text(HOUSE)
    recipe = yaml.safe_load((finished.run_folder / "recipe.resolved.yaml").read_text())
    recipe |= {"use": "commercial", "terms": {"accept": {"cc0-1.0": "our lawyer read it"}, "registry": str(own)}}
    (run / "recipe.resolved.yaml").write_text(yaml.safe_dump(recipe))
    with push.parcels(run, finished.cache, push.Asked(None, "org/rows")) as (parcel,):
        card = (parcel.folder / "README.md").read_text()
        assert "commercial (what it was made for)" in card and r"accepted \(our lawyer read it\)" in card
        front = yaml.safe_load(card.split("---\n")[1])
        assert front["license_link"] == "LICENSE.md"
        assert "As our house reads CC0" in (parcel.folder / "LICENSE.md").read_text()
        assert (parcel.folder / "licences" / "org-data" / "LICENSE").read_text() == "As it lay with the data."
        told = json.loads((parcel.folder / "croissant.json").read_text())["distribution"]
        assert {one["name"] for one in told} == {path.name for path in parcel.folder.glob("*.jsonl")}
        for one in told:
            text = (parcel.folder / one["contentUrl"]).read_bytes()
            assert (one["contentSize"], one["sha256"]) == (f"{len(text)} B", hashlib.sha256(text).hexdigest())


def test_another_form_takes_the_place_of_the_first(finished: Workspace, received: Received, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    assert pushed(finished, "org/student") == 0
    assert "report/report.md" in received.files[STUDENT]
    received.files[STUDENT]["NOTES.txt"] = b"by hand"
    assert pushed(finished, "org/student", "--format", "merged", "--step", "2") == 0
    names = set(received.files[STUDENT])
    assert not any(name.startswith("adapter_") for name in names) and "NOTES.txt" in names
    assert not any(name.startswith("report/") for name in names), "it is of the last student, not of a checkpoint"
    AutoModelForCausalLM.from_pretrained(received.write(STUDENT, tmp_path / "model"))


def test_a_dry_run_lists_and_sends_nothing(
    finished: Workspace, received: Received, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pushed(finished, "--data", "org/rows", "--dry-run") == 0
    said = capsys.readouterr().out
    assert said.startswith("dataset org/rows\n") and "train.jsonl" in said and "README.md" in said
    assert not received.private and not list((finished.cache / ".work").glob("push-*"))


def test_what_everybody_sees_must_be_meant(
    finished: Workspace, received: Received, capsys: pytest.CaptureFixture[str]
) -> None:
    received.private[ROWS], received.files[ROWS] = False, {}
    assert pushed(finished, "--data", "org/rows") == 2
    assert "everybody sees this repository" in capsys.readouterr().err and not received.files[ROWS]
    assert pushed(finished, "--data", "org/rows", "--public") == 0
    assert received.files[ROWS]


def test_what_only_its_owners_see_is_not_said_to_be_public(
    finished: Workspace, received: Received, capsys: pytest.CaptureFixture[str]
) -> None:
    received.private[ROWS], received.files[ROWS] = True, {}
    assert pushed(finished, "--data", "org/rows", "--public") == 2
    said = capsys.readouterr()
    assert "only its owners see this repository" in said.err and "pushed" not in said.out and not received.files[ROWS]
    assert pushed(finished, "--data", "org/rows") == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name a repository for the student, or --data REPO"),
        (("org/a/b", "--dry-run"), "write ORGANISATION/NAME"),
        (("org/student", "--step", "3", "--dry-run"), "checkpoint-3"),
    ],
)
def test_what_cannot_be_pushed(
    finished: Workspace, arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pushed(finished, *arguments) == 2
    assert message in capsys.readouterr().err


def test_no_network_and_no_right_are_a_sentence_each(
    finished: Workspace, received: Received, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_" + "other" * 7)
    assert pushed(finished, "--data", "org/rows") == 2
    assert "set HF_TOKEN to a token that may write there" in capsys.readouterr().err
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert pushed(finished, "--data", "org/rows") == 2
    assert "the network is off here" in capsys.readouterr().err
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    assert pushed(finished, "--data", "org/rows") == 2
    assert "pushing stopped" in capsys.readouterr().err
    assert not received.private


def test_what_nobody_can_load_is_not_pushed_and_what_nobody_reviewed_not_for_all_to_see(
    tmp_path: Path, tiny_model: Path, sharp_model: Path
) -> None:
    workspace = open_run(tmp_path, write_recipe(tmp_path, tiny_model, sharp_model, mix={"validation_rows": 0}))
    make(workspace, "train")
    asked = push.Asked("org/student", form="adapter")
    refused = pytest.raises(DistillError, match=r"no model of the hub as it is there: \S+ without some layers")
    with refused as caught, push.parcels(workspace.run_folder, workspace.cache, asked):
        pass
    assert "--format merged" in str(caught.value)
    with push.parcels(workspace.run_folder, workspace.cache, push.Asked("org/student")) as (parcel,):
        assert "model.safetensors" in parcel.listed() and "adapter" not in parcel.listed()
        told = push.permitted(workspace.run_folder, workspace.cache, [parcel], public=False)
        assert "merged review" in told
        with pytest.raises(TermsError, match=r"do not let everybody have it: merged \(review\)"):
            push.permitted(workspace.run_folder, workspace.cache, [parcel], public=True)
