from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from distill.cli import main

ROOT = Path(__file__).parents[1]
QUICKSTART = str(ROOT / "recipes" / "quickstart.yaml")


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    return ["--runs", str(tmp_path / "runs"), "--cache", str(tmp_path / "cache")]


def test_check_needs_nothing_that_is_slow_to_import(folders: list[str]) -> None:
    """`scripts/bench/pipeline.py` measures that it takes less than a second."""
    heavy = (
        "torch", "transformers", "trl", "datasets", "peft", "accelerate", "numpy", "scipy", "sklearn",
        "sentence_transformers", "aiohttp", "pyarrow", "sacrebleu",
    )  # fmt: skip
    code = (
        f"import sys\nfor name in {heavy}: sys.modules[name] = None\n"
        "from distill.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    command = [sys.executable, "-c", code, "check", QUICKSTART, *folders]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert "ok, 13 steps, 2 references" in done.stdout


def test_plan_says_what_would_be_made_and_why(folders: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", QUICKSTART, "--json", *folders]) == 0
    steps = json.loads(capsys.readouterr().out)
    assert [step["node"] for step in steps][:3] == ["split", "heldout", "generate"]
    assert all(not step["there"] and step["why"] == ["not made yet"] for step in steps)


def test_a_light_stage_is_made_found_again_and_its_staleness_explained(
    folders: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["run", QUICKSTART, "--until", "split", *folders]) == 0
    assert (tmp_path / "runs" / "quickstart" / "0-split" / "heldout" / "chat.jsonl").is_file()
    capsys.readouterr()
    assert main(["run", QUICKSTART, "--until", "split", *folders]) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert main(["plan", QUICKSTART, "--set", "split.held_out_prompts=64", *folders]) == 0
    assert "split.held_out_prompts: 128 -> 64" in capsys.readouterr().out
    assert main(["show", "quickstart", *folders]) == 0
    assert "0-split" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "nowhere.yaml"], "cannot be read"),
        (["check", QUICKSTART, "--set", "teacher.model=package:llm_smollm3/x.gguf"], "llm-smollm3"),
        (["check", QUICKSTART, "--set", "real.chat.data=./nowhere"], "nowhere"),
        (["run", QUICKSTART, "--until", "trian"], "no node 'trian'"),
        (["show", "nobody"], "no run 'nobody'"),
        (["compare", "nobody"], "no run 'nobody'"),
    ],
)
def test_a_users_mistake_is_a_sentence_and_exit_status_2(
    arguments: list[str], message: str, folders: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, *folders]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_offline_a_hub_id_that_is_not_here_is_one_clear_error(
    folders: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    arguments = [QUICKSTART, "--set", "teacher.model=Qwen/Qwen3-32B", *folders]
    assert main(["check", *arguments]) == 0
    assert "not on this machine yet" in capsys.readouterr().out
    assert main(["run", *arguments]) == 2
    error = capsys.readouterr().err
    assert "Qwen/Qwen3-32B" in error
    assert "distill fetch" in error


def test_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Recipe"


@pytest.mark.parametrize(
    "arguments", [["run", QUICKSTART, "--dry-run", wrong] for wrong in ("-3", "0", "two")] + [["show", "x", "-n", "-3"]]
)
def test_a_count_that_is_none_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert f"{arguments[-2]}: {arguments[-1]!r} is not a whole number of at least 1" in said


def test_check_says_what_a_judge_is_asked_and_whom_it_is_related_to(
    folders: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = str(ROOT / "recipes" / "judged.yaml")
    assert main(["check", recipe, *folders]) == 0
    said = capsys.readouterr().out
    assert "judge: critic is asked at most 432 questions" in said and "never compared" not in said
    assert (
        "judge: The judge is the same model as the teacher and the student: it may favour answers like its own." in said
    )
    assert main(["check", recipe, "--set", "evaluate.judge.labels=null", *folders]) == 0
    assert "it is never compared with people (evaluate.judge.labels)" in capsys.readouterr().out
    assert main(["check", QUICKSTART, *folders]) == 0
    assert "  judge:" not in capsys.readouterr().out
