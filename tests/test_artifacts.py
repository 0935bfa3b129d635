from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from distill import artifacts
from distill.artifacts import build, disk, find, folder, handed_on, identity, key_of, why_stale
from distill.context import Ranks, Resolved
from distill.errors import ArtifactError
from distill.rows import Frozen


class Spec(Frozen):
    model: str = "m"
    rate: float = 0.1
    layers: tuple[int, ...] = (1, 2)


def describe(
    spec: Spec | None = None, revision: str = "sha256:1", upstream: dict[str, str] | None = None, version: int = 1
):
    source = Resolved("m", Path("/x/m"), revision)
    return identity("train", version, spec or Spec(), {"m": source}, {"mix": "k1"} if upstream is None else upstream)


class Named(Spec):
    name: str = "a"

    @property
    def handed(self) -> Spec:
        return Spec(rate=self.rate)


def test_what_a_spec_hands_on_stands_for_the_node_in_the_keys_of_others() -> None:
    one, other, changed = (describe(spec) for spec in (Named(), Named(name="b"), Named(rate=0.2)))
    assert len({key_of(each) for each in (one, other, changed)}) == 3
    assert handed_on(one) == handed_on(other) != handed_on(changed)
    assert handed_on(describe()) == key_of(describe())


def silent(_: str) -> None:
    pass


def write(text: str = "hello"):
    def make(out: Path) -> dict[str, object]:
        (out / "rows.jsonl").write_text(text)
        return {"counts": {"rows": 1}}

    return make


def test_key_is_pinned_so_that_an_accidental_change_is_seen() -> None:
    assert key_of(describe()) == "91c552959a28"


@pytest.mark.parametrize(
    "other",
    [
        describe(Spec(rate=0.2)),
        describe(Spec(layers=(1,))),
        describe(revision="sha256:2"),
        describe(upstream={"mix": "k2"}),
        describe(version=2),
    ],
)
def test_whatever_changes_the_answer_changes_the_key(other: artifacts.Identity) -> None:
    assert key_of(other) != key_of(describe())


def test_where_a_model_lies_and_what_it_is_called_stay_out_of_the_key() -> None:
    here, there = Spec(model="a"), Spec(model="b")
    first = identity("train", 1, here, {"a": Resolved("a", Path("/one"), "sha256:1")}, {})
    second = identity("train", 1, there, {"b": Resolved("b", Path("/two"), "sha256:1")}, {})
    assert key_of(first) == key_of(second)


def test_why_stale_names_the_field_with_both_values() -> None:
    assert why_stale(describe(), describe(Spec(rate=0.2))) == ["rate: 0.1 -> 0.2"]
    assert why_stale(describe(), describe(upstream={"mix": "k2"})) == ["mix has changed"]
    assert why_stale(describe(), describe(version=2)) == ["distill itself has changed"]
    assert why_stale(describe(), describe()) == []


def test_build_makes_once_and_then_finds(tmp_path: Path) -> None:
    first, made = build(tmp_path, "train", describe(), write(), Ranks(), silent)
    assert made
    assert first.summary["counts"] == {"rows": 1}
    assert (first.path / "rows.jsonl").read_text() == "hello"

    def never(_: Path) -> dict[str, object]:
        raise AssertionError("made twice")

    second, made = build(tmp_path, "train", describe(), never, Ranks(), silent)
    assert not made
    assert second.path == first.path


def test_a_failure_leaves_no_artifact_but_keeps_what_was_written(tmp_path: Path) -> None:
    def fail(out: Path) -> dict[str, object]:
        (out / "checkpoint").write_text("half")
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        build(tmp_path, "train", describe(), fail, Ranks(), silent)
    assert find(tmp_path, "train", key_of(describe()), silent) is None

    def resume(out: Path) -> dict[str, object]:
        assert (out / "checkpoint").read_text() == "half"
        return {}

    _, made = build(tmp_path, "train", describe(), resume, Ranks(), silent)
    assert made


@pytest.mark.parametrize("damage", ["manifest", "size", "content", "gone"])
def test_a_damaged_entry_is_put_aside_and_made_again(tmp_path: Path, damage: str) -> None:
    artifact, _ = build(tmp_path, "train", describe(), write(), Ranks(), silent)
    rows = artifact.path / "rows.jsonl"
    if damage == "manifest":
        (artifact.path / "manifest.json").write_text("{")
    elif damage == "gone":
        rows.unlink()
    else:
        rows.write_text("hellO" if damage == "content" else "hello and more")
    said: list[str] = []
    assert find(tmp_path, "train", artifact.key, said.append) is None
    assert "damaged" in said[0]
    assert (tmp_path / f"{artifact.path.name}.damaged-1").is_dir()
    again, made = build(tmp_path, "train", describe(), write(), Ranks(), silent)
    assert made
    assert (again.path / "rows.jsonl").read_text() == "hello"


def test_a_publication_that_was_killed_leaves_no_trace(tmp_path: Path) -> None:
    key = key_of(describe())
    work = tmp_path / ".work" / folder(tmp_path, "train", key).name
    work.mkdir(parents=True)
    (work / "manifest.json.new").write_text('{"half')
    artifact, _ = build(tmp_path, "train", describe(), write(), Ranks(), silent)
    assert set(artifact.manifest["files"]) == {"rows.jsonl"}
    assert find(tmp_path, "train", key, silent) is not None


def test_a_data_set_called_terms_is_in_the_key() -> None:
    class Named(Frozen):
        real: dict[str, dict[str, object]]

    def key(data: str) -> str:
        spec = Named(real={"terms": {"data": data, "terms": ["mit"]}})
        return key_of(identity("split", 1, spec, {"d": Resolved("d", Path("d"), "1")}, {}, ("d",)))

    assert key("one") != key("two")


def test_a_full_disk_says_so_and_what_to_do(tmp_path: Path) -> None:
    def full(out: Path) -> dict[str, object]:
        (out / "answers").write_text("kept")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(ArtifactError, match=r"disk is full(.|\n)*run the same command again"):
        build(tmp_path, "train", describe(), full, Ranks(), silent)
    assert (tmp_path / ".work" / folder(tmp_path, "train", key_of(describe())).name / "answers").read_text() == "kept"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Of 2 MiB."""
    small = tmp_path / "small"
    small.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(small)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        yield small
    finally:
        subprocess.run(["umount", "--lazy", str(small)], check=True)  # torch holds on to the file


def test_a_full_disk_is_told_from_what_torch_says_of_it(small_disk: Path, tmp_path: Path) -> None:
    import torch

    state = {"optimizer": torch.zeros(2**20)}  # 4 MiB
    with pytest.raises(ArtifactError, match=r"disk is full \(\d MiB free\)") as caught, disk(small_disk):
        torch.save(state, small_disk / "optimizer.pt")
    assert type(caught.value.__cause__) is RuntimeError, "torch has an error of its own for it"
    with pytest.raises(RuntimeError, match="another fault"), disk(tmp_path):
        raise RuntimeError("another fault")  # where there is room


def test_losing_the_race_is_a_hit(tmp_path: Path) -> None:
    """Another machine, whose locks we do not see, publishes while we make."""

    def slow(out: Path) -> dict[str, object]:
        other = tmp_path / "other"
        artifact, _ = build(other, "train", describe(), write(), Ranks(), silent)
        artifact.path.rename(folder(tmp_path, "train", key_of(describe())))
        (out / "rows.jsonl").write_text("hello")
        return {}

    artifact, _ = build(tmp_path, "train", describe(), slow, Ranks(), silent)
    assert artifact.summary["counts"] == {"rows": 1}
    assert not list((tmp_path / ".work").glob("train-*[!k]"))


def _slow_build(cache: Path, log: Path) -> None:
    def make(out: Path) -> dict[str, object]:
        with log.open("a") as file:
            file.write("made\n")
        time.sleep(1)
        (out / "rows.jsonl").write_text("hello")
        return {}

    build(cache, "train", describe(), make, Ranks(), silent)


def test_two_processes_make_it_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_slow_build, args=(tmp_path / "cache", tmp_path / "log")) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(20)
        assert process.exitcode == 0
    assert (tmp_path / "log").read_text() == "made\n"


def test_a_killed_builder_lets_go_of_the_lock(tmp_path: Path) -> None:
    process = multiprocessing.get_context("fork").Process(
        target=_slow_build, args=(tmp_path / "cache", tmp_path / "log")
    )
    process.start()
    while not (tmp_path / "log").exists():
        time.sleep(0.01)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(5)
    _slow_build(tmp_path / "cache", tmp_path / "log")
    assert (tmp_path / "log").read_text() == "made\nmade\n"


def test_nothing_that_is_not_json_enters_a_manifest(tmp_path: Path) -> None:
    def make(_: Path) -> dict[str, object]:
        return {"loss": float("nan")}

    with pytest.raises(ValueError, match="JSON"):
        build(tmp_path, "train", describe(), make, Ranks(), silent)
