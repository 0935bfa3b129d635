from __future__ import annotations

from pathlib import Path

import pytest

from distill.train import checkpoints


def write(folder: Path, step: int, sealed: bool = True, planned: bool = True) -> Path:
    path = checkpoints.folder_of(folder, step)
    path.mkdir(parents=True)
    for name in ("adapter_config.json", "adapter_model.safetensors", "optimizer.pt", "rng_state.pth"):
        (path / name).write_text(f"{name} {step}")
    if sealed:
        checkpoints.seal(path, {"step": step, "planned": planned})
    return path


def names(path: Path) -> set[str]:
    return {file.name for file in path.iterdir()}


def test_the_last_whole_one_is_found_by_step_not_by_name(tmp_path: Path) -> None:
    assert checkpoints.last_whole(tmp_path) is None
    write(tmp_path, 9)
    ten = write(tmp_path, 10)
    assert checkpoints.last_whole(tmp_path) == ten
    assert checkpoints.marker(ten) is not None
    assert checkpoints.marker(ten)["step"] == 10  # type: ignore[index]


@pytest.mark.parametrize("damage", ["no marker", "short file", "file gone", "marker cut"])
def test_what_is_not_whole_is_no_checkpoint_and_is_swept_away(tmp_path: Path, damage: str) -> None:
    good, bad = write(tmp_path, 1), write(tmp_path, 2, sealed=damage != "no marker")
    if damage == "short file":
        (bad / "optimizer.pt").write_text("opt")
    elif damage == "file gone":
        (bad / "rng_state.pth").unlink()
    elif damage == "marker cut":
        (bad / checkpoints.MARKER).write_text('{"step": 2, "fi')
    (tmp_path / ".checkpoint-3.half").mkdir()
    (tmp_path / "runs").mkdir()  # a tracker's
    assert checkpoints.last_whole(tmp_path) == good
    checkpoints.sweep(tmp_path)
    assert names(tmp_path) == {"checkpoint-1", "runs"}


def test_a_stripped_one_is_whole_but_training_does_not_go_on_from_it(tmp_path: Path) -> None:
    one, two = write(tmp_path, 1), write(tmp_path, 2)
    checkpoints.strip(two)
    assert names(two) == {"adapter_config.json", "adapter_model.safetensors", checkpoints.MARKER}
    assert checkpoints.whole(tmp_path) == [one, two]
    assert checkpoints.last_whole(tmp_path) == one
    checkpoints.strip(two)  # again changes nothing
    assert checkpoints.marker(two)


def test_it_is_whole_at_every_moment_of_the_stripping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, 1)

    def killed(_: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "unlink", killed)
    with pytest.raises(KeyboardInterrupt):
        checkpoints.strip(path)
    assert checkpoints.whole(tmp_path) == [path]


def test_only_the_newest_two_keep_their_state(tmp_path: Path) -> None:
    for step in (2, 4, 6, 8):
        write(tmp_path, step)
        checkpoints.strip_older(tmp_path)
    kept = [path.name for path in checkpoints.whole(tmp_path) if (path / "optimizer.pt").exists()]
    assert kept == ["checkpoint-6", "checkpoint-8"]


def test_checkpoints_after_the_one_to_go_on_from_are_swept_away(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        write(tmp_path, step)
    checkpoints.strip(checkpoints.folder_of(tmp_path, 3))
    checkpoints.sweep(tmp_path)
    assert [path.name for path in checkpoints.whole(tmp_path)] == ["checkpoint-1", "checkpoint-2"]
