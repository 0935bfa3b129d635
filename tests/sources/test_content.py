"""python -m pytest tests/test_content.py"""

from __future__ import annotations

import hashlib
import json
import os
import time
from multiprocessing import get_context
from pathlib import Path

import pytest

from distill.errors import SourceError
from distill.sources.content import REMEMBERED, content_revision, listing


def write(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def large(path: Path, filler: bytes = b"a") -> Path:
    """A file that lay still for a minute."""
    path.write_bytes(filler * (REMEMBERED + 1))
    os.utime(path, (time.time() - 60,) * 2)
    return path


def test_revision_of_a_file_is_its_content(tmp_path: Path) -> None:
    one, other = write(tmp_path / "a.txt", "same"), write(tmp_path / "b.txt", "same")
    expected = "sha256:" + hashlib.sha256(b"same").hexdigest()[:16]
    assert content_revision(one, tmp_path) == content_revision(other, tmp_path) == expected
    write(one, "other")
    assert content_revision(one, tmp_path) != expected


def test_revision_of_a_folder_follows_names_and_contents(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    write(tmp_path / "a" / "x.txt", "1")
    write(tmp_path / "a" / "sub" / "y.txt", "2")
    write(tmp_path / "b" / "sub" / "y.txt", "2")
    write(tmp_path / "b" / "x.txt", "1")
    first = content_revision(tmp_path / "a", cache)
    assert first == content_revision(tmp_path / "b", cache)
    write(tmp_path / "a" / "x.txt", "3")
    changed = content_revision(tmp_path / "a", cache)
    assert changed != first
    (tmp_path / "a" / "x.txt").rename(tmp_path / "a" / "z.txt")
    assert content_revision(tmp_path / "a", cache) not in (first, changed)


def test_hidden_files_and_bytecode_do_not_count(tmp_path: Path) -> None:
    write(tmp_path / "d" / "x.txt")
    before = content_revision(tmp_path / "d", tmp_path)
    write(tmp_path / "d" / ".git" / "HEAD")
    write(tmp_path / "d" / ".hidden")
    write(tmp_path / "d" / "__pycache__" / "x.pyc")
    assert content_revision(tmp_path / "d", tmp_path) == before


def test_links_are_followed_once(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere" / "y.txt")
    write(tmp_path / "d" / "x.txt")
    (tmp_path / "d" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "d" / "loop").symlink_to(tmp_path / "d")
    names = [path.relative_to(tmp_path / "d").as_posix() for path in listing(tmp_path / "d")]
    assert names == ["link/y.txt", "x.txt"]


def test_an_empty_folder_has_no_revision(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    with pytest.raises(SourceError, match="empty"):
        content_revision(tmp_path / "d", tmp_path)


def test_a_broken_link_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "gone.txt").symlink_to(tmp_path / "nowhere")
    with pytest.raises(SourceError, match=r"gone\.txt: cannot be read"):
        content_revision(tmp_path / "d", tmp_path)


def records(cache: Path) -> list[Path]:
    return sorted((cache / "hashes").glob("*"))


def test_the_hash_of_a_large_file_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distill.sources.content.SETTLED", -60)
    path = large(tmp_path / "big.bin")
    first = content_revision(path, tmp_path / "cache")
    (record,) = records(tmp_path / "cache")
    known = json.loads(record.read_text())
    record.write_text(json.dumps({**known, "sha256": "f" * 64}))
    assert content_revision(path, tmp_path / "cache") == "sha256:" + "f" * 16, "the second call did not read the record"
    large(path, b"b")
    assert content_revision(path, tmp_path / "cache") not in (first, "sha256:" + "f" * 16)


def test_a_file_that_just_changed_is_not_remembered(tmp_path: Path) -> None:
    path = tmp_path / "big.bin"
    path.write_bytes(b"a" * (REMEMBERED + 1))
    content_revision(path, tmp_path / "cache")
    assert records(tmp_path / "cache") == []


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b'{"sha256": 3}', b"\xff\xfe", b'{"state": 1, "sha256": "x"}'])
def test_a_damaged_record_costs_time_only(tmp_path: Path, damage: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distill.sources.content.SETTLED", -60)
    path = large(tmp_path / "big.bin")
    first = content_revision(path, tmp_path / "cache")
    (record,) = records(tmp_path / "cache")
    whole = record.read_bytes()
    record.write_bytes(damage)
    assert content_revision(path, tmp_path / "cache") == first
    assert record.read_bytes() == whole, "the record was not healed"


def test_a_cache_that_cannot_be_written_costs_time_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distill.sources.content.SETTLED", -60)
    path = large(tmp_path / "big.bin")
    (tmp_path / "cache").write_text("a file where a folder should be")
    assert content_revision(path, tmp_path / "cache").startswith("sha256:")


def _revise(arguments: tuple[Path, Path]) -> str:
    import distill.sources.content

    distill.sources.content.SETTLED = -60
    return "".join({content_revision(*arguments) for _ in range(20)})


def test_several_processes_remember_at_once(tmp_path: Path) -> None:
    path = large(tmp_path / "big.bin")
    with get_context("spawn").Pool(3) as pool:
        found = pool.map(_revise, [(path, tmp_path / "cache")] * 3)
    assert set(found) == {content_revision(path, tmp_path / "none")}
    assert [record.suffix for record in records(tmp_path / "cache")] == [".json"]
