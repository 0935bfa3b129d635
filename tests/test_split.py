"""python -m pytest tests/test_split.py"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from distill.context import Context, Resolved
from distill.errors import SourceError
from distill.protocols import Summary
from distill.rows import Row, digest, read_rows
from distill.sources.real import Real
from distill.split import Spec, Split, held_out, run

Data = dict[str, list[list[str]]]


def pairs(count: int, start: int = 0) -> list[list[str]]:
    return [[f"Question {number}?", f"Answer {number}"] for number in range(start, start + count)]


def split(folder: Path, data: Data, count: int, seed: int = 17) -> Summary:
    """Split data sets of turns into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    resolved = {}
    for name, records in data.items():
        path = folder.parent / f"{folder.name}-{name}.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        resolved[f"./{name}.jsonl"] = Resolved(f"./{name}.jsonl", path, "sha256:0")
    real = {name: Real(data=f"./{name}.jsonl", turns="alternate") for name in data}
    spec = Spec(real=real, split=Split(held_out_prompts=count), seed=seed)
    return run(spec, {}, folder, Context(folder, resolved))


def side(folder: Path, side: str, name: str) -> list[Row]:
    return list(read_rows(folder / side / f"{name}.jsonl"))


def roots(folder: Path, name: str) -> set[str]:
    return {row.provenance.root for path in (folder / name).iterdir() for row in read_rows(path)}


def test_the_lowest_hashes_are_held_out(tmp_path: Path) -> None:
    out = tmp_path / "out"
    summary = split(out, {"chat": pairs(50)}, 8)
    held, kept = roots(out, "heldout"), roots(out, "train")
    assert (len(held), len(kept), held & kept) == (8, 42, set())
    rank = {root: digest([17, root]) for root in held | kept}
    assert max(rank[root] for root in held) < min(rank[root] for root in kept)
    assert summary["counts"] == {"read": 50, "train": 42, "heldout": 8, "duplicates": 0, "skipped": 0}
    assert summary["prompts"] == {"train": 42, "heldout": 8}
    assert {path.name for path in out.iterdir()} == {"train", "heldout"}


def test_the_split_depends_on_the_seed_and_not_on_the_order(tmp_path: Path) -> None:
    for name, data, seed in (
        ("a", pairs(50), 17),
        ("b", pairs(50)[::-1], 17),
        ("c", pairs(50), 18),
    ):
        split(tmp_path / name, {"chat": data}, 8, seed)
    assert roots(tmp_path / "a", "heldout") == roots(tmp_path / "b", "heldout") != roots(tmp_path / "c", "heldout")


def test_rows_keep_the_order_of_the_data(tmp_path: Path) -> None:
    split(tmp_path / "out", {"chat": pairs(50)}, 8)
    for name in ("train", "heldout"):
        numbers = [int(row.answer.split()[1]) for row in side(tmp_path / "out", name, "chat")]
        assert numbers == sorted(numbers) and numbers


def test_a_prompt_is_on_one_side_over_all_data_sets(tmp_path: Path) -> None:
    loud = [[question.upper() + "!", "other answer"] for question, _ in pairs(50)]
    long = [[question, answer, "And then?", "The end."] for question, answer in pairs(50)]
    summary = split(tmp_path / "out", {"chat": pairs(50), "loud": loud, "long": long}, 8)
    assert not roots(tmp_path / "out", "heldout") & roots(tmp_path / "out", "train")
    for name in ("chat", "loud", "long"):
        assert len(side(tmp_path / "out", "heldout", name)) == 8
    assert summary["prompts"] == {"train": 42, "heldout": 8}
    assert summary["counts"]["heldout"] == 24
    assert summary["notes"][0] == "8 of 50 prompts are held out, with 24 of their rows"


def test_the_passages_of_a_document_are_on_one_side_and_what_every_document_ends_with_is_there_once(
    tmp_path: Path,
) -> None:
    notice = "All rights to these ten words belong to nobody at all."
    texts = [f"The house number {n} stands alone.\n\nIts door bears the number {n} too.\n\n{notice}" for n in range(20)]
    (tmp_path / "docs").mkdir()
    for number, text in enumerate(texts):
        (tmp_path / "docs" / f"{number}.txt").write_text(text)
    real = {"docs": Real(data="./docs", text="text", title="title", passage_words=10, min_words=3)}
    spec = Spec(real=real, split=Split(held_out_prompts=6), seed=17)
    out = tmp_path / "out"
    out.mkdir()
    summary = run(spec, {}, out, Context(out, {"./docs": Resolved("./docs", tmp_path / "docs", "sha256:0")}))
    assert not roots(out, "heldout") & roots(out, "train")
    assert summary["notes"][0] == f"6 of 20 documents are held out, with {summary['counts']['heldout']} of their rows"
    assert summary["counts"]["heldout"] >= 12
    rows = [*side(out, "train", "docs"), *side(out, "heldout", "docs")]
    assert len(rows) == 41 and [row.answer for row in rows].count(notice) == 1
    assert summary["counts"]["duplicates"] == 19


def test_counts_add_up_for_every_data_set(tmp_path: Path) -> None:
    doubled = [*pairs(10), *pairs(3), ["alone"], ["Question 1?", "Answer 1", "cut"]]
    summary = split(tmp_path / "out", {"a": doubled, "b": pairs(5, start=8)}, 4)
    assert summary["by_data"]["a"]["read"] == 15
    assert summary["by_data"]["a"]["duplicates"] == 4
    assert summary["by_data"]["a"]["reasons"] == {"one_turn": 1}
    for counts in (summary["counts"], *summary["by_data"].values()):
        assert counts["read"] == sum(counts[name] for name in ("train", "heldout", "duplicates", "skipped"))
    assert summary["by_data"]["a"]["train"] == len(side(tmp_path / "out", "train", "a"))
    assert "a: skipped 1 one_turn (first: out-a.jsonl:14)" in summary["notes"]
    assert "a: 1 conversations were cut after their last answer" in summary["notes"]
    assert "2 rows are in more than one data set, each keeps its own copy" in summary["notes"]


def test_another_data_set_changes_no_content(tmp_path: Path) -> None:
    split(tmp_path / "one", {"a": pairs(20)}, 4)
    split(tmp_path / "two", {"b": pairs(200, start=100), "a": pairs(20)}, 4)

    def lines(folder: Path) -> set[str]:
        return {line for s in ("train", "heldout") for line in (folder / s / "a.jsonl").read_text().splitlines()}

    assert lines(tmp_path / "one") == lines(tmp_path / "two")
    assert len(lines(tmp_path / "one")) == 20


def test_a_prompt_leaves_the_held_out_side_only_for_a_lower_hash() -> None:
    before, after = (held_out((f"r{n}" for n in range(count)), 17, 8) for count in (50, 60))
    new = {f"r{n}" for n in range(50, 60)}
    assert after - before <= new and len(after) == 8
    assert held_out(["a", "b"], 17, 0) == frozenset()


@pytest.mark.parametrize(("prompts", "count"), [(8, 8), (8, 9), (1, 1)])
def test_too_few_prompts(prompts: int, count: int, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=rf"split.held_out_prompts: {count} asked, but .* {prompts} distinct prompts"):
        split(tmp_path / "out", {"chat": pairs(prompts) * 3}, count)
    split(tmp_path / "enough", {"chat": pairs(count + 1)}, count)


def test_none_held_out(tmp_path: Path) -> None:
    summary = split(tmp_path / "out", {"chat": pairs(3)}, 0)
    assert summary["counts"]["heldout"] == 0
    assert side(tmp_path / "out", "heldout", "chat") == []


def test_a_second_try_in_the_same_folder_overwrites(tmp_path: Path) -> None:
    split(tmp_path / "out", {"chat": pairs(30)}, 8)
    (tmp_path / "out" / "all.jsonl").write_text("what a killed process left\n")
    again = split(tmp_path / "out", {"chat": pairs(20)}, 4)
    assert again["counts"]["read"] == 20
    assert len(side(tmp_path / "out", "train", "chat")) == 16


def test_only_the_first_rank_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from distill.context import Ranks

    monkeypatch.setattr(Ranks, "gather", lambda self, items: [*([{"from": 0}] if self.rank else []), *items])
    spec = Spec(real={"chat": Real(data="./x", turns="alternate")}, split=Split(), seed=0)
    assert run(spec, {}, tmp_path, Context(tmp_path, {}, ranks=Ranks(1, 2))) == {"from": 0}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "a b"])
def test_a_name_that_is_no_file_name(name: str) -> None:
    with pytest.raises(ValidationError):
        Spec(real={name: Real(data="x", prompt="q")}, split=Split(), seed=0)


CHATTERBOT = """
import sys
from pathlib import Path
from distill.context import Context
from distill.sources.real import Real
from distill.sources.references import resolve
from distill.split import Spec, Split, run
ref, out = "package:chatterbot_corpus/data/english", Path(sys.argv[1])
real = {"chat": Real(data=ref, items="conversations", turns="alternate")}
run(Spec(real=real, split=Split(), seed=17), {}, out, Context(out, {ref: resolve(ref, "data", out, out, out)}))
assert "torch" not in sys.modules
"""


def test_the_same_split_in_every_process(tmp_path: Path) -> None:
    found: set[tuple[Any, ...]] = set()
    for seed in ("0", "1", "4711"):
        out = tmp_path / seed
        out.mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", CHATTERBOT, str(out)], env=environment, check=True, timeout=120)
        files = sorted(path for path in out.rglob("*.jsonl"))
        found.add(tuple((path.relative_to(out), hashlib.sha256(path.read_bytes()).hexdigest()) for path in files))
    assert len(found) == 1
    assert len(side(tmp_path / "0", "train", "chat")) == 719
    assert len(side(tmp_path / "0", "heldout", "chat")) == 179
    assert len(roots(tmp_path / "0", "heldout")) == 128


def test_an_answer_that_several_people_scored_has_the_mean(tmp_path: Path) -> None:
    given = [("one", 2), ("one", 9), ("two", 5), ("one", 10)]
    path = tmp_path / "scored.jsonl"
    path.write_text("".join(json.dumps({"q": "Which?", "a": text, "s": score}) + "\n" for text, score in given))
    real = {"chat": Real.model_validate({"data": "./d.jsonl", "prompt": "q", "answer": "a", "score": "s"})}
    context = Context(tmp_path, {"./d.jsonl": Resolved("./d.jsonl", path, "sha256:0")})
    summary = run(Spec(real=real, split=Split(held_out_prompts=0), seed=1), {}, tmp_path / "out", context)
    assert [(row.answer, row.scores) for row in side(tmp_path / "out", "train", "chat")] == [
        ("one", {"people": 7.0}),
        ("two", {"people": 5.0}),
    ]
    assert any("1 rows were scored more than once" in note for note in summary["notes"])
