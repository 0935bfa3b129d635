from __future__ import annotations

from pathlib import Path

import pytest

from distill.errors import RecipeError
from distill.recipe_file import read


def put(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_every_key_knows_its_file_and_line(tmp_path: Path) -> None:
    path = put(tmp_path, "a.yaml", "name: x\nfilter:\n  - kind: length\n    max_tokens: 3\n")
    document = read(path)
    assert document.value == {"name": "x", "filter": [{"kind": "length", "max_tokens": 3}]}
    assert document.place(("filter", 0, "max_tokens")) == f"{path}:4"
    assert document.place(("filter", 0, "unknown")) == f"{path}:3"


def test_extends_merges_mappings_and_replaces_lists(tmp_path: Path) -> None:
    base = put(tmp_path, "base.yaml", "train: {epochs: 1, batch_size: 4}\nfilter: [{kind: a}, {kind: b}]\n")
    path = put(tmp_path, "child.yaml", "extends: base.yaml\ntrain: {epochs: 2}\nfilter: [{kind: c}]\n")
    document = read(path)
    assert document.value == {"train": {"epochs": 2, "batch_size": 4}, "filter": [{"kind": "c"}]}
    assert document.place(("train", "epochs")) == f"{path}:2"
    assert document.place(("train", "batch_size")) == f"{base}:1"
    assert document.place(("filter", 1)) == f"{path}:3"


def test_extends_does_not_keep_the_fields_of_another_kind(tmp_path: Path) -> None:
    put(tmp_path, "base.yaml", "engine: {kind: transformers, dtype: float32}\n")
    path = put(tmp_path, "child.yaml", "extends: base.yaml\nengine: {kind: echo}\n")
    assert read(path).value == {"engine": {"kind": "echo"}}


def test_anchors_and_merge_keys_are_data(tmp_path: Path) -> None:
    path = put(tmp_path, "a.yaml", "a: &one {x: 1}\nb: {<<: *one, y: 2}\nc: *one\nd: {<<: *one, x: 3}\n")
    assert read(path).value == {"a": {"x": 1}, "b": {"x": 1, "y": 2}, "c": {"x": 1}, "d": {"x": 3}}


def test_overrides_are_typed_as_yaml_and_reach_into_lists(tmp_path: Path) -> None:
    path = put(tmp_path, "a.yaml", "filter: [{kind: length}]\ntrain: {epochs: 1}\n")
    document = read(path, ["filter.0.max_tokens=7", "train.epochs=0.5", "new.deep.key=[1, 2]", "name=a=b"])
    assert document.value == {
        "filter": [{"kind": "length", "max_tokens": 7}],
        "train": {"epochs": 0.5},
        "new": {"deep": {"key": [1, 2]}},
        "name": "a=b",
    }
    assert document.place(("train", "epochs")) == "--set train.epochs=0.5"


def test_an_entry_is_added_to_the_list_that_is_there_or_meant(tmp_path: Path) -> None:
    path = put(tmp_path, "a.yaml", "filter: [{kind: length}]\nmix: {}\n")
    document = read(path, ["filter+={kind: a}", "filter+={kind: b}", "filter.1.x=2", "mix.earlier+=c"], lambda _: ["z"])
    assert document.value == {
        "filter": [{"kind": "length"}, {"kind": "a", "x": 2}, {"kind": "b"}],
        "mix": {"earlier": ["z", "c"]},
    }
    assert document.place(("filter", 2, "kind")) == "--set filter+={kind: b}"
    assert document.place(("filter", 0)) == f"{path}:1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2\n", "key a is given twice"),
        ("a: [1\n", "not YAML"),
        ("- 1\n", "a recipe is a mapping"),
        ("", "a recipe is a mapping"),
        ("extends: missing.yaml\n", "not there"),
        ("extends: self.yaml\n", "extends itself"),
        ("a: !!python/object:os.system {}\n", "not YAML"),
    ],
)
def test_a_bad_file_says_what_and_where(tmp_path: Path, text: str, message: str) -> None:
    path = put(tmp_path, "self.yaml", text)
    with pytest.raises(RecipeError, match=message) as caught:
        read(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train", "KEY.PATH=VALUE"),
        ("filter.5.kind=x", "no place in a list of 1"),
        ("name.deep=1", "nothing lies under it"),
        ("a=[1", "not YAML"),
        ("name+=y", "no list"),
        ("mix+={}", "no list"),
    ],
)
def test_a_bad_override_says_what(tmp_path: Path, override: str, message: str) -> None:
    path = put(tmp_path, "a.yaml", "name: x\nfilter: [{kind: length}]\n")
    with pytest.raises(RecipeError, match=message):
        read(path, [override])


def test_a_missing_or_binary_recipe_is_a_recipe_error(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot be read"):
        read(tmp_path / "nowhere.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="cannot be read"):
        read(tmp_path / "binary.yaml")


def test_a_key_is_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("filter: [{kind: near_duplicate, on: question, yes: 1}]\n")
    document = read(path, [])
    assert document.value == {"filter": [{"kind": "near_duplicate", "on": "question", "yes": 1}]}
