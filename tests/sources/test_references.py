"""python -m pytest tests/test_sources.py"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from distill.context import Resolved
from distill.errors import SourceError
from distill.sources.references import fetch, resolve

CHAT = "package:chatterbot_corpus/data/english"


class Place:
    """A recipe's folder, a folder of runs and a cache."""

    def __init__(self, root: Path) -> None:
        self.base, self.runs, self.cache = root / "recipes", root / "runs", root / "cache"
        for folder in (self.base, self.runs):
            folder.mkdir()

    def model(self, ref: str) -> Resolved:
        return resolve(ref, "model", self.base, self.runs, self.cache)

    def data(self, ref: str) -> Resolved:
        return resolve(ref, "data", self.base, self.runs, self.cache)

    def node(self, entry: str, key: str = "k1", *files: str) -> Path:
        """A finished node in the cache and its link in the run `old`."""
        folder = self.cache / f"{entry.partition('-')[2]}-{key}"
        folder.mkdir(parents=True)
        for name in files:
            (folder / name).write_text("{}")
        (folder / "manifest.json").write_text(json.dumps({"key": key}))
        (self.runs / "old").mkdir(exist_ok=True)
        (self.runs / "old" / entry).symlink_to(folder)
        return folder


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


# package: --------------------------------------------------------------------------------------------------------


def test_a_package_of_data(place: Place) -> None:
    found = place.data(CHAT)
    assert (found.path / "ai.yml").is_file()
    assert found.revision.startswith("sha256:") and len(found.revision) == 23
    assert found.terms == ("bsd",)
    assert found == place.data(CHAT)


def make_package(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that may be found but not run."""
    for folder in ("trap", "trap/inner"):
        (root / folder).mkdir(parents=True)
        (root / folder / "__init__.py").write_text("raise RuntimeError('the package was run')")
        (root / folder / "x.txt").write_text(folder)
    (root / "single.py").write_text("raise RuntimeError('the module was run')")
    monkeypatch.syspath_prepend(str(root))


@pytest.mark.parametrize("ref", ["package:trap/inner/x.txt", "package:trap.inner/x.txt", "package:trap/./inner/x.txt"])
def test_a_package_is_not_run(ref: str, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_package(tmp_path / "site", monkeypatch)
    assert place.data(ref).path.read_text() == "trap/inner"
    assert not {"trap", "trap.inner"} & set(sys.modules)


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("package:trap/../secret", "leads out of the package"),
        ("package:trap/inner/../../../secret", "leads out of the package"),
        ("package:../trap/x.txt", "not a package's name"),
        ("package:/etc/passwd", "not a package's name"),
        ("package:trap/iner/x.txt", "no 'iner' in .*; nearest there: inner"),
        ("package:trap/inner/y.txt", "no 'y.txt' in .*inner; nearest there: x.txt"),
        ("package:single/x.txt", "single module"),
        ("package:", "names nothing"),
    ],
)
def test_a_package_path_that_leads_nowhere(
    ref: str, message: str, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_package(tmp_path / "site", monkeypatch)
    (tmp_path / "secret").write_text("secret")
    with pytest.raises(SourceError, match=message):
        place.data(ref)


def test_a_missing_package_says_how_to_install_it(place: Place) -> None:
    with pytest.raises(SourceError, match="'no_such_package' is not installed") as caught:
        place.model("package:no_such_package/x.gguf")
    assert caught.value.hint == "pip install no-such-package"


def test_a_package_spread_over_two_places(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for site in ("one", "two"):
        (tmp_path / site / "spread").mkdir(parents=True)
        (tmp_path / site / "spread" / "both.txt").write_text(site)
        (tmp_path / site / "spread" / f"{site}.txt").write_text(site)
        monkeypatch.syspath_prepend(str(tmp_path / site))
    assert place.data("package:spread/two.txt").path.read_text() == "two"
    with pytest.raises(SourceError, match="several places"):
        place.data("package:spread/both.txt")


# paths -----------------------------------------------------------------------------------------------------------


def test_paths_start_from_the_recipe(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    (place.base / "sub").mkdir()
    (place.base / "sub" / "x.jsonl").write_text("{}")
    monkeypatch.setenv("HOME", str(place.base))
    refs = ["./sub/x.jsonl", "sub/x.jsonl", "../recipes/sub/x.jsonl", str(place.base / "sub/x.jsonl"), "~/sub/x.jsonl"]
    assert {place.data(ref).path.resolve() for ref in refs} == {(place.base / "sub/x.jsonl").resolve()}
    assert len({place.data(ref).revision for ref in refs}) == 1
    assert place.data(refs[0]).origin.startswith("./sub/x.jsonl@sha256:")


def test_what_exists_as_a_path_is_a_path_and_not_a_hub_id(place: Place) -> None:
    (place.base / "org" / "name").mkdir(parents=True)
    (place.base / "org" / "name" / "x.jsonl").write_text("{}")
    assert place.data("org/name").path == place.base / "org" / "name"
    assert fetch("org/name", "data", place.base) is None


@pytest.mark.parametrize("ref", ["./chta.jsonl", "chta.jsonl"])
def test_a_missing_file_names_the_nearest(ref: str, place: Place) -> None:
    (place.base / "chat.jsonl").write_text("{}")
    with pytest.raises(SourceError, match=r"no 'chta.jsonl' in .*recipes; nearest there: chat.jsonl"):
        place.data(ref)


@pytest.mark.parametrize("ref", ["", "packge:x/y", "a b/c", "one/two/three", "org/na@me@x", "rows:", "run: "])
def test_what_is_no_reference_at_all(ref: str, place: Place) -> None:
    with pytest.raises(SourceError) as caught:
        place.data(ref)
    assert "package:NAME/PATH" in str(caught.value.hint)


def test_a_model_folder_carries_the_terms_of_its_card_or_its_student(place: Place) -> None:
    model = place.base / "model"
    model.mkdir()
    (model / "README.md").write_text("---\nlicense: mit\n---\n")
    assert place.model("./model").terms == ("mit",)
    (model / "student.json").write_text('{"terms": ["apache-2.0", "bsd"]}')
    assert place.model("./model").terms == ("apache-2.0", "bsd")


# rows: and run: --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rows.jsonl", "kept.jsonl", "train.jsonl"])
def test_rows_of_a_folder(name: str, place: Place) -> None:
    (place.base / "made").mkdir()
    (place.base / "made" / name).write_text("{}")
    before = place.data("rows:made")
    assert before.path == place.data(f"rows:./made/{name}").path == place.base / "made" / name
    (place.base / "made" / "README.md").write_text("changes nothing")
    assert place.data("rows:made").revision == before.revision


def test_rows_are_never_guessed(place: Place) -> None:
    (place.base / "made").mkdir()
    with pytest.raises(SourceError, match=r"none of rows.jsonl, kept.jsonl, train.jsonl"):
        place.data("rows:made")
    (place.base / "made" / "rows.jsonl").write_text("{}")
    (place.base / "made" / "kept.jsonl").write_text("{}")
    with pytest.raises(SourceError, match=r"several files of rows: rows.jsonl, kept.jsonl"):
        place.data("rows:made")
    with pytest.raises(SourceError, match="no 'mode' in"):
        place.data("rows:mode")


def test_rows_of_a_run(place: Place) -> None:
    folder = place.node("2-filter", "abc", "kept.jsonl", "dropped.jsonl", "real.jsonl")
    found = place.data("run:old/filter")
    assert (found.path.resolve(), found.revision) == (folder / "kept.jsonl", "abc")


def test_the_newest_entry_by_number_counts(place: Place) -> None:
    for number, key in ((2, "second"), (10, "tenth"), (9, "ninth")):
        place.node(f"{number}-filter", key, "kept.jsonl")
    assert place.data("run:old/filter").revision == "tenth"
    place.node("010-filter", "twin", "kept.jsonl")
    with pytest.raises(SourceError, match="several entries"):
        place.data("run:old/filter")


def test_a_student_and_its_checkpoints(place: Place) -> None:
    folder = place.node("4-train-sft", "abc", "student.json")
    (folder / "student.json").write_text('{"terms": ["apache-2.0"]}')
    (folder / "checkpoints" / "checkpoint-50").mkdir(parents=True)
    whole, step = place.model("run:old/train/sft"), place.model("run:old/train/sft@50")
    assert (whole.path.resolve(), whole.revision, whole.terms) == (folder, "abc", ("apache-2.0",))
    assert step.path.resolve() == folder / "checkpoints" / "checkpoint-50"
    assert (step.revision, step.terms) == ("abc@50", ("apache-2.0",))
    with pytest.raises(SourceError, match=r"no 'checkpoint-60' in .*; nearest there: checkpoint-50"):
        place.model("run:old/train/sft@60")
    with pytest.raises(SourceError, match="holds no rows"):
        place.data("run:old/train/sft@50")


def test_an_at_sign_that_belongs_to_the_node(place: Place) -> None:
    place.node("5-evaluate-student@50", "abc", "rows.jsonl")
    assert place.data("run:old/evaluate/student@50").revision == "abc"
    place.node("4-train@real_only", "def", "student.json")
    assert place.model("run:old/train@real_only").revision == "def"


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("run:odl/filter", "no 'odl' in .*runs; nearest there: old"),
        ("run:old/filtre", "no node 'filtre' in .*; nearest there: filter"),
        ("run:old/gone", "not finished or was removed"),
        ("run:old/broken", "manifest.json cannot be read"),
        ("run:old/keyless", "manifest.json has no key"),
        ("run:old/report", "none of rows.jsonl"),
        ("run:old", "not a run and a node"),
        ("run:../runs/old/filter", "not a run and a node"),
        ("run:old/../filter", "not a run and a node"),
    ],
)
def test_a_run_that_leads_nowhere(ref: str, message: str, place: Place) -> None:
    place.node("2-filter", "abc", "kept.jsonl")
    place.node("6-report")
    (place.node("7-broken") / "manifest.json").write_text("{")
    (place.node("8-keyless") / "manifest.json").write_text('{"key": ""}')
    (place.runs / "old" / "9-gone").symlink_to(place.cache / "removed")
    with pytest.raises(SourceError, match=message):
        place.data(ref)


def test_a_node_without_a_model(place: Place) -> None:
    place.node("2-filter", "abc", "kept.jsonl")
    with pytest.raises(SourceError, match="made no model") as caught:
        place.model("run:old/filter")
    assert caught.value.hint == "name the train node: run:old/train"
