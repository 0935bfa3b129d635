"""python -m pytest tests/test_records.py"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from distill.errors import SourceError
from distill.sources.records import read_files, read_hub

VALUES = [{"q": "one", "a": "1"}, {"q": "two, or more", "a": "2"}]


def values(path: Path, items: str | None = None) -> list[Any]:
    return [record.value for record in read_files(path, items)]


def parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)


def write_all(folder: Path) -> list[Path]:
    """The same two records in every format."""
    texts = {
        "a.jsonl": "\n".join(map(json.dumps, VALUES)) + "\n\n",
        "b.json": json.dumps(VALUES, indent=1),
        "c.csv": 'q,a\none,1\n\n"two, or more",2\n',
        "d.tsv": "q\ta\r\none\t1\r\ntwo, or more\t2\r\n",
        "e.yaml": "- {q: one, a: 1}\n- q: two, or more\n  a: 2\n",
    }
    for name, text in texts.items():
        (folder / name).write_bytes(text.encode())
    parquet(folder / "f.PARQUET", VALUES)
    return sorted(folder.iterdir())


def test_every_format_gives_the_same_records(tmp_path: Path) -> None:
    for path in write_all(tmp_path):
        assert values(path) == VALUES, path.name


def test_a_folder_is_its_data_files_by_name(tmp_path: Path) -> None:
    write_all(tmp_path)
    (tmp_path / "README.md").write_text("no data")
    (tmp_path / ".hidden.jsonl").write_text("{}")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "z.jsonl").write_text('{"q": "inner"}\n')
    places = [record.where.removeprefix(f"{tmp_path}/") for record in read_files(tmp_path, None)]
    assert places[:6] == ["a.jsonl:1", "a.jsonl:2", "b.json, record 1", "b.json, record 2", "b/z.jsonl:1", "c.csv:2"]
    assert len(places) == 13


@pytest.mark.parametrize("name", ["x.jsonl", "x.json", "x.csv", "x.yaml"])
def test_a_byte_order_mark_is_no_text(name: str, tmp_path: Path) -> None:
    text = {"x.jsonl": '{"q": "ä"}', "x.json": '[{"q": "ä"}]', "x.csv": "q\nä", "x.yaml": "- q: ä"}[name]
    (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert values(tmp_path / name) == [{"q": "ä"}]


def test_items_name_the_key_of_the_records(tmp_path: Path) -> None:
    (tmp_path / "x.yml").write_text("categories: [a]\nitems:\n- - q\n  - a\n")
    (tmp_path / "x.json").write_text('{"items": [["q", "a"]]}')
    assert values(tmp_path, "items") == [["q", "a"]] * 2


def test_yaml_scalars_stay_as_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("- [Yes, 1.10, 12:30, 0x1F, 2024-01-02, true, 'q', null, ~, ]\n")
    assert values(tmp_path) == [["Yes", "1.10", "12:30", "0x1F", "2024-01-02", "true", "q", None, None]]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.jsonl", b"", "the file holds no record"),
        ("x.jsonl", b" \n\n", "the file holds no record"),
        ("x.json", b"", "the file holds no record"),
        ("x.json", b"[]", "the file holds no record"),
        ("x.yaml", b"# nothing", "the file holds no record"),
        ("x.csv", b"q,a\n", "the file holds no record"),
        ("x.csv", b"", "the file holds no record"),
        ("x.jsonl", b'{"q": 1}\n{"q": \n', r"x\.jsonl:2: not JSON: Expecting value at column"),
        ("x.jsonl", b'{"q": 1}\n{"q": "\xff"}\n', r"x\.jsonl:2: not UTF-8 text: byte 0xff"),
        ("x.jsonl", b"[" * 100_000, r"x\.jsonl:1: not JSON"),
        ("x.json", b'[\n{"q": 1},\n{"q" 1}]', r"x\.json:3: not JSON: Expecting ':' delimiter"),
        ("x.json", b'{"q": 1}\n{"q": 2}\n', r"x\.json:2: not JSON: Extra data(.|\n)*name the file \.jsonl"),
        ("x.json", b"\x89PNG\r\n\x1a\n", r"not UTF-8 text: byte 0x89"),
        ("x.json", "[{}]".encode("utf-16"), r"not UTF-8 text(.|\n)*save it as UTF-8"),
        ("x.json", b'{"data": [{"q": 1}], "n": 1}', r"holds an object(.|\n)*with `items`: data$"),
        ("x.json", b'"text"', "holds text, not a list"),
        ("x.yaml", b"- a\n- [b\n- c: d: e\n", r"x\.yaml:3: not YAML"),
        ("x.yaml", b"- a\n---\n- b\n", r"not YAML: .*another document"),
        (
            "x.yaml",
            b"- !!python/object/apply:os.system [ls]\n",
            r"x\.yaml:1: not YAML: could not determine a constructor",
        ),
        ("x.csv", b"q,a\n1,2\n1,2,3\n", r"x\.csv:3: 3 cells where the header has 2"),
        ("x.csv", b"q,a\n1\n", r"x\.csv:2: 1 cells where the header has 2"),
        ("x.csv", b"q,q\n1,2\n", r"x\.csv:1: two columns have one name"),
        ("x.csv", b'q,a\n1,"2\n', r"not CSV: unexpected end of data"),
        ("x.csv", b"q,a\n\xe4,1\n2,3\n", r"x\.csv:2: not UTF-8 text: byte 0xe4"),
        ("x.parquet", b"", "not Parquet"),
        ("x.parquet", b"PAR1 no PAR1", "not Parquet"),
        ("x.txt", b"text", r"x\.txt: not a data file; read are \.jsonl"),
    ],
)
def test_what_cannot_be_read_says_where(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError) as caught:
        values(tmp_path / name)
    assert caught.match(message)
    assert name in str(caught.value)


def test_long_cells_are_read(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("q\n" + "a" * 1_000_000 + "\n")
    assert len(values(tmp_path)[0]["q"]) == 1_000_000


def test_an_empty_file_among_others_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("{}\n")
    (tmp_path / "b.jsonl").write_text("")
    with pytest.raises(SourceError, match=r"b\.jsonl: the file holds no record"):
        values(tmp_path)


def test_a_folder_without_data_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("no data")
    with pytest.raises(SourceError, match="no data file"):
        values(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.json", '{"conversation": []}', "no key 'conversations'; nearest there: conversation"),
        ("x.json", "[]", "holds a list, so there is no key 'conversations'"),
        ("x.yaml", "conversations: 3", "'conversations' holds text, not a list"),
        ("x.jsonl", "{}", "`items` is for JSON and YAML files"),
        ("x.csv", "q\n1", "`items` is for JSON and YAML files"),
    ],
)
def test_items_that_are_not_there(name: str, content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(SourceError, match=message):
        values(tmp_path, "conversations")


def make_hub_folder(folder: Path) -> None:
    """Two configurations as a card declares them, one with two splits."""
    card = """---
configs:
- config_name: small
  data_files:
  - {split: train, path: small/train.jsonl}
  - {split: test, path: small/test.jsonl}
- config_name: large
  data_files: large/*.jsonl
---
"""
    (folder / "small").mkdir(parents=True)
    (folder / "large").mkdir()
    (folder / "README.md").write_text(card)
    (folder / "small" / "train.jsonl").write_text('{"q": "train"}\n')
    (folder / "small" / "test.jsonl").write_text('{"q": "test"}\n')
    (folder / "large" / "x.jsonl").write_text('{"q": "large", "m": [{"role": "user", "content": "hi"}]}\n')


def test_a_hub_data_set_has_configurations_and_splits(tmp_path: Path) -> None:
    make_hub_folder(tmp_path)
    assert [r.value for r in read_hub(tmp_path, "small", "train")] == [{"q": "train"}]
    assert [r.value for r in read_hub(tmp_path, "small", "test")] == [{"q": "test"}]
    (record,) = read_hub(tmp_path, "large", "train")
    assert record.value == {"q": "large", "m": [{"role": "user", "content": "hi"}]}
    assert record.where.endswith("split train, record 1")


@pytest.mark.parametrize(
    ("config", "split", "message"),
    [("smal", "train", "smal"), (None, "train", "large.*small|small.*large"), ("small", "dev", "dev")],
)
def test_a_hub_data_set_without_that_part(config: str | None, split: str, message: str, tmp_path: Path) -> None:
    make_hub_folder(tmp_path)
    with pytest.raises(SourceError, match=f"(?s)cannot be read as a data set: .*({message})"):
        list(read_hub(tmp_path, config, split))


def test_code_of_a_hub_data_set_is_not_run(tmp_path: Path) -> None:
    folder = tmp_path / "trap"
    folder.mkdir()
    (folder / "trap.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(SourceError):
        list(read_hub(folder, None, "train"))
    assert not (tmp_path / "ran").exists()


def test_files_may_be_packed(tmp_path: Path) -> None:
    for path in write_all(tmp_path):
        if path.suffix.lower() != ".parquet":
            packed = tmp_path / "packed" / f"{path.name}.gz"
            packed.parent.mkdir(exist_ok=True)
            packed.write_bytes(gzip.compress(path.read_bytes()))
            assert values(packed) == values(path), path.name
    broken = tmp_path / "broken.jsonl.gz"
    broken.write_bytes(gzip.compress(b'{"q": "one"}\n' * 1000)[:-20])
    with pytest.raises(SourceError, match="cannot be read"):
        values(broken)
    broken.write_bytes(b"no gzip")
    with pytest.raises(SourceError, match="cannot be read"):
        values(broken)
